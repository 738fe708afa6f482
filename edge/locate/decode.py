"""From the locator network's maps to boxes and pixel owners, all in network pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.grid import BOX_UNIT_PX, HEADS, STRIDE_PX, VOTE_UNIT_PX
from edge.records import BoolArray, Float32Array

CENTRE_STRIDE_PX = STRIDE_PX // HEADS["heat"][0]
PIXEL_STRIDE_PX = STRIDE_PX // HEADS["dense"][0]
LOGIT_EDGE = 0.0
REACH_PX = 4.0
"""How far outside its box a chromosome's own pixels may lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Boxes float32 (n, 4) and scores float32 (n,), best first; network pixels."""

    boxes: Float32Array
    scores: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """The network's four unfolded maps: ``heat`` (h, w), ``box`` (h, w, 4) on stride 4; ``dense`` (H, W, 2), ``votes``
    (H, W, 2) on stride 2; logits and units as the network gives them."""

    heat: Float32Array
    box: Float32Array
    dense: Float32Array
    votes: Float32Array

    @classmethod
    def unfold(cls, outputs: Mapping[str, Float32Array]) -> Maps:
        """From the network's outputs (h, w, channels), sub-cells still in the channels."""
        maps = {name: unfold(outputs[name], side) for name, (side, _) in HEADS.items()}
        return cls(maps["heat"][..., 0], maps["box"], maps["dense"], maps["votes"])


def unfold(cells: Float32Array, side: int) -> Float32Array:
    """(h, w, side*side*c) sub-cell channels to (h*side, w*side, c)."""
    h, w, channels = cells.shape
    c = channels // (side * side)
    opened = cells.reshape(h, w, side, side, c).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(opened).reshape(h * side, w * side, c)


def find_boxes(maps: Maps, least_score: float, most_iou: float) -> Found:
    """Peaks of the centre map, strongest first, with near doubles dropped."""
    heat = maps.heat
    top = cv2.dilate(heat, np.ones((3, 3), np.uint8))
    ys, xs = np.nonzero((heat == top) & (heat > np.log(least_score / (1 - least_score))))
    order = np.argsort(-heat[ys, xs], kind="stable")
    ys, xs = ys[order], xs[order]
    scores = 1 / (1 + np.exp(-heat[ys, xs]))
    centre = (np.stack([xs, ys], axis=1) + 0.5) * CENTRE_STRIDE_PX
    sides = np.maximum(maps.box[ys, xs], 0.1) * BOX_UNIT_PX
    boxes = np.concatenate([centre - sides[:, :2], centre + sides[:, 2:]], axis=1).astype(np.float32)
    keep = not_doubled(boxes, most_iou)
    return Found(boxes[keep], scores[keep].astype(np.float32))


def not_doubled(boxes: Float32Array, most_iou: float) -> npt.NDArray[np.intp]:
    """Indices of the boxes that no earlier kept box covers by more than ``most_iou``."""
    iou = box_iou(boxes, boxes)
    kept: list[int] = []
    for i in range(len(boxes)):
        if not kept or iou[i, kept].max() <= most_iou:
            kept.append(i)
    return np.asarray(kept, np.intp)


def box_iou(a: Float32Array, b: Float32Array) -> Float32Array:
    """Intersection over union of every box of ``a`` (n, 4) with every one of ``b`` (m, 4): (n, m)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    size_a, size_b = (a[:, 2:] - a[:, :2]).prod(-1), (b[:, 2:] - b[:, :2]).prod(-1)
    return np.asarray(both / np.maximum(size_a[:, None] + size_b[None] - both, 1e-9), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Owners:
    """Who owns each pixel of the stride-2 grid: ``first`` and ``second`` int16 (H, W), an index of the boxes, -1 for
    none; ``second`` is set only where two chromosomes cross."""

    first: npt.NDArray[np.int16]
    second: npt.NDArray[np.int16]

    def mask_of(self, index: int) -> BoolArray:
        return np.asarray((self.first == index) | (self.second == index))


def share_pixels(maps: Maps, boxes: Float32Array) -> Owners:
    """Gives each chromosome pixel to the box whose centre its vote comes closest to, among the boxes it lies in."""
    height, width = maps.dense.shape[:2]
    solid = maps.dense[..., 0] > LOGIT_EDGE
    far = np.float32(np.inf)
    best, next_best = np.full((height, width), far, np.float32), np.full((height, width), far, np.float32)
    first, second = np.full((height, width), -1, np.int16), np.full((height, width), -1, np.int16)
    target_x = (np.arange(width, dtype=np.float32) + 0.5) * PIXEL_STRIDE_PX + maps.votes[..., 0] * VOTE_UNIT_PX
    target_y = (np.arange(height, dtype=np.float32)[:, None] + 0.5) * PIXEL_STRIDE_PX + maps.votes[
        ..., 1
    ] * VOTE_UNIT_PX
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        rows = slice(max(0, int((y0 - REACH_PX) / PIXEL_STRIDE_PX)), max(0, int((y1 + REACH_PX) / PIXEL_STRIDE_PX) + 1))
        cols = slice(max(0, int((x0 - REACH_PX) / PIXEL_STRIDE_PX)), max(0, int((x1 + REACH_PX) / PIXEL_STRIDE_PX) + 1))
        gap = np.hypot(target_x[rows, cols] - (x0 + x1) / 2, target_y[rows, cols] - (y0 + y1) / 2)
        old, runner = best[rows, cols], next_best[rows, cols]
        wins = gap < old
        places = ~wins & (gap < runner)
        second[rows, cols] = np.where(wins, first[rows, cols], np.where(places, index, second[rows, cols]))
        next_best[rows, cols] = np.where(wins, old, np.where(places, gap, runner))
        first[rows, cols][wins] = index
        old[wins] = gap[wins]
    first[~solid] = -1
    second[~solid | (maps.dense[..., 1] <= LOGIT_EDGE)] = -1
    return Owners(first, second)
