"""The same on the real thing: ``pytest -m hardware tests/hardware`` on a board, with what is plugged in.

CHROMO_CAMERA names the camera (default: the first that answers), CHROMO_DELEGATE the accelerator (edgetpu or gpu),
for which ``models`` are compiled.
A test without its device is skipped; the hand that pulls a plug is asked for on the terminal (pytest -s).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from edge.board.bench import drawn_frames
from edge.board.doctor import examine
from edge.camera import CameraSettings, open_camera
from edge.camera.returning import ReturningCamera
from edge.errors import CameraError
from edge.pipeline import load_pipeline
from edge.runtime.guarded import GuardedNetwork, acceleration
from edge.runtime.interpreter import Network
from edge.runtime.network import networks_on

pytestmark = pytest.mark.hardware

CAMERA = os.environ.get("CHROMO_CAMERA")
DELEGATE = os.environ.get("CHROMO_DELEGATE", "edgetpu")
START_S = 900.0


@pytest.fixture
def delegate() -> str:
    if "CHROMO_DELEGATE" not in os.environ:
        pytest.skip("name the accelerator: CHROMO_DELEGATE=edgetpu")
    return DELEGATE


def test_the_doctor_finds_no_fault(models_dir: Path) -> None:
    assert [check for check in examine(models_dir, CAMERA) if check.state == "fail"] == []


def test_frames_are_new_and_in_time() -> None:
    try:
        camera = open_camera(CAMERA)
    except CameraError as why:
        pytest.skip(str(why))
    frames = [frame for frame, _ in zip(camera.frames(), range(50), strict=False)]
    camera.close()
    assert [frame.index for frame in frames] == list(range(50))
    assert (np.diff([frame.captured_s for frame in frames]) > 0).all()
    assert len({frame.pixels.tobytes() for frame in frames}) == 50


@pytest.mark.skipif(CAMERA not in ("picamera2", "csi"), reason="needs a sensor: CHROMO_CAMERA=picamera2 or csi")
def test_a_long_exposure_slows_the_frames_and_a_short_one_is_black() -> None:
    camera = open_camera(CAMERA, CameraSettings(exposure_us=200_000, gain=1.0))
    taken_s = [frame.captured_s for frame, _ in zip(camera.frames(), range(10), strict=False)]
    camera.close()
    assert np.median(np.diff(taken_s)) > 0.19, "the exposure was cut to the frame"
    camera = open_camera(CAMERA, CameraSettings(exposure_us=200, gain=1.0))
    darkest = min(int(next(camera.frames()).pixels.min()) for _ in range(10))
    camera.close()
    assert darkest < 16, "black is not 0: the luma has video's range, or there is far too much light"


@pytest.mark.skipif(not os.environ.get("CHROMO_UNPLUG"), reason="needs a hand: CHROMO_UNPLUG=1 and pytest -s")
def test_unplugged_and_back() -> None:
    first = open_camera(CAMERA)
    camera = ReturningCamera(first, lambda: open_camera(first.name))
    stream = camera.frames()
    next(stream)
    print("\npull the camera's plug now, and put it back after five seconds")
    longest_s, last_s, ends_s = 0.0, time.monotonic(), time.monotonic() + 60
    while time.monotonic() < ends_s and longest_s < 3:
        frame = next(stream)
        longest_s, last_s = max(longest_s, frame.captured_s - last_s), frame.captured_s
    camera.close()
    assert longest_s >= 3, "no gap was seen: was it unplugged?"


def test_the_accelerator_says_what_the_cpu_says(models_dir: Path, delegate: str) -> None:
    frame = drawn_frames(1)[0]
    expected = load_pipeline(models_dir, 2).label(frame)
    with networks_on(delegate):
        pipeline = load_pipeline(models_dir, 2)
    found = pipeline.label(frame)
    ends_s = time.monotonic() + START_S
    while (computed := acceleration()) and not all(computed.networks.values()) and time.monotonic() < ends_s:
        found = pipeline.label(frame)
        time.sleep(0.5)
    assert computed is not None
    assert computed.said == f"on {delegate}"
    found = pipeline.label(frame)
    assert abs(found.count - expected.count) <= 2
    assert found.karyotype.split(",")[0] == expected.karyotype.split(",")[0]


def test_the_accelerator_dies_and_comes_back(models_dir: Path, delegate: str) -> None:
    from edge.runtime.bundle import load_bundle

    with networks_on(delegate):
        network = Network.of_bundle(load_bundle(models_dir / "classifier", "classifier"))
    assert isinstance(network, GuardedNetwork)
    pixels = np.zeros(network.input_shape, np.uint8)
    for _ in range(20):
        ends_s = time.monotonic() + START_S
        while not network.accelerated and time.monotonic() < ends_s:
            network.run_uint8(pixels)
            time.sleep(0.05)
        assert network.accelerated, network.status
        assert network._accelerator._child is not None
        network._accelerator._child._process.kill()
        started_s = time.monotonic()
        network.run_uint8(pixels)
        assert time.monotonic() - started_s < 2
    network.close()
