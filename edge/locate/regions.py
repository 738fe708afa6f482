"""Regions made of what was seen in a frame, numbered by their positions, each with the others that it crosses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge.locate.rims import masks_of
from edge.locate.separate import Outline, lines_of
from edge.overlap import SAME_MASK_IOU, box_iou, crossings, mask_iou
from edge.records import BoolArray, Box, Float32Array, Frame, Region, UInt8Array

Shape = tuple[Box, BoolArray, Float32Array]
"""Box, mask within it and centre line, as a Region has them."""
KNOWN_IOU = 0.7
"""What the last look finds is an object that is there already if their boxes share this."""


def regions_of(
    outlines: Sequence[Outline],
    boxes_px: Sequence[Box],
    scores: Sequence[float],
    stain: UInt8Array,
    scale: float,
    known: Sequence[Region] = (),
) -> tuple[Region, ...]:
    """Those ``known``, numbered by their positions, and after them the outlines'; ``stain`` as ``stain_of``
    gives it, ``scale``: picture pixels per frame pixel."""
    odds = [outline.odds_in(box, scale) for outline, box in zip(outlines, boxes_px, strict=True)]
    masks = masks_of(odds, boxes_px, scores, stain, known)
    lines = lines_of(outlines) / np.float32(scale) if outlines else ()
    return among(known, list(zip(boxes_px, masks, lines, strict=True)), scores)


def among(known: Sequence[Region], shapes: Sequence[Shape], scores: Sequence[float]) -> tuple[Region, ...]:
    """Those ``known``, numbered by their positions, and after them new ones; all know which others they cross."""
    if not shapes:
        return tuple(known)
    first = len(known)
    met_by = crossings(
        [*(r.box_px for r in known), *(box for box, _, _ in shapes)],
        [*(r.mask for r in known), *(mask for _, mask, _ in shapes)],
        first,
    )
    met = [replace(r, overlaps=(*r.overlaps, *ids)) if ids else r for r, ids in zip(known, met_by, strict=False)]
    made = zip(shapes, met_by[first:], scores, strict=True)
    return (*met, *(Region(k, *shape, ids, score) for k, (shape, ids, score) in enumerate(made, first)))


def unknown(boxes: Float32Array, regions: Sequence[Region]) -> npt.NDArray[np.intp]:
    """Which of the boxes (n, 4), in frame pixels, are those of no region."""
    known = np.array([r.box_px for r in regions], np.float32)
    return np.flatnonzero(box_iou(boxes, known).max(1) < KNOWN_IOU) if len(boxes) else np.zeros(0, np.intp)


def unlike(shapes: Sequence[Shape], regions: Sequence[Region]) -> list[Shape]:
    """Those of ``shapes`` whose masks are those of no region, whatever their boxes are."""
    return [
        shape
        for shape in shapes
        if all(mask_iou(*shape[:2], region.box_px, region.mask) <= SAME_MASK_IOU for region in regions)
    ]


def clipped(boxes: Float32Array, frame: Frame) -> list[Box]:
    """The boxes (n, 4) in whole pixels of the frame, within it and not empty."""
    last = np.array(frame.pixels.shape[::-1])
    whole = np.rint(boxes).astype(np.int64)
    first = np.clip(whole[:, :2], 0, last - 1)
    beyond = np.maximum(np.minimum(whole[:, 2:], last), first + 1)
    return [(x0, y0, x1, y1) for (x0, y0), (x1, y1) in zip(first.tolist(), beyond.tolist(), strict=True)]
