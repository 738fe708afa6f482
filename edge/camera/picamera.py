"""Raspberry Pi cameras, through picamera2.

Grey is the Y plane of YUV420: the sensor's own luma, with no colour conversion. The array that picamera2 gives is
(height * 3 // 2, stride), its rows padded to the hardware's stride; what was asked for is not what is configured, so
size and format are read back (picamera2 manual, "Configuring the camera" and "Capturing arrays").
"""

from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np

from edge.camera.reader import DeviceCamera
from edge.camera.settings import USUAL, CameraSettings
from edge.errors import CameraNotFound, CameraTimeout, ConfigError
from edge.records import UInt8Array

_MEND = "on Raspberry Pi OS: sudo apt install python3-picamera2, with an environment made by --system-site-packages"
_VIDEO_FRAME_US = 33_333
_log = logging.getLogger(__name__)


class Picamera2Device:
    """Camera number ``number`` of picamera2; its gain is the analogue one."""

    def __init__(self, number: int = 0, settings: CameraSettings = USUAL, *, timeout_s: float = 5.0) -> None:
        self.name = "picamera2"
        self._number = number
        self._settings = settings
        self._size_px = settings.size_px
        self._timeout_s = timeout_s
        self._camera: Any = None

    def open(self) -> None:
        os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
        try:
            from picamera2 import Picamera2
        except (ImportError, OSError) as why:
            raise CameraNotFound(f"picamera2: cannot be imported ({why}); {_MEND}; or use --camera sim") from why
        found = Picamera2.global_camera_info()
        if self._number >= len(found):
            raise CameraNotFound(
                f"picamera2: expected camera {self._number}, found {len(found)} cameras; check the ribbon cable and "
                "`rpicam-hello --list-cameras`, or use --camera sim"
            )
        try:
            self._camera = Picamera2(self._number)
        except RuntimeError as why:
            raise CameraNotFound(
                f"picamera2: camera {self._number} cannot be opened ({why}); close the program that uses it"
            ) from why
        # queue=False: a request gets a frame that is captured after it was made, never one that lay waiting.
        config = self._camera.create_video_configuration(
            main={"size": self._size_px, "format": "YUV420"}, controls=self._controls(), buffer_count=4, queue=False
        )
        self._camera.configure(config)
        given = self._camera.camera_configuration()["main"]
        if given["format"] not in ("YUV420", "YVU420"):
            raise CameraNotFound(
                f"picamera2: expected a camera that gives YUV420, this one gives {given['format']}; "
                "a USB camera is better opened as /dev/video0"
            )
        self._size_px = given["size"]
        self._camera.start()

    def read(self) -> UInt8Array:
        job = self._camera.capture_request(wait=False)
        try:
            request = self._camera.wait(job, timeout=self._timeout_s)
        except TimeoutError as why:
            raise CameraTimeout(
                f"picamera2: expected a frame within {self._timeout_s:g} s, none came; check the ribbon cable"
            ) from why
        try:
            planes = request.make_array("main")
        finally:
            request.release()
        width, height = self._size_px
        return np.array(planes[:height, :width], np.uint8)

    def close(self) -> None:
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def _controls(self) -> dict[str, Any]:
        """The controls asked for that this camera has; ``ConfigError`` for a value beyond its bounds."""
        wanted: dict[str, Any] = {}
        exposure_us, gain = self._settings.exposure_us, self._settings.gain
        if exposure_us is not None:
            # Video is limited to 33 ms a frame unless the limit goes up with the exposure.
            frame_us = max(_VIDEO_FRAME_US, exposure_us)
            wanted |= {"ExposureTime": exposure_us, "FrameDurationLimits": (frame_us, frame_us)}
        if gain is not None:
            wanted["AnalogueGain"] = gain
        if {"ExposureTime", "AnalogueGain"} <= wanted.keys():
            wanted["AeEnable"] = False  # with one of the two, the other is still found by the camera
        advertised = self._camera.camera_controls
        for name in ("ExposureTime", "AnalogueGain"):
            if name in wanted and name in advertised:
                low, high, _ = advertised[name]
                if not low <= wanted[name] <= high:
                    raise ConfigError(f"picamera2: expected {name} from {low} to {high}, got {wanted[name]}")
            elif name in wanted:
                _log.warning("picamera2: this camera has no %s control; left as it is", name)
        return {name: value for name, value in wanted.items() if name in advertised}


def open_picamera2(settings: CameraSettings = USUAL) -> DeviceCamera:
    """The first Raspberry Pi camera, running. Raises ``CameraNotFound``, ``CameraTimeout`` or ``ConfigError``."""
    return DeviceCamera(Picamera2Device(settings=settings), um_per_px=settings.um_per_px, timeout_s=6.0)
