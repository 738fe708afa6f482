"""Industrial cameras: the harvesters package is stood in for, and the stand-in held against the real one if it is
installed."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edge.camera import open_camera
from edge.camera.genicam import open_genicam
from edge.camera.settings import CameraSettings
from edge.errors import CameraLost, CameraNotFound, CameraTimeout, ConfigError
from tests.edge.camera import fake_harvesters
from tests.edge.camera.fake_harvesters import Harvester, ImageAcquirer


@pytest.fixture
def harvester(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Harvester]:
    core = ModuleType("harvesters.core")
    core.Harvester = Harvester  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "harvesters", ModuleType("harvesters"))
    monkeypatch.setitem(sys.modules, "harvesters.core", core)
    (tmp_path / "vendor.cti").touch()
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    monkeypatch.setattr(Harvester, "made", [])
    monkeypatch.setattr(Harvester, "script", [np.full((30, 40), n, np.uint8) for n in (7, 8)])
    return Harvester


def test_frames_are_copies_and_the_camera_is_freed(harvester: type[Harvester]) -> None:
    camera = open_genicam(CameraSettings(exposure_us=5000, um_per_px=0.1))
    seen: list[np.ndarray] = []
    with pytest.raises(CameraTimeout, match="check cable and trigger"):
        seen.extend(frame.pixels for frame in camera.frames())
    assert seen
    assert all(pixels.shape == (30, 40) and pixels[0, 0] in (7, 8) for pixels in seen)
    camera.close()
    (made,) = harvester.made
    assert made.destroyed
    assert made.remote_device.node_map.ExposureTime.value == 5000.0
    assert made.remote_device.node_map.ExposureAuto.value == "Off"
    assert made.remote_device.node_map.PixelFormat.value == "Mono8"


@pytest.mark.parametrize(("least", "taken"), [(1, 2), (5, 5)])
def test_as_few_buffers_as_the_producer_bears(
    harvester: type[Harvester], monkeypatch: pytest.MonkeyPatch, least: int, taken: int
) -> None:
    monkeypatch.setattr(ImageAcquirer, "least", least)
    open_genicam().close()
    assert harvester.made[0].num_buffers == taken


def test_the_second_of_two(harvester: type[Harvester], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CameraNotFound, match="genicam:1: expected camera 1, found 1"):
        open_camera("genicam:1")
    monkeypatch.setattr(harvester, "cameras", 2)
    camera = open_camera("genicam:1")
    camera.close()
    assert camera.name == "genicam:1"
    assert [made.number for made in harvester.made] == [1]


def test_a_feature_it_has_not_and_one_out_of_bounds(
    harvester: type[Harvester], caplog: pytest.LogCaptureFixture
) -> None:
    open_genicam(CameraSettings(gain=2.0)).close()
    assert "has no Gain;" in caplog.text
    with pytest.raises(ConfigError, match="does not take ExposureTime 2"):
        open_genicam(CameraSettings(exposure_us=2_000_000))


def test_what_can_be_missing(harvester: type[Harvester], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(harvester, "cameras", 0)
    with pytest.raises(CameraNotFound, match="expected camera 0, found 0"):
        open_genicam()
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path / "none"))
    with pytest.raises(CameraNotFound, match="expected GenTL producers"):
        open_genicam()
    monkeypatch.setitem(sys.modules, "harvesters.core", None)
    with pytest.raises(CameraNotFound, match=r"pip install -e '\.\[genicam\]'"):
        open_genicam()


def test_lost_and_colour(harvester: type[Harvester], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harvester, "script", [RuntimeError("BusyException:\ngone")])
    with pytest.raises(CameraLost, match="BusyException: gone"):
        open_genicam()
    monkeypatch.setattr(harvester, "script", [np.zeros((3, 4), np.uint8)])
    monkeypatch.setattr(harvester, "form", "RGB8")
    with pytest.raises(ConfigError, match="expected Mono8 pictures, got RGB8"):
        open_genicam()


def test_the_stand_in_has_the_real_ones_calls(caplog: pytest.LogCaptureFixture) -> None:
    try:
        core = importlib.import_module("harvesters.core")
    except ImportError:
        pytest.skip("harvesters is not installed: pip install 'chromo-edge[genicam]'")
    caplog.set_level(logging.CRITICAL)
    for real, fake in ((core.Harvester, Harvester), (core.ImageAcquirer, ImageAcquirer)):
        for name in (n for n in vars(fake) if not n.startswith("_") and callable(getattr(fake, n))):
            wanted = set(inspect.signature(getattr(fake, name)).parameters)
            assert wanted <= set(inspect.signature(getattr(real, name)).parameters), f"{real.__name__}.{name}"
        for name in (n for n, value in vars(fake).items() if isinstance(value, property)):
            assert isinstance(inspect.getattr_static(real, name, None), property), f"{real.__name__}.{name}"
    assert fake_harvesters.TimeoutException.__name__ == "TimeoutException"
