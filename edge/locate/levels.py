"""The levels below which given shares of a picture's pixels lie: what ``np.quantile`` says, for less."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.records import Float32Array, UInt8Array


def grey_levels(picture: UInt8Array, shares: Sequence[float], where: UInt8Array | None = None) -> list[float]:
    """The grey level of each of the ``shares``, 0..1, in ``picture`` (H, W), of its pixels that are not 0 in ``where``
    (H, W); there must be some. By counting: a byte has few values."""
    below = cv2.calcHist([picture], [0], where, [256], [0, 256]).ravel().cumsum(dtype=np.float64)
    places = np.array(shares) * (below[-1] - 1)
    lower, upper = (np.searchsorted(below, whole(places), side="right") for whole in (np.floor, np.ceil))
    return [float(level) for level in lower + (upper - lower) * (places % 1)]


def level(values: Float32Array, share: float) -> float:
    """The level of one ``share``, 0..1, of ``values`` (n,), of which there must be some."""
    place = share * (len(values) - 1)
    first = int(place)
    ends = np.partition(values, (first, min(first + 1, len(values) - 1)))[first : first + 2].astype(np.float64)
    return float(ends[0] + (ends[-1] - ends[0]) * (place - first))
