"""What the sinks that write files share: looking whether a place can be written, and saying why not."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from edge.errors import SinkError


def reason(error: OSError) -> str:
    """The system's own words without the number and the path: ``No space left on device``."""
    return os.strerror(error.errno) if error.errno else str(error)


def writable_folder(folder: Path) -> Path:
    """``folder``, made if it is missing and proven writable by writing there. Raises ``SinkError`` when it is not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SinkError(f"cannot write into {folder}: {reason(error)}; name another folder") from error
    return folder


def write_bytes(path: Path, content: bytes) -> None:
    """Writes the whole file or none of it. Raises ``SinkError``."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise SinkError(f"cannot write {path}: {reason(error)}") from error
