"""Industrial cameras: the harvesters package is stood in for, and the stand-in held against the real one if it is
installed."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edge.camera import genicam, open_camera, reader
from edge.camera.genicam import GenicamDevice, open_genicam
from edge.camera.settings import CameraSettings
from edge.errors import CameraLost, CameraNotFound, CameraTimeout, ConfigError
from tests.edge.camera import fake_harvesters
from tests.edge.camera.fake_harvesters import Buffer, Component2DImage, Harvester, ImageAcquirer, Missing, Node


@pytest.fixture
def harvester(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Harvester]:
    core = ModuleType("harvesters.core")
    core.Harvester = Harvester  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "harvesters", ModuleType("harvesters"))
    monkeypatch.setitem(sys.modules, "harvesters.core", core)
    (tmp_path / "vendor.cti").touch()
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(tmp_path))
    monkeypatch.setattr(Harvester, "made", [])
    monkeypatch.setattr(Harvester, "nodes", {})
    monkeypatch.setattr(Harvester, "resets", 0)
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


def test_a_camera_that_waits_for_its_trigger_is_freed(
    harvester: type[Harvester], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(self: ImageAcquirer, *, timeout: float = 0) -> Buffer:
        if not self._script:
            waiting.set()
            time.sleep(timeout)
        return triggered(self, timeout=timeout)

    triggered = ImageAcquirer.fetch
    waiting = threading.Event()
    monkeypatch.setattr(ImageAcquirer, "fetch", fetch)
    monkeypatch.setattr(genicam, "FRAME_S", 0.3)
    monkeypatch.setattr(reader, "CLOSE_S", 0.2)
    camera = open_genicam()
    assert waiting.wait(10)
    camera.close()
    assert harvester.made[0].destroyed


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
    assert "has no Gain that can be set;" in caplog.text
    with pytest.raises(ConfigError, match="does not take ExposureTime 2"):
        open_genicam(CameraSettings(exposure_us=2_000_000))


def test_features_that_cannot_be_set_refuse_no_camera(
    harvester: type[Harvester], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = {
        "PixelFormat": Node("Mono8", locked=True),  # the only one it has
        "ExposureAuto": Missing(),
        "ExposureTime": Node(1000, 1e6, whole=True),
        "GainAuto": Missing(),
        "Gain": Node(1.0, locked=True),
    }
    monkeypatch.setattr(harvester, "nodes", nodes)
    open_genicam(CameraSettings(exposure_us=5000, gain=2.0)).close()
    features = harvester.made[0].remote_device.node_map
    assert (features.ExposureTime.value, features.Gain.value) == (5000, 1.0)
    said = [message.partition("has no ")[2].partition(" that")[0] for message in caplog.messages]
    assert said == ["ExposureAuto", "GainAuto", "Gain"]


def test_a_camera_that_is_pulled_is_found_again(harvester: type[Harvester], monkeypatch: pytest.MonkeyPatch) -> None:
    device = GenicamDevice()
    device.open()
    monkeypatch.setattr(ImageAcquirer, "pulled", True)
    device.close()
    assert harvester.made[0].destroyed
    assert harvester.resets == 1


def test_rows_that_are_filled_up(harvester: type[Harvester], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageAcquirer, "padding", 24)
    monkeypatch.setattr(harvester, "script", [np.arange(1200, dtype=np.uint8).reshape(30, 40)])
    device = GenicamDevice()
    device.open()
    np.testing.assert_array_equal(device.read(), harvester.script[0])
    device.close()


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
    fakes = {"Harvester": Harvester, "ImageAcquirer": ImageAcquirer, "Component2DImage": Component2DImage}
    for real, fake in ((getattr(core, name), fake) for name, fake in fakes.items()):
        for name in (n for n in vars(fake) if not n.startswith("_") and callable(getattr(fake, n))):
            wanted = set(inspect.signature(getattr(fake, name)).parameters)
            assert wanted <= set(inspect.signature(getattr(real, name)).parameters), f"{real.__name__}.{name}"
        for name in (n for n, value in vars(fake).items() if isinstance(value, property)):
            assert isinstance(inspect.getattr_static(real, name, None), property), f"{real.__name__}.{name}"
    for module, name in (("genicam.gentl", "TimeoutException"), ("genicam.genapi", "AccessException")):
        assert hasattr(importlib.import_module(module), name)
        assert getattr(fake_harvesters, name).__name__ == name  # by which it is told


def test_the_real_library_with_the_camera_that_it_draws(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        folder = Path(str(importlib.import_module("genicam").__file__)).parent
        importlib.import_module("harvesters.core")
    except ImportError:
        pytest.skip("harvesters is not installed: pip install 'chromo-edge[genicam]'")
    monkeypatch.setenv("GENICAM_GENTL64_PATH", str(folder))  # of viky.cti, a producer for trials
    for _ in range(2):  # freed, it is there again
        device = GenicamDevice(1, CameraSettings(exposure_us=5000))
        device.open()
        pixels = device.read()
        device.close()
        assert (pixels.ndim, pixels.dtype, pixels.flags["OWNDATA"]) == (2, np.uint8, True)
    assert "has no ExposureTime that can be set" in caplog.text
