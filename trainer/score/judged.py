"""A classifier's answers on labelled crops, kept whole: the figures and the report's pictures are made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.cell.assign import Assigned
from edge.records import LABELS, BoolArray, Crop, Float32Array, Prediction, UInt8Array
from trainer.data.labelled import LabelledCell
from trainer.errors import DatasetError

AT_ONCE = 512
"""At most so many crops go through the network in one call: a "cell" may be a whole set without known cells."""

Classify = Callable[[Sequence[Sequence[Crop]]], Sequence[Prediction]]
"""The predictions for crops that were cut once or more often."""


Assign = Callable[[Sequence[Crop], Sequence[Prediction]], Sequence[Assigned]]
"""Labels for the crops of one cell."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedCrops:
    """n crops with truth and answer.

    ``names``, ``truth`` and ``cells`` (n,), "" for a cell that is not known; ``pixels`` uint8 (n, 128, 32); ``scores``
    float32 (n, 24), each crop's own probabilities; ``p_arm_up`` float32 (n,), the probability of that; ``upright`` bool
    (n,): the p arm is known to be on top; ``assigned`` (n,): the label after the decision over its cell, and its
    confidence; empty where cells are not known.
    """

    names: tuple[str, ...]
    cells: tuple[str, ...]
    truth: tuple[str, ...]
    pixels: UInt8Array
    scores: Float32Array
    p_arm_up: Float32Array
    upright: BoolArray
    assigned: tuple[Assigned, ...]

    @property
    def actual(self) -> npt.NDArray[np.intp]:
        """The truth as indices of ``LABELS``."""
        return np.array([LABELS.index(label) for label in self.truth], np.intp)

    @property
    def said(self) -> npt.NDArray[np.intp]:
        """What each crop alone was called, as indices of ``LABELS``."""
        return np.asarray(self.scores.argmax(1))

    @property
    def polarity_accuracy(self) -> float | None:
        """Share of the crops known to be upright whose p arm is said to be up; None without any."""
        return float((self.p_arm_up[self.upright] >= 0.5).mean()) if self.upright.any() else None


def judge(cells: Iterable[LabelledCell], classify: Classify, assign: Assign) -> JudgedCrops:
    """Classify and assign cell by cell. ``DatasetError`` if there is no crop in any."""
    names: list[str] = []
    owners: list[str] = []
    truth: list[str] = []
    assigned: list[Assigned] = []
    pixels, scores, ups, upright = [], [], [], []
    all_whole = True
    for cell in cells:
        cuts = cell.crops, *cell.again
        parts = [slice(i, i + AT_ONCE) for i in range(0, len(cell.crops), AT_ONCE)]
        predictions = [p for part in parts for p in classify([cut[part] for cut in cuts])]
        names += cell.names
        owners += [cell.cell] * len(cell.names)
        truth += cell.labels
        pixels += [crop.pixels for crop in cell.crops]
        scores += [p.scores for p in predictions]
        ups += [p.p_arm_up for p in predictions]
        upright += [cell.p_arm_up] * len(predictions)
        all_whole = all_whole and cell.cell != ""
        if all_whole:
            assigned += assign(cell.crops, predictions)
    if not truth:
        raise DatasetError("expected labelled chromosomes to judge, found none in this split; name another --split")
    return JudgedCrops(
        tuple(names),
        tuple(owners),
        tuple(truth),
        np.stack(pixels),
        np.stack(scores),
        np.array(ups, np.float32),
        np.array(upright),
        tuple(assigned) if all_whole else (),
    )
