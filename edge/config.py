"""Where things are found when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

MODELS_VARIABLE = "CHROMO_MODELS"


def default_models_dir() -> Path:
    """``$CHROMO_MODELS``; else ``models/`` beside the package (a checkout); else ``models/`` in the current folder."""
    named = os.environ.get(MODELS_VARIABLE)
    if named:
        return Path(named)
    beside = Path(__file__).resolve().parent.parent / "models"
    return beside if beside.is_dir() else Path("models")
