"""The developer's tools start and say what they are; what they measure takes longer than a test may."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.drawn import frames_folder

TOOLS = Path(__file__).resolve().parents[3] / "tools"


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("bench", "onnxruntime"),
        ("soak", "edge"),
        ("faults", "edge"),
        ("watch_page", "playwright"),
        ("strange_frames", "edge"),
        ("make_peak_models.py", "tf_keras"),
        ("make_yolo.py", "tf2onnx"),
    ],
)
def test_help(name: str, needs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(needs)
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([sys.executable, TOOLS / name, "--help"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"{name} [-h]" in done.stdout
    assert name.endswith(".py") or (TOOLS / name).stat().st_mode & 0o111
    assert not list(tmp_path.iterdir())


def test_frames_taken_otherwise_are_labelled_in_every_way(tmp_path: Path) -> None:
    frames = frames_folder(tmp_path / "frames", ("val",), side_px=700)
    command = [sys.executable, TOOLS / "strange_frames", frames]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    head, _, first, *others = done.stdout.splitlines()
    assert head.startswith("| 1 val frames | located |"), done.stderr
    assert first.startswith("| as they are |")
    assert len(others) > 5
    located = [float(row.split("|")[2].strip().rstrip("%")) for row in (first, *others)]
    assert located[0] > 80
    assert np.median(located) > 80
    gone = subprocess.run([*command[:2], tmp_path / "none"], capture_output=True, text=True, timeout=120)
    assert gone.returncode != 0
    assert gone.stderr.startswith("error: ")
    assert gone.stderr.count("\n") == 1


def test_one_fault_is_tried_and_told(tmp_path: Path) -> None:
    table = tmp_path / "faults.md"
    command = [sys.executable, TOOLS / "faults", "--only", "stuck", "--times", "1", "--out", table]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    head, _, row = table.read_text().splitlines()
    assert head.startswith("| fault | tried |"), done.stderr
    _, fault, tried, happened, stale_s, lost, _ = (cell.strip() for cell in row.split("|"))
    assert fault.startswith("Camera's driver hangs")
    assert (tried, lost) == ("1", "nothing")
    assert "Camera late" in happened
    assert "a capture is refused meanwhile" in happened
    assert "right labels after" in happened
    assert float(stale_s) > 0
