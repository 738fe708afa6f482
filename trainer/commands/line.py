"""The command line as the bundles and tables that it makes keep it."""

from __future__ import annotations

import re
import sys

FOLDERS = re.compile(r"(^|=)/(?:[^/]+/)*(?=[^/])")
"""The folders of an absolute path, which may stand behind ``--option=`` or ``DATA=``."""


def command_line() -> str:
    """The command as it was given, without the folders of this machine."""
    return " ".join(["trainer", *(FOLDERS.sub(r"\1", word).rstrip("/") for word in sys.argv[1:])])
