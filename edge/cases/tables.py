"""A case in the terminal; a ``console`` must be one without markup, as people's names and reasons are text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from edge.cases.export import NOTICE, editors, waiting
from edge.cases.log import Entry
from edge.cases.state import CellState
from edge.cases.store import CaseStore
from edge.cases.tally import cells_named, tally
from edge.errors import StoreDamaged
from edge.text import printable

if TYPE_CHECKING:
    from rich.console import Console


def cases_table(store: CaseStore) -> Table:
    """A row a case. Without its tally, which would decode every cell of every case."""
    table = _table("case", "opened", "cells", "last act", "by")
    for case in store.cases():
        last = store.latest(case.name)
        act = f"{last.act} {_minute(last.at_utc)}"
        _add(table, case.name, _minute(case.opened_utc), str(len(case.cells)), act, last.actor)
    return table


def _minute(utc: str) -> str:
    return utc[:16].replace("T", " ")


def print_case(console: Console, store: CaseStore, name: str) -> None:
    """The tally, what so many cells exclude, and a row a cell."""
    states = store.cells(name)
    result = tally(states)
    say = console.print
    say(f"{name}: {result.headline}", style="bold", highlight=False)
    if result.provisional:
        say(f"provisional: {result.awaited}", style="yellow", highlight=False)
    for finding in result.findings:
        say(finding, style="red", highlight=False)
    for stray in result.strays:
        say(f"not clonal: {stray.what} in {cells_named(stray.cells)}", highlight=False)
    if result.exclusion:
        say(result.exclusion, highlight=False)
    table = _table("cell", "frame", "count", "karyotype", "to review", "corrected", "by", "")
    for state in states:
        number = state.captured.number
        _add(
            table,
            str(number),
            state.captured.cell.frame,
            str(len(state.counted)),
            state.karyotype,
            waiting(state) or "-",
            str(state.corrections),
            ", ".join(editors(state)),
            state.set_aside or result.why_not_counted(number),
        )
    say(table)
    say(NOTICE, style="dim", highlight=False)


def print_cell(console: Console, state: CellState) -> None:
    """One cell, a row a chromosome."""
    captured = state.captured
    title = f"{captured.case}, cell {captured.number}, {captured.cell.frame}: {state.karyotype}"
    console.print(title, style="bold", highlight=False)
    for finding in state.findings:
        console.print(finding, style="red", highlight=False)
    table = _table("id", "name", "confidence", "status", "candidates", "")
    for place in state.places:
        own = place.chromosome
        notes = [word for word, holds in (("edited", place.edited), ("excluded", place.excluded)) if holds]
        candidates = "  ".join(f"{label} {probability:.2f}" for label, probability in own.candidates)
        _add(table, str(place.id), place.name, f"{own.confidence:.2f}", own.status, candidates, ", ".join(notes))
    console.print(table)


def log_lines(store: CaseStore, name: str) -> Iterator[str]:
    """One plain line an entry, for people and for grep. Raises ``StoreDamaged`` for an entry that cannot be read."""
    numbers = {id: k for k, id in enumerate(store.case(name).cells, start=1)}
    for entry in store.log(name):
        if entry.cell_id is not None and entry.cell_id not in numbers:
            raise StoreDamaged(
                f"{store.path}: entry {entry.seq} is about cell {entry.cell_id}, which is not in case {name!r}; "
                "restore the store from a copy, 'chromo-edge case verify' tells more"
            )
        cell = "" if entry.cell_id is None else f"  cell {numbers[entry.cell_id]}"
        said = printable(_said(entry))
        yield f"{entry.seq:6d}  {entry.at_utc}  {entry.actor}  {entry.act}{cell}  {said}  {entry.sha256[:12]}"


def _said(entry: Entry) -> str:
    said = entry.said
    if entry.act == "open":
        return f"name={said['name']}"
    if entry.act == "capture":
        return f"{said['frame']}  {len(said['labels'])} labels"
    if entry.act == "edit":
        plain = {k: v for k, v in said.items() if k not in ("edit", "parts", "whole", "drawn")}
        made = [part["id"] for part in (*said.get("parts", ()), *(said[k] for k in ("whole", "drawn") if k in said))]
        if made:
            plain["made"] = made
        return " ".join([str(said["edit"]), *(f"{k}={v}" for k, v in plain.items())])
    return "  ".join(f"{k}={v}" for k, v in said.items())


def _add(table: Table, *cells: str) -> None:
    """A row of text as it is: rich would read a name such as ``[red]`` as its own markup."""
    table.add_row(*map(Text, cells))


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
