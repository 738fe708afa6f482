"""The developer's tools start and say what they are; what they measure takes longer than a test may."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"


@pytest.mark.parametrize("name", ["bench", "soak"])
def test_help(name: str) -> None:
    pytest.importorskip("onnxruntime" if name == "bench" else "edge")
    done = subprocess.run([sys.executable, TOOLS / name, "--help"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"{name} [-h]" in done.stdout
    assert (TOOLS / name).stat().st_mode & 0o111
