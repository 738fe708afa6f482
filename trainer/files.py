"""Files that are either whole or not there, whenever the process dies; and the folder of the shipped models."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from edge.config import default_models_dir
from edge.errors import SinkError
from edge.sinks.files import reason, replacing
from edge.text import first_line


def shipped_models() -> Path:
    """``default_models_dir()``, relative where it lies below the current folder: a run keeps it among its settings, and
    must be able to go on after the checkout has moved. ``models`` if the current folder no longer exists."""
    try:
        models, here = default_models_dir(), Path.cwd()
    except OSError:
        return Path("models")
    return models.relative_to(here) if models.is_relative_to(here) else models


def write_atomic(path: Path, data: bytes) -> None:
    """Afterwards ``path`` holds ``data``, on the disk, or still what it held before; makes the folder. ``OSError`` if
    that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(data)


def write_result(path: Path, data: bytes, option: str) -> None:
    """``write_atomic`` for what a user asked for; if it fails ``SinkError`` names the ``option`` to change."""
    try:
        write_atomic(path, data)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {error.strerror}; name another file with {option}") from error


def write_figures(path: Path | None, figures: dict[str, Any]) -> None:
    """One JSON object, if ``--json`` asks for it; ``SinkError`` if it cannot be written."""
    if path is not None:
        write_result(path, (json.dumps(figures, indent=2) + "\n").encode(), "--json")


def require_place(path: Path | None, option: str) -> None:
    """``SinkError`` if ``write_result`` could not write ``path``, where the ``option`` names one; called before the
    work, which may take hours."""
    if path is not None and (fault := _fault_of(Path(os.path.realpath(path)))):
        raise SinkError(f"cannot write {path}: {os.strerror(fault)}; name another file with {option}")


def _fault_of(place: Path) -> int:
    """The system's error number for why no file can be written there; 0 where one can."""
    try:
        if place.is_dir():
            return errno.EISDIR
        if place.exists() and not place.is_file():  # /dev/stdout, a pipe
            return 0
        folder = next(parent for parent in place.parents if parent.exists())
        if not folder.is_dir():
            return errno.ENOTDIR
    except OSError as error:  # too long a name, a folder that may not be entered
        return error.errno or errno.EIO
    return 0 if os.access(folder, os.W_OK | os.X_OK) else errno.EACCES


def save_network(network: Any, path: Path) -> Path:
    """Afterwards ``path``, .keras or .h5, holds the Keras network, or still what it held before. ``SinkError`` names
    it."""
    part = path.with_name(f".{secrets.token_hex(8)}.part{path.suffix}")  # Keras tells the form by the suffix
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it warns that .keras is better than .h5
            network.save(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        return part.replace(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: h5py's, when the disk is full
        said = reason(error) if isinstance(error, OSError) else first_line(error)
        raise SinkError(f"cannot write {path}: {said}; free some space and give the same command again") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def stored(path: Path) -> Iterator[IO[bytes]]:
    """A file to write what a run keeps into; afterwards ``path`` holds it, on the disk, or still what it held before.
    Makes the folder. ``SinkError`` names the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            yield file
    except OSError as error:
        raise SinkError(
            f"cannot write {path}: {reason(error)}; make its folder writable or free some space, and give the same "
            "command again"
        ) from error


def copy_file(source: Path, target: Path) -> None:
    """Afterwards ``target`` holds what ``source`` does, or still what it held before. ``SinkError`` names it."""
    try:
        with source.open("rb") as content, replacing(target) as file:
            shutil.copyfileobj(content, file)
    except OSError as error:
        raise SinkError(
            f"cannot write {target}: {reason(error)}; free some space and give the same command again"
        ) from error


def share(source: Path, target: Path) -> None:
    """Gives the file a second name, without a copy where the disk allows; leaves a ``target`` that is there."""
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        copy_file(source, target)
