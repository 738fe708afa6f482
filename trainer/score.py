"""How labelled frames compare with their truth: the measures of located, labelled and counted chromosomes.

Takes the JSON lines that ``chromo-edge label --jsonl`` writes, so that any program's lines can be scored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from edge.cell.compare import match
from edge.cell.findings import claims_of
from edge.records import LABELS
from trainer.data.metaphase import FrameTruth

BOOTSTRAPS = 1000
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
    """Shares are 0..1 of what the name says; ``score`` says what counts as what."""

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


@dataclass(frozen=True, slots=True)
class _Tally:
    """One frame's counts."""

    case: str
    truth: int
    found: int
    located: int
    right: int
    summed_iou: float
    accepted: int
    accepted_right: int
    counts_exact: bool
    numerical: Mapping[str, tuple[bool, bool]]
    """By each of ``NUMERICAL``: whether there is a numerical finding, and whether one is called."""

    @property
    def corrections(self) -> int:
        return (self.truth - self.located) + (self.found - self.located) + (self.located - self.right)


def score(lines: Iterable[Mapping[str, Any]], truths: Sequence[FrameTruth]) -> FrameScore:
    """Score ``lines`` (the stable JSON line, one a frame) against ``truths``; frames without a line count as missing.

    Boxes are matched one to one (Hungarian on IoU) and a pair counts at IoU >= 0.5. ``end_to_end``: true chromosomes
    that are located and carry the right label; its 95 % interval resamples cases, not frames. ``accepted_share``: of
    the located ones, those not left for review. ``corrections``: missed + spurious + wrongly labelled.
    ``numerical_stated``: what a cell's findings claim (``edge.cell.findings.claims_of``: a loss of an autosome
    in one cell is no claim) against the case's stated karyotype; ``numerical_corrected``: the same after one
    correction, see ``after_one_correction``; ``numerical_boxes``: against what the findings claim of the true boxes,
    which not all carry what their case does; ``numerical_boxes_corrected``: the same after one correction. A line for a
    frame that is not among ``truths`` is passed over.
    """
    by_name = {PurePath(line["frame"]).name: line for line in lines}
    tallies = [_tally(by_name[t.image], t) for t in truths if t.image in by_name]
    return _summary(tallies, missing=len(truths) - len(tallies))


def _tally(line: Mapping[str, Any], truth: FrameTruth) -> _Tally:
    found = line["chromosomes"]
    pairs = match([tuple(c["box_px"]) for c in found], [tuple(box) for box in truth.stated_boxes_px.tolist()])
    right = [found[i]["label"] == truth.labels[j] for i, j, _ in pairs]
    accepted = [found[i].get("status") == "accepted" for i, _, _ in pairs]
    true_counts, found_counts = Counter(truth.labels), Counter(c["label"] for c in found)
    corrected = after_one_correction(found_counts, true_counts)
    stated, shown = truth.finding == "numerical", bool(claims_of(true_counts))
    called, still_called = bool(claims_of(known_counts(found_counts))), bool(claims_of(corrected))
    return _Tally(
        case=truth.case,
        truth=len(truth.labels),
        found=len(found),
        located=len(pairs),
        right=sum(right),
        summed_iou=sum(overlap for _, _, overlap in pairs),
        accepted=sum(accepted),
        accepted_right=sum(r and a for r, a in zip(right, accepted, strict=True)),
        counts_exact=true_counts == found_counts,
        numerical={
            "numerical_stated": (stated, called),
            "numerical_corrected": (stated, still_called),
            "numerical_boxes": (shown, called),
            "numerical_boxes_corrected": (shown, still_called),
        },
    )


def _summary(tallies: Sequence[_Tally], missing: int) -> FrameScore:
    truth, found, located = (sum(getattr(t, name) for t in tallies) for name in ("truth", "found", "located"))
    right, accepted = sum(t.right for t in tallies), sum(t.accepted for t in tallies)
    corrections = [t.corrections for t in tallies]
    return FrameScore(
        frames=len(tallies),
        cases=len({t.case for t in tallies}),
        truth=truth,
        located=_share(located, truth),
        precision=_share(located, found),
        label_given_located=_share(right, located),
        end_to_end=_share(right, truth),
        end_to_end_ci95=_interval(tallies),
        mean_iou=_share(sum(t.summed_iou for t in tallies), located),
        corrections_per_cell=float(np.mean(corrections)) if corrections else 0.0,
        corrections_median=float(np.median(corrections)) if corrections else 0.0,
        accepted_share=_share(accepted, located),
        accepted_right=_share(sum(t.accepted_right for t in tallies), accepted),
        cells_fully_right=_share(corrections.count(0), len(tallies)),
        karyotype_counts_exact=_share(sum(t.counts_exact for t in tallies), len(tallies)),
        **{name: _detection([t.numerical[name] for t in tallies]) for name in NUMERICAL},
        missing_frames=missing,
    )


def after_one_correction(found: Counter[str], true: Counter[str]) -> Counter[str]:
    """The copies of each class once a technician has put one right where a class has too many or too few: one of a
    class that has too many gets the name of one that has too few; where none has too few it goes, where none has too
    many a missed one is drawn. Of several the first in the order of the karyogram. What is no class is left out."""
    found = known_counts(found)
    mended = found.copy()
    for wrong, by in ((found - true, -1), (true - found, 1)):
        first = min(wrong, key=LABELS.index, default=None)
        if first is not None:
            mended[first] += by
    return +mended


def known_counts(counts: Counter[str]) -> Counter[str]:
    """Less what is no class: another program's word."""
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


def _interval(tallies: Sequence[_Tally]) -> tuple[float, float]:
    """95 % interval of ``end_to_end`` over cases: frames of one case are alike, so cases are what is resampled."""
    cases = sorted({t.case for t in tallies})
    if not cases:
        return 0.0, 0.0
    sums = np.array(
        [[sum(t.right for t in tallies if t.case == c), sum(t.truth for t in tallies if t.case == c)] for c in cases]
    )
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
