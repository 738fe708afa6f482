"""Looks at pictures before a training meets them: those that cannot be read or in which nothing is marked are left out
and told; sizes and orientation tags tell pictures that are not as they were when they were marked."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import ExifTags, Image

from edge.camera.files import read_frame
from edge.errors import FrameError
from trainer.errors import DatasetError

T = TypeVar("T")
SHOWN = 5
UNMARKED = "no chromosome is marked in it"
"""Why a frame without a mark is left out: nobody knows what it shows."""
_ON_ITS_SIDE = (5, 6, 7, 8)
_TURNED = (2, 3, 4, *_ON_ITS_SIDE)
"""Values of the orientation tag that ask for a turn; 1 is as stored."""


class TurnedWarning(UserWarning):
    """Pictures have an orientation tag, which is not applied: boxes are meant in the pixels as they are stored."""


class SkippedWarning(UserWarning):
    """Files that were listed but could not be read, or in which nothing is marked; they are left out."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is left out, named as its table or folder names it, and why."""

    file: str
    reason: str


def warn_skipped(source: Path, skipped: Sequence[Skipped], rest: str = " (trainer data report lists all)") -> None:
    """One ``SkippedWarning`` that counts the files and names the first of them, followed by ``rest`` if some are not
    named; another counts those that are ``UNMARKED``. No warning for nothing."""
    unmarked = [s.file for s in skipped if s.reason == UNMARKED]
    if unmarked:
        warnings.warn(
            f"{source}: {len(unmarked)} frame(s) have no mark of a chromosome and are left out, first {unmarked[0]}; "
            "mark them, or take them out of the set",
            SkippedWarning,
            stacklevel=3,
        )
    faulty = [s for s in skipped if s.reason != UNMARKED]
    if faulty:
        shown = ", ".join(f"{s.file} ({s.reason})" for s in faulty[:SHOWN])
        more = f" and {len(faulty) - SHOWN} more{rest}" if len(faulty) > SHOWN else ""
        warnings.warn(f"{source}: {len(faulty)} file(s) left out: {shown}{more}", SkippedWarning, stacklevel=3)


def fault_of(path: Path) -> str:
    """Why the frame at ``path`` cannot be read, or "".

    It is decoded: 20 s for 4,000 WebP frames of half a megapixel, a minute for as many PNG. To check a PNG's checksums
    would be far quicker, but misses one that was cut short before they were made.
    """
    try:
        read_frame(path)
    except FrameError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def description_of(path: Path) -> str:
    """The image description in a TIFF's head; "" where there is none that can be read."""
    return _of_head(path, lambda picture: str(picture.getexif().get(ExifTags.Base.ImageDescription, "")), "TIFF") or ""


def size_of(path: Path) -> tuple[int, int] | None:
    """Width and height of the picture at ``path`` as ``read_frame`` gives it, read from its head; None where that
    cannot be read."""

    def size(picture: Image.Image) -> tuple[int, int]:
        turned = picture.format == "TIFF" and _orientation(picture) in _ON_ITS_SIDE
        return (picture.height, picture.width) if turned else picture.size

    return _of_head(path, size)


def warn_turned(where: str, pictures: Iterable[Path]) -> None:
    """One ``TurnedWarning`` that counts the JPEG and TIFF with an orientation tag, which ``read_frame`` does not apply:
    whoever marked them most likely saw them turned. No warning without any."""
    # Not of a PNG, which would be decoded for it.
    turned = [path.name for path in pictures if _of_head(path, _orientation, "JPEG", "TIFF") in _TURNED]
    if turned:
        warnings.warn(
            f"{where}: {len(turned)} picture(s) have an orientation tag, which is not applied, first {turned[0]}; "
            "store them turned, as they were marked",
            TurnedWarning,
            stacklevel=3,
        )


def _orientation(picture: Image.Image) -> object:
    return picture.getexif().get(ExifTags.Base.Orientation)


def _of_head(path: Path, read: Callable[[Image.Image], T], *formats: str) -> T | None:
    """What ``read`` says of the picture at ``path``, of one of the ``formats`` if some are named, before it is decoded;
    None where its head cannot be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd tags and of large pictures
            with Image.open(path, formats=formats or None) as picture:
                return read(picture)
    except Exception:  # decoders raise many kinds for broken files
        return None


def require_size(path: Path, stated: tuple[object, object], where: str) -> None:
    """``DatasetError``, naming ``where`` it is ``stated``, if the picture at ``path`` has another width and height: its
    boxes would lie beside its chromosomes. Nothing for a picture that cannot be read: that is told when the frames are
    read."""
    got = size_of(path)
    if got not in (None, stated):
        raise DatasetError(
            f"{where}: expected {path.name} of {stated[0]}x{stated[1]} px, got {got[0]}x{got[1]} px; "
            "give the picture that was marked, or correct the size"
        )
