"""The files that ``label`` and ``run`` write."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.sinks.base import Sink


def file_sinks(
    stack: ExitStack,
    *,
    jsonl: Path | None,
    overlay: Path | None = None,
    karyogram: Path | None = None,
    append: bool = False,
    lasting: bool = False,
) -> list[Sink]:
    """The sinks asked for, each proven writable now, before the first frame; closed with ``stack``. ``append``: JSON
    lines are added to those there are; ``lasting``: so they are in a file, and left out while its disk is full."""
    from edge.sinks.jsonl import JsonlSink, LastingJsonlSink
    from edge.sinks.pictures import karyogram_sink, overlay_sink

    wanted: list[Callable[[], Sink]] = []
    if overlay is not None:
        wanted.append(lambda: overlay_sink(overlay))
    if karyogram is not None:
        wanted.append(lambda: karyogram_sink(karyogram))
    if jsonl is not None:  # last: it replaces an earlier file, so all else must be sound by then
        outlasts = lasting and str(jsonl) != "-"
        wanted.append(lambda: LastingJsonlSink(jsonl) if outlasts else JsonlSink(jsonl, append=append))
    sinks: list[Sink] = []
    for make in wanted:
        sink = make()
        stack.callback(sink.close)
        sinks.append(sink)
    return sinks


def check_folders(frames: Sequence[Path], *folders: Path | None) -> None:
    """``ConfigError`` for a folder that holds frames or is named twice: pictures are named as their frames are, and
    would replace those."""
    # Not by Path.resolve, which fails on a link that leads to itself.
    taken = {os.path.realpath(place) for path in frames for place in (path.parent, Path(os.path.realpath(path)).parent)}
    for folder in folders:
        if folder is not None:
            if os.path.realpath(folder) in taken:
                raise ConfigError(
                    f"{folder}: pictures written there could take the place of frames or of each other; "
                    "name a folder of their own"
                )
            taken.add(os.path.realpath(folder))


def check_apart(jsonl: Path | None, log: Path | None) -> None:
    """``ConfigError`` where both are one file: the log rotates, and would take the JSON lines with it."""
    if jsonl is not None and log is not None and os.path.realpath(jsonl) == os.path.realpath(log):
        raise ConfigError(f"expected two files for --jsonl and --log, got {log} for both; name another one for --log")
