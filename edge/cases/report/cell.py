"""The page of one cell: what it says, its picture outlined, its karyogram."""

from __future__ import annotations

from edge.camera.files import is_of_file
from edge.cases.export import editors, scale_of
from edge.cases.report.page import BOTTOM_MM, GREY, RED, WIDTH_MM, Page, day
from edge.cases.state import CellState
from edge.cell.karyogram import draw_karyogram
from edge.cell.overlay import draw_overlay
from edge.records import Frame


def cell_page(page: Page, state: CellState, frame: Frame) -> None:
    captured, cell = state.captured, state.as_cell()
    page.paper.add_page()
    page.line(f"Case {captured.case}, cell {captured.number}", 10, colour=GREY)
    page.line(state.karyotype, 16, bold=True)
    people = ", ".join(editors(state))
    work = f"{state.corrections or 'none'} corrected" + (f", seen by {people}" if people else "")
    came = "added" if is_of_file(captured.cell.frame) else "captured"
    page.line(
        f"{captured.cell.frame}   {came} {day(captured.captured_utc)}   {scale_of(cell)}   "
        f"{len(state.counted)} chromosomes, {work}",
        8.5,
        colour=GREY,
    )
    if state.set_aside:
        page.warning(f"Set aside, not counted: {state.set_aside}")
    page.gap(1)
    for finding in state.findings:
        if not finding.startswith("provisional"):
            page.line(finding, 10, colour=RED)
        elif not state.set_aside:  # else it would only say that once more
            page.warning(f"P{finding[1:]}" + (" (marked ?)" if state.unsure else ""))
    page.gap(2)
    room_mm = BOTTOM_MM - page.paper.get_y() - 4
    karyogram = draw_karyogram(cell, state.names, headed=False)
    below_mm = min(WIDTH_MM * karyogram.shape[0] / karyogram.shape[1], 0.52 * room_mm)
    page.picture(draw_overlay(frame, cell, state.names, headed=False), room_mm - below_mm - 6, photograph=True)
    page.line("Outlined in blue: accepted; in orange, with a ?: to review.", 7.5, colour=GREY, align="C")
    page.gap(1)
    page.picture(karyogram, below_mm, photograph=False)
