"""What the page can ask for: capture, read, edit and export cells of the open case. Blocking calls, on any thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import IO, Any, Protocol

from edge.cases import parts
from edge.cases.again import seen_before
from edge.cases.codec import Json, edit_from_json
from edge.cases.edits import Change, Draw, Join, Redo, Split, Undo
from edge.cases.export import NOTICE, case_json, cells_csv, chromosomes_csv, tally_json
from edge.cases.files import zipped_case
from edge.cases.names import checked_name
from edge.cases.places import Placed
from edge.cases.report import ReportInput, report_pdf
from edge.cases.state import CellState
from edge.cases.store import CaseStore
from edge.cases.tally import tally
from edge.cell.drawing import trimmed
from edge.errors import CapturedBefore, CaseNotFound, EditRefused
from edge.live.byhand import missed
from edge.live.web.cutouts import cutout_png
from edge.live.web.hub import Hub
from edge.live.web.messages import outlines_of
from edge.records import Cell, Crop, Frame, Prediction, Region
from edge.sinks.files import write_bytes
from edge.text import printable

FORMS = {
    "report": "application/pdf",
    "json": "application/json",
    "cells": "text/csv",
    "chromosomes": "text/csv",
    "all": "application/zip",
}
"""What a case can be taken away as, and its media type."""
_MOST_POINTS = 200
_FAR_PX = 1e5
_HAND_MADE = ("split", "join", "draw")


def today_local() -> str:
    """The day on the technician's wall, as 2026-01-31."""
    return time.strftime("%Y-%m-%d")


class Reader(Protocol):
    """What reads pictures for the desk, asked by any thread."""

    def label(self, frame: Frame) -> Cell:
        """The labelled cell of ``frame``, as well as can be."""

    def classify(self, crops: Sequence[Crop]) -> Sequence[Prediction]: ...


class Desk:
    """One case open at a time: ``case``, or where that is None the one of the day, by ``today``, until another one is
    opened. It is made when the first cell is captured, unless it is there already.

    Another one that was opened is open again after a restart with the same ``case``, for this machine and its ``place``
    among those that share the store: the next cell is that patient's.

    Who captures or exports may say which case the page shows; another one that is open meanwhile refuses it. Raises
    ``EditRefused`` for a ``case`` that cannot be a name.
    """

    def __init__(
        self,
        store: CaseStore,
        case: str | None,
        hub: Hub,
        reader: Reader,
        today: Callable[[], str] = today_local,
        *,
        place: str = "",
    ) -> None:
        self._store = store
        self._memory = store.path.with_name(f"open-case.{socket.gethostname()}{place}")
        self._started_with = "" if case is None else checked_name(case)
        self._case = self._remembered()
        self._today = today
        self._hub = hub
        self._reader = reader
        self._changing = threading.Lock()

    @property
    def name(self) -> str:
        """The open case's."""
        return self._case or self._today()

    @property
    def now(self) -> Json:
        """The open case, and the head, which changes whenever anything in the store does, through this page, another or
        the command line."""
        return {"name": self.name, "head": self._store.head().seq}

    def open(self, name: str, actor: str) -> Json:
        """Opens the case of that name for all pages, made if there is none; that of the day gives way to the next
        day's. Raises ``EditRefused`` for a name that cannot be one."""
        name = checked_name(name)
        with self._changing:
            try:
                self._store.case(name)
            except CaseNotFound:
                self._store.new_case(name, actor)
            chosen = None if name == self._today() else name
            write_bytes(self._memory, f"{self._started_with}\n{chosen or ''}".encode())  # first: a full disk opens none
            self._case = chosen
        return self.case()

    def capture(self, actor: str, shown: str | None = None) -> Json:
        """Keeps the cell under the lens, which is read once more, thoroughly: what live labels have no time for saves
        corrections. Raises ``EditRefused`` while there is nothing sound to keep, and ``CapturedBefore`` where it is a
        cell of the case already."""
        labelled = self._hub.capturable
        if labelled is None:
            why = self._hub.fault or "the stage moves or has just stopped; wait for the labels, then capture"
            raise EditRefused(why)
        if labelled.cell.count == 0:
            raise EditRefused("there is no chromosome under the lens; move to a metaphase, then capture")
        with self._changing:  # two who press at once mean one cell
            name = self._open(shown)
            try:
                known = seen_before(labelled.cell, self._store.cells(name))
            except CaseNotFound:
                known = None
                self._store.new_case(name, actor)
            if known is not None:
                raise CapturedBefore(known)
            state = self._store.capture(name, labelled.frame, self._reader.label(labelled.frame), actor)
        return cell_message(state, actor)

    def case(self) -> Json:
        now = self.now
        try:
            cells = self._store.cells(now["name"])
        except CaseNotFound:
            cells = ()
        result = tally(cells)
        return {
            **now,
            "cases": [case.name for case in self._store.cases()],
            "notice": NOTICE,
            "cells": [_summary(c) for c in cells],
            "tally": {**tally_json(result), "exclusion": result.exclusion, "headline": result.headline},
        }

    def export(self, form: object, actor: str, shown: str | None = None) -> IO[bytes]:
        """The open case as a file to read and close: ``form`` is one of ``FORMS``, ``all`` what ``chromo-edge case
        export`` writes. The log keeps that it was asked for."""
        if not isinstance(form, str) or form not in FORMS:
            raise EditRefused(f"expected an export as {', '.join(FORMS)}; got {form!r}")
        name = self._open(shown)
        with self._store.at_once():
            case, cells, head = self._store.case(name), self._store.cells(name), self._store.head()
        if form == "all":
            file = zipped_case(self._store, name)
        elif form == "report":
            file = BytesIO(report_pdf(ReportInput(case, cells, head, self._store.frame)))
        elif form == "json":
            file = BytesIO(case_json(case, cells, head).encode())
        else:
            file = BytesIO((cells_csv if form == "cells" else chromosomes_csv)(cells).encode())
        self._store.note(name, actor, {"as": [form], "head": head.sha256})
        return file

    def cell(self, id: int, actor: str) -> Json:
        return cell_message(self._store.cell(id), actor)

    def edit(self, id: int, change: Mapping[str, Any], *, based_on: int, actor: str) -> Json:
        state = self._store.edit(id, self._change(id, change), based_on=based_on, actor=actor)
        return cell_message(state, actor)

    def undo(self, id: int, *, based_on: int, actor: str) -> Json:
        return cell_message(self._store.undo(id, based_on=based_on, actor=actor), actor)

    def redo(self, id: int, *, based_on: int, actor: str) -> Json:
        return cell_message(self._store.redo(id, based_on=based_on, actor=actor), actor)

    def cutout(self, id: int, chromosome: int) -> bytes:
        """PNG of a chromosome that is in the cell now, removed ones among them."""
        for place in self._store.cell(id).places:
            if place.id == chromosome:
                return cutout_png(place.chromosome.crop)
        raise CaseNotFound(f"there is no chromosome {chromosome} in cell {id} now")

    def picture(self, id: int) -> bytes:
        """PNG of the frame that the cell was captured from."""
        return self._store.images.png(self._store.cell(id).captured.frame_sha256)

    def _remembered(self) -> str | None:
        """The case that was opened before the board lost its power, if it had started as now, else the one that it
        started with; None for that of the day."""
        try:
            started_with, chosen = self._memory.read_text(encoding="utf-8").split("\n")
            if started_with == self._started_with:
                return self._store.case(chosen).name if chosen else None
        except (OSError, ValueError, CaseNotFound, EditRefused):
            pass
        return self._started_with or None

    def _open(self, shown: str | None) -> str:
        """The open case's name. Raises ``EditRefused`` where the page still shows another."""
        name = self.name
        if shown is not None and shown != name:
            raise EditRefused(
                f"case {name} is open now, and the page showed {printable(shown)}; look again, then repeat it"
            )
        return name

    def _change(self, id: int, asked: Mapping[str, Any]) -> Change:
        """The edit asked for; what is drawn by hand comes as a line and becomes chromosomes here."""
        kind = asked.get("edit")
        if kind not in _HAND_MADE:
            change = edit_from_json(asked)
            if isinstance(change, Undo | Redo):
                raise EditRefused("undo and redo have addresses of their own")
            return change
        frame, state = self._store.frame(id), self._store.cell(id)
        if kind == "split":
            one = _id(asked.get("chromosome"))
            made = parts.cut(_region(state, one), _line(asked))
            return Split(one, parts.read(frame, state, made, [one], self._reader.classify))
        if kind == "join":
            named = asked.get("chromosomes")
            ids = [_id(one) for one in named] if isinstance(named, list) else []
            whole = parts.joined([_region(state, one) for one in ids])
            return Join(tuple(ids), *parts.read(frame, state, [whole], ids, self._reader.classify))
        return Draw(*parts.read(frame, state, [missed(frame, _line(asked))], [], self._reader.classify))


def cell_message(state: CellState, actor: str) -> Json:
    """A captured cell as ``actor`` may work on it now, places in the karyogram's order."""
    cell = state.captured.cell
    return {
        **_summary(state),
        "case": state.captured.case,
        "revision": state.revision,
        "notice": NOTICE,
        "width_px": cell.width_px,
        "height_px": cell.height_px,
        "unsure_ids": list(state.unsure),
        "can_undo": state.can_undo(actor),
        "can_redo": state.can_redo(actor),
        "corrections": state.corrections,
        "chromosomes": [_placed(p) for p in state.places],
    }


def _summary(state: CellState) -> Json:
    return {
        "id": state.id,
        "number": state.captured.number,
        "captured_utc": state.captured.captured_utc,
        "count": len(state.counted),
        "karyotype": state.karyotype,
        "findings": list(state.findings),
        "unsure": len(state.unsure),
        "reviewed": state.reviewed,
        "set_aside": state.set_aside,
    }


def _placed(place: Placed) -> Json:
    chromosome = place.chromosome
    height, width = trimmed(chromosome.crop.pixels).shape
    return {
        "id": place.id,
        "label": place.label,
        "kind": place.kind,
        "excluded": place.excluded,
        "edited": place.edited,
        "status": chromosome.status,
        "confidence": round(float(chromosome.confidence), 3),
        "candidates": [[label, round(float(p), 3)] for label, p in _two_likeliest(chromosome.candidates)],
        "p_arm_up": chromosome.p_arm_up,
        "size_px": [width, height],
        "outlines": outlines_of(chromosome.region),
    }


def _two_likeliest(candidates: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(candidates, key=lambda c: -c[1])[:2]


def _region(state: CellState, id: int) -> Region:
    for place in state.places:
        if place.id == id:
            return place.chromosome.region
    raise EditRefused(f"chromosome {id} is not in this cell (any more); load the cell again")


def _id(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise EditRefused(f"a chromosome is named by its number; got {value!r}")
    return value


def _line(asked: Mapping[str, Any]) -> list[tuple[float, float]]:
    points = asked.get("line")
    if not isinstance(points, list) or not 2 <= len(points) <= _MOST_POINTS:
        raise EditRefused(f"a line has 2 to {_MOST_POINTS} points, each [x, y]")
    try:
        line = [(float(x), float(y)) for x, y in points]
    except (TypeError, ValueError) as why:
        raise EditRefused("a line has points [x, y] in the picture's pixels") from why
    if any(not abs(v) < _FAR_PX for point in line for v in point):
        raise EditRefused("a line has points [x, y] in the picture's pixels; these are far outside")
    return line
