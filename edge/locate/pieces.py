"""Masks of one cell, all of a size and worked at once: their connected pieces, and which of them belong together.

A few large OpenCV calls cost less than thousands of small ones, so the masks lie under one another in one tall picture,
with an empty row between two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.records import BoolArray, UInt8Array

FEWEST_PIXELS = 4
SMALLEST_PIECE = 0.12
"""Of a mask; what is smaller and apart is dirt or a neighbour's."""


def stacked(masks: BoolArray | Sequence[BoolArray]) -> BoolArray:
    """Masks (h, w) of any sizes as one array (n, H, W), empty to the right of and below each."""
    if isinstance(masks, np.ndarray):
        return masks
    height, width = (max(mask.shape[axis] for mask in masks) for axis in (0, 1))
    stack = np.zeros((len(masks), height, width), np.bool_)
    for row, mask in zip(stack, masks, strict=True):
        row[: mask.shape[0], : mask.shape[1]] = mask
    return stack


def column_of(stack: npt.NDArray[np.generic], gap: int = 1) -> UInt8Array:
    """The stack (n, h, w) as one picture (n * (h + gap), w), ``gap`` empty rows below each."""
    n, height, width = stack.shape
    column = np.zeros((n, height + gap, width), np.uint8)
    column[:, :height] = stack
    return column.reshape(-1, width)


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """``number`` int32 (n, h, w), 0 for the ground; by number, the mask that it is of and its pixels: ``owner`` and
    ``area``; ``large``: which are no specks. The first of each, the ground, is of no mask and not large."""

    number: npt.NDArray[np.int32]
    owner: npt.NDArray[np.intp]
    area: npt.NDArray[np.int64]
    large: BoolArray

    @classmethod
    def of(cls, stack: BoolArray) -> _Pieces:
        n, height, width = stack.shape
        _, number, stats, _ = cv2.connectedComponentsWithStats(column_of(stack), connectivity=8)
        owner = (stats[:, cv2.CC_STAT_TOP] // (height + 1)).astype(np.intp)
        area = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
        owner[0], area[0] = -1, 0
        whole = np.bincount(owner[1:], weights=area[1:], minlength=n)
        alone = np.bincount(owner[1:], minlength=n) == 1
        large = alone[owner] | (area >= np.maximum(FEWEST_PIXELS, SMALLEST_PIECE * whole[owner]))
        large[0] = False
        return cls(number.reshape(n, height + 1, width)[:, :height], owner, area, large)


def without_specks(stack: BoolArray) -> BoolArray:
    """The masks bool (n, h, w) without pieces too small to be a part of the same chromosome."""
    if not stack.size:
        return stack
    pieces = _Pieces.of(stack)
    return np.asarray(pieces.large[pieces.number])


def whole(stack: BoolArray) -> BoolArray:
    """The masks bool (n, h, w), each in one piece: without specks, and bridged where another that crosses it parts
    it."""
    pieces = _Pieces.of(stack)
    out = pieces.large[pieces.number].astype(np.uint8)
    parted = np.flatnonzero(np.bincount(pieces.owner[pieces.large], minlength=len(stack)) > 1)
    for k in parted.tolist():
        numbers = np.flatnonzero(pieces.large & (pieces.owner == k))
        main = numbers[pieces.area[numbers].argmax()]
        for number in numbers[numbers != main].tolist():
            a, b = _nearest(pieces.number[k] == main, pieces.number[k] == number)
            cv2.line(out[k], a, b, 1, 3)
    return np.asarray(out > 0)


def _nearest(a: BoolArray, b: BoolArray) -> tuple[tuple[int, int], tuple[int, int]]:
    pa, pb = np.argwhere(a), np.argwhere(b)
    gaps = ((pa[:, None] - pb[None]) ** 2).sum(-1)
    # Facing ends have many nearest pairs, and a bridge along a flank would bow the line: the middle one is taken.
    pairs = np.argwhere(gaps <= (np.sqrt(gaps.min()) + 1) ** 2)
    i, j = pairs[len(pairs) // 2]
    return (int(pa[i, 1]), int(pa[i, 0])), (int(pb[j, 1]), int(pb[j, 0]))
