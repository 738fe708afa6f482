"""Corrections as training data: the frames, and what a person says is in them, a JSON line a frame.

The line is a frame's own (``tests/contract/cell.schema.json``) with the chromosomes as finally corrected, and besides
``case``, ``image`` (the frame, a path beside the JSON lines) and ``edited`` to each chromosome; to one that a person
turned also ``p_end_px``, where the end of its p arm lies in the frame. Markers are not among the chromosomes, nor what
a person excluded: a trainer has no class for them. Excluded objects stand in ``excluded``, where there are any: they
may be debris, or chromosomes of another cell. The karyotype names markers and derivatives all the same, by which a
trainer knows the frames that it should not learn from. A cell that was set aside, or in which chromosomes still wait
for a person's eye, is left out: nobody has said that it is right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from edge.cases.edits import made_by
from edge.cases.state import CellState, change_of
from edge.cases.store import CaseStore
from edge.sinks.files import writable_folder, write_bytes
from edge.sinks.jsonl import cell_to_json

LINES = "corrections.jsonl"
PICTURES = "images"


def write_corrections(store: CaseStore, states: Sequence[CellState], folder: Path) -> int:
    """Writes ``corrections.jsonl`` and ``images/`` into ``folder``, for the cells ``states`` of ``store``. Returns how
    many cells were left out.

    Raises ``SinkError`` where the folder cannot be written.
    """
    pictures = writable_folder(folder / PICTURES)
    lines, left_out = [], 0
    for state in states:
        if state.set_aside or not state.reviewed:
            left_out += 1
            continue
        sha256 = state.captured.frame_sha256
        write_bytes(pictures / f"{sha256}.png", store.images.png(sha256))
        lines.append(json.dumps(correction_line(state), allow_nan=False) + "\n")
    write_bytes(folder / LINES, "".join(lines).encode("ascii"))
    return left_out


def correction_line(state: CellState) -> dict[str, Any]:
    """One line, as the module says."""
    known = [p for p in state.counted if p.kind != "marker"]
    line = cell_to_json(replace(state.as_cell(), chromosomes=tuple(p.chromosome for p in known)))
    holding = (event.edit for event in state.events if event.revision in state.history.holding)
    made = chain.from_iterable(made_by(change_of(state.events, edit)) for edit in holding)
    found = {c.region.id: c.p_arm_up for c in (*state.captured.cell.chromosomes, *made)}
    for fields, place in zip(line["chromosomes"], known, strict=True):
        own = place.chromosome
        fields["edited"] = place.edited
        if own.p_arm_up != found.get(place.id, own.p_arm_up):
            fields["p_end_px"] = own.region.axis_px[0 if own.p_arm_up else -1].round(1).tolist()
    excluded = tuple(p.chromosome for p in state.places if p.excluded)
    if excluded:
        line["excluded"] = cell_to_json(replace(state.as_cell(), chromosomes=excluded))["chromosomes"]
    image = f"{PICTURES}/{state.captured.frame_sha256}.png"
    return {**line, "image": image, "case": state.captured.case}
