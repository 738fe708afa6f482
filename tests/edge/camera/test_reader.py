"""What a lost camera leaves behind: nothing."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from edge.camera import reader
from edge.camera.reader import DeviceCamera
from edge.errors import CameraLost, CameraTimeout
from edge.records import UInt8Array


class Unplugged:
    """Gives one picture, then is gone."""

    name = "unplugged"

    def __init__(self) -> None:
        self.given = 0

    def open(self) -> None: ...

    def read(self) -> UInt8Array:
        self.given += 1
        if self.given > 1:
            raise CameraLost("unplugged: reconnect it")
        return np.arange(80 * 96, dtype=np.uint8).reshape(80, 96)

    def close(self) -> None: ...


def lose() -> weakref.ref[Unplugged]:
    """A camera that failed, said so and was closed."""
    device = Unplugged()
    camera = DeviceCamera(device)
    with pytest.raises(CameraLost, match="reconnect"):
        for _ in camera.frames():
            pass
    camera.close()
    return weakref.ref(device)


def test_a_lost_camera_is_gone_with_its_pictures_at_once() -> None:
    """Its failure's traceback leads back to it: a microscope that runs for months would keep every one."""
    gc.disable()
    try:
        assert lose()() is None
    finally:
        gc.enable()


class Hanging:
    """A driver that does not come back from ``open`` until it is let go."""

    name = "hanging"

    def __init__(self, let_go: threading.Event) -> None:
        self._let_go = let_go
        self._pictures = iter(np.random.default_rng(0).integers(1, 250, (9, 80, 96), np.uint8))

    def open(self) -> None:
        self._let_go.wait()

    def read(self) -> UInt8Array:
        picture = next(self._pictures, None)
        if picture is None:
            raise CameraLost("hanging: the end")
        return picture

    def close(self) -> None: ...


def test_a_driver_that_hangs_is_not_asked_again_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "CLOSE_S", 0.01)
    let_go = threading.Event()
    before = set(threading.enumerate())
    with pytest.raises(CameraTimeout, match="none came"):
        DeviceCamera(Hanging(let_go), timeout_s=0.01)
    (left,) = set(threading.enumerate()) - before
    for _ in range(20):
        with pytest.raises(CameraTimeout, match="hanging: the driver still hangs; disconnect the camera"):
            DeviceCamera(Hanging(let_go), timeout_s=0.01)
    assert set(threading.enumerate()) - before == {left}
    DeviceCamera(Unplugged()).close()  # another camera
    let_go.set()
    left.join(10)
    DeviceCamera(Hanging(let_go)).close()
