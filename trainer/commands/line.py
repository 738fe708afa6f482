"""The command as the bundles and tables that it makes remember it."""

from __future__ import annotations

import sys
from pathlib import Path


def command_line() -> str:
    """The command as it was given, less the folders of this machine."""
    return " ".join(["trainer", *(Path(word).name if word.startswith("/") else word for word in sys.argv[1:])])
