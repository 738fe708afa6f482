"""The case on paper: a page that sums it up, then a page a cell. PDF, A4, by fpdf2."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from edge.cases.export import NOTICE, editors, software
from edge.cases.log import utc_now
from edge.cases.state import CellState
from edge.cases.store import Case, Head
from edge.cases.tally import Tally, cells_named, tally
from edge.cell.karyogram import draw_karyogram
from edge.cell.overlay import draw_overlay
from edge.errors import ConfigError
from edge.records import Frame, UInt8Array

if TYPE_CHECKING:
    from fpdf import FPDF

_MARGIN_MM, _WIDTH_MM, _BOTTOM_MM = 16.0, 178.0, 277.0
_PT_MM = 0.3528
_INK, _GREY, _AMBER, _AMBER_FILL, _RED = (24, 24, 24), (110, 110, 110), (150, 74, 0), (255, 240, 214), (160, 20, 28)
_WIDE_FONTS = Path("/usr/share/fonts/truetype/dejavu")
"""Debian's and Raspberry Pi OS's own fonts, for names that the PDF's built-in ones cannot write."""


@dataclass(frozen=True, slots=True)
class ReportInput:
    """``frame_of`` gives the picture of a cell by its id; ``head`` vouches for the log up to now."""

    case: Case
    states: Sequence[CellState]
    head: Head
    frame_of: Callable[[int], Frame]


def report_pdf(of: ReportInput) -> bytes:
    """The report's bytes. Raises ``ConfigError`` where fpdf2 is not installed."""
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise ConfigError("a report needs fpdf2; install it with: pip install 'chromo-edge[cases]'") from error

    class Paper(FPDF):  # type: ignore[misc]
        def footer(self) -> None:
            self.set_y(-15)
            page.type(8, colour=_GREY)
            self.cell(_WIDTH_MM - 40, 5, page.written(f"{NOTICE}   Case {of.case.name}"))
            self.cell(40, 5, f"page {self.page_no()} of {{nb}}", align="R")

    paper = Paper(format="A4")
    page = _Page(paper, _all_text(of))
    paper.set_title(page.written(f"Karyotype report, case {of.case.name}"))
    paper.set_creator(software())
    paper.set_margins(_MARGIN_MM, 14, _MARGIN_MM)
    paper.set_auto_page_break(True, margin=20)
    _summary(page, of, tally(of.states))
    for state in of.states:
        _cell_page(page, state, of.frame_of(state.id))
    return bytes(paper.output())


class _Page:
    """What is asked of fpdf2, in the report's own type."""

    def __init__(self, paper: FPDF, text: str) -> None:
        self.paper = paper
        self._family = "helvetica"
        self._wide = False
        regular, bold = _WIDE_FONTS / "DejaVuSans.ttf", _WIDE_FONTS / "DejaVuSans-Bold.ttf"
        if not _narrow(text) and regular.is_file() and bold.is_file():
            paper.add_font("wide", "", regular)
            paper.add_font("wide", "B", bold)
            self._family, self._wide = "wide", True

    def type(self, points: float, *, bold: bool = False, colour: tuple[int, int, int] = _INK) -> None:
        self.paper.set_font(self._family, "B" if bold else "", points)
        self.paper.set_text_color(*colour)

    def written(self, text: str) -> str:
        """``text`` as the font can write it: accents are dropped before letters are."""
        if self._wide or _narrow(text):
            return text
        plain = unicodedata.normalize("NFKD", text)
        return "".join(c for c in plain if not unicodedata.combining(c)).encode("latin-1", "replace").decode("latin-1")

    def line(self, text: str, points: float = 10, *, align: str = "L", **kind: Any) -> None:
        """A paragraph over the page's width."""
        self.type(points, **kind)
        self.paper.multi_cell(
            _WIDTH_MM, points * _PT_MM * 1.35, self.written(text), new_x="LMARGIN", new_y="NEXT", align=align
        )

    def gap(self, mm: float) -> None:
        self.paper.ln(mm)

    def rule(self) -> None:
        y = self.paper.get_y()
        self.paper.set_draw_color(200)
        self.paper.line(_MARGIN_MM, y, _MARGIN_MM + _WIDTH_MM, y)

    def heading(self, text: str) -> None:
        self.gap(3)
        self.line(text, 11, bold=True)
        self.gap(0.5)

    def warning(self, text: str) -> None:
        self.type(10, bold=True, colour=_AMBER)
        self.paper.set_fill_color(*_AMBER_FILL)
        self.paper.multi_cell(_WIDTH_MM, 6, self.written(text), fill=True, new_x="LMARGIN", new_y="NEXT", align="L")

    def table(self, heads: Sequence[str], widths: Sequence[float], rows: Iterable[Sequence[object]]) -> None:
        from fpdf.fonts import FontFace

        self.type(8)
        self.paper.set_draw_color(200)
        self.paper.set_fill_color(255)
        head_style = FontFace(emphasis="BOLD", fill_color=(240, 240, 240))
        with self.paper.table(
            width=_WIDTH_MM,
            col_widths=tuple(widths),
            text_align="LEFT",
            line_height=4.6,
            padding=(0.6, 1.2),
            borders_layout="HORIZONTAL_LINES",
            headings_style=head_style,
        ) as table:
            for row in (heads, *rows):
                cells = table.row()
                for value in row:
                    cells.cell(self.written(str(value)))

    def picture(self, pixels: UInt8Array, most_mm: float, *, photograph: bool) -> None:
        """``pixels`` (H, W, 3) as wide as the page, but not higher than ``most_mm``."""
        height, width = pixels.shape[:2]
        shown_mm = min(_WIDTH_MM, most_mm * width / height)
        buffer = io.BytesIO()
        if photograph:
            Image.fromarray(pixels).save(buffer, format="JPEG", quality=88, subsampling=0)
        else:
            Image.fromarray(pixels).save(buffer, format="PNG")
        self.paper.image(buffer, x=_MARGIN_MM + (_WIDTH_MM - shown_mm) / 2, w=shown_mm)


def _summary(page: _Page, of: ReportInput, result: Tally) -> None:
    page.paper.add_page()
    page.line("Karyotype report", 10, colour=_GREY)
    page.line(f"Case {of.case.name}", 20, bold=True)
    page.line(f"opened {_day(of.case.opened_utc)}   printed {_day(utc_now())}   {software()}", 9, colour=_GREY)
    page.gap(2)
    page.rule()
    page.gap(3)
    page.line(result.karyotype or "no cell to count yet", 16, bold=True)
    page.gap(1)
    if result.provisional:
        page.warning(
            f"PROVISIONAL: chromosomes wait for review in {cells_named(result.unsure)}. "
            "What follows may change with the review."
        )
        page.gap(1)
    for finding in result.findings:
        page.line(finding, 11, bold=True, colour=_RED)
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
        page.heading("Not clonal: a gain or a structural change in one cell, a loss in fewer than three")
        page.table(
            ("change", "cells", "which"),
            (88, 16, 74),
            [(stray.what, len(stray.cells), ", ".join(map(str, stray.cells))) for stray in result.strays],
        )
    if result.apart:
        page.line(
            "A cell with a gain or a structural change that no other shares stands apart and is not counted.", 8.5
        )
    page.heading(_how_many(of.states, result))
    page.table(
        ("cell", "frame", "karyotype", "count", "review", "corrected", "by", "counted"),
        (10, 34, 50, 13, 14, 19, 16, 22),
        [_row(state, result) for state in of.states],
    )
    page.gap(4)
    _provenance(page, of)
    if page.paper.get_y() > _BOTTOM_MM - 16:
        page.paper.add_page()
    page.gap(10)
    page.line(
        "Reviewed by ______________________________     Date ________________     Signature ____________________", 9
    )


def _row(state: CellState, result: Tally) -> tuple[object, ...]:
    number = state.captured.number
    counted = (
        "yes"
        if number in result.counted
        else "set aside"
        if state.set_aside
        else "incomplete"
        if number in result.incomplete
        else "apart"
    )
    return (
        number,
        state.captured.cell.frame,
        state.karyotype,
        len(state.counted),
        len(state.unsure) or "-",
        state.corrections or "-",
        ", ".join(editors(state)) or "-",
        counted,
    )


def _how_many(states: Sequence[CellState], result: Tally) -> str:
    said = f"{len(states)} {'cell' if len(states) == 1 else 'cells'} captured, {len(result.counted)} counted"
    if result.apart:
        said += f"; apart: {cells_named(result.apart)}"
    if result.incomplete:
        said += f"; incomplete: {cells_named(result.incomplete)}"
    if result.set_aside:
        said += f"; set aside: {cells_named(result.set_aside)}"
    return said


def _provenance(page: _Page, of: ReportInput) -> None:
    models = dict.fromkeys((role, id) for state in of.states for role, id in state.captured.cell.models.items())
    for role, id in models:
        page.line(f"{role} model {id}", 7.5, colour=_GREY)
    page.line(
        f"Log: {of.head.seq} entries, head {of.head.sha256}. "
        f"'chromo-edge case verify --head {of.head.sha256[:12]}' proves that nothing before it was changed.",
        7.5,
        colour=_GREY,
    )
    page.line(
        "Whole-chromosome changes only: translocations, inversions, deletions and other structural changes are not "
        "called by the program. Labels and counts are the program's, corrected by those named above. " + NOTICE,
        7.5,
        colour=_GREY,
    )


def _cell_page(page: _Page, state: CellState, frame: Frame) -> None:
    captured, cell = state.captured, state.as_cell()
    page.paper.add_page()
    page.line(f"Case {captured.case}, cell {captured.number}", 10, colour=_GREY)
    page.line(state.karyotype, 16, bold=True)
    people = ", ".join(editors(state))
    work = f"{state.corrections or 'none'} corrected" + (f", seen by {people}" if people else "")
    page.line(
        f"{captured.cell.frame}   captured {_day(captured.captured_utc)}   {frame.um_per_px:g} µm per pixel   "
        f"{len(state.counted)} chromosomes, {work}",
        8.5,
        colour=_GREY,
    )
    if state.set_aside:
        page.warning(f"Set aside, not counted: {state.set_aside}")
    page.gap(1)
    for k, finding in enumerate(state.findings):
        if k == 0 and not state.reviewed:
            page.warning(f"{finding[:1].upper()}{finding[1:]} (marked ?)")
        else:
            page.line(finding, 10, colour=_RED)
    page.gap(2)
    room_mm = _BOTTOM_MM - page.paper.get_y() - 4
    karyogram = draw_karyogram(cell, state.names, headed=False)
    below_mm = min(_WIDTH_MM * karyogram.shape[0] / karyogram.shape[1], 0.52 * room_mm)
    page.picture(draw_overlay(frame, cell, state.names, headed=False), room_mm - below_mm - 6, photograph=True)
    page.line("Outlined in blue: accepted; in orange, with a ?: to review.", 7.5, colour=_GREY, align="C")
    page.gap(1)
    page.picture(karyogram, below_mm, photograph=False)


def _day(utc: str) -> str:
    return f"{utc[:10]} {utc[11:16]} UTC"


def _narrow(text: str) -> bool:
    """Whether the PDF's built-in fonts can write it."""
    return all(ord(c) < 256 for c in text)


def _all_text(of: ReportInput) -> str:
    own = [of.case.name]
    for state in of.states:
        own += [state.captured.cell.frame, state.set_aside, *editors(state)]
    return "".join(own)
