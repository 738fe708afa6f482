"""From copies of each chromosome to the karyotype string and to what it means.

The string follows ISCN for whole chromosomes: how many, sex chromosomes, then autosomes in numeric order, ``+`` for a
gain and ``-`` for a loss, one term a copy: ``47,XY,+21``. Gains and losses are told against the nearest ploidy level
(ISCN: 35 to 57 near-diploid, 58 to 80 near-triploid, 81 to 103 near-tetraploid), which is written, ``70<3n>,XXX,+21``,
where the reader could not know it. Near-haploid, up to 34, ``26<1n>,X,+4,+6,+21``, is only what several cells share:
one that shows so few has lost the others on the slide.

One frame is one cell, and a spread often loses chromosomes on the slide. So a string never claims what was not seen:

* ``INCOMPLETE_FROM`` or more missing copies are taken for a broken or half-seen cell, not for as many monosomies. The
  losses are then left out and ``inc`` (ISCN: incomplete karyotype) ends the string: ``41,XY,inc``. A gain is still
  said, because those copies were seen: ``43,XX,+21,inc``. Not so of what several cells share: no slide loses the same
  three chromosomes of each.
* No X in sight is marked with ``?`` (ISCN: questionable identification) and ``inc``: ``45,?Y,inc``; neither X nor Y:
  ``44,?,inc``; an empty frame: ``0,?,inc``.

What a cell has too little of is, besides, no finding while one cell alone shows it (``findings_of_cell``): a
chromosome that lies outside of the field or under another is far more common than an autosomal monosomy, and a clone
needs three cells that lack the same (ISCN). A single X in an otherwise complete cell is said, with that condition.

Markers and derivatives are a person's word, and the string says no more of them than that: ``47,XX,+mar``, two of them
``+2mar``, and ``46,XX,der(9)`` or ``46,X,der(X)``, what changed the 9 being left to the person who writes the report.
So a loss beside them is said with a doubt: the 21 of ``45,XX,der(14),-21`` may be fused to the 14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.records import LABELS, Chromosome

INCOMPLETE_FROM = 3
"""Missing copies from which a cell counts as incomplete. Two whole-chromosome losses in one cell are rare but real."""

STRANGERS_FROM = 4
"""Autosomes gained in one diploid cell from which a neighbour's chromosomes are likelier than as many trisomies."""

AUTOSOMES = LABELS[:22]
_SYNDROMES = {"13": "Patau syndrome", "18": "Edwards syndrome", "21": "Down syndrome"}
_SOMIES = ("nullisomy", "monosomy", "disomy", "trisomy", "tetrasomy", "pentasomy")
_PLOIDIES = {1: "near-haploidy", 3: "triploidy", 4: "tetraploidy, often of the culture, or two cells in one frame"}
_UNLESS_HELD = ", unless a changed chromosome or a marker holds it"
_IF_SHARED = ", if three cells show it"
_ONE_CELL = "seen in one cell"
NOBODY_YET = "no person has reviewed this cell yet"
_PLAIN = (
    "incomplete cell",
    "no chromosome",
    "gain and loss",
    "not found",
    _ONE_CELL,
    *(f"{n} gains" for n in range(STRANGERS_FROM, 23)),
)
"""How the findings begin that say what is seen and claim nothing of the patient."""
MONOSOMY_X = "monosomy X (Turner syndrome)"
_X_AND_MARKER = "one X beside a marker, which may be a changed X or Y"
_SEX_FINDINGS = {
    "X": MONOSOMY_X,
    "XXX": "trisomy X (triple X syndrome)",
    "XXXX": "tetrasomy X",
    "XXXXX": "pentasomy X",
    "XXY": "XXY (Klinefelter syndrome)",
    "XYY": "XYY (Jacobs syndrome)",
    "XXYY": "XXYY syndrome",
    "XXXY": "XXXY syndrome",
    "XXXXY": "XXXXY syndrome",
}


@dataclass(frozen=True, slots=True)
class _Balance:
    """Copies seen, against the ploidy level they are nearest to; of one cell, or ``shared`` by several."""

    total: int
    ploidy: int
    sex: str
    autosome_change: dict[str, int]
    markers: int
    derivatives: tuple[str, ...]
    shared: bool

    @property
    def missing(self) -> dict[str, int]:
        """Label (``X or Y`` for a sex chromosome) to how many copies are not there."""
        lost = {label: -change for label, change in self.autosome_change.items() if change < 0}
        sex_lost = max(0, self.ploidy - len(self.sex))
        return {**lost, "X or Y": sex_lost} if sex_lost else lost

    def extra_derivatives(self, label: str) -> int:
        """How many of an autosome's extra copies are the changed ones, and no whole chromosome too many."""
        return min(max(self.autosome_change.get(label, 0), 0), self.derivatives.count(label))

    @property
    def incomplete(self) -> bool:
        lost = sum(self.missing.values()) - self.markers
        return "X" not in self.sex or (lost >= INCOMPLETE_FROM and not self.shared)


def _balance(counts: Mapping[str, int], markers: int, derivatives: Sequence[str], *, shared: bool = False) -> _Balance:
    strange = [f"{label!r}: {copies}" for label, copies in counts.items() if label not in LABELS or copies < 0]
    if strange:
        raise ValueError(f"counts must map 1..22, X and Y to copies >= 0; got {', '.join(strange)}")
    spare = [label for label in set(derivatives) if derivatives.count(label) > counts.get(label, 0)]
    if spare or markers < 0:
        raise ValueError(f"markers must be >= 0 and derivatives among counts; got {markers} and {', '.join(spare)}")
    whole = sum(counts.values())
    ploidy = max(1 if shared else 2, round(whole / 23))
    changes = {label: counts.get(label, 0) - ploidy for label in AUTOSOMES}
    return _Balance(
        total=whole + markers,
        ploidy=ploidy,
        sex="X" * counts.get("X", 0) + "Y" * counts.get("Y", 0),
        autosome_change={label: change for label, change in changes.items() if change},
        markers=markers,
        derivatives=tuple(sorted(derivatives, key=LABELS.index)),
        shared=shared,
    )


def karyotype_of(
    counts: Mapping[str, int], *, markers: int = 0, derivatives: Sequence[str] = (), shared: bool = False
) -> str:
    """ISCN string for whole-chromosome ``counts`` (label to copies; an absent label means none) of one cell, or
    ``shared`` by several.

    ``markers`` are not among ``counts``; ``derivatives``, one label each, are. Raises ``ValueError`` for a label that
    is not one of the 24, a negative count, or a derivative that is not among ``counts``.
    """
    cell = _balance(counts, markers, derivatives, shared=shared)
    sex = cell.sex if "X" in cell.sex else f"?{cell.sex}"
    changed_sex = [label for label in cell.derivatives if label in ("X", "Y")]
    for label in changed_sex:  # written as 46,X,der(X): the changed one stands apart from the whole ones
        sex = sex.replace(label, "", 1)
    terms = [f"der({label})" for label in changed_sex]
    for label in AUTOSOMES:
        change, changed = cell.autosome_change.get(label, 0), cell.derivatives.count(label)
        gained = cell.extra_derivatives(label)  # +der(9)
        terms += [f"+{label}"] * (change - gained)
        if not cell.incomplete:
            terms += [f"-{label}"] * -change
        terms += [f"+der({label})"] * gained + [f"der({label})"] * (changed - gained)
    if cell.markers:
        terms.append("+mar" if cell.markers == 1 else f"+{cell.markers}mar")
    odd = cell.ploidy != 2 and (terms or cell.incomplete or len(cell.sex) != cell.ploidy)
    beyond = round(cell.total / 23) > cell.ploidy  # 58<2n>: markers bring the count to the next level
    level = f"<{cell.ploidy}n>" if odd or beyond else ""
    parts = [f"{cell.total}{level}", *([sex] if sex else []), *terms, *(["inc"] if cell.incomplete else [])]
    return ",".join(parts)


def findings_of(counts: Mapping[str, int], *, markers: int = 0, derivatives: Sequence[str] = ()) -> tuple[str, ...]:
    """What stands out in ``counts``, which several cells share, most far-reaching first; empty for normal ones.

    Raises ``ValueError`` like ``karyotype_of``.
    """
    return _said(_balance(counts, markers, derivatives, shared=True))


def findings_of_cell(
    counts: Mapping[str, int], *, markers: int = 0, derivatives: Sequence[str] = ()
) -> tuple[str, ...]:
    """The same of one cell, which alone makes no clone: what it lacks is named, and claims nothing; what it has too
    many, or a single X, is no more than a reason to look at other cells. Raises like ``karyotype_of``."""
    return _said(_balance(counts, markers, derivatives))


def claims_of(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Those findings of one cell with these ``counts`` that claim something of the patient: gains, unusual sex
    chromosomes, ploidy. Raises like ``karyotype_of``."""
    return tuple(finding for finding in findings_of_cell(counts) if not _is_plain(finding))


def _is_plain(finding: str) -> bool:
    return finding.startswith(_PLAIN)


def _tells_sex(cell: _Balance) -> bool:
    """Whether the sex chromosomes that were seen may be taken for all that there are."""
    if cell.ploidy != 2 or "X" not in cell.sex:
        return False
    whole = not cell.incomplete if cell.shared else not any(change < 0 for change in cell.autosome_change.values())
    return whole or len(cell.sex) >= 2


def _said(cell: _Balance) -> tuple[str, ...]:
    """What is missing is a finding where it is shared."""
    if cell.total == 0:
        return ("no chromosome found",)
    said: list[str] = []
    if cell.ploidy != 2:
        said.append(
            _PLOIDIES.get(cell.ploidy, f"about {cell.ploidy} sets of chromosomes, or several cells in one frame")
        )
    if cell.ploidy in (3, 4) and cell.shared and cell.total != 23 * cell.ploidy:
        said[-1] = f"near-{said[-1]}"
    if cell.ploidy == 3 and not cell.shared and cell.total != 69:
        said[-1] += ", or parts of two cells in one frame"
    if cell.incomplete:
        said.append(_incomplete_finding(cell))
    elif not cell.shared:
        told = _tells_sex(cell)
        lost = {label: copies for label, copies in cell.missing.items() if label in AUTOSOMES or not told}
        if lost:
            said.append(f"not found: {_listed(lost)}; a finding only where three cells lack the same")
    if _tells_sex(cell):
        condition = "" if cell.shared or cell.sex != "X" else _IF_SHARED
        said += [f"{finding}{condition}" for finding in _sex_findings(cell)]
    for label, change in cell.autosome_change.items():
        whole = change - cell.extra_derivatives(label)
        if whole > 0 or (whole < 0 and cell.shared and not cell.incomplete):
            held = _UNLESS_HELD if whole < 0 and (cell.derivatives or cell.markers) else ""  # 45,XX,der(14),-21
            said.append(f"{_autosome_finding(label, cell.ploidy, whole)}{held}")
    said += [_derivative_finding(cell, label) for label in dict.fromkeys(cell.derivatives)]
    if cell.markers:
        said.append("marker chromosome" if cell.markers == 1 else f"{cell.markers} marker chromosomes")
    gains = [label for label, change in cell.autosome_change.items() if change > 0]
    if len(gains) >= STRANGERS_FROM and cell.ploidy == 2 and not cell.shared:
        said.insert(0, f"{len(gains)} gains: look for part of another cell in the frame")
    if not cell.shared and any(not _is_plain(finding) and not finding.endswith(_IF_SHARED) for finding in said):
        said.append(f"{_ONE_CELL}: a finding only where a second shows the same")
    too_many = [*(dict.fromkeys(cell.sex) if len(cell.sex) > cell.ploidy else ()), *gains]
    if too_many and cell.missing and not (cell.shared or cell.incomplete):  # in several cells alike it is no slip
        said.append(f"gain and loss in one cell: check the labels of {', '.join([*too_many, *cell.missing])}")
    return tuple(said)


def is_incomplete(counts: Mapping[str, int], *, markers: int = 0, shared: bool = False) -> bool:
    """Whether so much of the cell is missing that its losses mean nothing, unless they are ``shared`` by several cells;
    a marker stands for one that is missing. Raises like ``karyotype_of``."""
    return _balance(counts, markers, (), shared=shared).incomplete


def ploidy_of(counts: Mapping[str, int]) -> int:
    """The level of ploidy that ``counts`` are nearest to: 2, 3, 4 ... Raises like ``karyotype_of``."""
    return _balance(counts, 0, ()).ploidy


def karyotype_and_findings(chromosomes: Sequence[Chromosome]) -> tuple[str, tuple[str, ...]]:
    """The karyotype of a cell that no person has seen and what it finds, provisional for that, or for the chromosomes
    that wait for review: said where there is a finding, and where most wait, since even a normal karyotype is then a
    guess."""
    labels = [c.label for c in chromosomes]
    counts = {label: labels.count(label) for label in LABELS}
    said, unsure = findings_of_cell(counts), sum(c.status == "review" for c in chromosomes)
    told = bool(said) or 2 * unsure > len(chromosomes)
    why = not_yet_reviewed(unsure, len(chromosomes)) or ("" if all(map(_is_plain, said)) else NOBODY_YET)
    return karyotype_of(counts), provisional(said, why) if told else ()


def provisional(findings: Sequence[str], why: str) -> tuple[str, ...]:
    """``findings`` as they may be said before a person has seen to all of it: what is claimed becomes a possibility,
    after a line that says ``why``. Without a reason they stand as they are."""
    if not why:
        return tuple(findings)
    told = (finding for finding in findings if not finding.startswith(_ONE_CELL))  # possible says as much
    worded = (finding if _is_plain(finding) else f"possible {finding}" for finding in told)
    return (f"provisional: {why}", *worded)


def not_yet_reviewed(unsure: int, total: int) -> str:
    """Why a cell of ``total`` chromosomes is provisional, ``unsure`` of which wait for a person's eye; empty for 0."""
    return f"{unsure} of {total} chromosomes not yet reviewed" if unsure else ""


def _incomplete_finding(cell: _Balance) -> str:
    missing = f"; missing: {_listed(cell.missing)}" if cell.missing else ""
    no_x = "; no X found" if "X" not in cell.sex else ""
    return f"incomplete cell: {cell.total} of {23 * cell.ploidy} chromosomes found{missing}{no_x}"


def _listed(missing: Mapping[str, int]) -> str:
    return ", ".join(label if copies == 1 else f"{copies} of {label}" for label, copies in missing.items())


def _sex_findings(cell: _Balance) -> list[str]:
    """A syndrome of too many is of whole chromosomes: where one of them is changed, it is not said; nor is Turner
    syndrome where a marker may be the rest of a Y."""
    sex = cell.sex
    if sex in ("XX", "XY"):
        return []
    if sex == "X" and cell.markers:
        return [_X_AND_MARKER]
    changed = len(sex) > 2 and any(label in ("X", "Y") for label in cell.derivatives)
    return [f"sex chromosomes {sex}" if changed else _SEX_FINDINGS.get(sex, f"sex chromosomes {sex}")]


def _derivative_finding(cell: _Balance, label: str) -> str:
    copies, extra = cell.derivatives.count(label), cell.extra_derivatives(label)
    return f"{'extra ' if extra else ''}structurally changed {label}" + (f" ({copies} copies)" if copies > 1 else "")


def _autosome_finding(label: str, ploidy: int, change: int) -> str:
    copies = ploidy + change
    if ploidy != 2:
        return f"{'extra' if change > 0 else 'missing'} {label} ({copies} copies at the {ploidy}n level)"
    name = f"{_SOMIES[copies]} {label}" if copies < len(_SOMIES) else f"{copies} copies of {label}"
    return f"{name} ({_SYNDROMES[label]})" if copies == 3 and label in _SYNDROMES else name
