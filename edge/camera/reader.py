"""Reading a device from its own thread: a hung driver becomes an error, and a slow reader gets the newest frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from edge.errors import CameraLost, CameraTimeout, ChromoError
from edge.records import NOMINAL_UM_PER_PX, Frame, UInt8Array


class Device(Protocol):
    """What one kind of camera has to know. All three calls come from one thread, which is not the caller's."""

    name: str

    def open(self) -> None:
        """Makes the device deliver frames. Raises ``CameraNotFound``, or ``ConfigError`` for an unusable setting."""

    def read(self) -> UInt8Array:
        """The next frame, uint8 (H, W), waiting for it. Raises ``CameraLost`` or ``CameraTimeout``."""

    def close(self) -> None:
        """Frees the device; called once, also after a failed ``open``."""


class DeviceCamera:
    """A live camera. Made only when the device has given its first frame, so one that exists works.

    Raises what the device's ``open`` raises, and ``CameraTimeout`` when no first frame comes within ``timeout_s``.
    """

    def __init__(self, device: Device, *, um_per_px: float = NOMINAL_UM_PER_PX, timeout_s: float = 5.0) -> None:
        self.name = device.name
        self._device = device
        self._um_per_px = um_per_px
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._newest: tuple[UInt8Array, float] | None = None
        self._count = 0
        self._failure: ChromoError | None = None
        self._closed = False
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
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

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
            while not self._closed:
                pixels = self._device.read()
                with self._changed:
                    self._newest, self._count = (pixels, time.monotonic()), self._count + 1
                    self._changed.notify_all()
        except ChromoError as why:
            self._fail(why)
        except Exception as why:  # whatever a driver's binding throws, the camera is gone for us
            self._fail(CameraLost(f"{self.name}: the camera failed ({' '.join(str(why).split())}); reconnect it"))
        finally:
            with suppress(Exception):  # a driver that fails once fails again when it is closed
                self._device.close()

    def _fail(self, why: ChromoError) -> None:
        with self._changed:
            self._failure = why
            self._changed.notify_all()
