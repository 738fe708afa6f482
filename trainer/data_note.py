"""The note in a folder that says which data its contents come from: sets may change, or lie elsewhere on another
machine."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from edge.errors import ConfigError
from trainer.files import write_atomic

DATA_NOTE = "data.json"
FRESH = "give the same data, another --out, or --fresh"
SAME = "give the same data or another --out"
"""What to do, in messages of commands without a ``--fresh``."""
Stamp = tuple[str, str]
"""A set's name, and its stamp by ``trainer.data.sources.stamp_of``."""


def write_note(folder: Path, stamps: Collection[Stamp]) -> None:
    """Notes the stamps in the folder. ``OSError`` if it cannot be written."""
    write_atomic(folder / DATA_NOTE, (json.dumps(list(stamps)) + "\n").encode())


def require_noted(folder: Path, stamps: Collection[Stamp], made: str, mend: str = FRESH) -> None:
    """``ConfigError`` for a set that the folder's note lacks or has with another stamp; ``made`` says what the folder
    has of its data, ``mend`` what to do. Without a note nothing is checked."""
    note = folder / DATA_NOTE
    if not note.is_file():
        return
    try:
        noted = [(name, stamp) for name, stamp in json.loads(note.read_bytes())]
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{note}: expected names and stamps of sets ({error}); {mend}") from error
    for name, stamp in stamps:
        if (name, stamp) not in noted:
            was = ", ".join(f"{name} ({stamp})" for name, stamp in noted)
            raise ConfigError(
                f"expected what {made}, {was}; got {name} ({stamp}), another set or one that was changed since; {mend}"
            )
