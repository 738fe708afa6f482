"""A live camera that may be unplugged and come back: the stream waits for it and goes on.

Where the live page is served, ``edge.live.watch`` waits instead, and says on the page why.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from edge.camera.base import Camera
from edge.errors import CameraError
from edge.records import Frame

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
_log = logging.getLogger(__name__)


class ReturningCamera:
    """The camera that ``reopen`` opens, again and again after it was lost; made with the first one already ``open``.

    Frames are numbered through. While the camera is away none come: never an old one. The log says why, each reason
    once.
    """

    def __init__(self, camera: Camera, reopen: Callable[[], Camera], *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.name = camera.name
        self._why = ""
        self._camera: Camera | None = camera
        self._reopen = reopen
        self._first_pause_s = first_pause_s
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def frames(self) -> Iterator[Frame]:
        index = 0
        while (camera := self._here()) is not None:
            try:
                for frame in camera.frames():
                    yield replace(frame, index=index)
                    index += 1
                return  # closed, or a source with an end
            except CameraError as why:
                if self._closed.is_set():
                    return
                self._say(why)
                camera.close()
                with self._lock:
                    self._camera = None

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            if self._camera is not None:
                self._camera.close()

    def _say(self, why: CameraError) -> None:
        if str(why) != self._why:
            self._why = str(why)
            _log.warning("%s; waiting for it", why)

    def _here(self) -> Camera | None:
        """The camera, opened again if need be, however long that takes; None when closed meanwhile."""
        pause_s, lost_s = self._first_pause_s, time.monotonic()
        while not self._closed.is_set():
            with self._lock:
                if self._camera is not None:
                    return self._camera
            if self._closed.wait(pause_s):
                return None
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            try:
                camera = self._reopen()
            except CameraError as why:  # still away, or there and not usable yet: permissions come after the device
                self._say(why)
                continue
            with self._lock:
                self._camera = camera
            if self._closed.is_set():
                camera.close()
                return None
            self._why = ""
            _log.warning("%s: is back after %.1f s", self.name, time.monotonic() - lost_s)
        return None


class AbsentCamera:
    """Stands in for a camera that did not answer; ``why`` is what its frames raise."""

    name = "camera"

    def __init__(self, why: CameraError) -> None:
        self._why = why

    def frames(self) -> Iterator[Frame]:
        raise self._why
        yield  # makes it an iterator, as every camera's

    def close(self) -> None: ...
