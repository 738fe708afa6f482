"""A stand-in for picamera2 0.3.38 and its libcamera that does what their sources do where ours relies on it.

``install`` puts both in ``sys.modules``. Faithful in: no camera (RuntimeError from the constructor, an empty
``global_camera_info``), a constructor that leaves its pipe open and logs when it fails, sizes rounded down to even,
size, format and stride rewritten by ``configure``, YUV420 arrays of (h * 3 // 2, stride) with padding and in the range
of their colour space, controls refused that are not advertised, bounds that are placeholders before ``configure``,
exposures cut to the frame, jobs that time out (for an exposure that is too long without the wait), requests that have
to be released before their buffers run out, use after ``close``.
"""

from __future__ import annotations

import logging
import os
import sys
import types
from typing import Any

import numpy as np
import pytest

PADDING = 201  # a level that must never be seen in a frame
LEVELS = np.delete(np.arange(256), PADDING).astype(np.uint8)
"""What the scene shows, column by column: black is 0, white 255."""
SENSOR_LINES_US = 22 * 12
"""By which an IMX477's frame outlasts its exposure."""
PLACEHOLDERS: dict[str, tuple[Any, Any, Any]] = {
    "ExposureTime": (1, 66_666, 20_000),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "FrameDurationLimits": (33_333, 120_000, 33_333),
}
"""The bounds that libcamera states of every camera before it is configured."""


class World:
    """What is plugged in, and what happened."""

    def __init__(self) -> None:
        self.cameras = 1
        self.busy = False
        self.frames_left = 1000
        self.usb_format: str | None = None
        self.opened: list[Picamera2] = []
        self.controls: dict[str, tuple[Any, Any, Any]] = {
            "ExposureTime": (60, 674_181_621, 20_000),
            "AnalogueGain": (1.0, 22.26, 1.0),
            "AeEnable": (False, True, True),
            "FrameDurationLimits": (24_994, 674_193_371, 33_333),
            "NoiseReductionMode": (0, 4, 0),
        }


WORLD = World()


class ColorSpace:
    """libcamera's. Its standard ones come from calls."""

    def __init__(self, luma: tuple[int, int]) -> None:
        self.luma = luma

    @staticmethod
    def Sycc() -> ColorSpace:
        return ColorSpace((0, 255))

    @staticmethod
    def Smpte170m() -> ColorSpace:
        return ColorSpace((16, 235))

    @staticmethod
    def Rec709() -> ColorSpace:
        return ColorSpace((16, 235))


class Request:
    def __init__(self, camera: Picamera2, array: np.ndarray) -> None:
        self._camera, self._array, self._held = camera, array, True

    def make_array(self, name: str) -> np.ndarray:
        if name != "main":
            raise RuntimeError(f"Stream {name!r} is not defined")
        if not self._held:
            raise RuntimeError("request was already released")
        return np.copy(self._array)

    def get_metadata(self) -> dict[str, Any]:
        return {"SensorTimestamp": 0, "ExposureTime": 20_000}

    def release(self) -> None:
        self._held = False
        self._camera.held -= 1


class Job:
    def __init__(self, camera: Picamera2) -> None:
        self.camera = camera

    def get_result(self, timeout: float | None = None) -> Request:
        camera = self.camera
        frames_s = 2 * camera.exposure_us / 1e6  # the one that is being taken, and the next
        late = timeout is not None and frames_s > timeout
        if WORLD.frames_left <= 0 or camera.held >= camera.config["buffer_count"] or late:
            assert timeout is not None, "would wait for ever"
            raise TimeoutError
        WORLD.frames_left -= 1
        camera.held += 1
        return Request(camera, camera.expose())


class Picamera2:
    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return [
            {"Model": "imx477", "Location": 2, "Rotation": 0, "Id": "/base", "Num": n} for n in range(WORLD.cameras)
        ]

    def __init__(self, camera_num: int = 0) -> None:
        self.notifyme_r, self.notifyme_w = os.pipe2(os.O_NONBLOCK)
        self.notifymeread = os.fdopen(self.notifyme_r, "rb")
        self.is_open = False
        if camera_num >= WORLD.cameras:
            raise RuntimeError(f"No camera number {camera_num} found")
        if WORLD.busy:
            logging.getLogger("picamera2.picamera2").error("Camera __init__ sequence did not complete.")
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.number = camera_num
        self.config: dict[str, Any] = {}
        self.controls: dict[str, Any] = {}
        self.given: dict[str, Any] = {}
        self.started = False
        self.is_open = True
        self.held = 0
        self.count = 0
        WORLD.opened.append(self)

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        placeholders = {} if self.config else PLACEHOLDERS
        return {name: placeholders.get(name, bounds) for name, bounds in WORLD.controls.items()}

    @property
    def exposure_us(self) -> float:
        """Of the frames that come, as a sensor with so many lines can."""
        longest_us = self.given["FrameDurationLimits"][1]
        return float(min(self.given.get("ExposureTime", 20_000), longest_us - SENSOR_LINES_US))

    def create_video_configuration(
        self,
        main: dict[str, Any] | None = None,
        lores: dict[str, Any] | None = None,
        colour_space: ColorSpace | None = None,
        buffer_count: int = 6,
        controls: dict[str, Any] | None = None,
        queue: bool = True,
    ) -> dict[str, Any]:
        main = {"format": "XBGR8888", "size": (1280, 720)} | (main or {})
        width, height = main["size"]
        main["size"] = (width // 2 * 2, height // 2 * 2)
        if colour_space is None:
            colour_space = ColorSpace.Smpte170m() if width < 1280 or height < 720 else ColorSpace.Rec709()
        if {"NoiseReductionMode", "FrameDurationLimits"} <= self.camera_controls.keys():
            controls = {"NoiseReductionMode": 1, "FrameDurationLimits": (33_333, 33_333)} | (controls or {})
        return {
            "main": main,
            "lores": lores,
            "colour_space": colour_space,
            "controls": controls or {},
            "buffer_count": buffer_count,
            "queue": queue,
        }

    def configure(self, config: dict[str, Any]) -> None:
        if self.started:
            raise RuntimeError("Camera must be stopped before configuring")
        if not isinstance(config["colour_space"], ColorSpace):
            raise RuntimeError("Colour space has incorrect type")
        self.controls = {}
        self.set_controls(config["controls"])
        width, _ = config["main"]["size"]
        stride = (width + 63) // 64 * 64
        main = config["main"] | {"stride": stride, "framesize": 0}
        if WORLD.usb_format:
            main["format"] = WORLD.usb_format
        self.config = config | {"main": main}

    def camera_configuration(self) -> dict[str, Any]:
        return self.config

    def set_controls(self, controls: dict[str, Any]) -> None:
        for name in controls:
            if name not in WORLD.controls:
                raise RuntimeError(f"Control {name} is not advertised by libcamera")
        self.controls |= controls

    def start(self) -> None:
        if not self.config:
            raise RuntimeError("Camera has not been configured")
        self.given, self.controls = self.controls, {}
        self.started = True

    def stop(self) -> None:
        self.started = False

    def close(self) -> None:
        if not self.is_open:
            return
        self.stop()
        self.is_open = False
        self.notifymeread.close()
        os.close(self.notifyme_w)

    def capture_request(self, wait: bool | None = None, flush: bool | None = None) -> Any:
        if not self.started:
            raise RuntimeError("Camera is not running")
        job = Job(self)
        return job if wait is False else job.get_result()

    def wait(self, job: Job, timeout: float | None = None) -> Request:
        return job.get_result(timeout=timeout)

    def expose(self) -> np.ndarray:
        """Luma of the scene that counts frames in its corner, then chroma; padding in every row beyond the width."""
        width, height = self.config["main"]["size"]
        stride = self.config["main"]["stride"]
        array = np.full((height * 3 // 2, stride), PADDING, np.uint8)
        black, white = self.config["colour_space"].luma
        luma = np.rint(black + LEVELS * ((white - black) / 255)).astype(np.uint8)
        array[:height, :width] = luma[np.arange(width) % len(luma)]
        array[height:, :width] = 128
        array[0, 0] = luma[self.count % 200]
        self.count += 1
        return array


def install(monkeypatch: pytest.MonkeyPatch) -> World:
    """A fresh world with one camera, in place of whatever picamera2 this machine has."""
    global WORLD
    WORLD = World()
    for name, thing in (("libcamera", ColorSpace), ("picamera2", Picamera2)):
        module = types.ModuleType(name)
        setattr(module, thing.__name__, thing)
        monkeypatch.setitem(sys.modules, name, module)
    return WORLD
