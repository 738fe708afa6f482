"""What leaves a case: pictures, tables, JSON. Each function gives the bytes of one file; ``files.py`` writes them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edge.cases.codec import edit_to_json, png_of
from edge.cases.places import Placed
from edge.cases.state import CellState, Event
from edge.cases.store import Case, Head
from edge.cases.tally import CONFIDENCES, Tally, excluded_share, tally
from edge.cell.karyogram import draw_karyogram
from edge.cell.overlay import draw_overlay
from edge.records import NOMINAL_UM_PER_PX, Cell, Chromosome, Frame
from edge.sinks.jsonl import cell_to_json
from edge.text import software

NOTICE = "For research use only. Not for use in diagnostic procedures."
MADE_PARTS = {"parts", "whole", "drawn"}
"""Fields of an edit that hold whole chromosomes, masks and all; an export names them by their id."""


def waiting(state: CellState) -> str:
    """How many chromosomes of a counted cell wait for a person's eye: ``3``, or ``all`` where none is uncertain but
    nobody has seen to the cell; else empty."""
    if state.set_aside:
        return ""
    return str(len(state.unsure)) if state.unsure else "" if state.reviewed else "all"


def to_review(state: CellState) -> int:
    """The same as ``waiting``, as a number: where that says ``all``, all counted chromosomes."""
    if state.set_aside or state.reviewed:
        return 0
    return len(state.unsure or state.counted)


def scale_of(cell: Cell) -> str:
    """``0.045 µm per pixel``; for a scale that nobody stated, also where it comes from."""
    if cell.scale_stated:
        return f"{cell.um_per_px:g} µm per pixel"
    if cell.um_per_px == NOMINAL_UM_PER_PX:
        return f"no scale stated, {cell.um_per_px:g} µm per pixel supposed"
    return f"about {cell.um_per_px:.2g} µm per pixel, estimated from the chromosomes' size"


def karyogram_png(state: CellState) -> bytes:
    return png_of(draw_karyogram(state.as_cell(), state.names))


def metaphase_png(frame: Frame, state: CellState) -> bytes:
    return png_of(draw_overlay(frame, state.as_cell(), state.names))


def cells_csv(states: Sequence[CellState]) -> str:
    """One row a cell."""
    return _csv(CELL_COLUMNS, ((state,) for state in states))


def chromosomes_csv(states: Sequence[CellState]) -> str:
    """One row a chromosome, excluded ones too. What a person drew has no automatic label."""
    return _csv(CHROMOSOME_COLUMNS, ((state, place) for state in states for place in state.places))


def cell_json(state: CellState) -> dict[str, Any]:
    """The line of a frame (``tests/contract/cell.schema.json``) as corrected, with ``edited``, ``kind`` and
    ``excluded`` to each chromosome, and what the case knows of the cell after it. An excluded chromosome stands among
    the others, and ``count`` leaves it out."""
    line = cell_to_json(state.as_cell())
    cell = state.captured.cell
    everyone = {**line, "chromosomes": cell_to_json(_with_all(state))["chromosomes"]}
    for fields, place in zip(everyone["chromosomes"], state.places, strict=True):
        fields |= {"name": place.name, "kind": place.kind, "edited": place.edited, "excluded": place.excluded}
    return {
        **everyone,
        "case": state.captured.case,
        "cell": state.captured.number,
        "captured_utc": state.captured.captured_utc,
        "frame_sha256": state.captured.frame_sha256,
        "automatic_karyotype": cell.karyotype,
        "reviewed": state.reviewed,
        "set_aside": state.set_aside,
        "revision": state.revision,
        "edits": [_event_json(event, state) for event in state.events],
    }


def case_json(case: Case, states: Sequence[CellState], head: Head) -> str:
    """The whole case, indented: tally, cells, and the head of the log that vouches for them."""
    fields = {
        "case": case.name,
        "opened_utc": case.opened_utc,
        "notice": NOTICE,
        "software": software(),
        "tally": tally_json(tally(states)),
        "log_head": {"entries": head.seq, "sha256": head.sha256},
        "cells": [cell_json(state) for state in states],
    }
    return json.dumps(fields, indent=1, allow_nan=False) + "\n"


def tally_json(of: Tally) -> dict[str, Any]:
    n = len(of.counted)
    return {
        "karyotype": of.karyotype,
        "provisional": of.provisional,
        "findings": list(of.findings),
        "lines": [
            {"karyotype": line.karyotype, "cells": list(line.cells), "findings": list(line.findings)}
            for line in of.lines
        ],
        "not_clonal": [{"change": stray.what, "cells": list(stray.cells)} for stray in of.strays],
        "in_incomplete": [{"change": stray.what, "cells": list(stray.cells)} for stray in of.besides],
        "counted": list(of.counted),
        "apart": list(of.apart),
        "to_review": list(of.unsure),
        "incomplete": list(of.incomplete),
        "set_aside": list(of.set_aside),
        "mosaicism_excluded": {f"{c:.2f}": round(excluded_share(n, c), 4) for c in CONFIDENCES} if n else {},
    }


def editors(state: CellState) -> tuple[str, ...]:
    """The people whose edits of the cell hold, each once, in the order of their first edits."""
    holding = state.history.holding
    return tuple(dict.fromkeys(event.actor for event in state.events if event.revision in holding))


def _with_all(state: CellState) -> Cell:
    return replace(state.captured.cell, chromosomes=tuple(p.chromosome for p in state.places))


def _event_json(event: Event, state: CellState) -> dict[str, Any]:
    edit = edit_to_json(event.edit)
    for name in MADE_PARTS & edit.keys():
        made = edit[name]
        edit[name] = [part["id"] for part in made] if isinstance(made, list) else made["id"]
    if "revision" in edit:
        edit["of"] = edit.pop("revision")  # what an undo or a redo is about; its own number is another
    holds = event.revision in state.history.holding
    return {"revision": event.revision, "by": event.actor, "at_utc": event.at_utc, "holds": holds, **edit}


def _automatic(state: CellState, place: Placed) -> Chromosome | None:
    """The chromosome as the program gave it; None for what a person made."""
    return next((c for c in state.captured.cell.chromosomes if c.region.id == place.id), None)


def _automatic_label(state: CellState, place: Placed) -> str:
    automatic = _automatic(state, place)
    return automatic.label if automatic else ""


def _automatic_confidence(state: CellState, place: Placed) -> str:
    automatic = _automatic(state, place)
    return f"{automatic.confidence:.4f}" if automatic else ""


CELL_COLUMNS: Mapping[str, Callable[[CellState], object]] = {
    "case": lambda state: state.captured.case,
    "cell": lambda state: state.captured.number,
    "frame": lambda state: state.captured.cell.frame,
    "captured_utc": lambda state: state.captured.captured_utc,
    "count": lambda state: len(state.counted),
    "karyotype": lambda state: state.karyotype,
    "findings": lambda state: "; ".join(state.findings),
    "to_review": to_review,
    "corrections": lambda state: state.corrections,
    "set_aside": lambda state: state.set_aside,
    "edited_by": lambda state: "; ".join(editors(state)),
    "revision": lambda state: state.revision,
    "frame_sha256": lambda state: state.captured.frame_sha256,
    "reviewed": lambda state: int(state.reviewed),
}
CHROMOSOME_COLUMNS: Mapping[str, Callable[[CellState, Placed], object]] = {
    "case": lambda state, _: state.captured.case,
    "cell": lambda state, _: state.captured.number,
    "frame": lambda state, _: state.captured.cell.frame,
    "chromosome": lambda _, place: place.id,
    "name": lambda _, place: place.name,
    "label": lambda _, place: place.label,
    "kind": lambda _, place: place.kind,
    "status": lambda _, place: place.chromosome.status,
    "confidence": lambda _, place: f"{place.chromosome.confidence:.4f}",
    "counted": lambda _, place: int(not place.excluded),
    "edited": lambda _, place: int(place.edited),
    "automatic_label": _automatic_label,
    "automatic_confidence": _automatic_confidence,
    "p_arm_up": lambda _, place: int(place.chromosome.p_arm_up),
    "x0_px": lambda _, place: place.chromosome.region.box_px[0],
    "y0_px": lambda _, place: place.chromosome.region.box_px[1],
    "x1_px": lambda _, place: place.chromosome.region.box_px[2],
    "y1_px": lambda _, place: place.chromosome.region.box_px[3],
}


def _csv(columns: Mapping[str, Callable[..., object]], rows: Iterable[tuple[object, ...]]) -> str:
    """A table of ``columns``, each name with what gives its value in a row."""
    out = io.StringIO()
    out.write("\ufeff")  # without this mark Excel takes UTF-8 for its own code page, and ü for Ã¼
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_harmless(value_of(*row)) for value_of in columns.values()] for row in rows)
    return out.getvalue()


def _harmless(value: object) -> object:
    """Keeps a spreadsheet from taking text for a formula: names come from people and from file names. This also holds
    after a semicolon or a tab, where a spreadsheet of a country with decimal commas begins a new column."""
    return re.sub(r"(^|[;\t])(?=\s*[=+\-@])", r"\1'", value) if isinstance(value, str) else value
