"""Cameras on a Jetson's CSI connector: NVIDIA's own source (libargus) as a GStreamer pipeline, through OpenCV.

The pipeline hands out GRAY8 made by the converter hardware and keeps one frame: what waits is old.
"""

from __future__ import annotations

import re

import cv2

from edge.camera.opencv import grey_of, silence_opencv
from edge.camera.reader import DeviceCamera
from edge.camera.settings import USUAL, CameraSettings
from edge.errors import CameraLost, CameraNotFound, ConfigError
from edge.records import UInt8Array

_EXPOSURE_NS = (13_000, 683_709_000)
_GAIN = (1.0, 48.0)
"""The widest bounds that are let through, those of the exposure an IMX219's; nvarguscamerasrc narrows both to the
sensor's own (L4T 36)."""
_USUAL_FPS = 30
_READOUT_US = 1_000
"""How long a frame outlasts its exposure: sensors need some lines, an IMX477 22 of 29 us."""


def pipeline_text(number: int, settings: CameraSettings) -> str:
    """The GStreamer pipeline of sensor ``number``. ``ConfigError`` beyond bounds."""
    exposure_us, gain = settings.exposure_us, settings.gain
    source = [f"nvarguscamerasrc sensor-id={number}"]
    fps = _USUAL_FPS
    if exposure_us is not None:
        ns = exposure_us * 1000
        if not _EXPOSURE_NS[0] <= ns <= _EXPOSURE_NS[1]:
            low, high = (bound // 1000 for bound in _EXPOSURE_NS)
            raise ConfigError(f"csi: expected an exposure from {low} to {high} us, got {exposure_us}")
        source.append(f'exposuretimerange="{ns} {ns}"')
        # libargus cuts an exposure to its frame. Whole frames a second: nvarguscamerasrc divides as integers.
        fps = min(_USUAL_FPS, 1_000_000 // (exposure_us + _READOUT_US))
    if gain is not None:
        if not _GAIN[0] <= gain <= _GAIN[1]:
            raise ConfigError(f"csi: expected a gain from {_GAIN[0]:g} to {_GAIN[1]:g}, got {gain:g}")
        source.append(f'gainrange="{gain:g} {gain:g}"')
    if exposure_us is not None and gain is not None:
        source.append("aelock=true")  # with one of the two, the other is still found by the camera
    width, height = settings.size_px
    return " ! ".join(
        [
            " ".join(source),
            f"video/x-raw(memory:NVMM),width={width},height={height},framerate={fps}/1",
            "nvvidconv",
            "video/x-raw,format=GRAY8",
            "appsink drop=true max-buffers=1 sync=false",
        ]
    )


class CsiDevice:
    """CSI sensor ``number``. The size must be one that the sensor's modes can be scaled to."""

    def __init__(self, number: int, settings: CameraSettings) -> None:
        self.name = f"csi:{number}" if number else "csi"
        self._pipeline = pipeline_text(number, settings)
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        silence_opencv()
        if not has_gstreamer():
            raise CameraNotFound(
                f"{self.name}: expected an OpenCV with GStreamer, this one (from pip) is built without; build one for "
                "this Python, as in edge/board/INSTALL.md: CMAKE_ARGS=-DWITH_GSTREAMER=ON pip install "
                "--force-reinstall --no-deps --no-binary opencv-python-headless opencv-python-headless"
            )
        self._capture = cv2.VideoCapture(self._pipeline, cv2.CAP_GSTREAMER)
        if not self._capture.isOpened():
            raise CameraNotFound(
                f"{self.name}: expected a CSI camera, none starts; check the ribbon cable and "
                "`nvgstcapture-1.0`, and restart the camera service: sudo systemctl restart nvargus-daemon"
            )

    def read(self) -> UInt8Array:
        assert self._capture is not None
        ok, image = self._capture.read()
        if not ok or image is None or not image.size:
            raise CameraLost(f"{self.name}: the camera stopped giving frames; check the ribbon cable")
        return grey_of(image)

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def has_gstreamer() -> bool:
    """Whether this OpenCV was built with GStreamer; pip's is not."""
    return re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()) is not None


def open_csi(settings: CameraSettings = USUAL, number: int = 0) -> DeviceCamera:
    """Sensor ``number``, running. Raises ``CameraNotFound``, ``CameraTimeout`` or ``ConfigError``."""
    return DeviceCamera(CsiDevice(number, settings), um_per_px=settings.um_per_px, timeout_s=10.0)
