"""The cell in the terminal: a live table on a screen, one plain line a frame anywhere else."""

from __future__ import annotations

import time
from collections import deque

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge.cell.karyogram import ROWS
from edge.records import Cell, Chromosome, Frame
from edge.runtime.guarded import acceleration
from edge.text import printable

_RATE_OVER_FRAMES = 20
_STATUS_STYLE = {"accepted": "", "review": "bold yellow"}


class TerminalSink:
    """Shows each cell on ``console``: a table that is redrawn in place, or with ``live=False`` or where the console is
    no screen (a pipe, a log file) one line a frame."""

    def __init__(self, console: Console, *, live: bool) -> None:
        self._console = console
        self._times_s: deque[float] = deque(maxlen=_RATE_OVER_FRAMES)
        self._live = (
            Live(console=console, auto_refresh=False, transient=False) if live and console.is_terminal else None
        )
        if self._live:
            self._live.start()

    def put(self, frame: Frame, cell: Cell) -> None:
        self._times_s.append(time.monotonic())
        if self._live:
            self._live.update(_table(cell, self._rate()), refresh=True)
        else:
            self._console.print(Text(_line(cell, self._rate())), soft_wrap=True)

    def close(self) -> None:
        if self._live:
            self._live.stop()

    def _rate(self) -> float | None:
        """Frames a second over the last frames; None before the second one."""
        if len(self._times_s) < 2:
            return None
        return (len(self._times_s) - 1) / max(self._times_s[-1] - self._times_s[0], 1e-6)


def _line(cell: Cell, rate: float | None) -> str:
    parts = [f"{printable(cell.frame)} #{cell.index}", f"{cell.count}", cell.karyotype, f"{_reviews(cell)} to review"]
    parts += [*cell.findings, _timing(cell, rate)]
    if (computed := acceleration()) is not None:
        parts.append(computed.said)
    return "  ".join(parts)


def _table(cell: Cell, rate: float | None) -> RenderableType:
    head = Text.assemble(
        (f"{cell.count}", "bold"), "  ", (cell.karyotype, "bold"), f"   {printable(cell.frame)} #{cell.index}"
    )
    for finding in cell.findings:
        head.append(f"\n{finding}", style="red")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for groups in ROWS:
        for letter, labels in groups:
            here = [Text(letter, style="dim"), *(_place(cell, label) for label in labels)]
            table.add_row(*here)
    foot = Text(f"{_reviews(cell)} to review (?)   {_timing(cell, rate)}", style="dim")
    if (computed := acceleration()) is not None:
        foot.append(f"\n{computed.said}")
    return Group(head, table, foot)


def _place(cell: Cell, label: str) -> Text:
    """``21 .99 .97 ?.62``: the label, then the confidence of each copy."""
    here = sorted((c for c in cell.chromosomes if c.label == label), key=lambda c: -c.confidence)
    text = Text(f"{label:>2}", style="bold" if here else "dim")
    for chromosome in here:
        text.append(" ")
        text.append(_confidence(chromosome), style=_STATUS_STYLE[chromosome.status])
    return text


def _confidence(chromosome: Chromosome) -> str:
    shown = f"{int(chromosome.confidence * 100):02d}" if chromosome.confidence < 1 else "99"
    return f".{shown}" + ("?" if chromosome.status == "review" else "")


def _reviews(cell: Cell) -> int:
    return sum(c.status == "review" for c in cell.chromosomes)


def _timing(cell: Cell, rate: float | None) -> str:
    stages = ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in cell.stage_ms.items())
    return stages if rate is None else f"{rate:.1f} frames/s  {stages}"
