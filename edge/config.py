"""Where things are found when nobody says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

MODELS_VARIABLE = "CHROMO_MODELS"


def default_models_dir() -> Path:
    """``$CHROMO_MODELS``; else those that came with the wheel; else ``models/`` beside the package (a checkout); else
    ``models/`` in the current folder."""
    named = os.environ.get(MODELS_VARIABLE)
    if named:
        return Path(named)
    shipped = Path(sys.prefix) / "share" / "chromo-edge" / "models"
    if shipped.is_dir() and Path(__file__).is_relative_to(sys.prefix):  # installed from a wheel, which brings its own
        return shipped
    beside = Path(__file__).resolve().parent.parent / "models"
    return beside if beside.is_dir() else Path("models")
