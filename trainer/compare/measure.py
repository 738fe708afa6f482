"""What is measured of a row: how right it is on held-back donors, crop by crop and over the cell, and what a cell
costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.cell.assign import assign
from edge.classify.classifier import Classifier
from edge.records import LABELS, Crop, Prediction, UInt8Array
from edge.runtime.bundle import load_bundle
from trainer.data.cropset import NO_CELL, CropSet
from trainer.export.ship import fit_temperature
from trainer.score.crops import score_crops

Answer = Callable[[UInt8Array], npt.NDArray[np.float64]]
"""Crops uint8 (n, 128, 32), either end up, to logits (n, 24)."""

CELL_CROPS = 46
TIMED_RUNS = 15
THREADS = 1
MEASURES = ("n", "accuracy", "accuracy_assigned", "macro_f1", "ece")


def bundle_answer(folder: Path) -> Answer:
    """What the device's classifier says with the bundle in ``folder``, reading a crop again where in doubt."""
    classifier = Classifier(load_bundle(folder, "classifier"), THREADS)

    def answer(pixels: UInt8Array) -> npt.NDArray[np.float64]:
        predictions = classifier.classify([Crop(k, crop) for k, crop in enumerate(pixels)])
        return np.log(np.maximum(np.stack([p.scores for p in predictions]).astype(np.float64), 1e-12))

    return answer


def temperature_of(answer: Answer, val: CropSet) -> float:
    """The temperature at which what ``answer`` says of ``val`` is most likely right."""
    return fit_temperature(_log_softmax(answer(val.pixels)), val.label)


def measure(answer: Answer, val: CropSet, test: CropSet) -> dict[str, Any]:
    """``MEASURES`` of a calibrated ``answer`` on ``val`` and ``test``, and ``ms_a_cell``. The latter depends on
    calibration, too: what is in doubt is read again."""
    return {
        "val": score(answer(val.pixels), val),
        "test": score(answer(test.pixels), test),
        "ms_a_cell": best_ms(answer, test.pixels[:CELL_CROPS]),
    }


def score(logits: npt.NDArray[np.float64], crops: CropSet) -> dict[str, Any]:
    """The measures of calibrated logits (n, 24), each crop alone and after the assignment over its cell; those are None
    where cells are not known."""
    scores = np.exp(_log_softmax(logits)).astype(np.float32)
    assigned = np.empty(len(crops), dtype=object)
    whole = bool((crops.cell != NO_CELL).all())
    for cell in np.unique(crops.cell) if whole else ():
        rows = np.flatnonzero(crops.cell == cell)
        for place in assign([Prediction(int(r), scores[r], 1.0, 1.0) for r in rows]):
            assigned[rows[place.index]] = place
    figures = score_crops([LABELS[k] for k in crops.label], scores, list(assigned) if whole else None)
    return {name: figures[name] for name in MEASURES}


def best_ms(answer: Answer, cell: UInt8Array) -> float:
    """Milliseconds for a cell's crops on one thread: the best of some runs, which other programs disturbed least."""
    answer(cell)
    spent = []
    for _ in range(TIMED_RUNS):
        started_s = time.perf_counter()
        answer(cell)
        spent.append(time.perf_counter() - started_s)
    return 1000 * min(spent)


def _log_softmax(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
