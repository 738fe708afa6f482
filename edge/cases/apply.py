"""What each edit does to the chromosomes of a cell: pure functions, no storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge.cases.edits import (
    Accept,
    Change,
    Draw,
    Exclude,
    Flip,
    Join,
    Mark,
    Relabel,
    Restore,
    SetAside,
    Split,
    Swap,
    TakeBack,
)
from edge.cases.places import Kind, Placed, Places, index_of
from edge.errors import EditRefused
from edge.records import Chromosome


def apply(places: Places, change: Change) -> Places:
    """``places`` after ``change``. Raises ``EditRefused`` where it names a chromosome that is not there."""
    match change:
        case Relabel(one, label):
            return _changed(places, one, lambda p: _called(p, label, "whole" if p.kind == "marker" else p.kind))
        case Flip(one):
            return _changed(places, one, _flipped)
        case Swap(first, second):
            return _swapped(places, first, second)
        case Mark(one, "whole"):
            return _changed(places, one, _unmarked)
        case Mark(one, kind):
            return _changed(places, one, lambda p: _called(p, p.label, kind))
        case Exclude(one):
            return _changed(places, one, lambda p: replace(p, excluded=True, edited=True))
        case Restore(one):
            return _changed(places, one, lambda p: replace(p, excluded=False, edited=True))
        case Split(one, parts):
            at = index_of(places, one)
            return (*places[:at], *map(_made, parts), *places[at + 1 :])
        case Join(ids, whole):
            at = index_of(places, ids[0])
            gone = {places[index_of(places, one)].id for one in ids}
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


def require_due(places: Places, set_aside: str, change: Change) -> None:
    """Raises ``EditRefused`` for bringing back what was not removed, and for taking back a cell that is not
    ``set_aside``: it would change nothing and yet count as work on the cell. Only new edits are checked, as an older
    log may hold such a one."""
    if isinstance(change, Restore) and not places[index_of(places, change.chromosome)].excluded:
        raise EditRefused(f"chromosome {change.chromosome} was not removed: there is nothing to bring back")
    if isinstance(change, TakeBack) and not set_aside:
        raise EditRefused("the cell is not set aside: there is nothing to take back")


def _changed(places: Places, id: int, change: Callable[[Placed], Placed]) -> Places:
    at = index_of(places, id)
    return (*places[:at], change(places[at]), *places[at + 1 :])


def _called(place: Placed, label: str, kind: Kind) -> Placed:
    """``place`` as a person names it: counted, with confidence 1. Where it has that name already, it is accepted."""
    counted = replace(place, excluded=False)
    if (label, kind) == (place.label, place.kind):
        return _accepted(counted)
    said = replace(place.chromosome, label=label, confidence=1.0, status="accepted")
    return replace(counted, chromosome=said, kind=kind, edited=True)


def _unmarked(place: Placed) -> Placed:
    """``place`` marked as a whole chromosome. A former marker or derivative keeps its label, to be reviewed again, as
    nobody has said that it is right; for one that was whole already its label is confirmed."""
    if place.kind == "whole":
        return _called(place, place.label, "whole")
    confidence = dict(place.chromosome.candidates).get(place.label, 0.0)
    doubted = replace(place.chromosome, confidence=confidence, status="review")
    return replace(place, chromosome=doubted, kind="whole", edited=True)


def _flipped(place: Placed) -> Placed:
    turned = replace(place.chromosome, p_arm_up=not place.chromosome.p_arm_up)
    return replace(place, chromosome=turned, edited=True)


def _accepted(place: Placed) -> Placed:
    return replace(place, chromosome=replace(place.chromosome, status="accepted"))


def _swapped(places: Places, first: int, second: int) -> Places:
    a, b = index_of(places, first), index_of(places, second)
    out = list(places)
    out[a] = _moved(places[b], places[a])
    out[b] = _moved(places[a], places[b])
    return tuple(out)


def _moved(place: Placed, to: Placed) -> Placed:
    """``place`` where ``to`` was: with its name, and excluded if that was. Where both have the same name already, the
    label stays as sure as it was."""
    same = (place.label, place.kind) == (to.label, to.kind)
    moved = replace(place, edited=True) if same else _called(place, to.label, to.kind)
    return replace(moved, excluded=to.excluded)


def _made(chromosome: Chromosome) -> Placed:
    return Placed(chromosome, "whole", excluded=False, edited=True)
