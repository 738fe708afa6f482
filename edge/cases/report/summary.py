"""The page that sums the case up."""

from __future__ import annotations

from collections.abc import Sequence

from edge.cases.export import NOTICE, editors, waiting
from edge.cases.log import utc_now
from edge.cases.report.page import BOTTOM_MM, GREY, RED, Page, day
from edge.cases.state import CellState
from edge.cases.store import Case, Head
from edge.cases.tally import Tally, cells_named, tally
from edge.text import software


def summary(page: Page, case: Case, states: Sequence[CellState], head: Head) -> None:
    result = tally(states)
    page.paper.add_page()
    page.line("Karyotype report", 10, colour=GREY)
    page.line(f"Case {case.name}", 20, bold=True)
    page.line(f"opened {day(case.opened_utc)}   printed {day(utc_now())}   {software()}", 9, colour=GREY)
    page.gap(2)
    page.rule()
    page.gap(3)
    page.line(result.headline, 16, bold=True)
    page.gap(1)
    if result.provisional:
        page.warning(f"PROVISIONAL: {result.awaited}. What follows may change with it.")
        page.gap(1)
    for finding in result.findings:
        page.line(finding, 11, bold=True, colour=RED)
    if result.lines and not result.findings:
        so_far = " so far" if result.provisional else ""
        page.line(f"No numerical change of whole chromosomes in a clone{so_far}.", 10.5)
    page.gap(1)
    if result.exclusion:
        page.line(f"{result.exclusion} (Hook 1977).", 9)

    if result.lines:
        page.heading("Cell lines")
        rows = [(line.karyotype, len(line.cells), ", ".join(map(str, line.cells))) for line in result.lines]
        page.table(("karyotype", "cells", "which"), (88, 16, 74), rows)
    if result.strays:
        page.heading("Not clonal: a gain or a structural change in one cell, a loss in fewer than three of a line")
        page.table(
            ("change", "cells", "which"),
            (88, 16, 74),
            [(stray.what, len(stray.cells), ", ".join(map(str, stray.cells))) for stray in result.strays],
        )
    if result.apart:
        page.line(
            "A cell with a gain or a structural change that no other shares, or of no line, stands apart and is not "
            "counted.",
            8.5,
        )
    page.heading(_how_many(states, result))
    page.table(
        ("cell", "frame", "karyotype", "count", "review", "corrected", "by", "counted"),
        (10, 34, 50, 13, 14, 19, 16, 22),
        [_row(state, result) for state in states],
    )
    page.gap(4)
    _provenance(page, states, head)
    if page.paper.get_y() > BOTTOM_MM - (16 if page.paper.page_no() == 1 else 34):
        page.paper.add_page()
    if page.paper.page_no() > 1:  # what is signed here stands on another sheet
        page.gap(4)
        page.line(f"Case {case.name}: {result.headline}{' (provisional)' if result.provisional else ''}", 9, bold=True)
    page.gap(10)
    page.line(
        "Reviewed by ______________________________     Date ________________     Signature ____________________", 9
    )


def _row(state: CellState, result: Tally) -> tuple[object, ...]:
    number = state.captured.number
    return (
        number,
        state.captured.cell.frame,
        state.karyotype,
        len(state.counted),
        waiting(state) or "-",
        state.corrections or "-",
        ", ".join(editors(state)) or "-",
        result.why_not_counted(number) or "yes",
    )


def _how_many(states: Sequence[CellState], result: Tally) -> str:
    said = f"{len(states)} {'cell' if len(states) == 1 else 'cells'} captured, {len(result.counted)} counted"
    return said + "".join(f"; {why}: {cells_named(cells)}" for why, cells in result.uncounted.items() if cells)


def _provenance(page: Page, states: Sequence[CellState], head: Head) -> None:
    models = dict.fromkeys((role, id) for state in states for role, id in state.captured.cell.models.items())
    for role, id in models:
        page.line(f"{role} model {id}", 7.5, colour=GREY)
    page.line(
        f"Log: {head.seq} entries, head {head.sha256}. "
        f"'chromo-edge case verify --head {head.sha256[:12]}' proves that nothing before it was changed.",
        7.5,
        colour=GREY,
    )
    page.line(
        "Whole-chromosome changes only: translocations, inversions, deletions and other structural changes are not "
        "called by the program. Labels and counts are the program's, corrected by those named above. " + NOTICE,
        7.5,
        colour=GREY,
    )
