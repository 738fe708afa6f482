"""Whether the picture on the screen is the one under the lens: a frozen, lost or late camera is found and named.

``WatchedCamera`` stands before the camera: what it hands on is numbered through and shown to a viewer at once, and a
camera that fails is opened again until it answers. ``Watch.fault`` says at any time, from any thread, what is wrong.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from edge.camera.base import Camera
from edge.camera.pixels import repeats
from edge.errors import ChromoError
from edge.records import Frame, UInt8Array
from edge.text import one_line

LATE_S = 0.7
"""Without a new picture for this long the labels are taken away, which must happen within one second. A camera that
exposes longer than that is late after ``LATE_INTERVALS`` of its own intervals."""
LATE_INTERVALS = 1.5
_INTERVALS = 8
RETRY_S = 1.0
_log = logging.getLogger(__name__)


class Watch:
    """What is known of the camera's health. ``clock`` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pixels: UInt8Array | None = None
        self._new_s = clock()
        self._frame_s = self._new_s
        self._age_s = 0.0
        self._intervals_s: deque[float] = deque(maxlen=_INTERVALS)
        self._ever = False
        self._lost = "waiting for the camera"

    def seen(self, frame: Frame) -> None:
        """Takes the next frame; one that repeats the last is no new picture."""
        with self._lock:
            now_s = self._clock()
            if self._pixels is not None:
                self._intervals_s.append(frame.captured_s - self._frame_s)
            # Counted from when it was taken: what it waited for since then makes it no newer.
            if self._pixels is None or not repeats(frame.pixels, self._pixels):
                self._new_s = frame.captured_s
            self._pixels, self._frame_s, self._lost = frame.pixels, frame.captured_s, ""
            self._age_s, self._ever = now_s - frame.captured_s, True

    def lost(self, why: object) -> None:
        with self._lock:
            self._lost, self._pixels = one_line(why), None
            self._intervals_s.clear()

    @property
    def fault(self) -> str:
        """Why the newest picture cannot be trusted, for the technician; empty when it can."""
        with self._lock:
            now_s = self._clock()
            if self._lost:
                return f"{'Camera lost' if self._ever else 'No camera'}: {self._lost}"
            # The shortest of the last: one long gap is a fault, nothing but long ones is how this camera is.
            late_s = max(LATE_S, LATE_INTERVALS * min(self._intervals_s, default=0.0))
            if self._age_s > late_s:
                return f"Camera late: its pictures are {self._age_s:.1f} s old"
            if now_s - self._frame_s > late_s:
                return f"Camera late: no picture for {now_s - self._frame_s:.0f} s or more"
            if now_s - self._new_s > late_s:
                return "Camera frozen: it repeats the same picture"
            return ""


class Viewer(Protocol):
    """Who sees what the camera gives as it comes, in the camera's thread; it must be quick."""

    def show(self, frame: Frame) -> None: ...

    def lost(self, why: ChromoError) -> None: ...


class WatchedCamera:
    """``camera``, watched by ``viewer``; ``reopen`` makes it anew after a failure, as often as it takes.

    Frames are numbered through over all that. It ends when the camera ends by itself or is closed.
    """

    def __init__(
        self, camera: Camera, reopen: Callable[[], Camera], viewer: Viewer, *, retry_s: float = RETRY_S
    ) -> None:
        self.name = camera.name
        self._camera = camera
        self._reopen = reopen
        self._viewer = viewer
        self._retry_s = retry_s
        self._why = ""
        self._closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        index = 0
        while not self._closed.is_set():
            try:
                for frame in self._camera.frames():
                    self._is_back()
                    frame = replace(frame, index=index)
                    self._viewer.show(frame)
                    yield frame
                    index += 1
                return
            except ChromoError as why:
                self._is_lost(why)
                self._camera.close()
            self._until_open()

    def close(self) -> None:
        self._closed.set()
        self._camera.close()

    def _is_lost(self, why: ChromoError) -> None:
        self._viewer.lost(why)
        if one_line(why) != self._why:
            self._why = one_line(why)
            _log.warning("%s; waiting for it", self._why)

    def _is_back(self) -> None:
        if self._why:
            self._why = ""
            _log.warning("the camera gives frames again")

    def _until_open(self) -> None:
        while not self._closed.wait(self._retry_s):
            try:
                self._camera = self._reopen()
            except ChromoError as why:
                self._is_lost(why)
                continue
            if self._closed.is_set():  # closed while it was opened: no one else will close this one
                self._camera.close()
            return
