"""Fixtures that several packages' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The committed models."""
    folder = ROOT / "models"
    for name in ("locator", "separator", "classifier", "verifier"):
        if not (folder / name / "bundle.json").is_file():
            pytest.skip(f"models/{name} is not in this checkout; trainer export makes it")
    return folder
