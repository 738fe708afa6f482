"""How far each pixel of a chromosome lies from one of its two far ends, going within its mask."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.pieces import column_of
from edge.records import BoolArray, UInt8Array

MOST_STEPS = 127
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)


def from_far_end(stack: BoolArray) -> UInt8Array:
    """For each mask bool (n, h, w), each of one piece: its pixels' distance from an end, uint8 (n, h, w) in pixels (at
    most 254), meaningless off the masks. An octagonal walk on masks of half the size, for a quarter of the work."""
    n, height, width = stack.shape
    even = np.zeros((n, height + height % 2, width + width % 2), np.bool_)
    even[:, :height, :width] = stack
    half = even[:, ::2, ::2] | even[:, 1::2, ::2] | even[:, ::2, 1::2] | even[:, 1::2, 1::2]
    inside = column_of(half)
    steps = _walk(inside, column_of(_only(half, _off_middle(half))))
    steps = _walk(inside, column_of(_only(half, _tiles(steps, half))))
    far = np.minimum(_tiles(steps, half), MOST_STEPS) * np.uint8(2)
    return np.asarray(np.repeat(np.repeat(far, 2, 1), 2, 2)[:, :height, :width])


def _tiles(column: UInt8Array, like: BoolArray) -> UInt8Array:
    n, height, width = like.shape
    return np.asarray(column.reshape(n, height + 1, width)[:, :height])


def _off_middle(stack: BoolArray) -> npt.NDArray[np.float32]:
    """Each pixel's squared distance from the middle of its mask, (n, h, w)."""
    _, height, width = stack.shape
    y, x = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    area = np.maximum(np.count_nonzero(stack, axis=(1, 2)), 1)
    middle_y = (stack.sum(2) @ y / area).astype(np.float32)
    middle_x = (stack.sum(1) @ x / area).astype(np.float32)
    off_y, off_x = (y - middle_y[:, None]) ** 2, (x - middle_x[:, None]) ** 2
    return np.asarray(off_y[:, :, None] + off_x[:, None])


def _only(stack: BoolArray, distance: npt.NDArray[np.generic]) -> BoolArray:
    """Of each mask, the one pixel that is farthest."""
    n = len(stack)
    there = np.where(stack, distance, -1 if distance.dtype.kind == "f" else 0).reshape(n, -1).argmax(1)
    farthest = np.zeros((n, stack[0].size), np.bool_)
    farthest[np.arange(n), there] = True
    return farthest.reshape(stack.shape) & stack


def _walk(inside: UInt8Array, seeds: UInt8Array) -> UInt8Array:
    """Steps from the seeds within the masks."""
    steps = np.zeros_like(inside)
    reached = seeds
    count, still = int(cv2.countNonZero(reached)), 0
    for k in range(255):
        steps += reached ^ 1
        reached = cv2.dilate(reached, _SQUARE if k % 2 else _CROSS) & inside
        new_count = int(cv2.countNonZero(reached))
        still = still + 1 if new_count == count else 0
        if still == 2:  # once may mean a corner: every other step goes along rows and columns only
            break
        count = new_count
    return steps
