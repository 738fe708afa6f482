"""The case on paper: a summary, then a page for each cell. PDF, A4, by fpdf2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.cases.export import NOTICE, editors
from edge.cases.report.cell import cell_page
from edge.cases.report.page import GREY, MARGIN_MM, WIDTH_MM, Page
from edge.cases.report.summary import summary
from edge.cases.state import CellState
from edge.cases.store import Case, Head
from edge.errors import ConfigError
from edge.records import Frame
from edge.text import software


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
        raise ConfigError("a report needs fpdf2; in the project's folder: pip install -e '.[cases]'") from error

    class Paper(FPDF):  # type: ignore[misc]
        def footer(self) -> None:
            self.set_y(-15)
            page.type(8, colour=GREY)
            self.cell(WIDTH_MM - 25, 5, page.shortened(f"{NOTICE}   Case {of.case.name}", WIDTH_MM - 27))
            self.cell(25, 5, f"page {self.page_no()} of {{nb}}", align="R")

    paper = Paper(format="A4")
    page = Page(paper, _all_text(of))
    paper.set_title(page.written(f"Karyotype report, case {of.case.name}"))
    paper.set_creator(software())
    paper.set_margins(MARGIN_MM, 14, MARGIN_MM)
    paper.set_auto_page_break(True, margin=20)
    summary(page, of.case, of.states, of.head)
    for state in of.states:
        cell_page(page, state, of.frame_of(state.id))
    return bytes(paper.output())


def _all_text(of: ReportInput) -> str:
    own = [of.case.name]
    for state in of.states:
        own += [state.captured.cell.frame, state.set_aside, *editors(state)]
    return "".join(own)
