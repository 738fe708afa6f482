"""A cell as it stands: what was captured, and the fold of the events since. Pure functions over frozen records.

Undo and redo are each person's own: an undo takes back that person's latest edit, whatever others did to other
chromosomes meanwhile, and a new edit ends what that person could redo. Nothing is ever removed from the events, so both
go back to the first one, after a restart too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from edge.cases.apply import apply
from edge.cases.edits import Change, Edit, Exclude, Flip, Redo, Restore, SetAside, TakeBack, Undo, touched
from edge.cases.places import Places, as_captured
from edge.cell.findings import NOBODY_YET, findings_of_cell, karyotype_of, not_yet_reviewed, provisional
from edge.errors import EditRefused
from edge.records import LABELS, Cell, among_themselves


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """One cell as the machine gave it, never changed. ``number`` counts from 1 within the case; ``captured_utc`` is ISO
    8601; ``frame_sha256`` names the picture in the store."""

    id: int
    case: str
    number: int
    cell: Cell
    frame_sha256: str
    captured_utc: str


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One edit as acknowledged. ``revision`` counts from 1 within the cell; ``at_utc`` is ISO 8601."""

    revision: int
    actor: str
    at_utc: str
    edit: Edit


@dataclass(frozen=True, eq=False)
class CellState:
    """A cell after its edits. ``places`` in the karyogram's order, excluded ones among them; ``revision`` counts the
    events, 0 as captured; ``set_aside`` is the reason why the cell is not counted in its case, empty if it is."""

    captured: Captured
    events: tuple[Event, ...]
    places: Places
    set_aside: str
    history: History = field(repr=False)

    @property
    def id(self) -> int:
        return self.captured.id

    @property
    def revision(self) -> int:
        return len(self.events)

    @property
    def counted(self) -> Places:
        return tuple(p for p in self.places if not p.excluded)

    @property
    def unsure(self) -> tuple[int, ...]:
        """Ids of the counted chromosomes that wait for a person's eye, least sure first."""
        waiting = [p for p in self.places if p.unsure]
        return tuple(p.id for p in sorted(waiting, key=lambda p: p.chromosome.confidence))

    @property
    def reviewed(self) -> bool:
        """A person has said of some chromosomes what they are, and none waits for one. That is not said by setting the
        cell aside or taking it back, by turning a chromosome, or by removing one and bringing it back."""
        held = (self.events[revision - 1].edit for revision in self.history.holding)
        return not self.unsure and any(map(self._says_what_is, held))

    def _says_what_is(self, edit: Edit) -> bool:
        if isinstance(edit, Exclude):
            return all(p.excluded for p in self.places if p.id == edit.chromosome)
        return not isinstance(edit, SetAside | TakeBack | Flip | Restore)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Copies of each of the 24 labels, derivatives with them, markers not. Kept: a tally of many cells asks for it
        again and again."""
        found = [p.label for p in self.counted if p.kind != "marker"]
        return MappingProxyType({label: found.count(label) for label in LABELS})

    @property
    def markers(self) -> int:
        return sum(p.kind == "marker" for p in self.counted)

    @property
    def derivatives(self) -> tuple[str, ...]:
        """Labels of the derivatives, one a chromosome, in the order of ``LABELS``."""
        return tuple(sorted((p.label for p in self.counted if p.kind == "derivative"), key=LABELS.index))

    @cached_property
    def karyotype(self) -> str:
        return karyotype_of(self.counts, markers=self.markers, derivatives=self.derivatives)

    @cached_property
    def findings(self) -> tuple[str, ...]:
        """What the karyotype means; worded as provisional until a person has reviewed the cell, and where one has set
        it aside."""
        said = findings_of_cell(self.counts, markers=self.markers, derivatives=self.derivatives)
        unseen = not_yet_reviewed(len(self.unsure), len(self.counted)) or ("" if self.reviewed else NOBODY_YET)
        why = f"this cell is set aside: {self.set_aside}" if self.set_aside else unseen
        return provisional(said, why)

    @property
    def names(self) -> dict[int, str]:
        """Region id to name, of the markers and derivatives among the counted."""
        return {p.id: p.name for p in self.counted if p.kind != "whole"}

    @property
    def corrections(self) -> int:
        """Chromosomes that a person changed, drew or excluded."""
        return sum(p.edited for p in self.places)

    def as_cell(self) -> Cell:
        """The corrected cell as the pipeline's record, to draw and to write: the counted chromosomes."""
        return replace(
            self.captured.cell,
            chromosomes=among_themselves([p.chromosome for p in self.counted]),
            karyotype=self.karyotype,
            findings=self.findings,
        )

    def can_undo(self, actor: str) -> bool:
        return bool(self.history.done.get(actor))

    def can_redo(self, actor: str) -> bool:
        return bool(self.history.undone.get(actor))


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Revisions of edits by actor: ``done`` still hold, ``undone`` can be redone; the last of each is next."""

    done: Mapping[str, Sequence[int]]
    undone: Mapping[str, Sequence[int]]

    @property
    def holding(self) -> frozenset[int]:
        return frozenset(revision for revisions in self.done.values() for revision in revisions)


def history_of(events: Sequence[Event]) -> History:
    """Which edits hold. Raises ``EditRefused`` for an undo or redo of what is not next in its actor's turn."""
    done: dict[str, list[int]] = {}
    undone: dict[str, list[int]] = {}
    for event in events:
        mine, taken = done.setdefault(event.actor, []), undone.setdefault(event.actor, [])
        match event.edit:
            case Undo(revision):
                _require_next(mine, revision, "undo", event.actor)
                taken.append(mine.pop())
            case Redo(revision):
                _require_next(taken, revision, "redo", event.actor)
                mine.append(taken.pop())
            case _:
                mine.append(event.revision)
                taken.clear()
    return History(done, undone)


def _require_next(stack: Sequence[int], revision: int, verb: str, actor: str) -> None:
    if not stack or stack[-1] != revision:
        raise EditRefused(f"{actor} cannot {verb} edit {revision}: it is not the latest one to {verb}")


def fold(captured: Captured, events: Sequence[Event]) -> CellState:
    """The state of ``captured`` after ``events``. Raises ``EditRefused`` where an edit cannot be made."""
    history = history_of(events)
    places, set_aside = as_captured(captured.cell.chromosomes), ""
    for event in events:
        if event.revision not in history.holding or isinstance(event.edit, Undo | Redo):
            continue
        places = apply(places, event.edit)
        match event.edit:
            case SetAside(reason):
                set_aside = reason
            case TakeBack():
                set_aside = ""
    return CellState(captured, tuple(events), places, set_aside, history)


def change_of(events: Sequence[Event], edit: Edit) -> Change:
    """What ``edit`` is about: itself, or the edit that it undoes or redoes."""
    if isinstance(edit, Undo | Redo):
        target = events[edit.revision - 1].edit
        if isinstance(target, Undo | Redo):
            raise EditRefused(f"edit {edit.revision} is itself an undo or a redo")
        return target
    return edit


def touching_since(events: Sequence[Event], revision: int, change: Change) -> Event | None:
    """The first event after ``revision`` that touches a chromosome which ``change`` touches."""
    own = touched(change)
    for event in events[revision:]:
        if own & touched(change_of(events, event.edit)):
            return event
    return None


def refuse_under_others(state: CellState, edit: Undo | Redo, change: Change, actor: str) -> None:
    """Raises ``EditRefused`` where somebody else has since edited what ``edit`` would undo or redo."""
    above = [e for e in state.events[edit.revision :] if e.actor != actor and e.revision in state.history.holding]
    for event in above:
        if touched(change) & touched(change_of(state.events, event.edit)):
            raise EditRefused(
                f"{event.actor} has changed the same since (edit {event.revision}); that must be undone first"
            )


def next_id(captured: Captured, events: Sequence[Event]) -> int:
    """The smallest id that was never used in this cell."""
    used = [c.region.id for c in captured.cell.chromosomes]
    for event in events:
        used += touched(change_of(events, event.edit))
    return max(used, default=-1) + 1
