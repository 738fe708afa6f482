"""The doctor on this machine, and on ones that are drawn as a folder of kernel files."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
from PIL import Image

from edge.board import doctor, host
from edge.board.doctor import examine
from edge.cli import main
from edge.runtime import guarded
from tests.edge.runtime.compiled import compile_beside, with_onnx
from tests.edge.stages import draw_bars

ONNX = (Path(__file__).parents[1] / "runtime" / "tiny.onnx").read_bytes()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root folder to put kernel files into."""
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(host, "ROOT", root)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    return root


def put(root: Path, path: str, text: str = "") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def states(models: Path | None = None, camera: str | None = None) -> dict[str, doctor.Check]:
    return {check.name: check for check in examine(models, camera)}


def test_the_command_and_its_code(tiny_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--models", str(tiny_models), "--json"]) == 0
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert {"python", "runtime", "locator", "classifier", "camera", "groups", "edgetpu", "disk", "memory", "clock"} <= (
        found.keys()
    )
    assert found["locator"]["state"] == found["python"]["state"] == "ok"
    next((tiny_models / "locator").glob("*.tflite")).write_bytes(b"rot")
    assert main(["doctor", "--models", str(tiny_models)]) == 1
    said = capsys.readouterr().out
    assert "truncated or changed" in said
    assert "-> chromo-edge models rollback" in said


def test_a_camera_is_tried(tmp_path: Path, tiny_models: Path) -> None:
    Image.fromarray(draw_bars([1, 2])).save(tmp_path / "a.png")
    assert states(tiny_models, str(tmp_path / "a.png"))["camera"].state == "ok"
    Image.new("L", (400, 400), 3).save(tmp_path / "dark.png")
    dark = states(tiny_models, str(tmp_path / "dark.png"))["camera"]
    assert dark.state == "warning"
    assert "lamp" in dark.mend
    gone = states(tiny_models, "/dev/video77")["camera"]
    assert gone.state == "fail"
    assert "--camera sim" in gone.mend


def test_a_hot_throttled_pi_with_a_coral(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(machine, "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    put(machine, "sys/class/thermal/thermal_zone0/temp", "61000\n")
    put(machine, "sys/class/thermal/thermal_zone1/temp", "86500\n")
    put(machine, "proc/meminfo", "MemTotal:  8000000 kB\nMemAvailable:  200000 kB\n")
    put(machine, "sys/bus/usb/devices/2-1/idVendor", "18d1\n")
    put(machine, "sys/bus/usb/devices/2-1/idProduct", "9302\n")
    tool = tmp_path / "vcgencmd"
    tool.write_text("#!/bin/sh\necho throttled=0x50005\n")
    tool.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(tool))
    found = states()
    assert host.board_name() == "Raspberry Pi 5 Model B Rev 1.0"
    assert found["temperature"].state == "fail"
    assert found["temperature"].said == "86 °C"
    assert found["throttling"].said == "now under-voltage, throttled; since the start under-voltage, throttled"
    assert found["memory"].state == "warning"
    assert "libedgetpu (feranick's builds; the stock one crashes" in found["edgetpu"].mend
    put(machine, "usr/lib/aarch64-linux-gnu/libedgetpu.so.1")
    assert states()["edgetpu"].state == "ok"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every camera")
def test_a_camera_without_permission(machine: Path) -> None:
    put(machine, "dev/video0")
    (machine / "dev" / "video0").chmod(0)
    assert "usermod -aG video" in states()["camera"].mend


def test_nodes_that_are_no_cameras(machine: Path) -> None:
    put(machine, "dev/video10")
    put(machine, "dev/video-other")
    said = states()["camera"].said
    assert "video10" in said
    assert "video-other" not in said


def test_what_a_raspberry_pi_itself_has_is_no_camera(machine: Path) -> None:
    for number, name in {10: "bcm2835-codec-decode", 14: "bcm2835-isp-capture0", 2: "pispbe-output0"}.items():
        put(machine, f"dev/video{number}")
        put(machine, f"sys/class/video4linux/video{number}/name", f"{name}\n")
    assert states()["camera"].state == "warning"
    put(machine, "dev/video0")
    put(machine, "sys/class/video4linux/video0/name", "rp1-cfe-csi2_ch0\n")
    assert "--camera picamera2" in states()["camera"].said
    put(machine, "dev/video1")
    put(machine, "sys/class/video4linux/video1/name", "USB 2.0 Camera: USB Camera\n")
    assert states()["camera"].said.startswith(f"{machine}/dev/video1 (")


def test_the_disk_is_the_one_that_cases_go_to(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMO_CASES", str(tmp_path / "not" / "yet"))
    asked: list[Path] = []
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or usage(10**12, 0, 10**12))
    assert str(tmp_path / "not" / "yet") in states()["disk"].said
    assert asked == [tmp_path]


def test_cases_in_a_folder_that_cannot_be_looked_into(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's, as a rule; a name that is too long is refused to root, too."""
    monkeypatch.setenv("CHROMO_CASES", str(tmp_path / ("x" * 300)))
    disk = states()["disk"]
    assert disk.state == "fail"
    assert disk.said.endswith(": File name too long")
    assert "$CHROMO_CASES" in disk.mend


def test_a_disk_that_went_read_only_is_told(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMO_CASES", str(tmp_path))
    now = os.statvfs(tmp_path)
    remounted = os.statvfs_result((*now[:8], now.f_flag | os.ST_RDONLY, now.f_namemax))
    monkeypatch.setattr(os, "statvfs", lambda _: remounted)
    found = states()["disk"]
    assert (found.state, found.said) == ("fail", f"the disk of {tmp_path} is read-only")
    assert "a worn card" in found.mend


def at_work(models: Path, delegate: str) -> doctor.Check:
    return {one.name: one for one in examine(models, None, delegate)}[f"{delegate} at work"]


@pytest.mark.parametrize(
    ("mode", "state", "said"),
    [
        ("works", "ok", "classifier on edgetpu"),
        ("absent", "fail", "finds no device"),
        ("crash", "fail", "was killed by signal 6"),
    ],
)
def test_an_accelerator_is_tried_in_a_child(
    library: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch, mode: str, state: str, said: str
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("FAKE_DELEGATE", mode)
    compile_beside(tiny_models, "classifier")
    check = at_work(tiny_models, "edgetpu")
    assert check.state == state
    assert said in check.said
    assert ("feranick's builds" in check.mend) == (state == "fail")
    assert "feranick" not in check.said


def test_a_model_that_the_chip_does_not_compute_fails(
    library: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("FAKE_DELEGATE", "works")
    check = at_work(tiny_models, "edgetpu")
    assert check.state == "fail"
    assert check.said.endswith("expected a model compiled for edgetpu, found none")
    assert check.mend == f"compile it with 'trainer edgetpu {tiny_models / 'classifier'}'"


@pytest.fixture
def jetson(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models for one, and the child process on one."""
    pytest.importorskip("onnxruntime", reason="pip install 'chromo-edge[onnx]'")
    with_onnx(tiny_models, "classifier", ONNX, (16, 12))
    options = guarded.Accelerator.__init__.__kwdefaults__
    monkeypatch.setitem(options, "command", (sys.executable, "-m", "tests.edge.runtime.jetson"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tiny_models


def test_engines_are_waited_for_as_long_as_they_may_take(
    jetson: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("JETSON_BUILD_S", "0.3")
    monkeypatch.setattr(guarded, "START_S", 0.1)
    monkeypatch.setattr(guarded, "ENGINE_START_S", 120.0)
    monkeypatch.setitem(guarded.Accelerator.__init__.__kwdefaults__, "start_s", 0.1)
    check = at_work(jetson, "gpu")
    assert (check.state, check.said) == ("ok", "classifier on gpu")
    assert "gpu: waiting, 2 min at most: the first start builds TensorRT's engines" in caplog.text


def test_a_child_that_is_never_ready_ends_the_wait(jetson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JETSON_BUILD_S", "60")
    monkeypatch.setattr(guarded, "ENGINE_START_S", 0.3)
    monkeypatch.setitem(guarded.Accelerator.__init__.__kwdefaults__, "start_s", 0.1)
    check = at_work(jetson, "gpu")
    assert check.state == "fail"
    assert check.said == "classifier on cpu: gpu was not ready within 0.3 s"
    assert check.mend == "install an onnxruntime-gpu for this board and Python, or use --delegate cpu"


def test_a_slower_provider_is_a_warning(jetson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JETSON_BROKEN", "TensorrtExecutionProvider")
    check = at_work(jetson, "gpu")
    assert check.state == "warning"
    assert "classifier on gpu by CUDA, not by Tensorrt: lib of" in check.said


def test_an_onnx_model_has_a_mend_of_its_own(jetson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JETSON_BROKEN", "TensorrtExecutionProvider CUDAExecutionProvider")
    check = at_work(jetson, "gpu")
    assert check.state == "fail"
    assert "no accelerator takes the model: Tensorrt: lib of" in check.said
    assert check.mend == "install an onnxruntime-gpu for this board and Python, or use --delegate cpu"
    assert check.mend not in check.said


def test_a_full_disk_and_a_clock_of_1970(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    monkeypatch.setattr(time, "localtime", lambda *_: time.struct_time((1970, 1, 1, 0, 0, 0, 3, 1, 0)))
    found = states()
    assert found["disk"].state == "fail"
    assert found["clock"].state == "fail"
