"""Fixtures of the edge's tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

DELEGATE = Path(__file__).parent / "runtime" / "delegate.c"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a libedgetpu.so.1 that does what FAKE_DELEGATE says."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make the stand-in for libedgetpu")
    folder = tmp_path_factory.mktemp("lib")
    target = folder / "libedgetpu.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", target, DELEGATE], check=True)
    return folder
