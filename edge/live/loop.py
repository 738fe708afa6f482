"""The live loop: a thread takes frames from the camera, the caller's thread labels the newest one.

Labelling a cell takes longer than the camera needs for a frame. A queue would let the labels fall ever further behind
the stage; the mailbox holds one frame, and a newer one replaces it. Stored frames and counted runs want every frame
instead: then the loop reads and labels in turn, without a thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from edge.camera.base import Camera
from edge.records import Cell, Frame
from edge.sinks.base import Sink

NEXT_S = 0.02
"""A frame is passed over for the next one if that is due within this: at 30 frames a second the one at hand is 13 ms
old by then, and its labels would come to the screen with that age."""
_JOIN_S = 2.0
"""How long a closing camera may take before it is left behind (its thread is a daemon)."""


class Mailbox:
    """Room for one frame between two threads; the newest wins."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._ended = False
        self._error: BaseException | None = None
        self._captured_s, self._due_s = -math.inf, math.inf

    def put(self, frame: Frame) -> None:
        with self._changed:
            self._frame = frame
            self._captured_s, self._due_s = frame.captured_s, 2 * frame.captured_s - self._captured_s
            self._changed.notify()

    def end(self, error: BaseException | None = None) -> None:
        """No frame will follow; ``error`` is why, if the source did not simply end. The first end counts."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify()

    def take(self) -> Frame | None:
        """Waits for the newest frame, and for one that is about to come. After the end: the last frame still there,
        then the error or None."""
        with self._changed:
            while self._frame is None and not self._ended:
                self._changed.wait(0.2)  # a bounded wait, so that Ctrl-C is heard on every platform
            if 0 < self._due_s - time.monotonic() < NEXT_S and not self._ended:
                self._changed.wait(NEXT_S)
            frame, self._frame = self._frame, None
            if frame is None and self._error is not None:
                raise self._error
            return frame


def newest_frames(camera: Camera) -> Iterator[Frame]:
    """Yields the newest frame each time it is asked, until the camera ends. Raises what the camera raised.

    Closing the iterator closes the camera and waits for its thread.
    """
    mailbox = Mailbox()

    def pump() -> None:
        try:
            for frame in camera.frames():
                mailbox.put(frame)
            mailbox.end()
        except BaseException as error:  # whatever it is, it belongs to the thread that waits
            mailbox.end(error)

    thread = threading.Thread(target=pump, name="camera", daemon=True)
    thread.start()
    try:
        while (frame := mailbox.take()) is not None:
            yield frame
    finally:
        camera.close()
        thread.join(_JOIN_S)


def run(
    camera: Camera,
    label: Callable[[Frame], Cell],
    sinks: Sequence[Sink],
    *,
    every_frame: bool = False,
    max_frames: int | None = None,
    watch: Callable[[Callable[[Frame], None]], Callable[[Frame], None]] = lambda step: step,
) -> None:
    """Labels frames and gives each to all ``sinks`` until the camera ends or ``max_frames`` are done. ``watch`` stands
    before what is done with a frame, and may notice that it is stuck.

    The camera is closed on every way out; the sinks are the caller's to close. Raises ``CameraError`` from the camera,
    ``SinkError`` from a sink and ``KeyboardInterrupt`` as they come.
    """
    frames = camera.frames() if every_frame else newest_frames(camera)

    def done(frame: Frame) -> None:
        cell = label(frame)
        for sink in sinks:
            sink.put(frame, cell)

    step = watch(done)
    try:
        for frame in islice(frames, max_frames):
            step(frame)
    finally:
        close = getattr(frames, "close", None)  # a generator; any other iterator ends with its camera
        if close is not None:
            close()
        camera.close()
