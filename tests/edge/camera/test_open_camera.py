"""Names of sources become sources."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.camera import CameraSettings, is_device, is_stored, open_camera
from edge.camera.files import FolderCamera
from edge.camera.reader import DeviceCamera
from edge.camera.simulated import SimulatedCamera
from edge.errors import CameraNotFound, FrameError
from tests.edge.camera.fake_picamera2 import install


def test_sim_is_seeded() -> None:
    camera, again, other = (open_camera("sim", CameraSettings(um_per_px=0.1), seed=seed) for seed in (3, 3, 4))
    assert isinstance(camera, SimulatedCamera)
    first = next(camera.frames())
    assert first.um_per_px == 0.1
    np.testing.assert_array_equal(first.pixels, next(again.frames()).pixels)
    assert not np.array_equal(first.pixels, next(other.frames()).pixels)


def test_folder_and_picture(tmp_path: Path) -> None:
    path = tmp_path / "cell.png"
    Image.fromarray(np.zeros((80, 96), np.uint8)).save(path)
    for source in (tmp_path, path):
        camera = open_camera(str(source))
        assert isinstance(camera, FolderCamera)
        assert [frame.source for frame in camera.frames()] == ["cell.png"]


def test_folder_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="found none"):
        open_camera(str(tmp_path))


def test_what_may_not_be_looked_at_is_one_line(tmp_path: Path) -> None:
    """As a picture in a folder that is shut; a name that is too long is refused to root, too."""
    with pytest.raises(FrameError, match=r"found nothing \(File name too long\); check the path"):
        open_camera(str(tmp_path / ("x" * 300)))


def test_a_folder_that_is_called_as_the_simulated_scope(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's own ``trainer simulate --out sim`` makes one; a run would then show no page."""
    monkeypatch.chdir(tmp_path)
    for name in ("sim", "csi", "cells"):
        (tmp_path / name).mkdir()
    assert [is_stored(name) for name in ("sim", "csi", "cells", "", "gone", None)] == [False, False, True] + 3 * [False]


@pytest.mark.parametrize(
    "source", [None, "picamera2", "picamera2:1", "csi", "csi:1", "genicam", "genicam:12", "0", "/dev/video0"]
)
def test_what_may_be_unplugged_and_come_back(source: str | None) -> None:
    assert is_device(source)
    assert not any(map(is_device, ("sim", "webcam", "cells/", "a.png", "csi:", "csi:a", "sim:1", "xcsi:1")))


def test_picamera2_is_the_first_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    camera = open_camera(None)
    camera.close()
    assert isinstance(camera, DeviceCamera)
    assert camera.name == "picamera2"


@pytest.mark.parametrize(("source", "number"), [("picamera2", 0), ("picamera2:1", 1)])
def test_of_two_cameras_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, source: str, number: int) -> None:
    world = install(monkeypatch)
    world.cameras = 2
    camera = open_camera(source)
    camera.close()
    assert camera.name == source  # which opens it again when it comes back
    assert [opened.number for opened in world.opened] == [number]


def test_no_camera_at_all_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch).cameras = 0
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    with pytest.raises(CameraNotFound, match="--camera sim"):
        open_camera(None)


def test_broken_cameras_are_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch).busy = True
    nodes = [tmp_path / "video10", tmp_path / "video2", tmp_path / "video-codec"]
    monkeypatch.setattr(Path, "glob", lambda *_: iter(nodes))
    with pytest.raises(CameraNotFound, match="tried picamera2 and 2 /dev/video devices"):
        open_camera(None)


@pytest.mark.parametrize(("source", "device"), [("63", "/dev/video63"), ("/dev/video63", "/dev/video63")])
def test_numbers_and_nodes_are_video_devices(source: str, device: str) -> None:
    with pytest.raises(CameraNotFound, match=f"^{device}: expected a V4L2 camera"):
        open_camera(source)


@pytest.mark.parametrize("source", ["webcam", ""])
def test_unknown_name(source: str) -> None:
    with pytest.raises(CameraNotFound, match="which is none of them"):
        open_camera(source)


def test_importing_the_room_imports_no_camera() -> None:
    code = "import sys, edge.camera; print(sorted({'cv2', 'PIL', 'scipy', 'picamera2'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
