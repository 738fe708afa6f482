"""Whether the stage stands still, told from the frames alone.

Each time that it comes to rest begins a new *scene*, numbered from 1; 0 is a moving stage. Labels belong to the scene
of their frame, and a label of another scene is never shown.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import cv2
import numpy as np

from edge.records import Float32Array, Frame, UInt8Array

MOVED = 0.015
"""Mean relative change of brightness between two frames, at an eighth of their size, that only movement makes, in the
part of them where it is largest. The simulated scope gives at most 0.007 while it stands still (noise, lamp, focus that
settles) and at least 0.03 while it moves."""
_PART_PX = 64
"""The part's sides, at that size: about a cell's, which is little of a large frame. Three val cells in clear fields of
2028 x 1520 px change these by 0.009 to 0.012 when they move by 20 px, but the part by 0.06 and more, and by 0.010 to
0.017 already when they move by 3 px."""
_DIM_LEVEL = 16.0
"""What is darker on average, as fluorescence is, counts as if it were not: its noise would be movement. Six DAPI cells
at three tenths of their light, with noise of 3 levels, change by 0.019 to 0.032 by their own mean, by this one by 0.006
to 0.010, and by 0.041 and more when they move by 5 px."""
MOVING = 0
_SHRINK = 8
_REMEMBERED = 256


class Stage:
    """Sees each frame once, in order, from the camera's thread; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Float32Array | None = None
        self._rest: Float32Array | None = None
        self._scenes = 0
        self._now = MOVING
        self._scene_of: OrderedDict[int, int] = OrderedDict()

    @property
    def scene(self) -> int:
        """The scene of the newest frame; 0 while the stage moves."""
        return self._now

    def scene_of(self, index: int) -> int:
        """The scene of the frame with that index; 0 for a moving stage and for a frame long gone."""
        with self._lock:
            return self._scene_of.get(index, MOVING)

    def seen(self, frame: Frame) -> int:
        """Takes the next frame and returns its scene."""
        small = _small(frame.pixels)
        with self._lock:
            # Against the last frame, for a jump; against the first of the scene, for a slow drift.
            jumped = self._last is None or _change(self._last, small) > MOVED
            drifted = self._rest is not None and _change(self._rest, small) > 2 * MOVED
            if jumped or drifted:
                self._now, self._rest = MOVING, None
            elif self._now == MOVING:
                self._scenes += 1
                self._now, self._rest = self._scenes, small
            self._last = small
            return self._remember(frame.index)

    def interrupted(self) -> None:
        """The frames to come do not follow the last one: whatever they show is a new scene."""
        with self._lock:
            self._now, self._last, self._rest = MOVING, None, None

    def _remember(self, index: int) -> int:
        self._scene_of[index] = self._now
        while len(self._scene_of) > _REMEMBERED:
            self._scene_of.popitem(last=False)
        return self._now


def _small(pixels: UInt8Array) -> Float32Array:
    """The frame at an eighth of its size, smoothed, at mean 1 or less: neither noise nor the lamp is movement."""
    size = max(1, pixels.shape[1] // _SHRINK), max(1, pixels.shape[0] // _SHRINK)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), 1.0)
    return np.asarray(small / max(float(small.mean()), _DIM_LEVEL), np.float32)


def _change(before: Float32Array, after: Float32Array) -> float:
    if before.shape != after.shape:
        return np.inf
    height, width = before.shape
    rows, cols = min(height, _PART_PX), min(width, _PART_PX)
    means = cv2.blur(np.abs(before - after), (cols, rows), anchor=(0, 0))  # each of the part that begins there
    return float(means[: height - rows + 1, : width - cols + 1].max())
