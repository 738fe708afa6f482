"""What a frame's boxes and its own darkness tell about each pixel: the locator's dense targets on real frames.

The data has boxes only. A dark pixel that lies in exactly one box belongs to it; where boxes share dark pixels, all of
them stay candidates and the network's loss takes the one that fits best. A connected component that one box frames with
its usual margin, and no other box claims, is *isolated*: its pixels surely are that chromosome's, and it is a cut-out
to paste elsewhere with a known mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.background import background_of
from edge.locate.rims import DARK_SHARE
from edge.records import BoolArray, UInt8Array

MAX_CANDIDATES = 3
NOBODY = 255
MARGIN_RANGE_PX = (-3, 14)
LARGEST_HOLE_PX2 = 40


@dataclass(frozen=True, slots=True)
class PixelTruth:
    """``ground`` uint8 (H, W), the local background; ``chromosome`` bool (H, W); ``candidates`` uint8 (H, W, 3),
    indices of the boxes that may own the pixel, ``NOBODY`` where none; ``isolated``: box index to the mask of its own
    component and the component's box (x0, y0, x1, y1)."""

    ground: UInt8Array
    chromosome: BoolArray
    candidates: UInt8Array
    isolated: dict[int, tuple[tuple[int, int, int, int], BoolArray]]


def pixel_truth(pixels: UInt8Array, boxes: npt.NDArray[np.int64]) -> PixelTruth:
    """What is known of each pixel of ``pixels`` uint8 (H, W); ``boxes`` int (n, 4) are half-open, in the same
    pixels."""
    height, width = pixels.shape
    ground = background_of(pixels)
    darkness = cv2.GaussianBlur(cv2.subtract(ground, pixels), (3, 3), 0)
    inside = np.zeros((height, width), bool)
    for x0, y0, x1, y1 in boxes:
        inside[y0:y1, x0:x1] = True
    level, _ = cv2.threshold(darkness[inside].reshape(-1, 1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark = darkness > max(DARK_SHARE * level, 6.0)
    dark = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return _share_out(ground, _fill_specks(dark), boxes)


def around(
    box: tuple[int, int, int, int], margin: int, shape: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[tuple[int, int], tuple[int, int]]]:
    """Where a box with ``margin`` pixels on all sides lies: its rows and columns within a picture of ``shape`` (H, W),
    and the padding, as ``np.pad`` takes it, for what lies outside."""
    height, width = shape
    x0, y0, x1, y1 = box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin
    rows, cols = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))
    return (rows, cols), ((rows.start - y0, y1 - rows.stop), (cols.start - x0, x1 - cols.stop))


def _fill_specks(dark: UInt8Array) -> UInt8Array:
    """``dark`` (H, W) with its small holes filled: those are pale bands, larger ones are ground."""
    _, holes, stats, _ = cv2.connectedComponentsWithStats(1 - dark, connectivity=4)
    return np.asarray(dark | (stats[:, cv2.CC_STAT_AREA] <= LARGEST_HOLE_PX2)[holes], np.uint8)


def _share_out(ground: UInt8Array, dark: UInt8Array, boxes: npt.NDArray[np.int64]) -> PixelTruth:
    height, width = dark.shape
    n, components, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    found = stats[1:, :4].astype(np.int64)
    found[:, 2:] += found[:, :2]
    isolated: dict[int, tuple[tuple[int, int, int, int], BoolArray]] = {}
    taken = np.zeros(n, bool)
    if len(found) and len(boxes):
        main = np.array([_main_component(components[y0:y1, x0:x1]) for x0, y0, x1, y1 in boxes]) - 1
        alone = np.bincount(main[main >= 0], minlength=len(found)) == 1
        for box_index, component in enumerate(main):
            if component < 0 or not alone[component]:
                continue
            box = boxes[box_index]
            margins = np.concatenate([found[component, :2] - box[:2], box[2:] - found[component, 2:]])
            if margins.min() >= MARGIN_RANGE_PX[0] and margins.max() <= MARGIN_RANGE_PX[1]:
                x0, y0, x1, y1 = (int(v) for v in found[component])
                isolated[box_index] = ((x0, y0, x1, y1), components[y0:y1, x0:x1] == component + 1)
                taken[component + 1] = True
    candidates = np.full((height, width, MAX_CANDIDATES), NOBODY, np.uint8)
    depth = np.zeros((height, width), np.uint8)
    free = (dark > 0) & ~taken[components]
    for box_index, (x0, y0, x1, y1) in enumerate(boxes):
        if box_index in isolated:
            continue
        ys, xs = np.nonzero(free[y0:y1, x0:x1] & (depth[y0:y1, x0:x1] < MAX_CANDIDATES))
        ys, xs = ys + y0, xs + x0
        candidates[ys, xs, depth[ys, xs]] = box_index
        depth[ys, xs] += 1
    for box_index, ((x0, y0, x1, y1), mask) in isolated.items():
        candidates[y0:y1, x0:x1, 0][mask] = box_index
    # A lone candidate fills every slot, so that the loss can take the best of three without asking how many there are.
    for k in range(1, MAX_CANDIDATES):
        gap = candidates[..., k] == NOBODY
        candidates[..., k][gap] = candidates[..., 0][gap]
    chromosome = candidates[..., 0] != NOBODY
    return PixelTruth(ground, chromosome, candidates, isolated)


def _main_component(patch: npt.NDArray[np.int32]) -> int:
    """The number of the component with most pixels in the patch; 0 where there is none."""
    sizes = np.bincount(patch.reshape(-1))
    return int(sizes[1:].argmax()) + 1 if len(sizes) > 1 else 0
