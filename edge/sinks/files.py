"""What the sinks that write files share: looking whether a place can be written, and saying why not."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from edge.disk import DISK_ERRORS
from edge.errors import SinkError


def reason(error: OSError) -> str:
    """The system's own words without the number and the path: ``No space left on device``."""
    if isinstance(error, FileExistsError):  # all that is made here is a folder where none is yet
        return "a file has the name of the folder"
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


def check_replaced(path: Path, expected: str, *beginnings: bytes) -> None:
    """Raises ``SinkError`` where a file at ``path`` is no earlier result: neither empty nor one that begins with one of
    ``beginnings``. A name that was mistyped must not cost a frame or a case store."""
    try:
        if not path.is_file():
            return
        with path.open("rb") as file:
            first = file.read(8)
    except OSError as error:
        raise SinkError(f"cannot write {path}: {reason(error)}; name another file") from error
    if first and not first.startswith(beginnings):
        raise SinkError(
            f"cannot write {path}: expected {expected} there or nothing, got a file that begins with {first!r}; "
            "name another file"
        )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that becomes ``path`` when all of it is on the disk, or never. ``OSError`` as usual.

    What is there already and no file, such as /dev/null or a pipe, is written into and stays; a link leads to its file.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    mode = path.stat().st_mode if path.exists() else None
    part = path.with_name(f".{secrets.token_hex(8)}.part")  # not of the name, which may be as long as names can be
    try:
        with part.open("xb") as file:
            if mode is not None:  # who may read the one that is there may read this one, and nobody else
                with contextlib.suppress(OSError):  # a memory stick's file system has no modes
                    os.fchmod(file.fileno(), stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def sync_names(folder: Path) -> None:
    """Makes sure that what was renamed in ``folder`` outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes the whole file or none of it. Raises ``SinkError``."""
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        mend = "free some space, or name another file" if error.errno in DISK_ERRORS else "name another file"
        raise SinkError(f"cannot write {path}: {reason(error)}; {mend}") from error
