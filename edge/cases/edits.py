"""What a technician may do to a captured cell, as typed values; ``edge.cases.apply`` says what each does.

An edit names chromosomes by their region's id, which never changes and is never used twice in a cell. Chromosomes made
by an edit (the parts of a split, the whole of a join, a drawn one) come whole in the edit, so that folding the edits
needs neither the picture nor a network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.cases.names import checked_reason
from edge.cases.places import KINDS, Kind
from edge.errors import EditRefused
from edge.records import LABELS, Chromosome, Crop

WHOLE_CELL = -1
"""Stands for the cell as a whole among the ids that an edit touches."""


@dataclass(frozen=True, slots=True)
class Relabel:
    """The chromosome is a ``label``. It counts again if it was excluded."""

    chromosome: int
    label: str

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise EditRefused(f"a label must be 1 to 22, X or Y; got {self.label!r}")


@dataclass(frozen=True, slots=True)
class Flip:
    """Turns the chromosome: its p arm is at the other end."""

    chromosome: int


@dataclass(frozen=True, slots=True)
class Swap:
    """The two exchange their places in the karyogram: labels, whether they count, and the order among homologues."""

    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Marks the chromosome as ``kind``; its label stays. A marker or derivative counts again if it was excluded."""

    chromosome: int
    kind: Kind

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise EditRefused(f"a chromosome can be marked {', '.join(KINDS)}; got {self.kind!r}")


@dataclass(frozen=True, slots=True)
class Exclude:
    """The chromosome does not count: it is debris, or of another cell."""

    chromosome: int


@dataclass(frozen=True, slots=True)
class Restore:
    """An excluded chromosome counts again."""

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
    """Adds a chromosome that was missed."""

    drawn: Chromosome


@dataclass(frozen=True, slots=True)
class Accept:
    """These chromosomes are right as they are."""

    chromosomes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """The cell is not counted in the case, for instance because its spread is poor or two cells lie in one."""

    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise EditRefused("a cell is set aside for a reason, which the log keeps; got none")


@dataclass(frozen=True, slots=True)
class TakeBack:
    """A cell that was set aside counts again."""


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


def checked(change: Change) -> Change:
    """``change``, held against the rules for new edits. Raises ``EditRefused``.

    The edits themselves do not check these rules: a log that was written before them must still be read.
    """
    match change:
        case SetAside(reason):
            return SetAside(checked_reason(reason))
        case Accept(()):
            raise EditRefused(
                "expected one chromosome or more to accept, got none; if none waits for review, all is accepted already"
            )
        case Swap(first, second) if first == second:
            raise EditRefused(f"a swap takes two chromosomes; got {first} twice")
        case _:
            return change


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


def _with_id(chromosome: Chromosome, id: int) -> Chromosome:
    region = replace(chromosome.region, id=id)
    return replace(chromosome, region=region, crop=Crop(id, chromosome.crop.pixels))
