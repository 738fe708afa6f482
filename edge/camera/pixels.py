"""What cameras and pictures hold, as one grey level of 8 bits a pixel."""

from __future__ import annotations

import numpy as np

from edge.records import UInt8Array

WHITE_PERCENT = 99.9
"""White is the level that this percentage of the pixels does not exceed: a few hot ones, or a probe's dots, are no
measure."""
_LEAST_WHITE = 1e-30
"""Float levels below are no light, and too small to be divided by."""
_SIGNAL = 1 / 5
"""A channel whose white is below this part of the brightest one's holds leaked light and JPEG's rounding."""
_SAMPLES_A_SIDE = 100
"""A channel's white is found on about so many rows and columns: a chromosome is far larger than the gaps between."""


def to_8_bit(levels: np.ndarray) -> UInt8Array:
    """Deep grey levels (H, W) as uint8: 0 stays 0 and the 99.9th percentile becomes 255; NaN and infinite become 0.

    Keeping zero in place keeps ratios, so absorbance (Beer-Lambert) survives; taking the range from the picture
    itself serves 10-, 12- and 16-bit cameras alike. Counts, whole numbers, that already fit into 8 bits are left as
    they are, so that a black frame is not blown up into noise. Fractions are no counts but what a division left, by
    255 or by a flat field: their white may be anything, often a little above 1.
    """
    finite = np.nan_to_num(np.asarray(levels, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    white = float(np.percentile(finite, WHITE_PERCENT))
    if white > 255 or (
        white > _LEAST_WHITE and np.issubdtype(levels.dtype, np.floating) and _are_ratios(finite, white)
    ):
        finite = finite * np.float32(255 / white)
    return np.clip(np.rint(finite), 0, 255).astype(np.uint8)


def _are_ratios(levels: np.ndarray, white: float) -> bool:
    return white <= 1 or not np.array_equal(levels, np.rint(levels))


def only_channel(colour: np.ndarray) -> int | None:
    """The channel of ``colour`` (H, W, 3 or more; those after the third are not looked at) that alone carries signal,
    as in fluorescence that is saved in pseudo-colour; None where several do.

    Luma would keep 11 % of a blue one's range, and with it few of its levels.
    """
    height, width = colour.shape[:2]
    rows, columns = (max(1, side // _SAMPLES_A_SIDE) for side in (height, width))
    whites = np.percentile(colour[::rows, ::columns, :3], WHITE_PERCENT, axis=(0, 1))
    second, first = np.argsort(whites)[1:]
    return int(first) if whites[second] < _SIGNAL * whites[first] else None


def repeats(pixels: UInt8Array, last: UInt8Array) -> bool:
    """Whether a camera gives its ``last`` picture again, to the bit: a sensor's noise makes every real one new. A field
    without light or with far too much, one grey all over, has no noise either; it is bad, but it is live."""
    return bool(np.array_equal(pixels, last) and pixels.min() != pixels.max())
