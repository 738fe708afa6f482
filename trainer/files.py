"""Files that are either whole or not there, whenever the process dies; and where the shipped models are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge.config import default_models_dir
from edge.errors import SinkError


def shipped_models() -> Path:
    """``default_models_dir()``, relative where it lies below the current folder: a run keeps it among its settings, and
    is to go on after the checkout has moved."""
    models = default_models_dir()
    return models.relative_to(Path.cwd()) if models.is_relative_to(Path.cwd()) else models


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
