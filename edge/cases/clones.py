"""Which cells of a case are of one line.

A change is clonal when as many cells show it as ISCN asks for: two for a gain, a marker or a structural change, three
for a loss. A spread loses chromosomes on the slide in every line of a mosaic, so a loss must also be typical of its
line: the cells of a line count for it only when three of them, or most of them, lack the chromosome.

Each line is then compared with every much larger one. Cells that only lack what that has too many are a line of their
own from three cells on; fewer are counted with it, for one normal cell beside nineteen of trisomy 21 is what the slide
makes of these. In other cases a line takes two cells, or a change that no other line shows and that is no loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.cases.departures import CELLS_FOR_A_GAIN, CELLS_FOR_A_LOSS, Departure, Departures

MUCH_LARGER = 3
"""A line is much larger when it has so many times the cells: two with a change beside one without tell nothing yet."""

Cells = Mapping[int, Departures]
"""What each cell shows, by its number in the case."""


@dataclass(frozen=True, slots=True)
class Clone:
    """Cells with the same clonal ``changes``: ``own`` show all of them, ``lost`` are counted with these although they
    lack some chromosomes."""

    changes: Departures
    own: tuple[int, ...]
    lost: tuple[int, ...]

    @property
    def cells(self) -> tuple[int, ...]:
        return tuple(sorted((*self.own, *self.lost)))


@dataclass(frozen=True, slots=True)
class Clones:
    """``lines`` of cells, and ``lone`` cells that none of these explains. Then changes, each with the cells that show
    it: ``strays`` are not clonal; ``lost`` is what fewer than three cells lack of the line that they are counted with;
    ``besides`` are clonal changes that incomplete cells show."""

    lines: tuple[Clone, ...]
    lone: tuple[Clone, ...]
    strays: Mapping[Departure, tuple[int, ...]]
    lost: Mapping[Departure, tuple[int, ...]]
    besides: Mapping[Departure, tuple[int, ...]]


def clones_of(complete: Cells, incomplete: Cells) -> Clones:
    """The lines of ``complete`` cells. What ``incomplete`` ones have too many helps to make a change clonal."""
    clonal = _clonal(complete, incomplete)
    groups: dict[Departures, list[int]] = {}
    for number, shown in complete.items():
        own = shown & clonal
        if any(not change.is_loss for change in own) or all(change.is_loss for change in shown - clonal):
            groups.setdefault(own, []).append(number)
    sizes = {changes: len(numbers) for changes, numbers in groups.items()}
    lines, lone, joined, lost = dict(groups), [], dict[Departures, list[int]](), dict[Departure, list[int]]()
    for own in sorted(sizes, key=lambda line: (sizes[line], -len(line), sorted(change.rank for change in line))):
        larger = [other for other in sizes if sizes[other] >= MUCH_LARGER * sizes[own]]
        shown = frozenset.intersection(*(complete[number] for number in groups[own]))
        whole = _largest([other for other in larger if _only_lacks(own, other, shown)], sizes)
        if whole is not None and sizes[own] < CELLS_FOR_A_LOSS:
            joined.setdefault(whole, []).extend(lines.pop(own))
            for loss in (own - whole) | {change.undone for change in whole - own if change.is_gain}:
                lost.setdefault(loss, []).extend(groups[own])
        elif larger and sizes[own] < CELLS_FOR_A_GAIN and not _alone_shows(own, lines):
            lone.append(Clone(own, tuple(lines.pop(own)), ()))
    return Clones(
        tuple(Clone(own, tuple(numbers), tuple(joined.get(own, ()))) for own, numbers in lines.items()),
        tuple(lone),
        _by_change({**complete, **incomplete}, lambda change: change not in clonal),
        {change: tuple(numbers) for change, numbers in lost.items()},
        _by_change(incomplete, lambda change: change in clonal),
    )


def _clonal(complete: Cells, incomplete: Cells) -> Departures:
    shown = Counter(change for cells in (complete, incomplete) for own in cells.values() for change in own)
    often = frozenset(change for change, n in shown.items() if n >= change.cells_for_a_clone)
    return often - {change for change in often if change.is_loss and not _is_of_lines(change, complete, often)}


def _is_of_lines(loss: Departure, complete: Cells, often: Departures) -> bool:
    """Whether three cells or more lack it in lines where three cells, or most of the line, lack it."""
    lines: dict[Departures, list[bool]] = {}
    for shown in complete.values():
        gains = frozenset(change for change in shown & often if not change.is_loss)
        lines.setdefault(gains, []).append(loss in shown)
    of_lines = [sum(lack) for lack in lines.values() if sum(lack) >= CELLS_FOR_A_LOSS or 2 * sum(lack) > len(lack)]
    return sum(of_lines) >= CELLS_FOR_A_LOSS


def _largest(lines: Sequence[Departures], sizes: Mapping[Departures, int]) -> Departures | None:
    """The line that is larger than all others, if one is."""
    most = max((sizes[line] for line in lines), default=0)
    largest = [line for line in lines if sizes[line] == most]
    return largest[0] if len(largest) == 1 else None


def _only_lacks(own: Departures, other: Departures, shown: Departures) -> bool:
    """Whether cells with the changes ``own`` differ from the ``other`` line by missing chromosomes alone. For a changed
    chromosome of that line, a copy fewer of its kind must be among what all these cells have ``shown``."""
    return all(change.is_loss for change in own - other) and all(
        change.is_gain or any(loss.is_loss and loss.label == change.changed for loss in shown) for change in other - own
    )


def _alone_shows(own: Departures, lines: Mapping[Departures, list[int]]) -> bool:
    others = frozenset[Departure]().union(*(line for line in lines if line != own))
    return any(not change.is_loss for change in own - others)


def _by_change(cells: Cells, wanted: Callable[[Departure], bool]) -> dict[Departure, tuple[int, ...]]:
    found: dict[Departure, list[int]] = {}
    for number, shown in cells.items():
        for change in filter(wanted, shown):
            found.setdefault(change, []).append(number)
    return {change: tuple(numbers) for change, numbers in found.items()}
