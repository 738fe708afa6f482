"""A chromosome's cut-out as the page shows it: upright as it was read, bands dark on white, trimmed."""

from __future__ import annotations

import cv2

from edge.cases.codec import png_of
from edge.cell.drawing import trimmed
from edge.records import Crop

_ENLARGED = 3
"""The page shows crops larger than they are; smoothed here it looks the same in every browser."""


def cutout_png(crop: Crop) -> bytes:
    """PNG, grey: 0 is the darkest band, white where there is no chromosome."""
    stain = trimmed(crop.pixels)
    size = stain.shape[1] * _ENLARGED, stain.shape[0] * _ENLARGED
    return png_of(255 - cv2.resize(stain, size, interpolation=cv2.INTER_CUBIC))
