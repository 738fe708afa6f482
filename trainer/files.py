"""Files that are either whole or not there, whenever the process dies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge.errors import SinkError


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path`` under a hidden name, then rename; makes the folder. ``OSError`` as usual."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_result(path: Path, data: bytes, option: str) -> None:
    """``write_atomic`` for what a user asked for; ``SinkError`` names the ``option`` to change if it cannot be."""
    try:
        write_atomic(path, data)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}; name another file with {option}") from error


def share(source: Path, target: Path) -> None:
    """The same file under another name, without a copy where the disk allows; leaves a ``target`` that is there."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
