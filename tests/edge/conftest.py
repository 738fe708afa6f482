"""Fixtures of the edge's tests."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from edge.cell.keep import TERMS
from edge.runtime.bundle import Task

TINY = Path(__file__).parent / "tiny"
DELEGATE = Path(__file__).parent / "runtime" / "delegate.c"


@pytest.fixture
def tiny_models(tmp_path: Path) -> Path:
    """A models folder that makes a whole pipeline, quick and without any skill; the test's own to change."""
    for role in get_args(Task):
        if not (TINY / role).is_dir():
            pytest.skip(f"tests/edge/tiny has no {role}")
    folder = tmp_path / "tiny-models"
    shutil.copytree(TINY, folder)
    path = folder / "verifier" / "bundle.json"
    fields = json.loads(path.read_text())
    fields["calibration"] |= dict.fromkeys(TERMS, 0.0) | {"keep_bias": 1.0, "keep_score": 1.0, "keep_single": 1.0}
    path.write_text(json.dumps(fields))
    return folder


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
