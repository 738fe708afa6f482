"""The note in a folder that says of which data it is: their sets may change, and lie elsewhere on another machine."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from edge.errors import ConfigError
from trainer.files import write_atomic

DATA_NOTE = "data.json"
FRESH = "give the same data, another --out, or --fresh"
SAME = "give the same data or another --out"
"""The mend of commands without a ``--fresh``."""
Stamp = tuple[str, str]
"""Name of a set and what ``trainer.data.sources.stamp_of`` says of it."""


def write_note(folder: Path, stamps: Collection[Stamp]) -> None:
    """``OSError`` as usual."""
    write_atomic(folder / DATA_NOTE, (json.dumps(list(stamps)) + "\n").encode())


def require_noted(folder: Path, stamps: Collection[Stamp], made: str, mend: str = FRESH) -> None:
    """``ConfigError`` for a set that the folder's note has not, or not as it is now; ``made`` says what the folder has
    of its data, ``mend`` what to do. A folder without a note may be of any."""
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
