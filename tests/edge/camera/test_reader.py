"""What a lost camera leaves behind: nothing."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from edge.camera.reader import DeviceCamera
from edge.errors import CameraLost
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
