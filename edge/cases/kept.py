"""The cells of a store's database, as they were captured and as they stand now."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

from edge.cases import log
from edge.cases.codec import Json, cell_from_document, edit_from_json
from edge.cases.edits import Edit, SetAside
from edge.cases.log import Entry
from edge.cases.state import Captured, CellState, Event, fold
from edge.errors import CaseNotFound, StoreDamaged
from edge.records import NOMINAL_UM_PER_PX
from edge.text import printable

REMEMBERED_CELLS = 256
"""Captured cells kept decoded, half a megabyte each: they never change, and a case is read whole again and again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a picture is kept: cell ``id`` of the store, the ``number``-th of ``case``."""

    id: int
    case: str
    number: int


class KeptCells:
    """Reads the cells of ``db``, the database at ``path``; who asks holds the store's lock.

    Earlier versions kept frames' names and reasons whatever they held: they are made printable here, once for all
    that leaves the store.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._remembered: OrderedDict[int, Captured] = OrderedDict()

    def state(self, id: int) -> CellState:
        """The fold of the cell's edits. Raises like ``captured``."""
        return fold(self.captured(id), self._events(id))

    def of_picture(self, frame_sha256: str) -> tuple[Kept, ...]:
        """The cells that were captured from the picture of that hash, the first first."""
        cells = "cells JOIN cases ON cases.id = case_id WHERE frame_sha256 = ? ORDER BY cells.id"
        rows = self._db.execute(f"SELECT cells.id, name, number FROM {cells}", (frame_sha256,))
        return tuple(Kept(*row) for row in rows)

    def captured(self, id: int) -> Captured:
        """Raises ``CaseNotFound``, and ``StoreDamaged`` for a record that cannot be read."""
        known = self._remembered.get(id)
        if known is None:
            row = self._db.execute(
                "SELECT name, number, frame_sha256, um_per_px, captured_utc, document "
                "FROM cells JOIN cases ON cases.id = case_id WHERE cells.id = ?",
                (id,),
            ).fetchone()
            if row is None:
                raise CaseNotFound(f"there is no cell {id} in {self._path}")
            case, number, frame_sha256, um_per_px, captured_utc, document = row
            try:
                cell = cell_from_document({**_scale_as_taken(um_per_px), **json.loads(document)})
                cell = replace(cell, frame=printable(cell.frame))
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OSError) as error:
                raise StoreDamaged(
                    f"{self._path}: the record of cell {id} is damaged; restore it from a copy"
                ) from error
            known = Captured(id, case, number, cell, frame_sha256, captured_utc)
            self._remembered[id] = known
        self._remembered.move_to_end(id)
        if len(self._remembered) > REMEMBERED_CELLS:
            self._forget_one(known.case)
        return known

    def _forget_one(self, case: str) -> None:
        """Forgets a cell of another ``case``, the one asked for longest ago; if there is none, the oldest cell of this
        one. A case is read from its first cell to its last, so the one asked for longest ago would be needed next, and
        the newest are being worked on."""
        others = (id for id, kept in self._remembered.items() if kept.case != case)
        del self._remembered[next(others, min(self._remembered))]

    def _events(self, id: int) -> tuple[Event, ...]:
        found = log.entries(self._db, "cell_id = ? AND revision IS NOT NULL", id)
        return tuple(Event(k, entry.actor, entry.at_utc, _edit_of(entry)) for k, entry in enumerate(found, start=1))


def _edit_of(entry: Entry) -> Edit:
    edit = edit_from_json(entry.said)
    return SetAside(printable(edit.reason)) if isinstance(edit, SetAside) else edit


def _scale_as_taken(um_per_px: float) -> Json:
    """What a record of an earlier version, which does not tell its scale, would say of it: that of its frame."""
    return {"um_per_px": um_per_px, "scale_stated": um_per_px != NOMINAL_UM_PER_PX}
