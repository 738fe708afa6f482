"""Masks of one cell, all of a size and worked at once: their connected pieces, and which of them belong together.

A few large OpenCV calls cost less than thousands of small ones, so the masks lie under one another in one tall picture,
with an empty row between two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.records import BoolArray, UInt8Array

FEWEST_PIXELS = 4
SMALLEST_PIECE = 0.12
"""A piece that is less than this share of its mask is dirt or a neighbour's."""


def stacked(masks: BoolArray | Sequence[BoolArray]) -> BoolArray:
    """Masks (h, w) of any sizes as one array (n, H, W), empty to the right of and below each."""
    if isinstance(masks, np.ndarray):
        return masks
    height, width = (max(mask.shape[axis] for mask in masks) for axis in (0, 1))
    stack = np.zeros((len(masks), height, width), np.bool_)
    for row, mask in zip(stack, masks, strict=True):
        row[: mask.shape[0], : mask.shape[1]] = mask
    return stack


def column_of(stack: BoolArray) -> UInt8Array:
    """The stack (n, h, w) as one picture (n * (h + 1), w), an empty row below each."""
    n, height, width = stack.shape
    column = np.zeros((n, height + 1, width), np.uint8)
    column[:, :height] = stack
    return column.reshape(-1, width)


def _parted(stack: BoolArray) -> Iterator[tuple[int, npt.NDArray[np.int32], BoolArray]]:
    """Each mask of more than one piece: which it is, its pieces by number (h, w), 0 for the ground, and which numbers
    are no specks."""
    n, height, width = stack.shape
    # OpenCV's statistics of pieces take seven times as long as their numbers. Those run on from mask to mask.
    _, column = cv2.connectedComponents(column_of(stack), connectivity=8)
    number = column.reshape(n, height + 1, width)[:, :height]
    last = np.maximum.accumulate(number.max((1, 2)))
    before = np.concatenate([[0], last[:-1]])
    for k in np.flatnonzero(last - before > 1).tolist():
        own = np.maximum(number[k] - before[k], 0)
        area = np.bincount(own.ravel())
        area[0] = 0
        yield k, own, area >= max(FEWEST_PIXELS, SMALLEST_PIECE * int(area.sum()))


def without_specks(stack: BoolArray) -> BoolArray:
    """The masks bool (n, h, w) without pieces too small to be a part of the same chromosome."""
    out = stack.copy()
    for k, number, large in _parted(stack) if stack.size else ():
        out[k] = large[number]
    return out


def whole(stack: BoolArray) -> BoolArray:
    """The masks bool (n, h, w), each in one piece: without specks, and bridged where another that crosses it parts
    it."""
    out = stack.astype(np.uint8)
    for k, number, large in _parted(stack):
        out[k] = large[number]
        area = np.bincount(number.ravel()) * large
        main = area.argmax()
        for other in np.flatnonzero(large & (np.arange(len(large)) != main)).tolist():
            cv2.line(out[k], *_nearest(number == main, number == other), 1, 3)
    return np.asarray(out > 0)


def _nearest(a: BoolArray, b: BoolArray) -> tuple[tuple[int, int], tuple[int, int]]:
    pa, pb = np.argwhere(a), np.argwhere(b)
    gaps = ((pa[:, None] - pb[None]) ** 2).sum(-1)
    # Facing ends have many nearest pairs, and a bridge along a flank would bow the line: the middle one is taken.
    pairs = np.argwhere(gaps <= (np.sqrt(gaps.min()) + 1) ** 2)
    i, j = pairs[len(pairs) // 2]
    return (int(pa[i, 1]), int(pa[i, 0])), (int(pb[j, 1]), int(pb[j, 0]))
