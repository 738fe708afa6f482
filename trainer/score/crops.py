"""How labels of single chromosomes compare with their truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.cell.assign import Assigned
from edge.records import LABELS, Float32Array

CALIBRATION_BINS = 15


def score_crops(truth: Sequence[str], scores: Float32Array, assigned: Sequence[Assigned] | None) -> dict[str, Any]:
    """Measures of n single crops.

    ``truth``: n labels; ``scores`` float32 (n, 24), each crop's own probabilities; ``assigned``: the labels after the
    assignment over each cell, or None where cells are not known. ``accuracy_assigned`` and ``ece_assigned`` are of the
    assigned labels, whose confidence is what a technician sees. Of the crops alone are ``accuracy``, ``macro_f1`` (over
    the classes that occur), ``per_class``, ``confusion`` (rows: truth, columns: said, in the order of ``LABELS``) and
    ``ece``. ``ValueError`` unless there are n of each.
    """
    actual = np.array([LABELS.index(label) for label in truth])
    said = scores.argmax(1)
    confusion = np.zeros((len(LABELS), len(LABELS)), np.int64)
    np.add.at(confusion, (actual, said), 1)
    per_class = {label: _class_figures(confusion, i) for i, label in enumerate(LABELS) if confusion[i].sum()}
    return {
        "n": len(truth),
        "accuracy": round(float((said == actual).mean()), 4),
        "accuracy_assigned": None if assigned is None else round(float(_rightly(assigned, truth).mean()), 4),
        "macro_f1": round(float(np.mean([figures["f1"] for figures in per_class.values()])), 4),
        "per_class": per_class,
        "confusion": confusion.tolist(),
        "ece": round(calibration_error(scores.max(1), said == actual), 4),
        "ece_assigned": None if assigned is None else round(_error_of(assigned, truth), 4),
    }


def calibration_error(confidence: npt.NDArray[np.floating[Any]], right: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error over 15 equal-width bins of the highest probability.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    bins = bin_of(confidence)
    gap = [abs(float(confidence[bins == b].sum()) - int(right[bins == b].sum())) for b in range(CALIBRATION_BINS)]
    return sum(gap) / max(len(confidence), 1)


def bin_of(confidence: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.intp]:
    """The number of each confidence's bin, 0..14."""
    edges = np.linspace(0.0, 1.0, CALIBRATION_BINS + 1)
    return np.asarray(np.clip(np.digitize(confidence, edges[1:-1], right=True), 0, CALIBRATION_BINS - 1))


def _rightly(said: Sequence[Assigned], truth: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which labels are right, bool (n,)."""
    return np.array([named.label == label for named, label in zip(said, truth, strict=True)])


def _error_of(said: Sequence[Assigned], truth: Sequence[str]) -> float:
    return calibration_error(np.array([named.confidence for named in said]), _rightly(said, truth))


def _class_figures(confusion: npt.NDArray[np.int64], i: int) -> dict[str, float]:
    hits, actual, said = int(confusion[i, i]), int(confusion[i].sum()), int(confusion[:, i].sum())
    return {
        "n": actual,
        "recall": round(hits / actual, 4),
        "precision": round(hits / said, 4) if said else 0.0,
        "f1": round(2 * hits / (actual + said), 4),
    }
