"""The traditional method: what a cytogeneticist measures, and a support vector machine.

It measures each crop's length beside its cell's median, its area, where its narrowest place (the centromere) lies, and
its widths and bands from end to end. Systems before neural networks worked so (Granum 1982; Piper and Granum 1989),
with Bayesian classifiers; a support vector machine with a Gaussian kernel is the stronger form.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from edge.locate.straighten import MEDIAN_ROWS
from edge.records import LABELS, Float32Array, UInt8Array
from trainer.data.cropset import NOTHING, CropSet

INK = 30
"""From this value (of 255) on, a pixel belongs to the chromosome."""
BAND_POINTS, WIDTH_POINTS = 48, 16
WAIST_SIGMA = 0.04
"""Smoothing of the width before its narrowest place is sought, in chromosome lengths."""
WAIST_MARGIN = 0.12
"""No centromere is looked for nearer to an end, in chromosome lengths: there every chromosome is narrow."""
PENALTY = 10.0
MOST_LOG_ODDS = 60.0
PAIR_SLOPE = 4.0
"""Log odds that a pairwise machine's margin of 1 is worth; on val donors 2 to 6 differ by 0.5 points."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """``length`` in crop rows; ``area`` in crop pixels; ``waist``: the centromere's place, 0 to 1 from the top;
    ``widths`` and ``bands`` float32 (rows,), the covered columns and mean absorption row by row."""

    length: int
    area: int
    waist: float
    widths: Float32Array
    bands: Float32Array


def measure(pixels: UInt8Array) -> Measured | None:
    """Measures of one upright crop (128, 32), None where nothing is in it."""
    ink = pixels >= INK
    rows = np.flatnonzero(ink.any(axis=1))
    if len(rows) < 4:
        return None
    part, inside = pixels[rows[0] : rows[-1] + 1].astype(np.float32) / np.float32(255), ink[rows[0] : rows[-1] + 1]
    widths = inside.sum(axis=1).astype(np.float32)
    bands = (part * inside).sum(axis=1) / np.maximum(widths, 1)
    return Measured(len(widths), int(inside.sum()), _waist(widths), widths, bands.astype(np.float32))


def centromere_index(measured: Measured) -> float:
    """Short arm over whole length, 0 to 0.5."""
    return min(measured.waist, 1 - measured.waist)


def features(pixels: UInt8Array) -> Float32Array:
    """The measures of crops (n, 128, 32), either end up, as float32 (n, 3 + 48 + 16): the short arm is turned up
    here."""
    return np.stack([_features(crop) for crop in pixels])


class Traditional:
    """Scaled features and a support vector machine; ``fit`` makes one."""

    def __init__(self, machine: Any) -> None:
        self._machine = machine

    @classmethod
    def fit(cls, crops: CropSet, samples: int, seed: int) -> Traditional:
        """Learned from at most ``samples`` labelled crops; it sees each once, and none is changed."""
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        rows = np.random.default_rng(seed).permutation(np.flatnonzero(crops.label != NOTHING))[:samples]
        machine = make_pipeline(
            StandardScaler(), SVC(C=PENALTY, gamma="scale", decision_function_shape="ovo", cache_size=500)
        )
        machine.fit(features(crops.pixels[rows]), crops.label[rows])
        return cls(machine)

    def scores(self, pixels: UInt8Array) -> npt.NDArray[np.float64]:
        """Log scores (n, 24), to be calibrated; a class never seen gets the lowest."""
        classes = self._machine.classes_
        found = couple(self._machine.decision_function(features(pixels)), len(classes))
        out = np.full((len(pixels), len(LABELS)), found.min() - 1.0)
        out[:, classes] = found
        return out

    @property
    def size(self) -> tuple[int, int]:
        """How many numbers it keeps, and how many multiplications one crop costs."""
        machine = self._machine[-1]
        kernel = int(machine.support_vectors_.size)
        return kernel + int(machine.dual_coef_.size), kernel + int(machine.dual_coef_.size)

    def save(self, path: Path) -> None:
        import joblib

        joblib.dump(self._machine, path)

    @classmethod
    def load(cls, path: Path) -> Traditional:
        """Reads what was saved. Only for files that this program wrote: joblib runs what it reads."""
        import joblib

        return cls(joblib.load(path))


def couple(margins: npt.NDArray[np.float64], classes: int) -> npt.NDArray[np.float64]:
    """Logs of the classes' probabilities (n, classes) from the margins of all pairs (n, classes * (classes - 1) / 2),
    as scikit-learn orders them, the pair's first class positive: pairwise coupling (Price 1995)."""
    if classes == 2:
        margins = -margins[:, None]  # scikit-learn counts a lone pair the other way round
    first, second = np.triu_indices(classes, 1)
    against = np.zeros((len(margins), classes, classes))
    against[:, first, second] = -PAIR_SLOPE * margins
    against[:, second, first] = PAIR_SLOPE * margins
    # 1 / p = sum of 1 / r - (classes - 2), where r = 1 / (1 + exp(against)) is the chance against one other class.
    odds = np.exp(np.minimum(against, MOST_LOG_ODDS)).sum(axis=2) - 1  # less the class against itself
    return np.asarray(-np.log1p(odds))


def _features(pixels: UInt8Array) -> Float32Array:
    measured = measure(pixels)
    if measured is None:
        return np.zeros(3 + BAND_POINTS + WIDTH_POINTS, np.float32)
    turn = slice(None) if measured.waist <= 0.5 else slice(None, None, -1)
    sizes = [measured.length / MEDIAN_ROWS, np.sqrt(measured.area) / MEDIAN_ROWS, centromere_index(measured)]
    bands, widths = _evenly(measured.bands[turn], BAND_POINTS), _evenly(measured.widths[turn], WIDTH_POINTS)
    # Stain differs from cell to cell: what counts is dark beside light, and narrow beside wide.
    bands = (bands - bands.mean()) / (bands.std() + 1e-3)
    return np.concatenate([sizes, bands, widths / widths.mean()]).astype(np.float32)


def _waist(widths: Float32Array) -> float:
    length = len(widths)
    smooth = gaussian_filter1d(widths, max(1.0, WAIST_SIGMA * length), mode="nearest")
    margin = max(1, round(WAIST_MARGIN * length))
    inner = smooth[margin : length - margin]
    return (margin + int(inner.argmin()) + 0.5) / length


def _evenly(profile: Float32Array, points: int) -> Float32Array:
    places = np.linspace(0, len(profile) - 1, points)
    return np.interp(places, np.arange(len(profile)), profile).astype(np.float32)
