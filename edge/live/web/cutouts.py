"""A chromosome's cut-out as the page shows it: upright as it was read, bands dark on white, trimmed."""

from __future__ import annotations

import cv2
import numpy as np

from edge.cases.codec import png_of
from edge.records import Crop, UInt8Array

_ENLARGED = 3
"""The page shows crops larger than they are; smoothed here it looks the same in every browser."""
_FAINT_STAIN = 16
"""Pixels below this are background when a crop is trimmed."""


def cutout_png(crop: Crop) -> bytes:
    """PNG, grey: 0 is the darkest band, white where there is no chromosome."""
    stain = trimmed(crop.pixels)
    size = stain.shape[1] * _ENLARGED, stain.shape[0] * _ENLARGED
    return png_of(255 - cv2.resize(stain, size, interpolation=cv2.INTER_CUBIC))


def trimmed(stain: UInt8Array) -> UInt8Array:
    """The crop without its empty border."""
    rows, columns = (np.flatnonzero(stain.max(axis=axis) >= _FAINT_STAIN) for axis in (1, 0))
    if rows.size == 0:
        return stain
    return stain[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
