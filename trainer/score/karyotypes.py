"""Which numerical findings are seen and which are missed, karyotype by karyotype of the true boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.cell.findings import claims_of, karyotype_of
from trainer.data.metaphase import FrameTruth
from trainer.score.frames import after_one_correction, known_counts
from trainer.score.outcomes import outcomes_of

NORMAL = "no finding"


@dataclass(frozen=True, slots=True)
class KaryotypeFigures:
    """The number of ``frames`` whose true boxes claim the same (``edge.cell.findings.claims_of``), and the shares of
    them, 0..1, whose labelled cell claims all of that (``found``) and nothing else (``exact``), as labelled and after
    one correction (``trainer.score.frames.after_one_correction``)."""

    frames: int
    found: float
    exact: float
    found_corrected: float
    exact_corrected: float


def by_karyotype(lines: Iterable[Mapping[str, Any]], truths: Sequence[FrameTruth]) -> dict[str, KaryotypeFigures]:
    """The figures of each true karyotype that claims something, the most frequent first, and last, as ``NORMAL``, those
    of the cells that claim nothing. Frames without a line are passed over."""
    told: dict[str, list[tuple[bool, bool, bool, bool]]] = {}
    for outcome in outcomes_of(lines, truths):
        true, found = outcome.true_counts, known_counts(outcome.found_counts)
        name = karyotype_of(true) if claims_of(true) else NORMAL
        corrected = after_one_correction(found, true)
        told.setdefault(name, []).append((*_told(true, found), *_told(true, corrected)))
    names = sorted(told, key=lambda name: (name == NORMAL, -len(told[name]), name))
    return {name: _figures(told[name]) for name in names}


def _told(true: Counter[str], found: Counter[str]) -> tuple[bool, bool]:
    """Whether the found counts claim all that the true ones do, and whether they claim nothing else."""
    due, said = set(claims_of(true)), set(claims_of(found))
    return due <= said, due == said


def _figures(told: Sequence[tuple[bool, bool, bool, bool]]) -> KaryotypeFigures:
    return KaryotypeFigures(len(told), *(round(sum(column) / len(told), 4) for column in zip(*told, strict=True)))
