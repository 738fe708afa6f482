"""Where things are found when nobody says."""

from __future__ import annotations

import os
from pathlib import Path

MODELS_VARIABLE = "CHROMO_MODELS"
CASES_VARIABLE = "CHROMO_CASES"


def default_models_dir() -> Path:
    """``$CHROMO_MODELS``; else ``models/`` beside the package (a checkout); else ``models/`` in the current folder."""
    named = os.environ.get(MODELS_VARIABLE)
    if named:
        return Path(named)
    beside = Path(__file__).resolve().parent.parent / "models"
    return beside if beside.is_dir() else Path("models")


def default_cases_dir() -> Path:
    """``$CHROMO_CASES``; else ``chromo-edge/cases`` among the user's own data (``$XDG_DATA_HOME``)."""
    named = os.environ.get(CASES_VARIABLE)
    if named:
        return Path(named)
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "chromo-edge" / "cases"
