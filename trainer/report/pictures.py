"""The report's diagrams, as PNG."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge.records import LABELS
from trainer.score.crops import CALIBRATION_BINS, bin_of

COLOURS = 32


def confusion_picture(confusion: list[list[int]]) -> bytes:
    """The confusion matrix: rows truth, columns said; shades by the share of the row, numbers as counted."""
    from matplotlib.figure import Figure

    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(8.2, 7.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)  # square roots: one mistake in a hundred must show
    for row, col in zip(*np.nonzero(counts), strict=True):
        dark = shares[row, col] > 0.3
        axes.text(
            col, row, str(counts[row, col]), ha="center", va="center", fontsize=7, color="white" if dark else "black"
        )
    axes.set_xticks(range(len(LABELS)), LABELS, fontsize=8)
    axes.set_yticks(range(len(LABELS)), LABELS, fontsize=8)
    axes.set_xlabel("said")
    axes.set_ylabel("truth")
    return _png(figure)


def reliability_picture(confidence: npt.NDArray[np.floating[Any]], right: npt.NDArray[np.bool_]) -> bytes:
    """The share of right crops at each confidence, above how many crops there are; on the diagonal calibration is
    perfect."""
    from matplotlib.figure import Figure

    bins = bin_of(confidence)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    middle = (edges[:-1] + edges[1:]) / 2
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    hits = np.bincount(bins, right, CALIBRATION_BINS) / np.maximum(counts, 1)
    seen = np.bincount(bins, confidence, CALIBRATION_BINS) / np.maximum(counts, 1)
    there = counts > 0
    figure = Figure(figsize=(5.2, 5.8), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    width = 0.9 / CALIBRATION_BINS
    upper.bar(middle[there], hits[there], width, label="right")
    upper.plot([0, 1], [0, 1], "--", color="grey", label="as confident as right")
    upper.plot(seen[there], hits[there], "o", color="tab:red", markersize=4, label="mean confidence of the bin")
    upper.set_ylabel("share that is right")
    upper.legend(loc="upper left")
    lower.bar(middle[there], counts[there], width, color="grey")
    lower.set_yscale("log")
    lower.set_ylabel("crops")
    lower.set_xlabel("confidence")
    return _png(figure)


def in_few_colours(png: bytes) -> bytes:
    """The diagram in a quarter of the bytes: its lines and letters need no more than ``COLOURS``."""
    few = io.BytesIO()
    palette = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    palette.save(few, "PNG", optimize=True)
    return few.getvalue()


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    png = io.BytesIO()
    FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()
