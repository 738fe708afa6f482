"""Reading a device from its own thread: a hung driver becomes an error, and a slow reader gets the newest frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

import numpy as np

from edge.camera.pixels import repeats
from edge.errors import CameraLost, CameraTimeout, ChromoError
from edge.records import NOMINAL_UM_PER_PX, Frame, UInt8Array
from edge.text import one_line


class Device(Protocol):
    """What one kind of camera has to know. All three calls come from one thread, which is not the caller's."""

    name: str

    def open(self) -> None:
        """Makes the device deliver frames. Raises ``CameraNotFound``, or ``ConfigError`` for an unusable setting."""

    def read(self) -> UInt8Array:
        """The next frame, uint8 (H, W), waiting for it. Raises ``CameraLost`` or ``CameraTimeout``."""

    def close(self) -> None:
        """Frees the device; called once, also after a failed ``open``."""


FROZEN_S = 2.0
"""Sensors are never without noise: the very same picture for so long comes from a driver that has stopped."""
CLOSE_S = 2.0
"""How long a driver may take to let go before it is left behind."""
_TORN_PART = 8
"""A frame whose transfer broke off is one grey at the bottom, over at least one of so many parts of its height."""
_BLOCK_PX = 16
"""Rows of JPEG's largest blocks: where a transfer breaks off, so many may be filled in part."""
_GROUND_SHARE = 0.5
"""If this share of what lies above the break is the same grey, nothing is torn: the ground is that grey, without
noise."""
_left_behind: dict[str, threading.Thread] = {}
"""Threads that did not come back from the driver when their camera was closed, by the camera's name."""


class DeviceCamera:
    """A live camera. Made only when the device has given its first frame, so one that exists works.

    ``read_s``: how long the device's ``read`` may wait for a frame; ``close`` waits that long for it. Half frames are
    left out; one picture again and again is ``CameraLost``.

    Raises what the device's ``open`` raises, and ``CameraTimeout`` when no first frame comes within ``timeout_s``, or
    while the driver still hangs in what the last camera of that name asked of it: each try would leave a thread behind.
    """

    def __init__(
        self,
        device: Device,
        *,
        um_per_px: float = NOMINAL_UM_PER_PX,
        timeout_s: float = 5.0,
        read_s: float = 0.0,
    ) -> None:
        self.name = device.name
        self._device = device
        self._um_per_px = um_per_px
        self._timeout_s = timeout_s
        self._read_s = read_s
        self._changed = threading.Condition()
        self._newest: tuple[UInt8Array, float] | None = None
        self._count = 0
        self._failure: ChromoError | None = None
        self._closed = False
        if device.name in _left_behind:
            if _left_behind[device.name].is_alive():
                raise CameraTimeout(
                    f"{device.name}: the driver still hangs; disconnect the camera and connect it again, or start the "
                    "board again"
                )
            del _left_behind[device.name]
        # A daemon: a thread stuck in a driver must not keep the process from leaving.
        self._thread = threading.Thread(target=self._run, name=f"camera {device.name}", daemon=True)
        self._thread.start()
        try:
            self._await_frame(after=0)
        except ChromoError:
            self.close()
            raise

    def frames(self) -> Iterator[Frame]:
        index = seen = 0
        while True:
            with self._changed:
                self._await_frame(after=seen)
                if self._closed or self._newest is None:
                    return
                seen, (pixels, captured_s) = self._count, self._newest
            yield Frame(pixels, index, captured_s, self.name, self._um_per_px)
            index += 1

    def close(self) -> None:
        with self._changed:
            self._closed = True
            # Its traceback leads back here, and would keep the device and its last pictures until they are collected.
            self._failure = None
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(self._read_s + CLOSE_S)
            if self._thread.is_alive():
                _left_behind[self.name] = self._thread

    def _await_frame(self, after: int) -> None:
        """Returns when a frame newer than number ``after`` is there, or the camera was closed; else raises."""
        with self._changed:
            in_time = self._changed.wait_for(
                lambda: self._count > after or self._failure is not None or self._closed, self._timeout_s
            )
            if self._count > after or self._closed:
                return
            if self._failure is not None:
                raise self._failure
            if not in_time:
                raise CameraTimeout(
                    f"{self.name}: expected a frame within {self._timeout_s:g} s, none came; check the cable and that "
                    "no other program uses the camera, then start again"
                )

    def _run(self) -> None:
        try:
            self._device.open()
            fresh = _Fresh(self.name)
            while not self._closed:
                pixels = self._device.read()
                if not fresh(pixels):
                    continue
                with self._changed:
                    self._newest, self._count = (pixels, time.monotonic()), self._count + 1
                    self._changed.notify_all()
        except ChromoError as why:
            self._fail(why)
        except Exception as why:  # whatever a driver's binding throws, the camera is gone for us
            self._fail(CameraLost(f"{self.name}: the camera failed ({one_line(why)}); reconnect it"))
        finally:
            with suppress(Exception):  # a driver that fails once fails again when it is closed
                self._device.close()

    def _fail(self, why: ChromoError) -> None:
        with self._changed:
            self._failure = why
            self._changed.notify_all()


class _Fresh:
    """Tells frames to show from those that a failing camera repeats or breaks off."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = np.zeros((0, 0), np.uint8)
        self._changed_s = time.monotonic()

    def __call__(self, pixels: UInt8Array) -> bool:
        """Whether to show the frame. ``CameraLost`` when nothing has changed for ``FROZEN_S``."""
        if _torn(pixels):
            return False
        now_s = time.monotonic()
        same = repeats(pixels, self._last)
        if not same:
            self._last, self._changed_s = pixels, now_s
        elif now_s - self._changed_s > FROZEN_S:
            raise CameraLost(f"{self._name}: the camera gives one picture again and again; reconnect it")
        return not same


def _torn(pixels: UInt8Array) -> bool:
    """Whether the transfer broke off: the lowest rows are one grey, which is not over-exposure, and those above are not
    mostly that too, as they are where the ground itself is black or as bright as the camera can tell."""
    end = pixels[-max(1, len(pixels) // _TORN_PART) :]
    fill = end[0, 0]
    if fill == 255 or not (end == fill).all():
        return False
    filled = (pixels == fill).mean(1)
    first = len(pixels) - int((filled[::-1] < 1).argmax())  # of the rows that are one grey to the end
    above = filled[max(0, first - 2 * _BLOCK_PX) : max(1, first - _BLOCK_PX)]
    return bool(filled.min() < 1 and above.mean() < _GROUND_SHARE)
