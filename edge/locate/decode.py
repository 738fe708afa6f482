"""From the locator network's maps to boxes, all in network pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.grid import BOX_UNIT_PX, STRIDE_PX
from edge.overlap import box_iou
from edge.records import BoolArray, Float32Array

MOST_PEAKS = 1000
"""The strongest are kept: twenty cells' worth. A network gone wild may see a peak in every place of its grid, and what
comes after compares each with each."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Boxes float32 (n, 4) and scores float32 (n,), best first; network pixels."""

    boxes: Float32Array
    scores: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """The network's two maps on its stride-4 grid, for wide and for tall boxes: ``heat`` (h, w, 2), logits; ``box``
    (h, w, 2, 4), distances to the sides (left, top, right, bottom) in units of ``BOX_UNIT_PX``."""

    heat: Float32Array
    box: Float32Array

    @classmethod
    def of(cls, outputs: Mapping[str, Float32Array]) -> Maps:
        """From the network's outputs, (h, w, values) each."""
        heat, box = outputs["heat"], outputs["box"]
        return cls(heat, box.reshape(*heat.shape, 4))


def find_boxes(maps: Maps, least_score: float, most_iou: float) -> Found:
    """Peaks of the centre maps, strongest first, with near doubles dropped; at most ``MOST_PEAKS``."""
    heat = maps.heat
    top = cv2.dilate(heat, np.ones((3, 3), np.uint8))
    ys, xs, shapes = np.nonzero((heat == top) & (heat > np.log(least_score / (1 - least_score))))
    order = np.argsort(-heat[ys, xs, shapes], kind="stable")[:MOST_PEAKS]
    ys, xs, shapes = ys[order], xs[order], shapes[order]
    scores = 1 / (1 + np.exp(-heat[ys, xs, shapes]))
    centre = (np.stack([xs, ys], axis=1) + 0.5) * STRIDE_PX
    sides = np.maximum(maps.box[ys, xs, shapes], 0.1) * BOX_UNIT_PX
    boxes = np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], axis=1).astype(np.float32)
    keep = no_doubles(boxes, most_iou)
    return Found(boxes[keep], scores[keep].astype(np.float32))


def no_doubles(boxes: Float32Array, most_iou: float) -> npt.NDArray[np.intp]:
    """Indices of those boxes (n, 4) that share at most this with any earlier one that stays."""
    return firsts(box_iou(boxes, boxes) > most_iou)


def firsts(doubles: BoolArray) -> npt.NDArray[np.intp]:
    """Indices of those that are no ``doubles`` (n, n) of an earlier one that stays."""
    doubles = np.triu(doubles, 1)
    kept = np.ones(len(doubles), np.bool_)
    for i in np.flatnonzero(doubles.any(1)).tolist():
        if kept[i]:
            kept &= ~doubles[i]
    return np.flatnonzero(kept)
