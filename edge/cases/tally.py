"""What the cells of a case say together: the running karyotype, its clones, and what so many cells exclude.

``edge.cases.clones`` says which changes are clonal and which cells make a line. A cell with a loss that is not clonal
counts with the line that it otherwise belongs to, and so does a cell of a clone with a further change of its own. Any
other cell with a gain or a structural change that no other cell shares stands apart and is never counted as normal.
Cells that are set aside or incomplete (see ``edge.cell.findings``) are not counted, but what an incomplete one has too
many is told. Where three reviewed cells lack exactly the same, they count as complete: that is all they had.

Chimaeras (``chi``) and composite karyotypes (``cp``) are left to the person who signs: where lines are of different
sexes, and no XXY explains it, neither ``mos`` nor ``chi`` is written.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from edge.cases.clones import Clone, Clones, clones_of
from edge.cases.departures import (
    CELLS_FOR_A_LOSS,
    SEX_EXCHANGES,
    Departure,
    Departures,
    departures_of,
    lacking,
    made_of,
    reference_sexes,
    spelled,
)
from edge.cases.state import CellState
from edge.cell.findings import MONOSOMY_X, findings_of, is_incomplete, karyotype_of, ploidy_of

CONFIDENCES = (0.90, 0.95, 0.99)
"""The share of cells that a further line cannot have is stated at these."""
LOST_Y = "45,X beside cells with a Y: loss of the Y, or mosaicism"
ANOTHER_SEX = "cells of another sex: of the mother, of a chimaera, or filed in the wrong case"
ANOTHER_SEX_BESIDE_XXY = "another sex beside XXY: mosaicism with loss of a chromosome, or cells of another person"
SWAPPED = "gain and loss in the same cells: check the labels of"


@dataclass(frozen=True, slots=True)
class Line:
    """Cells that agree. ``cells`` are their numbers in the case; ``findings`` is empty for a normal line."""

    karyotype: str
    cells: tuple[int, ...]
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stray:
    """A change that too few cells show to make a clone."""

    what: str
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """``karyotype`` is empty while no cell counts. ``strays`` are changes that make no clone; ``besides`` are clonal
    gains that incomplete cells show; ``of_no_line`` are those of both that no line has. Cells are given by their
    numbers within the case: ``counted`` ones stand in a line, ``apart`` ones have a gain or a structural change of
    their own, and ``unsure`` ones, none of them set aside, wait for a person's eye, as a whole or in part."""

    karyotype: str
    lines: tuple[Line, ...]
    strays: tuple[Stray, ...]
    besides: tuple[Stray, ...]
    of_no_line: tuple[Stray, ...]
    counted: tuple[int, ...]
    apart: tuple[int, ...]
    unsure: tuple[int, ...]
    incomplete: tuple[int, ...]
    set_aside: tuple[int, ...]

    @property
    def provisional(self) -> bool:
        return bool(self.unsure)

    @property
    def awaited(self) -> str:
        """Why it is provisional, where it is."""
        inside = "it" if len(self.unsure) == 1 else "them"
        return f"a person has yet to review {cells_named(self.unsure)}, or chromosomes in {inside}"

    @property
    def uncounted(self) -> dict[str, tuple[int, ...]]:
        """The cells that are not counted, by why they are not."""
        return {"apart": self.apart, "incomplete": self.incomplete, "set aside": self.set_aside}

    def why_not_counted(self, number: int) -> str:
        """One of the keys of ``uncounted``; empty for a cell that is counted."""
        return next((why for why, numbers in self.uncounted.items() if number in numbers), "")

    @property
    def findings(self) -> tuple[str, ...]:
        """What the lines mean, each finding with its share of the cells where there are several lines."""
        shown = Counter[str]()
        for line in self.lines:
            shown.update(dict.fromkeys(line.findings, len(line.cells)))
        possible = "possible " if self.provisional else ""
        shares = {n: f" in {n} of {len(self.counted)} cells" if len(self.lines) > 1 else "" for n in shown.values()}
        of_lines = (f"{possible}{finding}{shares[n]}" for finding, n in shown.items())
        of_incomplete = (f"{possible}{stray.what} in {_incomplete(stray.cells)}" for stray in self.besides)
        return (*of_lines, *of_incomplete)

    @property
    def headline(self) -> str:
        """The karyotype, or why there is none."""
        alone = f"no clone: {cells_named(self.apart)} stand{'s' if len(self.apart) == 1 else ''} apart"
        return self.karyotype or (alone if self.apart else "no cell to count yet")

    @property
    def exclusion(self) -> str:
        """What mosaicism the cells exclude, in a sentence, but for changes that a cell shows; empty without a cell."""
        if not self.counted:
            return ""
        n = len(self.counted)
        seen = ", ".join(f"{stray.what} ({cells_named(stray.cells)})" for stray in self.of_no_line)
        low, middle, high = (math.ceil(100 * excluded_share(n, c) - 1e-9) for c in CONFIDENCES)
        but = f", but not one of {seen}" if seen else ""
        return (
            f"{n} {'cell excludes' if n == 1 else 'cells exclude'} a further cell line in {middle} % or more of the "
            f"cells at 95 % confidence ({low} % at 90 %, {high} % at 99 %){but}"
        )


def excluded_share(cells: int, confidence: float) -> float:
    """Smallest share of a second cell line that ``cells`` alike exclude: 1-(1-p)^n >= confidence.

    Hook EB: Exclusion of chromosomal mosaicism. Am J Hum Genet 29:94-97 (1977). Raises ``ValueError`` for fewer than
    one cell or a confidence that is not between 0 and 1.
    """
    if cells < 1 or not 0 < confidence < 1:
        raise ValueError(f"cells must be >= 1 and confidence between 0 and 1; got {cells} and {confidence}")
    return float(1.0 - (1.0 - confidence) ** (1.0 / cells))


def tally(cells: Sequence[CellState]) -> Tally:
    """The tally of a case's cells as they stand."""
    kept = [cell for cell in cells if not cell.set_aside]
    alike = Counter(lacking(cell) for cell in kept if cell.reviewed)
    real = {missing for missing, n in alike.items() if n >= CELLS_FOR_A_LOSS}
    complete = [
        cell
        for cell in kept
        if not is_incomplete(cell.counts, markers=cell.markers, shared=cell.reviewed and lacking(cell) in real)
    ]
    sexes = reference_sexes(complete or kept)
    changes = {cell.captured.number: departures_of(cell, sexes) for cell in complete}
    broken = [cell for cell in kept if cell.captured.number not in changes]
    found = clones_of(changes, {cell.captured.number: _gains(cell, sexes) for cell in broken})
    of_lines = {number for clone in found.lines for number in clone.cells}
    with_y = [cell for cell in complete if cell.counts["Y"]]
    beside = _Beside(
        any(cell.captured.number in of_lines for cell in with_y),
        any(cell.captured.number in of_lines and cell.counts["X"] > 1 for cell in with_y),
        tuple(cell.captured.number for cell in with_y),
    )
    strays = _strays(found, changes, sexes)
    of_some_line = frozenset[Departure]().union(*(clone.changes for clone in found.lines))
    clones = sorted(found.lines, key=lambda clone: (len(clone.changes), sorted(c.rank for c in clone.changes)))
    lines = [_line(clone, changes, sexes, beside, alone=len(clones) == 1) for clone in clones]
    lines.sort(key=lambda line: (line.karyotype in ("46,XX", "46,XY"), -len(line.cells)))
    counted = sorted(number for line in lines for number in line.cells)
    return Tally(
        karyotype=_written(lines, of_one=not any(ANOTHER_SEX in line.findings for line in lines)),
        lines=tuple(lines),
        strays=strays,
        besides=_listed(found.besides),
        of_no_line=(*strays, *_listed({c: numbers for c, numbers in found.besides.items() if c not in of_some_line})),
        counted=tuple(counted),
        apart=tuple(number for number in changes if number not in counted),
        unsure=tuple(cell.captured.number for cell in kept if not cell.reviewed),
        incomplete=tuple(cell.captured.number for cell in broken),
        set_aside=tuple(cell.captured.number for cell in cells if cell.set_aside),
    )


def _gains(cell: CellState, sexes: Mapping[int, str]) -> Departures:
    """What an incomplete cell has too many, or changed; nothing above diploid, which may be parts of several cells."""
    if ploidy_of(cell.counts) > 2:
        return frozenset()
    return frozenset(change for change in departures_of(cell, sexes) if not change.is_loss)


def _strays(found: Clones, changes: Mapping[int, Departures], sexes: Mapping[int, str]) -> tuple[Stray, ...]:
    together = {
        change: tuple(sorted({*found.strays.get(change, ()), *found.lost.get(change, ())}))
        for change in (*found.strays, *found.lost)
    }
    lone = [Stray(_karyotype(changes[number], sexes), (number,)) for clone in found.lone for number in clone.own]
    return (*_listed(together), *sorted(lone, key=lambda stray: stray.cells))


def _listed(changes: Mapping[Departure, tuple[int, ...]]) -> tuple[Stray, ...]:
    """``changes`` in order; copies of one change that the same cells show are told in one."""
    ordered = sorted(changes, key=lambda change: (change.rank, change.ploidy, change.copy))
    alike = groupby(ordered, key=lambda change: (change.what, change.ploidy, changes[change]))
    return tuple(Stray(spelled(tuple(copies)), cells) for (_, _, cells), copies in alike)


def _written(lines: Sequence[Line], *, of_one: bool) -> str:
    """ISCN 2024: ``mos`` before several lines ``of_one`` zygote, as far as anybody can tell; the largest first, the
    normal one last, cells in square brackets."""
    joined = "/".join(f"{line.karyotype}[{len(line.cells)}]" for line in lines)
    return f"mos {joined}" if len(lines) > 1 and of_one else joined


@dataclass(frozen=True, slots=True)
class _Beside:
    """``y``: a cell of some line has a Y; ``xxy``: one has it beside two X; ``with_y``: all complete cells with a Y."""

    y: bool
    xxy: bool
    with_y: tuple[int, ...]

    @property
    def single_x(self) -> str:
        """What a line 45,X means beside these cells."""
        if self.y:
            return LOST_Y
        return (
            MONOSOMY_X.replace(")", f"; or a Y was lost, see {cells_named(self.with_y)})")
            if self.with_y
            else MONOSOMY_X
        )


def _line(
    clone: Clone, changes: Mapping[int, Departures], sexes: Mapping[int, str], beside: _Beside, *, alone: bool
) -> Line:
    """The line of ``clone``, with findings from its clonal changes. Its karyotype is what all its own cells show, so
    that they have the count that is written. Where it has one own cell or no clonal change, and is not ``alone`` (the
    only line), its karyotype is that of the clonal changes."""
    several = alone or (bool(clone.changes) and len(clone.own) > 1)
    shared = frozenset.intersection(*(changes[n] for n in clone.own)) if several else clone.changes
    counts, markers, derivatives = made_of(clone.changes, sexes)
    said = findings_of(counts, markers=markers, derivatives=derivatives)
    said = tuple(beside.single_x if finding == MONOSOMY_X else finding for finding in said)
    if any(change.what in SEX_EXCHANGES for change in clone.changes):
        said = (ANOTHER_SEX_BESIDE_XXY if beside.xxy else ANOTHER_SEX, *said)
    gains = [change for change in clone.changes if change.is_gain]
    losses = [change for change in shared - clone.changes if change.is_loss]
    if gains and losses:
        labels = [change.what[1:] for change in sorted((*gains, *losses), key=lambda c: c.rank)]
        said = (*said, f"{SWAPPED} {', '.join(dict.fromkeys(labels))}")
    return Line(_karyotype(shared, sexes), clone.cells, said)


def _karyotype(changes: Iterable[Departure], sexes: Mapping[int, str]) -> str:
    counts, markers, derivatives = made_of(changes, sexes)
    return karyotype_of(counts, markers=markers, derivatives=derivatives, shared=True)


def _incomplete(numbers: Sequence[int]) -> str:
    """Names cells that are incomplete and so not counted."""
    return f"{cells_named(numbers)}, which {'is' if len(numbers) == 1 else 'are'} incomplete and not counted"


def cells_named(numbers: Sequence[int]) -> str:
    """``cell 3``, ``cells 1 to 4 and 7``, ``no cells``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [part for run in runs for part in (map(str, run) if len(run) < 3 else [f"{run[0]} to {run[-1]}"])]
    joined = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] if parts else ""
    return f"{'cell' if len(numbers) == 1 else 'cells'} {joined}" if numbers else "no cells"
