"""Files that are either whole or not there, whenever the process dies; and where the shipped models are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edge.config import default_models_dir
from edge.errors import SinkError
from edge.sinks.files import replacing


def shipped_models() -> Path:
    """``default_models_dir()``, relative where it lies below the current folder: a run keeps it among its settings, and
    is to go on after the checkout has moved. ``models`` where the current folder is gone."""
    try:
        models, here = default_models_dir(), Path.cwd()
    except OSError:
        return Path("models")
    return models.relative_to(here) if models.is_relative_to(here) else models


def write_atomic(path: Path, data: bytes) -> None:
    """``path`` holds ``data``, on the disk, or what it held before; makes the folder. ``OSError`` as usual."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(data)


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
