"""USB cameras: OpenCV's capture is stood in for, the thread around it is real."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.reader import DeviceCamera
from edge.camera.settings import CameraSettings
from edge.camera.v4l2 import V4L2Device, open_v4l2
from edge.errors import CameraLost, CameraNotFound, CameraTimeout


class Capture:
    """``cv2.VideoCapture`` of a camera whose nth frame has grey level n, as BGR."""

    def __init__(self, opens: bool = True, read: Callable[[int], bool] = lambda n: True) -> None:
        self._opens, self._read_ok = opens, read
        self.count = 0
        self.released = threading.Event()
        self.props: dict[int, float] = {}
        self.refused: set[int] = set()

    def isOpened(self) -> bool:
        return self._opens

    def set(self, what: int, value: float) -> bool:
        self.props[what] = value
        return what not in self.refused

    def read(self) -> tuple[bool, np.ndarray | None]:
        ok = self._read_ok(self.count)
        self.count += 1
        time.sleep(0.001)
        return (True, np.full((80, 96, 3), self.count - 1, np.uint8)) if ok else (False, None)

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def node(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[[Capture], Capture]:
    def plug(capture: Capture) -> Capture:
        monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
        return capture

    return plug


def test_frames_are_grey_and_counted(node: Path, plug: Callable[[Capture], Capture]) -> None:
    capture = plug(Capture())
    camera = open_v4l2(node, CameraSettings(um_per_px=0.2))
    stream = camera.frames()
    first, second = next(stream), next(stream)
    camera.close()
    assert first.pixels.shape == (80, 96)
    assert (first.index, second.index, first.source, first.um_per_px) == (0, 1, str(node), 0.2)
    assert second.pixels[0, 0] > first.pixels[0, 0]
    assert second.captured_s > first.captured_s
    assert capture.released.is_set()
    assert capture.props[cv2.CAP_PROP_BUFFERSIZE] == 1


def test_slow_reader_gets_the_newest_frame(node: Path, plug: Callable[[Capture], Capture]) -> None:
    capture = plug(Capture())
    camera = open_v4l2(node)
    stream = camera.frames()
    next(stream)
    while capture.count < 40:
        time.sleep(0.005)
    frame = next(stream)
    camera.close()
    assert frame.index == 1
    assert frame.pixels[0, 0] >= 38


def test_unplugged_is_lost_and_never_an_old_frame(node: Path, plug: Callable[[Capture], Capture]) -> None:
    def read(count: int) -> bool:
        if count == 3:
            node.unlink()
        return count < 3

    capture = plug(Capture(read=read))
    levels: list[int] = []
    camera = open_v4l2(node)
    with pytest.raises(CameraLost, match="unplugged"):
        levels.extend(int(frame.pixels[0, 0]) for frame in camera.frames())
    assert len(set(levels)) == len(levels) <= 3
    camera.close()
    assert capture.released.is_set()


def test_one_damaged_packet_is_not_the_end(node: Path, plug: Callable[[Capture], Capture]) -> None:
    plug(Capture(read=lambda n: n != 1))
    camera = open_v4l2(node)
    levels = {int(frame.pixels[0, 0]) for frame, _ in zip(camera.frames(), range(3), strict=False)}
    camera.close()
    assert 1 not in levels
    assert len(levels) == 3


def test_hung_driver_is_a_timeout(node: Path, plug: Callable[[Capture], Capture]) -> None:
    hang = threading.Event()
    plug(Capture(read=lambda n: n < 1 or hang.wait(10)))
    camera = DeviceCamera(V4L2Device(node), timeout_s=0.5)
    stream = camera.frames()
    next(stream)
    started = time.monotonic()
    with pytest.raises(CameraTimeout, match=r"within 0\.5 s"):
        next(stream)
    assert time.monotonic() - started < 5
    hang.set()
    camera.close()


def test_no_first_frame_is_a_timeout(node: Path, plug: Callable[[Capture], Capture]) -> None:
    hang = threading.Event()
    plug(Capture(read=lambda n: hang.wait(0.15)))
    with pytest.raises(CameraTimeout):
        DeviceCamera(V4L2Device(node), timeout_s=0.05)
    hang.set()


def test_close_from_another_thread_ends_the_stream(node: Path, plug: Callable[[Capture], Capture]) -> None:
    plug(Capture())
    camera = open_v4l2(node)
    threading.Timer(0.05, camera.close).start()
    assert sum(1 for _ in camera.frames()) > 0


def test_driver_that_throws_is_lost(node: Path, plug: Callable[[Capture], Capture]) -> None:
    def read(count: int) -> bool:
        raise RuntimeError("two\nlines")

    plug(Capture(read=read))
    with pytest.raises(CameraLost, match="two lines"):
        open_v4l2(node)


def test_not_there(tmp_path: Path) -> None:
    with pytest.raises(CameraNotFound, match="no such device"):
        open_v4l2(tmp_path / "video9")


def test_not_a_capture_device(node: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CameraNotFound, match="does not or is in use"):
        open_v4l2(node)  # the real OpenCV, on an empty file
    assert capfd.readouterr() == ("", "")


def test_exposure_gain_and_size(
    node: Path, plug: Callable[[Capture], Capture], caplog: pytest.LogCaptureFixture
) -> None:
    capture = plug(Capture())
    capture.refused = {cv2.CAP_PROP_GAIN}
    with caplog.at_level(logging.WARNING):
        open_v4l2(node, CameraSettings(exposure_us=12_340, gain=4, size_px=(2048, 1536))).close()
    assert capture.props[cv2.CAP_PROP_AUTO_EXPOSURE] == 1
    assert capture.props[cv2.CAP_PROP_EXPOSURE] == 123
    assert [capture.props[side] for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)] == [2048, 1536]
    assert "does not take gain 4" in caplog.text
    assert len(caplog.records) == 1
