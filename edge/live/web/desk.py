"""What the page can ask for: capture, read, edit and export cells of the open case. Blocking calls, on any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from typing import IO, Any, Protocol

from edge.cases.again import seen_before
from edge.cases.codec import Json
from edge.cases.export import NOTICE, case_json, cells_csv, chromosomes_csv, tally_json
from edge.cases.files import zipped_case
from edge.cases.names import checked_name, plain
from edge.cases.report import ReportInput, report_pdf
from edge.cases.state import CellState
from edge.cases.store import Case, CaseStore
from edge.cases.tally import tally
from edge.errors import CapturedBefore, CaseNotFound, DiskFault, EditRefused, StoreError
from edge.live.web.asked import change_asked
from edge.live.web.cutouts import cutout_png
from edge.live.web.hub import Hub
from edge.live.web.memory import Memory
from edge.live.web.messages import cell_message, cell_summary
from edge.records import Cell, Crop, Frame, Prediction
from edge.text import printable

FORMS = {
    "report": "application/pdf",
    "json": "application/json",
    "cells": "text/csv",
    "chromosomes": "text/csv",
    "all": "application/zip",
}
"""The forms in which a case can be saved from the page, with their media types."""
_NO_CHROMOSOME = "there is no chromosome under the lens; move to a metaphase, then capture"


def today_local() -> str:
    """The day on the technician's wall, as 2026-01-31."""
    return time.strftime("%Y-%m-%d")


class Reader(Protocol):
    """What reads pictures for the desk, asked by any thread."""

    def label(self, frame: Frame) -> Cell:
        """The labelled cell of ``frame``, as well as can be."""

    def classify(self, crops: Sequence[Crop]) -> Sequence[Prediction]: ...


class Desk:
    """One case is open at a time: ``case``, or if that is None the one of the day, as ``today`` names it, until another
    one is opened. A case that is not there is made when its first cell is captured.

    With a ``memory``, a case that was opened is open again after a restart with the same ``case``.

    A capture or an export may name the case that the page shows; it is refused if another one is open by then. Raises
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
        memory: Memory | None = None,
    ) -> None:
        self._store = store
        self._memory = memory
        self._started_with = "" if case is None else checked_name(case)
        self._case = self._remembered()
        self._today = today
        self._hub = hub
        self._reader = reader
        self._changing = threading.Lock()

    @property
    def name(self) -> str:
        """The name of the open case."""
        return self._case or self._today()

    @property
    def unkept(self) -> str:
        """Why nothing can be captured, edited or exported now; empty where it can."""
        return self._store.fault

    @property
    def now(self) -> Json:
        """The open case's name, and the number of the log's last entry, which grows with every change in the store: by
        this page, by another or by the command line."""
        return {"name": self.name, "head": self._store.head().seq}

    def open(self, name: str, actor: str) -> Json:
        """Opens the case of that name for all pages; it is made if there is none. The case of the day gives way to the
        next day's at midnight. Raises ``EditRefused`` for a name that cannot be one."""
        with self._changing:
            name = self._have(name, actor).name
            chosen = None if name == self._today() else name
            if self._memory is not None:
                self._memory.keep(self._started_with, chosen or "")  # first: a full disk opens none
            self._case = chosen
        return self.case()

    def capture(self, actor: str, shown: str | None = None, scene: int | None = None) -> Json:
        """Keeps the cell under the lens. It is read once more, thoroughly, as live labels have no time for: that saves
        corrections. ``shown`` and ``scene`` are the case and the scene that the page shows, where it tells. Raises
        ``EditRefused`` while nothing sound can be kept or the page shows something else, ``CapturedBefore`` when it is
        a cell of the case already, and ``DiskFault`` when the store's disk takes nothing."""
        if self.unkept:  # found out before the reading, which takes a while
            raise DiskFault(f"nothing captured: {self.unkept}")
        labelled = self._hub.capturable
        if labelled is None:
            why = self._hub.fault or "the stage moves or has just stopped; wait for the labels, then capture"
            raise EditRefused(why)
        if scene is not None and scene != labelled.scene:
            raise EditRefused("the stage has moved since; look at what is under the lens now, then capture")
        if labelled.cell.count == 0:
            raise EditRefused(_NO_CHROMOSOME)
        with self._changing:  # two who press at once mean one cell
            name = self._open(shown)
            cells = self._cells(name)
            known = seen_before(labelled.cell, cells)
            if known is not None:
                raise CapturedBefore(known)
            cell = self._reader.label(labelled.frame)
            if cell.count == 0:  # a speck that live labels took for one
                raise EditRefused(_NO_CHROMOSOME)
            self._have(name, actor)  # another run may have made it while this one was reading
            state = self._store.capture(name, labelled.frame, cell, actor, seen=cells)
        return cell_message(state, actor)

    def case(self) -> Json:
        now = self.now
        cells = self._cells(now["name"])
        result = tally(cells)
        return {
            **now,
            "cases": [case.name for case in self._store.cases()],
            "notice": NOTICE,
            "cells": [cell_summary(c) for c in cells],
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
        self._store.note(name, actor, {"as": [form], "head": head.sha256})  # a full disk refuses it before the work
        if form == "all":
            file = zipped_case(self._store, name)
        elif form == "report":
            file = BytesIO(report_pdf(ReportInput(case, cells, head, self._store.frame)))
        elif form == "json":
            file = BytesIO(case_json(case, cells, head).encode())
        else:
            file = BytesIO((cells_csv if form == "cells" else chromosomes_csv)(cells).encode())
        return file

    def cell(self, id: int, actor: str) -> Json:
        return cell_message(self._store.cell(id), actor)

    def edit(self, id: int, change: Mapping[str, Any], *, based_on: int, actor: str) -> Json:
        state = self._store.edit(
            id, change_asked(self._store, id, change, self._reader.classify), based_on=based_on, actor=actor
        )
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
        """The case that was open when the last run ended, if that run was started with the same case as this one; else
        the one that this run is started with. None for the case of the day."""
        chosen = None if self._memory is None else self._memory.chosen(self._started_with)
        if chosen:
            with suppress(CaseNotFound, EditRefused):
                return self._as_kept(chosen)
        if chosen == "" or not self._started_with:
            return None
        with suppress(StoreError):  # one that is new, or as good as that until the store can be read
            return self._as_kept(self._started_with)
        return self._started_with

    def _as_kept(self, name: str) -> str:
        """The name of that case in the store. Raises ``CaseNotFound``."""
        try:
            return self._store.case(name).name
        except DiskFault:  # what it was is known without the store
            return checked_name(name)

    def _cells(self, name: str) -> tuple[CellState, ...]:
        """The cells of the case of that name; none where there is no such case yet."""
        try:
            return self._store.cells(name)
        except CaseNotFound:
            return ()

    def _have(self, name: str, actor: str) -> Case:
        """The case of that name, made where there is none."""
        try:
            return self._store.case(name)
        except CaseNotFound:
            return self._store.new_case(name, actor)

    def _open(self, shown: str | None) -> str:
        """The open case's name. Raises ``EditRefused`` where the page still shows another."""
        name = self.name
        if shown is not None and plain(shown) != plain(name):
            raise EditRefused(
                f"case {name} is open now, and the page showed {printable(shown)}; look again, then repeat it"
            )
        return name
