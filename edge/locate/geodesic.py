"""How far each pixel of a chromosome lies from one of its two far ends, going within its mask."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from edge.records import BoolArray, UInt8Array

MOST_STEPS = 127
MOST_WALK = 254
"""Steps; an even number that a byte holds."""
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)


def from_far_end(stack: BoolArray) -> UInt8Array:
    """For each mask bool (n, h, w), each of one piece: its pixels' distance from an end, in pixels (at most 254); one
    number for each two by two of them, uint8 (n, h / 2, w / 2) rounded up, meaningless off the masks. An octagonal
    walk on masks of half the size, for a quarter of the work."""
    n, height, width = stack.shape
    even = np.zeros((n, height + height % 2, width + width % 2), np.bool_)
    even[:, :height, :width] = stack
    tall = even[:, ::2] | even[:, 1::2]
    half = tall[:, :, ::2] | tall[:, :, 1::2]
    inside = _strip_of(half)
    steps = _walk(inside, _strip_of(_only(half, _off_middle(half))))
    steps = _walk(inside, _strip_of(_only(half, _stack_of(steps, n))))
    return np.minimum(_stack_of(steps, n), MOST_STEPS) * np.uint8(2)


def _strip_of(stack: BoolArray) -> UInt8Array:
    """The stack (n, h, w) side by side, (h, n * (w + 1)), an empty column to the right of each. Long rows suit OpenCV:
    masks under one another take five times as long to dilate."""
    n, height, width = stack.shape
    strip = np.zeros((height, n, width + 1), np.uint8)
    strip[:, :, :width] = stack.transpose(1, 0, 2)
    return strip.reshape(height, -1)


def _stack_of(strip: UInt8Array, count: int) -> UInt8Array:
    """The stack of ``count`` again."""
    return strip.reshape(len(strip), count, -1)[:, :, :-1].transpose(1, 0, 2)


def _off_middle(stack: BoolArray) -> npt.NDArray[np.float32]:
    """Each pixel's squared distance from the middle of its mask, (n, h, w)."""
    n, height, width = stack.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    sums = stack.reshape(n, -1).astype(np.float32) @ np.stack([np.ones_like(x), y, x]).reshape(3, -1).T
    middle_y, middle_x = (sums[:, 1:] / np.maximum(sums[:, :1], 1)).T[..., None]
    return np.asarray(((y[:, 0] - middle_y) ** 2)[:, :, None] + ((x[0] - middle_x) ** 2)[:, None])


def _only(stack: BoolArray, distance: npt.NDArray[np.generic]) -> BoolArray:
    """The one pixel of each mask that is farthest."""
    n = len(stack)
    there = np.where(stack, distance, -1 if distance.dtype.kind == "f" else 0).reshape(n, -1).argmax(1)
    farthest = np.zeros((n, stack[0].size), np.bool_)
    farthest[np.arange(n), there] = True
    return farthest.reshape(stack.shape) & stack


def _walk(inside: UInt8Array, seeds: UInt8Array) -> UInt8Array:
    """Steps from the seeds within the masks."""
    reached, since = seeds.copy(), np.zeros_like(inside)
    count, steps = -1, 0
    while steps < MOST_WALK:
        for shape in (_CROSS, _SQUARE):
            since += reached
            np.bitwise_and(cv2.dilate(reached, shape, dst=reached), inside, out=reached)
        steps += 2
        # By twos: a walk that stands still once may be at a corner, as only every other step goes along diagonals.
        count, before = int(cv2.countNonZero(reached)), count
        if count == before:
            break
    return np.asarray(np.uint8(steps) - since)
