"""Pictures that cannot be read: told before a training meets them, listed and left out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.camera.files import read_frame
from edge.errors import FrameError

SHOWN = 5
_END_BYTES = 16


class SkippedWarning(UserWarning):
    """Files that were listed but could not be read; they are left out."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out, named as its table or folder names it, and why."""

    file: str
    reason: str


def warn_skipped(source: Path, skipped: Sequence[Skipped]) -> None:
    """One ``SkippedWarning`` that counts and names them; none for none."""
    if skipped:
        shown = ", ".join(f"{s.file} ({s.reason})" for s in skipped[:SHOWN])
        more = f" and {len(skipped) - SHOWN} more (trainer data report lists all)" if len(skipped) > SHOWN else ""
        warnings.warn(f"{source}: {len(skipped)} file(s) left out: {shown}{more}", SkippedWarning, stacklevel=3)


def fault_of(path: Path) -> str:
    """Why the frame at ``path`` cannot be read, or "".

    Quick, for thousands of files: looks at both ends, where emptiness, a foreign format and a broken copy show, and
    decodes only what looks wrong there or ends nowhere in particular (TIFF, BMP).
    """
    try:
        with path.open("rb") as file:
            head = file.read(_END_BYTES)
            size = file.seek(0, 2)
            file.seek(max(0, size - _END_BYTES))
            tail = file.read()
    except OSError as error:
        return error.strerror or "cannot be opened"
    return "" if _ends_whole(head, tail, size) else decoding_fault(path)


def decoding_fault(path: Path) -> str:
    """As ``fault_of``, by decoding the whole picture."""
    try:
        read_frame(path)
    except FrameError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def _ends_whole(head: bytes, tail: bytes, size: int) -> bool:
    if head.startswith(b"\xff\xd8\xff"):  # JPEG: some cameras pad with zeros
        return tail.rstrip(b"\0").endswith(b"\xff\xd9")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return tail.endswith(b"IEND\xaeB`\x82")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return int.from_bytes(head[4:8], "little") + 8 == size
    return False
