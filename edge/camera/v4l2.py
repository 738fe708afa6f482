"""USB and other V4L2 cameras, through OpenCV."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import cv2

from edge.camera.opencv import grey_of, silence_opencv
from edge.camera.reader import DeviceCamera
from edge.camera.settings import USUAL, CameraSettings
from edge.errors import CameraLost, CameraNotFound
from edge.records import UInt8Array

_MANUAL_EXPOSURE = 1  # V4L2_EXPOSURE_MANUAL
_EXPOSURE_UNIT_US = 100  # of V4L2_CID_EXPOSURE_ABSOLUTE
_MAX_BAD_READS = 5  # a damaged USB packet costs a frame or two, an unplugged camera all of them
_log = logging.getLogger(__name__)


class V4L2Device:
    """One ``/dev/videoN``."""

    def __init__(self, path: Path, settings: CameraSettings = USUAL) -> None:
        self.name = str(path)
        self._path = path
        self._settings = settings
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        silence_opencv()
        if not self._path.exists():
            raise CameraNotFound(
                f"{self.name}: expected a V4L2 camera, found no such device; plug it in and look with "
                "`ls /dev/video*`, or use --camera sim"
            )
        if not os.access(self._path, os.R_OK | os.W_OK):
            raise CameraNotFound(
                f"{self.name}: no permission to use this camera; add yourself to its group "
                "(`sudo usermod -aG video $USER`) and log in again"
            )
        self._capture = cv2.VideoCapture(str(self._path), cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise CameraNotFound(
                f"{self.name}: expected a camera that captures, this device does not or is in use; close other "
                "programs or try the next /dev/video number"
            )
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._settings.size_px[0])
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._settings.size_px[1])
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what waits in the driver is old
        if self._settings.exposure_us is not None:
            self._set(cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE, "manual exposure")
            self._set(cv2.CAP_PROP_EXPOSURE, max(1, round(self._settings.exposure_us / _EXPOSURE_UNIT_US)), "exposure")
        if self._settings.gain is not None:
            self._set(cv2.CAP_PROP_GAIN, self._settings.gain, "gain")

    def read(self) -> UInt8Array:
        assert self._capture is not None
        for _ in range(_MAX_BAD_READS):
            ok, image = self._capture.read()
            if ok and image is not None and image.size:
                return grey_of(image)
            if not self._path.exists():
                break
            time.sleep(0.02)
        raise CameraLost(
            f"{self.name}: the camera stopped giving frames; it was unplugged or switched off, reconnect it"
        )

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()

    def _set(self, what: int, value: float, name: str) -> None:
        assert self._capture is not None
        if not self._capture.set(what, value):
            _log.warning("%s: does not take %s %g; left as it is", self.name, name, value)


def open_v4l2(path: Path, settings: CameraSettings = USUAL) -> DeviceCamera:
    """The camera at ``path``, running. Raises ``CameraNotFound`` or ``CameraTimeout``."""
    return DeviceCamera(V4L2Device(path, settings), um_per_px=settings.um_per_px)
