"""The Raspberry Pi camera, against a stand-in for picamera2."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.camera.picamera import Picamera2Device, open_picamera2
from edge.camera.reader import DeviceCamera
from edge.camera.settings import CameraSettings
from edge.errors import CameraNotFound, CameraTimeout, ConfigError
from tests.edge.camera.fake_picamera2 import LEVELS, PADDING, World, install


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return install(monkeypatch)


def test_grey_is_the_luma_from_black_to_white_without_padding_or_chroma(world: World) -> None:
    odd = CameraSettings(size_px=(1011, 761))  # rounded down; 1010 is no multiple of the stride
    device = Picamera2Device(settings=odd)
    device.open()
    pixels = device.read()
    device.close()
    assert pixels.shape == (760, 1010)
    assert pixels.flags["C_CONTIGUOUS"]
    assert not (pixels == PADDING).any()
    np.testing.assert_array_equal(pixels[1], LEVELS[np.arange(1010) % len(LEVELS)])
    assert (pixels.min(), pixels.max()) == (0, 255)  # video's usual 16 and 235 would be a lamp that is too dim


def test_every_request_goes_back(world: World) -> None:
    device = Picamera2Device()
    device.open()
    levels = [int(device.read()[0, 0]) for _ in range(20)]  # four buffers: a leak would end in a timeout
    device.close()
    assert levels == list(range(20))


def test_stream_ends_with_the_camera_closed(world: World) -> None:
    camera = open_picamera2(CameraSettings(um_per_px=0.1))
    frame = next(camera.frames())
    assert (frame.source, frame.index, frame.um_per_px) == ("picamera2", 0, 0.1)
    camera.close()
    camera.close()
    assert [c.is_open for c in world.opened] == [False]
    assert list(camera.frames()) == []


def test_newest_frame_is_asked_for_and_not_a_waiting_one(world: World) -> None:
    open_picamera2().close()
    assert world.opened[0].config["queue"] is False


@pytest.mark.parametrize("exposure_us", [8_000, 33_333, 80_000, 6_000_000])
def test_exposure_and_gain(world: World, exposure_us: int) -> None:
    open_picamera2(CameraSettings(exposure_us=exposure_us, gain=20.0)).close()  # more than the placeholders allow
    (camera,) = world.opened
    assert camera.exposure_us == exposure_us  # not cut to the frame
    assert camera.given["AnalogueGain"] == 20.0
    assert camera.given["AeEnable"] is False
    assert camera.given["FrameDurationLimits"][0] == 33_333


def test_frames_are_no_shorter_than_the_sensors(world: World) -> None:
    world.controls["FrameDurationLimits"] = (100_000, 600_000_000, 100_000)
    open_picamera2(CameraSettings(exposure_us=8_000)).close()
    assert world.opened[0].given["FrameDurationLimits"] == (100_000, 600_000_000)


def test_exposure_alone_leaves_the_gain_to_the_camera(world: World) -> None:
    open_picamera2(CameraSettings(exposure_us=8_000)).close()
    assert world.opened[0].given.keys() & {"AeEnable", "AnalogueGain"} == set()


def test_control_that_is_not_there_is_left_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    del world.controls["AnalogueGain"]
    with caplog.at_level(logging.WARNING):
        open_picamera2(CameraSettings(exposure_us=8_000, gain=2.0)).close()
    assert world.opened[0].given.keys() & {"AeEnable", "AnalogueGain"} == set()
    assert "AnalogueGain" in caplog.text


def test_setting_out_of_bounds_prints_the_bounds(world: World) -> None:
    with pytest.raises(ConfigError, match=r"AnalogueGain from 1\.0 to 22\.26, got 99"):
        open_picamera2(CameraSettings(gain=99.0))
    assert [c.is_open for c in world.opened] == [False]


def test_no_camera(world: World) -> None:
    world.cameras = 0
    with pytest.raises(CameraNotFound, match=r"found 0 cameras; check the ribbon cable.*--camera sim"):
        open_picamera2()


def test_camera_in_use(world: World) -> None:
    world.busy = True
    with pytest.raises(CameraNotFound, match="close the program that uses it"):
        open_picamera2()


def test_waiting_for_a_camera_in_use_costs_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.busy = True
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with pytest.raises(CameraNotFound):
            open_picamera2()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert caplog.messages == []  # what the camera's own library says at each try


def test_usb_camera_without_yuv420(world: World) -> None:
    world.usb_format = "MJPEG"
    with pytest.raises(CameraNotFound, match="gives MJPEG"):
        open_picamera2()
    assert [c.is_open for c in world.opened] == [False]


def test_camera_that_stops_is_a_timeout_and_never_an_old_frame(world: World) -> None:
    world.frames_left = 3
    camera = DeviceCamera(Picamera2Device(timeout_s=0.05), timeout_s=1.0)
    levels: list[int] = []
    with pytest.raises(CameraTimeout, match="ribbon cable"):
        levels.extend(int(frame.pixels[0, 0]) for frame in camera.frames())
    assert len(set(levels)) == len(levels) <= 3
    camera.close()
    assert not world.opened[0].is_open


def test_without_picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraNotFound, match="apt install python3-picamera2"):
        open_picamera2()


def test_simplejpeg_of_another_numpy_is_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch)
    monkeypatch.delitem(sys.modules, "picamera2")
    why = "numpy.dtype size changed, may indicate binary incompatibility"
    (tmp_path / "picamera2.py").write_text(f"raise ValueError({why!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CameraNotFound, match=r"numpy\.dtype.*pip install --force-reinstall --no-deps simplejpeg"):
        open_picamera2()
