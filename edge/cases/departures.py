"""How a cell of a case departs from the normal one, change by change, so that cells can be compared.

Gains and losses of sex chromosomes are told against the sex complement of most cells; an X in a Y's place, or a Y in an
X's, is one change, which two cells make a line of: nobody has 47 chromosomes because two cells are of another sex.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from edge.cases.state import CellState
from edge.cell.findings import AUTOSOMES, ploidy_of
from edge.records import LABELS

CELLS_FOR_A_GAIN, CELLS_FOR_A_LOSS = 2, 3
"""A change makes a clone when at least so many cells show it (ISCN); the first also holds for structural changes."""
SEX_EXCHANGES = {"X instead of Y": ("+X", "-Y"), "Y instead of X": ("+Y", "-X")}


class Departure(NamedTuple):
    """One departure from the normal cell: ``what`` is ``+21``, ``-X``, ``der(9)``, ``+der(9)``, ``mar``, a ploidy
    level such as ``3n``, or ``X instead of Y``; ``copy`` counts from 1, so that a second +21 is a change of its own;
    ``ploidy`` is the level that a gain or a loss is told against, 0 for changes that are the same at each level."""

    what: str
    copy: int
    ploidy: int

    @property
    def is_gain(self) -> bool:
        return self.what.startswith("+")

    @property
    def is_loss(self) -> bool:
        return self.what.startswith("-")

    @property
    def label(self) -> str:
        """The label of the whole chromosome that is gained or lost."""
        return self.what.lstrip("+-")

    @property
    def changed(self) -> str:
        """The label of the chromosome that a derivative comes from; empty for other changes."""
        return self.what.partition("der(")[2].rstrip(")")

    @property
    def undone(self) -> Departure:
        """The loss that undoes this gain."""
        return Departure(f"-{self.what.removeprefix('+')}", self.copy, self.ploidy)

    @property
    def cells_for_a_clone(self) -> int:
        return CELLS_FOR_A_LOSS if self.is_loss else CELLS_FOR_A_GAIN

    @property
    def rank(self) -> tuple[bool, bool, int, str]:
        """Gains before losses, sex chromosomes before autosomes in numeric order, as ISCN writes them."""
        autosome = LABELS.index(self.label) + 1 if self.label in AUTOSOMES else 0
        return self.is_loss, not self.is_gain, autosome, self.what


Departures = frozenset[Departure]


def spelled(alike: Sequence[Departure]) -> str:
    """Copies of one change, as ``+21,+21``, ``+2mar``, ``+8 at 4n``; "another" where the first is not among them."""
    what, first, ploidy = alike[0]
    several = len(alike)
    said = f"+{several if several > 1 else ''}mar" if what == "mar" else ",".join([what] * several)
    level = f" at {ploidy}n" if ploidy > 2 else ""
    return f"{'another ' if first > 1 else ''}{said}{level}"


def lacking(cell: CellState) -> tuple[int, ...]:
    """Copies of each of ``LABELS``, extra ones left out: cells that give the same lack the same chromosomes."""
    ploidy = ploidy_of(cell.counts)
    return tuple(min(cell.counts[label], ploidy) for label in LABELS)


def reference_sexes(cells: Sequence[CellState]) -> dict[int, str]:
    """The sex complement that gains and losses are told against, by ploidy level."""
    seen: dict[int, Counter[str]] = {}
    for cell in cells:
        seen.setdefault(ploidy_of(cell.counts), Counter())[sex_of(cell.counts)] += 1
    found = {ploidy: max(sorted(s), key=lambda sex: (len(sex) == ploidy, s[sex])) for ploidy, s in seen.items()}
    with_y = sum("Y" in sex_of(cell.counts) for cell in cells if ploidy_of(cell.counts) == 2)
    two_x = sum(sex_of(c.counts).startswith("XX") and c.counts["Y"] == 0 for c in cells if ploidy_of(c.counts) == 2)
    return found | {2: "XY" if with_y > two_x else "XX"}


def sex_of(counts: Mapping[str, int]) -> str:
    return "X" * counts["X"] + "Y" * counts["Y"]


def departures_of(cell: CellState, sexes: Mapping[int, str]) -> Departures:
    """How ``cell``, whose ploidy must be among ``sexes``, departs from the normal one."""
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
    return frozenset(
        Departure(what, k + 1, ploidy if what[0] in "+-" else 0) for what, n in departures.items() for k in range(n)
    )


def made_of(changes: Iterable[Departure], sexes: Mapping[int, str]) -> tuple[dict[str, int], int, list[str]]:
    """Copies of each label, markers and derivatives of a cell with these changes and no other."""
    changes = tuple(changes)
    ploidy = next((int(change.what[:-1]) for change in changes if change.what.endswith("n")), 2)
    sex = sexes[ploidy]
    counts = {label: sex.count(label) if label in ("X", "Y") else ploidy for label in LABELS}
    derivatives = []
    for change in changes:
        if change.changed:
            derivatives.append(change.changed)
        for what in SEX_EXCHANGES.get(change.what, (change.what,)):
            if what[0] in "+-":
                counts[change.changed or what[1:]] += 1 if what[0] == "+" else -1
    markers = sum(change.what == "mar" for change in changes)
    return counts, markers, derivatives
