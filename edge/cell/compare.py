"""How a labelled frame compares with the truth: located, precision, end to end.

Boxes are matched one to one so that the summed IoU is largest (Hungarian); a pair counts as located at IoU >= 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from edge.overlap import box_iou
from edge.records import Box

MATCH_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Score:
    """Counts over one or more frames; scores add up: ``sum(scores, Score())``."""

    frames: int = 0
    truth: int = 0
    found: int = 0
    located: int = 0
    right: int = 0
    summed_iou: float = 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.frames + other.frames,
            self.truth + other.truth,
            self.found + other.found,
            self.located + other.located,
            self.right + other.right,
            self.summed_iou + other.summed_iou,
        )

    @property
    def located_share(self) -> float:
        """Share of the true boxes that were found; 1 where there was nothing to find."""
        return self.located / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float:
        """Share of the found boxes that are a true one; 1 where nothing was found."""
        return self.located / self.found if self.found else 1.0

    @property
    def end_to_end(self) -> float:
        """Share of the true chromosomes that are located and carry the right label: the figure that counts."""
        return self.right / self.truth if self.truth else 1.0

    @property
    def mean_iou(self) -> float:
        """Over the located pairs; 0 without one."""
        return self.summed_iou / self.located if self.located else 0.0

    @property
    def corrections_per_cell(self) -> float:
        """Missed + spurious + wrongly labelled, a frame."""
        wrong = (self.truth - self.located) + (self.found - self.located) + (self.located - self.right)
        return wrong / self.frames if self.frames else 0.0


def match(found: Sequence[Box], truth: Sequence[Box]) -> list[tuple[int, int, float]]:
    """One-to-one pairs (index in ``found``, index in ``truth``, IoU) with IoU >= 0.5."""
    # Truth by rows: where two pairings are as good, the solver's choice depends on it, and scores should not differ.
    overlap = box_iou(truth, found)
    pairs = zip(*one_to_one(overlap), strict=True)
    return sorted((int(j), int(i), float(overlap[i, j])) for i, j in pairs)


def one_to_one(overlap: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The pairs of most summed ``overlap`` (n, m) that have found each other: their rows and columns."""
    rows, cols = linear_sum_assignment(-overlap)
    good = overlap[rows, cols] >= MATCH_IOU
    return rows[good], cols[good]


def compare(
    boxes: Sequence[Box], labels: Sequence[str], true_boxes: Sequence[Box], true_labels: Sequence[str]
) -> Score:
    """The score of one frame. ``labels[i]`` belongs to ``boxes[i]``; boxes are half-open (x0, y0, x1, y1)."""
    if len(boxes) != len(labels) or len(true_boxes) != len(true_labels):
        lengths = (len(boxes), len(labels), len(true_boxes), len(true_labels))
        raise ValueError(f"every box needs one label; got boxes, labels, true boxes, true labels of {lengths}")
    pairs = match(boxes, true_boxes)
    return Score(
        frames=1,
        truth=len(true_boxes),
        found=len(boxes),
        located=len(pairs),
        right=sum(labels[i] == true_labels[j] for i, j, _ in pairs),
        summed_iou=sum(overlap for _, _, overlap in pairs),
    )
