"""The pipeline's text as NVIDIA's elements take it, and the clear line where OpenCV has no GStreamer."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.camera import open_camera
from edge.camera.csi import has_gstreamer, open_csi, pipeline_text
from edge.camera.settings import CameraSettings
from edge.errors import CameraLost, CameraNotFound, ConfigError


def test_the_pipeline() -> None:
    assert pipeline_text(1, CameraSettings(exposure_us=12_000, gain=4, size_px=(1920, 1080))) == (
        'nvarguscamerasrc sensor-id=1 exposuretimerange="12000000 12000000" gainrange="4 4" aelock=true'
        " ! video/x-raw(memory:NVMM),width=1920,height=1080,framerate=30/1 ! nvvidconv ! video/x-raw,format=GRAY8"
        " ! appsink drop=true max-buffers=1 sync=false"
    )


@pytest.mark.parametrize(
    ("exposure_us", "fps"), [(None, 30), (32_000, 30), (33_000, 29), (50_000, 19), (80_000, 12), (683_000, 1)]
)
def test_frames_last_longer_than_their_exposure(exposure_us: int | None, fps: int) -> None:
    assert f",framerate={fps}/1 !" in pipeline_text(0, CameraSettings(exposure_us=exposure_us))
    assert exposure_us is None or exposure_us < 1_000_000 / fps


@pytest.mark.parametrize(("exposure_us", "gain", "locked"), [(9_000, 4, True), (9_000, None, False), (None, 4, False)])
def test_what_is_not_stated_is_found_by_the_camera(exposure_us: int | None, gain: float | None, locked: bool) -> None:
    assert ("aelock" in pipeline_text(0, CameraSettings(exposure_us=exposure_us, gain=gain))) is locked


@pytest.mark.parametrize(("exposure_us", "gain"), [(1, None), (10_000_000, None), (None, 0.5), (None, 100.0)])
def test_beyond_the_bounds(exposure_us: int | None, gain: float | None) -> None:
    with pytest.raises(ConfigError, match="expected"):
        pipeline_text(0, CameraSettings(exposure_us=exposure_us, gain=gain))


def test_pips_opencv_says_what_to_do() -> None:
    if has_gstreamer():
        pytest.skip("this OpenCV has GStreamer")
    with pytest.raises(CameraNotFound, match="CMAKE_ARGS=-DWITH_GSTREAMER=ON pip install"):
        open_csi()


@pytest.mark.parametrize(("source", "sensor"), [("csi", 0), ("csi:1", 1)])
def test_frames_and_their_end(monkeypatch: pytest.MonkeyPatch, source: str, sensor: int) -> None:
    class Capture:
        left = 3

        def __init__(self, text: str, backend: int) -> None:
            assert backend == cv2.CAP_GSTREAMER
            assert text.startswith(f"nvarguscamerasrc sensor-id={sensor} !")

        def isOpened(self) -> bool:
            return True

        def read(self) -> tuple[bool, np.ndarray | None]:
            self.left -= 1
            return (True, np.full((60, 80), self.left, np.uint8)) if self.left >= 0 else (False, None)

        def release(self) -> None: ...

    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GStreamer:     YES (1.20.3)")
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    camera = open_camera(source)
    assert camera.name == source
    shapes: list[tuple[int, ...]] = []
    with pytest.raises(CameraLost, match="ribbon"):
        shapes.extend(frame.pixels.shape for frame in camera.frames())
    assert set(shapes) <= {(60, 80)}
    camera.close()
