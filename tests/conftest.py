"""Fixtures that several packages' tests share."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from edge.cell.keep import TERMS
from edge.runtime.bundle import TASKS

ROOT = Path(__file__).resolve().parent.parent
TINY = ROOT / "tests" / "edge" / "tiny"

# A shell lets what it starts with & ignore Ctrl-C, and that would be handed on to the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The committed models."""
    folder = ROOT / "models"
    for name in TASKS:
        if not (folder / name / "bundle.json").is_file():
            pytest.skip(f"models/{name} is not in this checkout; trainer export makes it")
    return folder


@pytest.fixture
def tiny_models(tmp_path: Path) -> Path:
    """A models folder that makes a whole pipeline, quick and without any skill; the test's own to change."""
    for role in TASKS:
        if not (TINY / role).is_dir():
            pytest.skip(f"tests/edge/tiny has no {role}")
    folder = tmp_path / "tiny-models"
    shutil.copytree(TINY, folder)
    path = folder / "verifier" / "bundle.json"
    fields = json.loads(path.read_text())
    fields["calibration"] |= dict.fromkeys(TERMS, 0.0) | {"keep_bias": 1.0, "keep_score": 1.0, "keep_single": 1.0}
    path.write_text(json.dumps(fields))
    return folder
