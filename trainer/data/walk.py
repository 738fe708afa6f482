"""The files of a folder and of the folders in it, linked ones among them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from trainer.errors import DatasetError


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Those with one of ``suffixes``, which are in lower case, in order. ``DatasetError`` for a folder that cannot be
    listed: what is in it would be passed over."""
    return sorted(path for path in _walk(folder, frozenset()) if path.suffix.lower() in suffixes)


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    own = folder.resolve()
    if own in above:  # a link to a folder that it lies in
        return
    try:
        inside = list(folder.iterdir())
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from error
    for path in inside:
        if path.is_dir():
            yield from _walk(path, above | {own})
        else:
            yield path
