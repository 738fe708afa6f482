"""Cases on the disk: what is captured and edited is there when the call returns, and stays as it was.

A store is a folder: ``cases.sqlite`` and ``images/``. Cases are named by the technician, cells numbered within them.
Cells and edits are only ever added; a cell's state is the fold of its edits (``edge.cases.state``). Several programs
and threads may use one store at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.cases import log
from edge.cases.again import seen_before
from edge.cases.apply import require_due
from edge.cases.codec import canonical, cell_to_document, edit_to_json
from edge.cases.database import Database
from edge.cases.edits import Change, Edit, Redo, Undo, checked, numbered
from edge.cases.images import Images
from edge.cases.kept import Kept
from edge.cases.log import Entry
from edge.cases.names import checked_actor, checked_name, spellings
from edge.cases.schema import IMAGES
from edge.cases.state import CellState, Event, change_of, fold, next_id, refuse_under_others, touching_since
from edge.cases.verify import Verdict, verify
from edge.errors import CapturedBefore, CaseNotFound, DiskFault, EditConflict, EditRefused, StoreDamaged, StoreError
from edge.records import Cell, Frame
from edge.text import printable

DATABASE = "cases.sqlite"


@dataclass(frozen=True, slots=True)
class Case:
    """``opened_utc`` is ISO 8601; ``cells`` are ids in the order of capture."""

    id: int
    name: str
    opened_utc: str
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the log: changes whenever anything in the store does."""

    seq: int
    sha256: str


class CaseStore:
    """The store in ``folder``. Close it, or use it in a ``with``.

    ``create``: a store that is not there is made; without it, that is a ``StoreError`` and the disk stays as it is.
    ``waits``: a full, read-only or failing disk is no error here; each method tries to open the store again. Every
    method raises ``StoreError`` when the store cannot be read or written, and ``CaseNotFound`` for a case or a cell
    that is not there.
    """

    def __init__(self, folder: Path, *, create: bool = True, waits: bool = False) -> None:
        self.path = folder / DATABASE
        self.images = Images(folder / IMAGES)
        self._database = Database(self.path, create=create)
        try:
            self._database.open()
        except DiskFault:
            if not waits:
                raise

    @property
    def fault(self) -> str:
        """Why nothing can be kept now; empty where it can."""
        return self._database.fault

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> CaseStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def new_case(self, name: str, actor: str) -> Case:
        """Opens a case. Raises ``StoreError`` where there is one of that name, or the name is not usable."""
        name = checked_name(name)
        with self._database.writing() as db:
            if db.execute("SELECT 1 FROM cases WHERE name IN (?, ?, ?)", spellings(name)).fetchone():
                raise StoreError(f"there is a case {name!r} already; add to it, or choose another name")
            opened = log.utc_now()
            id = _row_id(db.execute("INSERT INTO cases (name, opened_utc) VALUES (?, ?)", (name, opened)))
            log.append(db, checked_actor(actor), "open", id, {"name": name, "opened_utc": opened})
        return Case(id, name, opened, ())

    def cases(self) -> tuple[Case, ...]:
        """All cases, the newest first."""
        with self._database.reading() as db:
            rows = db.execute("SELECT id, name, opened_utc FROM cases ORDER BY id DESC").fetchall()
            return tuple(_case(db, *row) for row in rows)

    def case(self, name: str) -> Case:
        """The case of that name, blanks around it left out. Raises ``EditRefused`` for a name that cannot be one."""
        name, asked = checked_name(name), spellings(name)  # in that order: a long one would take seconds to spell
        with self._database.reading() as db:
            named = "SELECT id, name, opened_utc FROM cases WHERE name IN (?, ?, ?) ORDER BY name = ? DESC"
            row = db.execute(named, (*asked, asked[0])).fetchone()
            if row is None:
                known = [r[0] for r in db.execute("SELECT name FROM cases ORDER BY id DESC LIMIT 5")]
                there = f"the latest are {', '.join(known)}" if known else "there is none yet"
                raise CaseNotFound(f"no case is named {name!r}; {there}; 'chromo-edge case new' opens one")
            return _case(db, *row)

    def capture(
        self, case: str, frame: Frame, cell: Cell, actor: str, *, seen: Sequence[CellState] | None = None
    ) -> CellState:
        """Adds ``cell``, as labelled in ``frame``, to the case named ``case``: picture, record and log entry. What
        cannot be printed of the frame's name is escaped. ``seen``: the case's cells, as the caller knows them, of other
        fields than this one; what came since is compared here. ``CapturedBefore``: the same picture is a cell of the
        case, or the same field is one that came since."""
        opened, actor = self.case(case), checked_actor(actor)
        cell = replace(cell, frame=printable(cell.frame))
        frame_sha256 = self.images.put(frame.pixels)
        document = canonical(cell_to_document(cell))
        with self._database.writing() as db:
            for kept in self._database.cells.of_picture(frame_sha256):  # within: another program may add the same
                if kept.case == opened.name:
                    raise CapturedBefore(self._database.cells.state(kept.id))
            if seen is not None:
                known = {state.id for state in seen}
                since = [self._database.cells.state(id) for id in self.case(case).cells if id not in known]
                if (other := seen_before(cell, since)) is not None:
                    raise CapturedBefore(other)
            captured = log.utc_now()
            last = db.execute("SELECT coalesce(max(number), 0) FROM cells WHERE case_id = ?", (opened.id,)).fetchone()
            row = (opened.id, last[0] + 1, frame_sha256, frame.um_per_px, captured, document)
            columns = "case_id, number, frame_sha256, um_per_px, captured_utc, document"
            id = _row_id(db.execute(f"INSERT INTO cells ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row))
            body = _captured_body(last[0] + 1, frame_sha256, document, cell)
            body |= {"captured_utc": captured, "um_per_px": frame.um_per_px}
            log.append(db, actor, "capture", opened.id, body, cell_id=id)
        return self.cell(id)

    def kept(self, frame_sha256: str) -> tuple[Kept, ...]:
        """The cells of all cases that were captured from the picture of that hash, the first first."""
        with self._database.reading():
            return self._database.cells.of_picture(frame_sha256)

    def cell(self, id: int) -> CellState:
        """The cell as it stands now."""
        with self._database.reading():
            return self._database.cells.state(id)

    def cell_number(self, case: str, number: int) -> CellState:
        """The cell of that number, from 1, in a case."""
        ids = self.case(case).cells
        if not 1 <= number <= len(ids):
            raise CaseNotFound(f"case {case!r} has {len(ids)} cells; there is no cell {number} in it")
        return self.cell(ids[number - 1])

    def cells(self, case: str) -> tuple[CellState, ...]:
        """All cells of a case as they stand now, in the order of capture."""
        return tuple(self.cell(id) for id in self.case(case).cells)

    def frame(self, id: int) -> Frame:
        """The picture that cell ``id`` was captured from, at the cell's scale. Raises ``StoreDamaged`` when it is not
        what it was."""
        with self._database.reading():
            captured = self._database.cells.captured(id)
        cell = captured.cell
        return Frame(self.images.get(captured.frame_sha256), cell.index, 0.0, cell.frame, cell.um_per_px)

    def edit(self, id: int, change: Change, *, based_on: int, actor: str) -> CellState:
        """Makes ``change`` of cell ``id`` and returns the new state; what it brings in gets ids of its own.

        ``based_on`` is the revision that the person saw. Raises ``EditConflict``, with the newer state, where someone
        touched the same chromosomes since; ``EditRefused`` where it cannot be made.
        """
        asked = checked(change)

        def made(state: CellState) -> Edit:
            return numbered(asked, next_id(state.captured, state.events))

        return self._edit(id, made, based_on, actor)

    def undo(self, id: int, *, based_on: int, actor: str) -> CellState:
        """Takes back the latest edit of ``actor`` that holds. Raises like ``edit``, and ``EditRefused`` where someone
        else's later edit rests on it."""
        actor = checked_actor(actor)

        def latest(state: CellState) -> Undo:
            done = state.history.done.get(actor)
            if not done:
                raise EditRefused(f"{actor} has nothing to undo in cell {state.captured.number}")
            return Undo(done[-1])

        return self._edit(id, latest, based_on, actor)

    def redo(self, id: int, *, based_on: int, actor: str) -> CellState:
        """Brings back what ``actor`` undid last. Raises like ``undo``."""
        actor = checked_actor(actor)

        def latest(state: CellState) -> Redo:
            undone = state.history.undone.get(actor)
            if not undone:
                raise EditRefused(f"{actor} has nothing to redo in cell {state.captured.number}")
            return Redo(undone[-1])

        return self._edit(id, latest, based_on, actor)

    def head(self) -> Head:
        """Cheap to ask: whether anything has happened since."""
        with self._database.reading() as db:
            return Head(*log.head(db))

    def log(self, case: str | None = None, after: int = 0) -> tuple[Entry, ...]:
        """The entries after entry ``after``, of one case or of all, in order."""
        chosen = ("seq > ?", after) if case is None else ("seq > ? AND case_id = ?", after, self.case(case).id)
        with self._database.reading() as db:
            return tuple(log.entries(db, *chosen))

    def latest(self, case: str) -> Entry:
        """The last entry about a case; there is always the one that opened it."""
        id = self.case(case).id
        with self._database.reading() as db:
            last = next(log.entries(db, "seq = (SELECT max(seq) FROM log WHERE case_id = ?)", id), None)
        if last is None:
            raise StoreDamaged(
                f"{self.path}: the log does not know case {case!r}; 'chromo-edge case verify' tells more"
            )
        return last

    def verify(self, vouched_sha256: str | None = None) -> Verdict:
        """Whether all is as it was written; ``vouched_sha256`` is a head noted earlier, such as a report's."""
        with self._database.at_once() as db:
            return verify(db, self.images, vouched_sha256)

    def note(self, case: str, actor: str, body: Mapping[str, Any]) -> None:
        """Logs that something left the store: an export or a report."""
        opened = self.case(case)
        with self._database.writing() as db:
            log.append(db, checked_actor(actor), "export", opened.id, body)

    def _edit(self, id: int, edit_for: Callable[[CellState], Edit], based_on: int, actor: str) -> CellState:
        actor = checked_actor(actor)
        with self._database.writing() as db:
            state = self._database.cells.state(id)
            if not 0 <= based_on <= state.revision:
                raise EditRefused(f"cell {id} has {state.revision} edits; an edit cannot be based on number {based_on}")
            edit = edit_for(state)
            change = change_of(state.events, edit)
            other = touching_since(state.events, based_on, change)
            if other is not None:
                raise EditConflict(
                    f"{other.actor} changed the same in cell {state.captured.number} meanwhile "
                    f"(edit {other.revision}); look at it as it is now and try again",
                    state,
                )
            if isinstance(edit, Undo | Redo):
                refuse_under_others(state, edit, change, actor)
            else:
                require_due(state.places, state.set_aside, edit)
            case_id = db.execute("SELECT case_id FROM cells WHERE id = ?", (id,)).fetchone()[0]
            revision = state.revision + 1
            entry = log.append(db, actor, "edit", case_id, edit_to_json(edit), cell_id=id, revision=revision)
            return fold(state.captured, (*state.events, Event(revision, actor, entry.at_utc, edit)))

    def at_once(self) -> AbstractContextManager[object]:
        """What is read within is of one moment, whatever another program writes meanwhile. Nothing can be written."""
        return self._database.at_once()


def _case(db: sqlite3.Connection, id: int, name: str, opened_utc: str) -> Case:
    rows = db.execute("SELECT id FROM cells WHERE case_id = ? ORDER BY number", (id,))
    return Case(id, name, opened_utc, tuple(row[0] for row in rows))


def _captured_body(number: int, frame_sha256: str, document: str, cell: Cell) -> dict[str, Any]:
    """What the log says of a capture: every automatic label, the models, and the hashes of picture and record."""
    return {
        "number": number,
        "frame": cell.frame,
        "frame_sha256": frame_sha256,
        "document_sha256": log.sha256_of(document),
        "models": dict(cell.models),
        "labels": {str(c.region.id): [c.label, round(float(c.confidence), 4), c.status] for c in cell.chromosomes},
    }


def _row_id(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise RuntimeError("an INSERT gave no row id")
    return cursor.lastrowid
