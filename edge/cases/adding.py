"""Stored frames as cells of a case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.camera.files import list_frames
from edge.cases.again import seen_before
from edge.cases.images import picture_sha256
from edge.cases.state import CellState
from edge.cases.store import CaseStore
from edge.errors import CapturedBefore, FrameError
from edge.pipeline import Pipeline
from edge.records import Frame


def captured(store: CaseStore, case: str, path: Path, frame: Frame, pipeline: Pipeline, by: str) -> CellState:
    """The new cell of ``frame``, read from ``path``. Raises ``FrameError`` where it shows no chromosome and
    ``CapturedBefore`` where its field is a cell of the case already."""
    for kept in store.kept(picture_sha256(frame.pixels)):
        if kept.case == store.case(case).name:
            raise CapturedBefore(store.cell(kept.id))  # labelling it would take a second
    cell = pipeline.label(frame)
    if cell.count == 0:
        raise FrameError(
            f"{path}: expected a metaphase, found no chromosome; it was not added, check the picture and --um-per-px"
        )
    cells = store.cells(case)
    known = seen_before(cell, cells)
    if known is not None:
        raise CapturedBefore(known)
    return store.capture(case, frame, cell, by, seen=cells)


def listed(paths: Sequence[Path]) -> Iterator[Path | FrameError]:
    """The frames that ``paths`` stand for; a path that stands for none gives its error instead."""
    for path in paths:
        try:
            yield from list_frames(path)
        except FrameError as error:
            yield error
