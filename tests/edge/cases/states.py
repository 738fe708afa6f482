"""States without a store: cells as captured, and cells after edits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edge.cases.edits import Accept, Edit, SetAside
from edge.cases.state import Captured, CellState, Event, fold
from tests.builders import NORMAL_FEMALE, make_cell


def captured(labels: Iterable[str] = NORMAL_FEMALE, *, number: int = 1, review: Sequence[int] = ()) -> Captured:
    cell = make_cell(labels, review=review, frame=f"{number}.png")
    return Captured(number, "A-1", number, cell, "ab" * 32, "2026-01-02T03:04:05.000+00:00")


def edited(start: Captured, *edits: Edit, actor: str = "kim") -> CellState:
    return fold(start, [Event(k, actor, "2026-01-02T03:05:00.000+00:00", e) for k, e in enumerate(edits, start=1)])


def cell_of(karyotype_change: str = "", *, number: int = 1, sex: str = "XX", set_aside: str = "") -> CellState:
    """A reviewed cell: ``+21 -X`` are copies more and fewer than two of each autosome and ``sex``."""
    labels = [*NORMAL_FEMALE[:44], *sex]
    for change in karyotype_change.split():
        if change[0] == "+":
            labels.append(change[1:])
        else:
            labels.remove(change[1:])
    edits: list[Edit] = [SetAside(set_aside)] if set_aside else [Accept((0,))]
    return edited(captured(labels, number=number), *edits)
