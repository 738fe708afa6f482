"""How labelled frames compare with their truth: the measures of located, labelled and counted chromosomes.

Takes the JSON lines that ``chromo-edge label --jsonl`` writes, so that any program's lines can be scored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge.cell.findings import claims_of
from edge.records import LABELS
from trainer.data.metaphase import FrameTruth
from trainer.score.outcomes import FrameOutcome, outcomes_of

BOOTSTRAPS = 1000
COUNTED = ("true", "found", "located", "right")
NUMERICAL = ("numerical_stated", "numerical_corrected", "numerical_boxes", "numerical_boxes_corrected")


@dataclass(frozen=True, slots=True)
class Detection:
    """How well numerical findings are told from normal cells, frame by frame; shares are None without such frames."""

    positives: int
    negatives: int
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True, slots=True)
class FrameScore:
    """The measures of ``score``, which says what each is a share of, 0..1."""

    frames: int
    cases: int
    truth: int
    located: float
    precision: float
    label_given_located: float
    end_to_end: float
    end_to_end_ci95: tuple[float, float]
    mean_iou: float
    corrections_per_cell: float
    corrections_median: float
    accepted_share: float
    accepted_right: float
    cells_fully_right: float
    karyotype_counts_exact: float
    numerical_stated: Detection
    numerical_corrected: Detection
    numerical_boxes: Detection
    numerical_boxes_corrected: Detection
    missing_frames: int

    def to_json(self) -> dict[str, Any]:
        """The fields by name, shares rounded to 4 digits."""
        return {name: _rounded(value) for name, value in asdict(self).items()}


def score(lines: Iterable[Mapping[str, Any]], truths: Sequence[FrameTruth]) -> FrameScore:
    """Score ``lines`` (the stable JSON line, one a frame) against ``truths``; frames without a line count as missing.

    ``end_to_end``: true chromosomes that are located and carry the right label; its 95 % interval resamples cases, not
    frames. ``accepted_share``: share of the located ones that are not left for review. ``corrections``: missed +
    spurious + wrongly labelled. ``numerical_stated``: what a cell's findings claim (``edge.cell.findings.claims_of``: a
    loss of an autosome in one cell is no claim) against the case's stated karyotype; ``numerical_corrected``: the same
    after one correction, see ``after_one_correction``; ``numerical_boxes``: against what the findings claim of the true
    boxes, as not every cell carries what its case does; ``numerical_boxes_corrected``: the same after one correction.
    See ``trainer.score.outcomes`` for what locates a chromosome.
    """
    outcomes = outcomes_of(lines, truths)
    truth, found, located, right = (sum(getattr(o, name) for o in outcomes) for name in COUNTED)
    accepted = sum(len(o.accepted) for o in outcomes)
    corrections = [o.corrections for o in outcomes]
    numerical = [_numerical(o) for o in outcomes]
    return FrameScore(
        frames=len(outcomes),
        cases=len({o.truth.case for o in outcomes}),
        truth=truth,
        located=_share(located, truth),
        precision=_share(located, found),
        label_given_located=_share(right, located),
        end_to_end=_share(right, truth),
        end_to_end_ci95=_interval(outcomes),
        mean_iou=_share(sum(o.summed_iou for o in outcomes), located),
        corrections_per_cell=float(np.mean(corrections)) if corrections else 0.0,
        corrections_median=float(np.median(corrections)) if corrections else 0.0,
        accepted_share=_share(accepted, located),
        accepted_right=_share(sum(len(set(o.accepted) - set(o.wrong)) for o in outcomes), accepted),
        cells_fully_right=_share(corrections.count(0), len(outcomes)),
        karyotype_counts_exact=_share(sum(o.true_counts == o.found_counts for o in outcomes), len(outcomes)),
        **{name: _detection([frame[name] for frame in numerical]) for name in NUMERICAL},
        missing_frames=len(truths) - len(outcomes),
    )


def _numerical(outcome: FrameOutcome) -> dict[str, tuple[bool, bool]]:
    """Each name of ``NUMERICAL`` to whether there is a numerical finding and whether one is called."""
    corrected = after_one_correction(outcome.found_counts, outcome.true_counts)
    stated, shown = outcome.truth.finding == "numerical", bool(claims_of(outcome.true_counts))
    called, still_called = bool(claims_of(known_counts(outcome.found_counts))), bool(claims_of(corrected))
    return {
        "numerical_stated": (stated, called),
        "numerical_corrected": (stated, still_called),
        "numerical_boxes": (shown, called),
        "numerical_boxes_corrected": (shown, still_called),
    }


def after_one_correction(found: Counter[str], true: Counter[str]) -> Counter[str]:
    """The copies of each class after a technician has made one correction where a class has too many or too few: an
    object of a class with too many is renamed to one with too few; if no class has too few it is removed, if none has
    too many a missed one is drawn. If several classes differ the first in the order of the karyogram is taken. Names
    that are no class are left out."""
    found = known_counts(found)
    mended = found.copy()
    for wrong, by in ((found - true, -1), (true - found, 1)):
        first = min(wrong, key=LABELS.index, default=None)
        if first is not None:
            mended[first] += by
    return +mended


def known_counts(counts: Counter[str]) -> Counter[str]:
    """The counts of the 24 classes only: another program's lines may hold other words."""
    return Counter({label: copies for label, copies in counts.items() if label in LABELS})


def _detection(frames: Sequence[tuple[bool, bool]]) -> Detection:
    positives = [called for there, called in frames if there]
    negatives = [called for there, called in frames if not there]
    return Detection(
        positives=len(positives),
        negatives=len(negatives),
        sensitivity=sum(positives) / len(positives) if positives else None,
        specificity=1.0 - sum(negatives) / len(negatives) if negatives else None,
    )


def _interval(outcomes: Sequence[FrameOutcome]) -> tuple[float, float]:
    """95 % interval of ``end_to_end``. Cases are resampled, not frames, since frames of one case are alike."""
    cases = sorted({o.truth.case for o in outcomes})
    if not cases:
        return 0.0, 0.0
    each = [[o for o in outcomes if o.truth.case == case] for case in cases]
    sums = np.array([[sum(o.right for o in case), sum(o.true for o in case)] for case in each])
    picks = np.random.default_rng(0).integers(0, len(cases), (BOOTSTRAPS, len(cases)))
    right, truth = sums[picks].sum(1).T
    low, high = np.quantile(right / np.maximum(truth, 1), (0.025, 0.975))
    return float(low), float(high)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value
