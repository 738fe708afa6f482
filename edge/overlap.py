"""How much boxes share: intersection over union, 0..1; boxes are half-open (x0, y0, x1, y1) in any pixels. And how many
pixels the masks in them share. And how tightly people draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge.records import BoolArray, Box

CROSSING_PX = 12
"""Chromosomes that share fewer pixels touch; from here on they overlap."""

SAME_MASK_IOU = 0.5
"""Masks that share more than this are of one chromosome; of two that cross, however much alike their boxes are, they
share less."""

BOX_MARGIN_PX = (7, 8, 5, 4)
"""Median gap between a dark component and the box that people drew around it (left, top, right, bottom), over 1,005
lone components of 40 train frames of the metaphase set; 5th to 95th percentile 2 to 12 px."""

Shares = npt.NDArray[np.float64]


def box_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> Shares:
    """What every box of ``a`` (n, 4) shares with every one of ``b`` (m, 4): (n, m)."""
    return _iou(_boxes(a)[:, None], _boxes(b)[None])


def paired_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> Shares:
    """What each box of ``a`` (n, 4) shares with the one in the same row of ``b`` (n, 4): (n,)."""
    return _iou(_boxes(a), _boxes(b))


def common_area(a: npt.ArrayLike, b: npt.ArrayLike) -> Shares:
    """The area that every box of ``a`` (n, 4) has in common with every one of ``b`` (m, 4): (n, m)."""
    return _common(_boxes(a)[:, None], _boxes(b)[None])


def areas(boxes: npt.ArrayLike) -> Shares:
    """The area of each of the boxes (n, 4): (n,)."""
    return _areas(_boxes(boxes))


def shared_of_smaller(a: npt.ArrayLike, b: npt.ArrayLike) -> Shares:
    """``common_area`` as a share of the smaller of both boxes: (n, m)."""
    return np.asarray(common_area(a, b) / np.maximum(np.minimum(areas(a)[:, None], areas(b)), 1))


def shared_px(a: Box, mask_a: BoolArray, b: Box, mask_b: BoolArray) -> int:
    """How many pixels two masks share, each bool of its box's size."""
    x0, y0, x1, y1 = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    if x0 >= x1 or y0 >= y1:
        return 0
    part_a = mask_a[y0 - a[1] : y1 - a[1], x0 - a[0] : x1 - a[0]]
    part_b = mask_b[y0 - b[1] : y1 - b[1], x0 - b[0] : x1 - b[0]]
    return int(np.count_nonzero(part_a & part_b))


def mask_iou(a: Box, mask_a: BoolArray, b: Box, mask_b: BoolArray) -> float:
    """Intersection over union of two masks, each bool of its box's size; 0 of two that are empty."""
    shared = shared_px(a, mask_a, b, mask_b)
    return shared / max(int(np.count_nonzero(mask_a)) + int(np.count_nonzero(mask_b)) - shared, 1)


def shared_by_each_two(boxes: Sequence[Box], masks: Sequence[BoolArray], first: int = 0) -> npt.NDArray[np.int64]:
    """How many pixels every two masks share, (n, n); 0 of each with itself. Two that both come before number ``first``
    are not looked at: 0."""
    near = np.triu(meet(boxes, boxes), 1)
    near[:, :first] = False
    shared = np.zeros(near.shape, np.int64)
    for a, b in np.argwhere(near).tolist():
        shared[a, b] = shared[b, a] = shared_px(boxes[a], masks[a], boxes[b], masks[b])
    return shared


def meet(a: npt.ArrayLike, b: npt.ArrayLike) -> BoolArray:
    """Whether every box of ``a`` (n, 4) and every one of ``b`` (m, 4) share a pixel or a part of one: (n, m)."""
    (x0, y0, x1, y1), (u0, v0, u1, v1) = _boxes(a).T[..., None], _boxes(b).T
    return np.asarray((np.maximum(x0, u0) < np.minimum(x1, u1)) & (np.maximum(y0, v0) < np.minimum(y1, v1)))


def crossings(boxes: Sequence[Box], masks: Sequence[BoolArray], first: int = 0) -> list[tuple[int, ...]]:
    """For each mask, which others it crosses, in order; two that both come before number ``first`` are not looked
    at."""
    return [tuple(np.flatnonzero(row >= CROSSING_PX).tolist()) for row in shared_by_each_two(boxes, masks, first)]


def as_people_draw(box: Box, height_px: int, width_px: int) -> Box:
    """The box that people draw around what tightly fills ``box``, within a frame of that size."""
    left, top, right, bottom = BOX_MARGIN_PX
    return max(box[0] - left, 0), max(box[1] - top, 0), min(box[2] + right, width_px), min(box[3] + bottom, height_px)


def _boxes(boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def _iou(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> Shares:
    both = _common(a, b)
    return np.asarray(both / np.maximum(_areas(a) + _areas(b) - both, 1e-9))


def _common(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> Shares:
    (x0, y0, x1, y1), (u0, v0, u1, v1) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    # Each side by itself: NumPy is slow along an axis of two.
    width = np.maximum(np.minimum(x1, u1) - np.maximum(x0, u0), 0)
    height = np.maximum(np.minimum(y1, v1) - np.maximum(y0, v0), 0)
    return np.asarray(width * height)


def _areas(boxes: npt.NDArray[np.float64]) -> Shares:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))
