"""The files of a folder and of the folders in it, linked ones among them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from trainer.errors import DatasetError

SYSTEMS = ("lost+found", "System Volume Information", "$RECYCLE.BIN")
"""Folders that a system makes for itself on a disk."""


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files with one of ``suffixes``, which are in lower case, in order; each once, however many links lead to its
    folder; what is hidden is passed over. ``DatasetError`` for a folder that cannot be listed: its files would be
    missing."""
    return sorted(path for path in _walk(folder) if path.suffix.lower() in suffixes and not is_hidden(path))


def plain_path(name: str) -> PurePosixPath:
    """A path as other systems may have written it ("./a/b.png", ".\\a\\b.png"), plain: "a/b.png"."""
    return PurePosixPath(name.replace("\\", "/"))


def is_hidden(path: Path) -> bool:
    """Whether a name is hidden. macOS leaves a ``._NAME`` beside each file that it copies to a disk of another kind."""
    return path.name.startswith(".")


def is_there(path: Path) -> bool:
    """Whether ``path`` is a file; False for a name that is longer than any can be, on which ``Path.is_file`` fails."""
    try:
        return path.is_file()
    except OSError:
        return False


def _walk(top: Path) -> Iterator[Path]:
    seen: set[Path] = set()
    linked = [top]
    while linked:  # links last: what lies in the folder itself keeps its own name
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
                elif path.name not in SYSTEMS and not is_hidden(path):
                    (linked if path.is_symlink() else real).append(path)


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from error
