"""Which found box is which true one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

FOUND_IOU = 0.5
"""A box that overlaps a true one by this much has found it."""


def one_to_one(
    iou: npt.NDArray[np.floating], least: float = FOUND_IOU
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The one-to-one pairs of most overlap with ``iou`` (n, m) of at least ``least``: their rows and columns."""
    rows, cols = linear_sum_assignment(-iou)
    good = iou[rows, cols] >= least
    return rows[good], cols[good]
