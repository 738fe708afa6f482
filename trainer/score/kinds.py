"""Where labelled frames go wrong: by how crowded the true chromosomes are, by class, and frame by frame.

All of it comes from the boxes and labels of the truth and of the JSON lines, so that any program's lines can be scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from edge.overlap import shared_of_smaller
from edge.records import LABELS
from trainer.score.outcomes import FrameOutcome

Kind = Literal["alone", "touching", "crossing"]
KINDS: tuple[Kind, ...] = get_args(Kind)

ALONE_SHARE = 0.1
"""A box that shares no more than this with any other, as a share 0..1 of the smaller of both, is alone. Boxes are drawn
with a margin (5 px or more on each side), so that those of neighbours that do not touch share some, too."""
CROSSING_SHARE = 0.5
"""Two boxes that share this much of the smaller one, or more, are taken to cross."""


@dataclass(frozen=True, slots=True)
class KindFigures:
    """``n`` true chromosomes and shares, 0..1, None where there is nothing to share: the located ones, the rightly
    labelled of those located, and the located *and* rightly labelled of all."""

    n: int
    located: float | None
    label_given_located: float | None
    end_to_end: float | None


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """``n`` true chromosomes of a class; the share of them that is located; the share of those located that got this
    label (``recall``); and of all located ones that got this label the share that is right (``precision``). Shares are
    0..1, None where there is nothing to share."""

    n: int
    located: float | None
    recall: float | None
    precision: float | None


@dataclass(frozen=True, slots=True)
class FrameFigures:
    """One frame's counts; ``corrections``: missed + spurious + wrongly labelled."""

    image: str
    case: str
    truth: int
    found: int
    located: int
    right: int
    corrections: int

    @classmethod
    def of(cls, outcome: FrameOutcome) -> FrameFigures:
        names = (outcome.truth.image, outcome.truth.case)
        return cls(*names, outcome.true, outcome.found, outcome.located, outcome.right, outcome.corrections)


def kinds_of(boxes_px: npt.NDArray[np.int64]) -> list[Kind]:
    """The likely kind of each box of one frame, ``boxes_px`` int (n, 4), half-open.

    Only boxes are known, so the kinds are likely ones: ``crossing`` where another box shares at least half of the
    smaller of both, ``alone`` where none shares more than a tenth, ``touching`` for the rest. Of 40 val frames (1,838
    boxes) those that lie alone by their pixels (the isolated ones of ``trainer.data.pixels``) are 91 % of ``alone``
    (358), 58 % of ``touching`` (789) and 26 % of ``crossing`` (691): few are alone by their boxes, but nearly all of
    those are; a slanted one fills little of its box, so that ``crossing`` holds many that only lie close.
    """
    shares = shared_of_smaller(boxes_px, boxes_px)
    np.fill_diagonal(shares, 0)
    most = shares.max(1, initial=0)
    return ["crossing" if s >= CROSSING_SHARE else "alone" if s <= ALONE_SHARE else "touching" for s in most]


def detail_figures(outcomes: Sequence[FrameOutcome]) -> dict[str, Any]:
    """``by_kind``, ``per_class`` (all 24) and ``per_frame`` (in the order of ``outcomes``), shares to 4 digits."""
    return {
        "by_kind": {kind: asdict(figures) for kind, figures in by_kind(outcomes).items()},
        "per_class": {label: asdict(figures) for label, figures in per_class(outcomes).items()},
        "per_frame": [asdict(FrameFigures.of(outcome)) for outcome in outcomes],
    }


def by_kind(outcomes: Sequence[FrameOutcome]) -> dict[Kind, KindFigures]:
    """The figures of each of ``KINDS``; see ``kinds_of``."""
    every = [
        (k, t, s) for o in outcomes for k, t, s in zip(kinds_of(o.truth.stated_boxes_px), *_labels(o), strict=True)
    ]
    figures = {}
    for kind in KINDS:
        pairs = [(true, said) for k, true, said in every if k == kind]
        located = sum(said is not None for _, said in pairs)
        right = sum(true == said for true, said in pairs)
        n = len(pairs)
        figures[kind] = KindFigures(n, _share(located, n), _share(right, located), _share(right, n))
    return figures


def per_class(outcomes: Sequence[FrameOutcome]) -> dict[str, ClassFigures]:
    """The figures of each of ``LABELS``, including those that do not occur."""
    pairs = [pair for outcome in outcomes for pair in zip(*_labels(outcome), strict=True)]
    figures = {}
    for label in LABELS:
        mine = [said for true, said in pairs if true == label]
        located, right = sum(said is not None for said in mine), mine.count(label)
        so_called = sum(said == label for _, said in pairs)
        shares = _share(located, len(mine)), _share(right, located), _share(right, so_called)
        figures[label] = ClassFigures(len(mine), *shares)
    return figures


def _labels(outcome: FrameOutcome) -> tuple[Sequence[str], Sequence[str | None]]:
    """The true labels, and what each chromosome was called, None where it was not found."""
    labels = outcome.truth.labels
    return labels, [outcome.said(j) for j in range(len(labels))]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
