"""What a technician may do to a captured cell, as typed values, and what each does: pure functions, no storage.

An edit names chromosomes by their region's id, which never changes and is never used twice in a cell. Chromosomes made
by an edit (the parts of a split, the whole of a join, a drawn one) come whole in the edit, so that folding the edits
needs neither the picture nor a network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from edge.errors import EditRefused
from edge.records import LABELS, Chromosome, Crop

Kind = Literal["whole", "marker", "derivative"]
KINDS: tuple[Kind, ...] = ("whole", "marker", "derivative")
"""A whole chromosome of its class; a marker, of no known class; a derivative, a structurally changed one whose
centromere is that of its label."""

WHOLE_CELL = -1
"""Stands among the touched ids for an edit of the cell as such."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One chromosome as corrected so far. ``chromosome`` carries the final label, status and ``p_arm_up``; a label that
    a person gave has confidence 1. An ``excluded`` one (debris, a neighbour cell's) is shown, but not counted.
    ``edited``: a person changed something about it; accepting it as it is changes nothing."""

    chromosome: Chromosome
    kind: Kind
    excluded: bool
    edited: bool

    @property
    def id(self) -> int:
        return self.chromosome.region.id

    @property
    def label(self) -> str:
        return self.chromosome.label

    @property
    def name(self) -> str:
        """As ISCN writes it: ``9``, ``der(9)``, ``mar``."""
        return {"whole": self.label, "marker": "mar", "derivative": f"der({self.label})"}[self.kind]

    @property
    def unsure(self) -> bool:
        """Counted, and still waiting for a person's eye."""
        return not self.excluded and self.chromosome.status == "review"


Places = tuple[Placed, ...]
"""A cell's chromosomes in the order of the karyogram: homologues stand side by side as they follow here."""


@dataclass(frozen=True, slots=True)
class Relabel:
    chromosome: int
    label: str

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise EditRefused(f"a label must be 1 to 22, X or Y; got {self.label!r}")


@dataclass(frozen=True, slots=True)
class Flip:
    """The other end up."""

    chromosome: int


@dataclass(frozen=True, slots=True)
class Swap:
    """The two exchange their places in the karyogram: labels, and the order among homologues."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Mark:
    chromosome: int
    kind: Kind

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise EditRefused(f"a chromosome can be marked {', '.join(KINDS)}; got {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Exclude:
    chromosome: int


@dataclass(frozen=True, slots=True)
class Restore:
    chromosome: int


@dataclass(frozen=True, slots=True)
class Split:
    """One object that is several chromosomes. The parts take its place."""

    chromosome: int
    parts: tuple[Chromosome, ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise EditRefused(f"a split makes at least two parts; got {len(self.parts)}")


@dataclass(frozen=True, slots=True)
class Join:
    """Several objects that are one chromosome. The whole takes the place of the first."""

    chromosomes: tuple[int, ...]
    whole: Chromosome

    def __post_init__(self) -> None:
        if len(set(self.chromosomes)) < 2:
            raise EditRefused(f"a join takes at least two chromosomes; got {list(self.chromosomes)}")


@dataclass(frozen=True, slots=True)
class Draw:
    """One that was missed."""

    drawn: Chromosome


@dataclass(frozen=True, slots=True)
class Accept:
    """These are right as they are."""

    chromosomes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """The cell is not counted in the case: too poor a spread, two cells in one."""

    reason: str


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The cell counts again."""


@dataclass(frozen=True, slots=True)
class Undo:
    """Takes the edit of ``revision`` away."""

    revision: int


@dataclass(frozen=True, slots=True)
class Redo:
    """Brings the undone edit of ``revision`` back."""

    revision: int


Change = Relabel | Flip | Swap | Mark | Exclude | Restore | Split | Join | Draw | Accept | SetAside | TakeBack
"""What a person may ask for."""
Edit = Change | Undo | Redo
"""What an event may hold; which edit an undo or a redo means is found by the store."""


def as_captured(chromosomes: Sequence[Chromosome]) -> Places:
    return tuple(Placed(c, "whole", excluded=False, edited=False) for c in chromosomes)


def made_by(change: Change) -> tuple[Chromosome, ...]:
    """The chromosomes that ``change`` brings in."""
    match change:
        case Split(parts=parts):
            return parts
        case Join(whole=made) | Draw(drawn=made):
            return (made,)
        case _:
            return ()


def numbered(change: Change, first_id: int) -> Change:
    """``change`` with what it brings in numbered from ``first_id``: two people who draw at once make two ids."""
    match change:
        case Split(chromosome, parts):
            return Split(chromosome, tuple(_with_id(part, first_id + k) for k, part in enumerate(parts)))
        case Join(chromosomes, whole):
            return Join(chromosomes, _with_id(whole, first_id))
        case Draw(drawn):
            return Draw(_with_id(drawn, first_id))
        case _:
            return change


def touched(change: Change) -> frozenset[int]:
    """The ids that ``change`` is about; two changes conflict where they share one."""
    match change:
        case Swap(first, second):
            own: tuple[int, ...] = (first, second)
        case Join(chromosomes=ids) | Accept(chromosomes=ids):
            own = ids
        case Draw():
            own = ()
        case SetAside() | TakeBack():
            own = (WHOLE_CELL,)
        case _:
            own = (change.chromosome,)
    return frozenset(own) | {made.region.id for made in made_by(change)}


def apply(places: Places, change: Change) -> Places:
    """``places`` after ``change``. Raises ``EditRefused`` where it names a chromosome that is not there."""
    match change:
        case Relabel(one, label):
            return _changed(places, one, lambda p: _given(p, label))
        case Flip(one):
            return _changed(places, one, _flipped)
        case Swap(first, second):
            return _swapped(places, first, second)
        case Mark(one, kind):
            return _changed(places, one, lambda p: replace(_given(p, p.label), kind=kind))
        case Exclude(one):
            return _changed(places, one, lambda p: replace(p, excluded=True, edited=True))
        case Restore(one):
            return _changed(places, one, lambda p: replace(p, excluded=False, edited=True))
        case Split(one, parts):
            at = _index(places, one)
            return (*places[:at], *map(_made, parts), *places[at + 1 :])
        case Join(ids, whole):
            at = _index(places, ids[0])
            gone = {places[_index(places, one)].id for one in ids}
            joined = (*places[:at], _made(whole), *places[at + 1 :])
            return tuple(p for p in joined if p.id not in gone)
        case Draw(drawn):
            return (*places, _made(drawn))
        case Accept(ids):
            for one in ids:
                places = _changed(places, one, _accepted)
            return places
        case SetAside() | TakeBack():
            return places


def _index(places: Places, id: int) -> int:
    for k, place in enumerate(places):
        if place.id == id:
            return k
    raise EditRefused(f"chromosome {id} is not in this cell (any more); load the cell again")


def _changed(places: Places, id: int, change: Callable[[Placed], Placed]) -> Places:
    at = _index(places, id)
    return (*places[:at], change(places[at]), *places[at + 1 :])


def _given(place: Placed, label: str) -> Placed:
    """With a person's ``label``, who is sure of it; a label makes a marker a whole chromosome again."""
    said = replace(place.chromosome, label=label, confidence=1.0, status="accepted")
    kind: Kind = "whole" if place.kind == "marker" else place.kind
    return replace(place, chromosome=said, kind=kind, edited=True)


def _flipped(place: Placed) -> Placed:
    turned = replace(place.chromosome, p_arm_up=not place.chromosome.p_arm_up)
    return replace(place, chromosome=turned, edited=True)


def _accepted(place: Placed) -> Placed:
    return replace(place, chromosome=replace(place.chromosome, status="accepted"))


def _swapped(places: Places, first: int, second: int) -> Places:
    a, b = _index(places, first), _index(places, second)
    out = list(places)
    out[a] = _moved(places[b], places[a])
    out[b] = _moved(places[a], places[b])
    return tuple(out)


def _moved(place: Placed, to: Placed) -> Placed:
    """``place`` in the place of ``to``; among homologues only the order changes, and the label stays as sure as it
    was."""
    if (place.label, place.kind) == (to.label, to.kind):
        return replace(place, edited=True)
    return replace(_given(place, to.label), kind=to.kind)


def _made(chromosome: Chromosome) -> Placed:
    return Placed(chromosome, "whole", excluded=False, edited=True)


def _with_id(chromosome: Chromosome, id: int) -> Chromosome:
    region = replace(chromosome.region, id=id)
    return replace(chromosome, region=region, crop=Crop(id, chromosome.crop.pixels))
