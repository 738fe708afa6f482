"""Raspberry Pi cameras, through picamera2.

Grey is the Y plane of YUV420: the sensor's own luma, with no colour conversion. In sYCC its black is 0 and its white
255; in Rec. 709, which video has unless told, they are 16 and 235 (libcamera, color_space.cpp). The array given is
(height * 3 // 2, stride), its rows padded to the hardware's stride; what was asked for is not what is configured, so
size and format are read back (picamera2 manual, "Configuring the camera" and "Capturing arrays").
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import Any

import numpy as np

from edge.camera.reader import DeviceCamera
from edge.camera.settings import USUAL, CameraSettings
from edge.errors import CameraNotFound, CameraTimeout, ConfigError
from edge.records import UInt8Array

_MEND = "on Raspberry Pi OS: sudo apt install python3-picamera2, then start tools/run again, which makes its .venv anew"
_MEND_NUMPY = (
    "apt's simplejpeg and this environment's numpy do not go together; in the environment: pip install "
    "--force-reinstall --no-deps simplejpeg"
)
_VIDEO_FRAME_US = 33_333
_FRAMES_TO_FIRST = 4
"""The first frame may take so many exposures: a sensor's first frames are not given (libcamera, hideFramesStartup), and
one had begun before it was asked for."""
_log = logging.getLogger(__name__)


class Picamera2Device:
    """Camera number ``number`` of picamera2; its gain is the analogue one."""

    def __init__(self, number: int = 0, settings: CameraSettings = USUAL, *, timeout_s: float = 5.0) -> None:
        self.name = f"picamera2:{number}" if number else "picamera2"
        self._number = number
        self._settings = settings
        self._size_px = settings.size_px
        self._timeout_s = timeout_s
        self._camera: Any = None

    def open(self) -> None:
        os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")
        logging.getLogger("picamera2").setLevel(logging.CRITICAL)  # what it logs at each try, ours say once
        try:
            from libcamera import ColorSpace
            from picamera2 import Picamera2
        except (ImportError, OSError) as why:
            raise CameraNotFound(f"picamera2: cannot be imported ({why}); {_MEND}; or use --camera sim") from why
        except ValueError as why:  # "numpy.dtype size changed": Bookworm's simplejpeg (picamera2, issue 1211)
            raise CameraNotFound(f"picamera2: cannot be imported ({why}); {_MEND_NUMPY}") from why
        found = Picamera2.global_camera_info()
        if self._number >= len(found):
            raise CameraNotFound(
                f"picamera2: expected camera {self._number}, found {len(found)} cameras; check the ribbon cable and "
                "`rpicam-hello --list-cameras`, or use --camera sim"
            )
        camera = Picamera2.__new__(Picamera2)
        try:
            camera.__init__(self._number)
        except RuntimeError as why:
            _close_pipe(camera)
            raise CameraNotFound(
                f"picamera2: camera {self._number} cannot be opened ({why}); close the program that uses it"
            ) from why
        self._camera = camera
        # queue=False: a request gets a frame that is captured after it was made, never one that lay waiting.
        config = self._camera.create_video_configuration(
            main={"size": self._size_px, "format": "YUV420"},
            colour_space=ColorSpace.Sycc(),
            buffer_count=4,
            queue=False,
        )
        self._camera.configure(config)
        given = self._camera.camera_configuration()["main"]
        if given["format"] not in ("YUV420", "YVU420"):
            raise CameraNotFound(
                f"picamera2: expected a camera that gives YUV420, this one gives {given['format']}; "
                "a USB camera is better opened as /dev/video0"
            )
        self._size_px = given["size"]
        # Only now are the bounds the sensor's: before, libcamera states 66 ms and a gain of 16 for every camera
        # (rpi/common/ipa_base.cpp).
        self._camera.set_controls(self._controls())
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
        wanted = {"ExposureTime": self._settings.exposure_us, "AnalogueGain": self._settings.gain}
        advertised = self._camera.camera_controls
        taken: dict[str, Any] = {}
        for name, value in wanted.items():
            if value is None:
                continue
            if name not in advertised:
                _log.warning("picamera2: this camera has no %s control; left as it is", name)
                continue
            low, high, _ = advertised[name]
            if not low <= value <= high:
                raise ConfigError(f"picamera2: expected {name} from {low} to {high}, got {value}")
            taken[name] = value
        if taken.keys() == wanted.keys() and "AeEnable" in advertised:
            taken["AeEnable"] = False  # with one of the two, the other is still found by the camera
        if "ExposureTime" in taken and "FrameDurationLimits" in advertised:
            # Video's frames last 33 ms and cut the exposure. Left free, they last as long as the exposure and the few
            # lines that the sensor needs beside it (libcamera, CamHelper::getBlanking).
            shortest_us, longest_us, _ = advertised["FrameDurationLimits"]
            taken["FrameDurationLimits"] = (max(_VIDEO_FRAME_US, shortest_us), longest_us)
        return taken


def _close_pipe(camera: Any) -> None:
    """Frees what a constructor that failed leaves open and ``close`` would not free: waiting for a camera in use, a
    quarter of an hour of tries would cost every descriptor that there is."""
    with suppress(AttributeError, OSError):
        camera.notifymeread.close()
        os.close(camera.notifyme_w)


def open_picamera2(settings: CameraSettings = USUAL, number: int = 0) -> DeviceCamera:
    """Raspberry Pi camera ``number``, running. Raises ``CameraNotFound``, ``CameraTimeout`` or ``ConfigError``."""
    timeout_s = 5.0 + _FRAMES_TO_FIRST * (settings.exposure_us or 0) / 1e6
    device = Picamera2Device(number, settings, timeout_s=timeout_s)
    return DeviceCamera(device, um_per_px=settings.um_per_px, timeout_s=timeout_s + 1.0)
