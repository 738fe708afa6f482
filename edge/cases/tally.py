"""What the cells of a case say together: the running karyotype, its clones, and what so many cells exclude.

A gain, a marker or a structural change counts when at least two cells have it, a loss when at least three do (ISCN's
definition of a clone). A cell with a loss that too few share counts with the line it otherwise belongs to, for a spread
loses chromosomes on the slide; one with a gain or a structural change that no other cell shares stands apart and is
never counted as normal. A cell that is incomplete (see ``edge.cell.findings``) or set aside is not counted either;
but where three reviewed cells lack the very same, these are all that they had.
Gains and losses of sex chromosomes are told against the sex complement of most cells; an X in a Y's place, or a Y in an
X's, is one change, which two cells make a line of: nobody has 47 chromosomes because two cells are of another sex.

A cell that combines clonal changes as no other one does is a line of one cell. Chimaeras (``chi``) and composite
karyotypes (``cp``) are left to the person who signs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edge.cases.state import CellState
from edge.cell.findings import AUTOSOMES, MONOSOMY_X, findings_of, is_incomplete, karyotype_of, ploidy_of
from edge.records import LABELS

CONFIDENCES = (0.90, 0.95, 0.99)
CELLS_FOR_A_GAIN, CELLS_FOR_A_LOSS = 2, 3
SEX_EXCHANGES = {"X instead of Y": ("+X", "-Y"), "Y instead of X": ("+Y", "-X")}
LOST_Y = "45,X beside cells with a Y: loss of the Y, or mosaicism"
ANOTHER_SEX = "cells of another sex: of the mother, of a chimaera, or filed in the wrong case"


class Departure(NamedTuple):
    """One departure from the normal cell: ``what`` is ``+21``, ``-X``, ``der(9)``, ``+der(9)``, ``mar``, a ploidy
    level such as ``3n``, or ``X instead of Y``; ``copy`` counts from 1, so that a second +21 is a change of its own."""

    what: str
    copy: int

    @property
    def cells_for_a_clone(self) -> int:
        return CELLS_FOR_A_LOSS if self.what.startswith("-") else CELLS_FOR_A_GAIN


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
    """``karyotype`` is empty while no cell counts. ``counted`` cells stand in a line; ``apart`` have a gain or a
    structural change of their own. ``unsure`` are those among both that wait for a person's eye, as a whole or for some
    of their chromosomes. All are numbers within the case."""

    karyotype: str
    lines: tuple[Line, ...]
    strays: tuple[Stray, ...]
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
    def findings(self) -> tuple[str, ...]:
        """What the lines mean, each finding with its share of the cells where there are several lines."""
        shown = Counter[str]()
        for line in self.lines:
            shown.update(dict.fromkeys(line.findings, len(line.cells)))
        possible = "possible " if self.provisional else ""
        shares = {n: f" in {n} of {len(self.counted)} cells" if len(self.lines) > 1 else "" for n in shown.values()}
        return tuple(f"{possible}{finding}{shares[n]}" for finding, n in shown.items())

    @property
    def headline(self) -> str:
        """The karyotype, or why there is none."""
        alone = f"no clone: {cells_named(self.apart)} stand{'s' if len(self.apart) == 1 else ''} apart"
        return self.karyotype or (alone if self.apart else "no cell to count yet")

    @property
    def exclusion(self) -> str:
        """The sentence on mosaicism; empty without a cell."""
        if not self.counted:
            return ""
        n = len(self.counted)
        low, middle, high = (math.ceil(100 * excluded_share(n, c) - 1e-9) for c in CONFIDENCES)
        return (
            f"{n} {'cell excludes' if n == 1 else 'cells exclude'} a further cell line in {middle} % or more of the "
            f"cells at 95 % confidence ({low} % at 90 %, {high} % at 99 %)"
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
    alike = Counter(_lacking(cell) for cell in kept if cell.reviewed)
    real = {lacking for lacking, n in alike.items() if n >= CELLS_FOR_A_LOSS}
    whole = [
        cell
        for cell in kept
        if not is_incomplete(cell.counts, markers=cell.markers, shared=cell.reviewed and _lacking(cell) in real)
    ]
    sexes = _reference_sexes(whole)
    changes = {cell.captured.number: _changes(cell, sexes) for cell in whole}
    shown = Counter(change for own in changes.values() for change in own)
    clonal = {change for change, n in shown.items() if n >= change.cells_for_a_clone}

    lines: dict[frozenset[Departure], list[int]] = {}
    strays: dict[Departure, list[int]] = {}
    for number, own in changes.items():
        for change in own - clonal:
            strays.setdefault(change, []).append(number)
        if all(change.what.startswith("-") for change in own - clonal):
            lines.setdefault(own & clonal, []).append(number)
    with_y = any(cell.counts["Y"] for cell in whole)
    found = []
    for own, numbers in lines.items():
        shared = frozenset.intersection(*(changes[n] for n in numbers)) if len(lines) == 1 else own
        found.append(_line(own, shared, numbers, sexes, with_y=with_y))
    found.sort(key=lambda line: (line.karyotype in ("46,XX", "46,XY"), -len(line.cells), line.karyotype))
    counted = sorted(number for line in found for number in line.cells)
    return Tally(
        karyotype=_written(found),
        lines=tuple(found),
        strays=tuple(Stray(_spelled(change), tuple(numbers)) for change, numbers in sorted(strays.items())),
        counted=tuple(counted),
        apart=tuple(number for number in changes if number not in counted),
        unsure=tuple(c.captured.number for c in whole if not c.reviewed),
        incomplete=tuple(c.captured.number for c in kept if c.captured.number not in changes),
        set_aside=tuple(c.captured.number for c in cells if c.set_aside),
    )


def _written(lines: Sequence[Line]) -> str:
    """ISCN 2024: ``mos`` before several lines, the largest first, the normal one last, cells in square brackets."""
    joined = "/".join(f"{line.karyotype}[{len(line.cells)}]" for line in lines)
    return f"mos {joined}" if len(lines) > 1 else joined


def _spelled(change: Departure) -> str:
    return f"+{change.what}" if change.what == "mar" else change.what


def _lacking(cell: CellState) -> tuple[int, ...]:
    """Copies of each chromosome, as far as they are expected: cells of which this is the same lack the same."""
    ploidy = ploidy_of(cell.counts)
    return tuple(min(cell.counts[label], ploidy) for label in LABELS)


def _sex_of(counts: Mapping[str, int]) -> str:
    return "X" * counts["X"] + "Y" * counts["Y"]


def _reference_sexes(cells: Sequence[CellState]) -> dict[int, str]:
    """The sex complement that gains and losses are told against, by ploidy level."""
    seen: dict[int, Counter[str]] = {}
    for cell in cells:
        seen.setdefault(ploidy_of(cell.counts), Counter())[_sex_of(cell.counts)] += 1
    found = {ploidy: max(sorted(s), key=lambda sex: (len(sex) == ploidy, s[sex])) for ploidy, s in seen.items()}
    with_y = sum("Y" in _sex_of(cell.counts) for cell in cells if ploidy_of(cell.counts) == 2)
    two_x = sum(_sex_of(c.counts).startswith("XX") and c.counts["Y"] == 0 for c in cells if ploidy_of(c.counts) == 2)
    return found | {2: "XY" if with_y > two_x else "XX"}


def _changes(cell: CellState, sexes: Mapping[int, str]) -> frozenset[Departure]:
    ploidy = ploidy_of(cell.counts)
    departures: Counter[str] = Counter()
    for label in LABELS:
        normal = sexes[ploidy].count(label) if label in ("X", "Y") else ploidy
        departures[f"{'+' if cell.counts[label] > normal else '-'}{label}"] = abs(cell.counts[label] - normal)
    for exchange, both in SEX_EXCHANGES.items():
        departures[exchange] = min(departures[what] for what in both)
        departures.subtract(dict.fromkeys(both, departures[exchange]))
    for label, changed in Counter(cell.derivatives).items():  # an extra copy that is changed is no whole one too many
        extra = min(departures[f"+{label}"], changed) if label in AUTOSOMES else 0
        departures.subtract({f"+{label}": extra})
        departures.update({f"+der({label})": extra, f"der({label})": changed - extra})
    departures["mar"] = cell.markers
    if ploidy > 2:
        departures[f"{ploidy}n"] = 1
    return frozenset(Departure(what, k + 1) for what, copies in departures.items() for k in range(copies))


def _line(
    clonal: frozenset[Departure],
    shared: frozenset[Departure],
    numbers: Sequence[int],
    sexes: Mapping[int, str],
    *,
    with_y: bool,
) -> Line:
    """``clonal`` changes are findings; ``shared`` by all the cells are written: nothing is that none of them shows.
    ``with_y``: some cell of the case has a Y."""
    counts, markers, derivatives = _made_of(shared, sexes)
    karyotype = karyotype_of(counts, markers=markers, derivatives=derivatives, shared=True)
    counts, markers, derivatives = _made_of(clonal, sexes)
    said = findings_of(counts, markers=markers, derivatives=derivatives)
    if with_y:
        said = tuple(LOST_Y if finding == MONOSOMY_X else finding for finding in said)
    if any(change.what in SEX_EXCHANGES for change in clonal):
        said = (ANOTHER_SEX, *said)
    return Line(karyotype, tuple(numbers), said)


def _made_of(changes: frozenset[Departure], sexes: Mapping[int, str]) -> tuple[dict[str, int], int, list[str]]:
    ploidy = next((int(change.what[:-1]) for change in changes if change.what.endswith("n")), 2)
    sex = sexes[ploidy]
    counts = {label: sex.count(label) if label in ("X", "Y") else ploidy for label in LABELS}
    derivatives = []
    for change in changes:
        changed = change.what.partition("der(")[2].rstrip(")")
        if changed:
            derivatives.append(changed)
        for what in SEX_EXCHANGES.get(change.what, (change.what,)):
            if what[0] in "+-":
                counts[changed or what[1:]] += 1 if what[0] == "+" else -1
    markers = sum(change.what == "mar" for change in changes)
    return counts, markers, derivatives


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
