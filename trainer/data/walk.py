"""The files of a folder and of the folders in it, linked ones among them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from trainer.errors import DatasetError

SYSTEMS = ("lost+found", "System Volume Information", "$RECYCLE.BIN")
"""Folders that a disk has for itself."""


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Those with one of ``suffixes``, which are in lower case, in order; each once, however many links lead to its
    folder, hidden folders passed over. ``DatasetError`` for a folder that cannot be listed: what is in it would be
    missing."""
    return sorted(path for path in _walk(folder) if path.suffix.lower() in suffixes)


def is_there(path: Path) -> bool:
    """Whether ``path`` is a file; also of a name that is longer than any can be, on which ``Path.is_file`` fails."""
    try:
        return path.is_file()
    except OSError:
        return False


def _walk(top: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    linked = [top]
    while linked:  # after all that is there without them: what a link leads to has a name of its own
        real = [linked.pop(0)]
        while real:
            folder = real.pop()
            if folder.resolve() in seen:
                continue
            seen.add(folder.resolve())
            for path in _listed(folder):
                if not path.is_dir():
                    if path.is_file() or not path.exists():  # a pipe or a device would be read without end
                        yield path
                elif path.name not in SYSTEMS and path.name[0] != ".":
                    (linked if path.is_symlink() else real).append(path)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from error
