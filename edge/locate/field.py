"""Bright field or fluorescence: told from the frame itself, so that the stages always see dark chromosomes on bright.

In bright field the ground is the lightest thing there is, in fluorescence (DAPI, Q-bands) the darkest; both are the
smoothest. So the level of the smoothest tenth of the frame, between its extremes, tells which it is. On the 275 val
frames of the metaphase set it lies at 0.78 to 1, on 38 DAPI metaphases at 0 to 0.03; with vignettes, glare and nuclei
over a third of the frame drawn in, still above 0.34 and below 0.28.

And dim or pale frames are brought to the levels that the networks learned with: of 40 val frames at half their light
95.6 % of the chromosomes were located before and 99.1 % now (as they are: 99.2 %), at three tenths of it 36 and 99.3 %,
at a quarter of their contrast 96.1 and 99.1 %.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from edge.locate.levels import grey_levels
from edge.locate.scale import shrunk
from edge.records import Frame, UInt8Array

COARSE = 4
"""Frame pixels for each that is judged: noise and bands are averaged away, chromosomes are not."""
EXTREMES = 0.005, 0.995
"""Shares of the frame below its darkest and its brightest level: a few specks are neither."""
SMOOTHEST = 0.1
DARK_GROUND = 0.3
"""Ground below this share of the way from the darkest to the brightest level is fluorescence's."""
MOST_LIT = 0.4
"""If more than this share of a frame lies in its upper half of levels, it is bright field behind a black rim or
eyepiece."""
MOST_APART = 0.06
"""The share of what is lit that touches nothing wide is less than this in a bright field, more in fluorescence: on 60
val frames in the middle of a black picture of four or sixteen times their area it is at most 0.03, on their negatives
and on 38 DAPI metaphases at least 0.13."""
LEAST_CONTRAST = 16
"""Grey levels from extreme to extreme; a flatter frame shows nothing, and is left as it is."""
GROUND_LEVEL, STAIN_DEPTH = 250.0, 130.0
"""What fluorescence and unusual bright fields become: the levels of ground and stain that are usual in the metaphase
set's val frames."""
LEAST_GROUND, LEAST_DEPTH, MOST_DEPTH = 190.0, 65.0, 190.0
"""Of 882 train and val frames 99.5 % lie within and stay as they are; their range is 176 to 255 and 69 to 185."""
LIT_SHARE = 0.8
"""A bright field's ground is the level that this share of what is lit does not exceed, as most of that is ground."""
FLAT_DEPTH = 20.0
"""Stain that is no deeper may be noise, which nothing should raise."""
WIDEST = 15
"""Coarse pixels: more than a chromosome's width at any magnification, less than a nucleus."""


def dark_on_bright(frame: Frame) -> Frame:
    """``frame`` itself if it is bright field at usual levels; else those of a usual one, of fluorescence the negative.

    Light adds up as absorption does, so a linear negative keeps the bands' proportions. Thin things only set the
    gain: nuclei may be far brighter, or darker.
    """
    coarse = shrunk(frame.pixels, COARSE)
    ground = fluorescent_ground(coarse)
    if ground is not None:
        gain = -STAIN_DEPTH / max(_depth(coarse, cv2.MORPH_TOPHAT), 1.0)
    else:
        # Not the smoothest, which may be a black rim.
        (ground,), depth = grey_levels(coarse, [LIT_SHARE], _field_in_black(coarse)), _depth(coarse, cv2.MORPH_BLACKHAT)
        if depth < FLAT_DEPTH or (ground >= LEAST_GROUND and LEAST_DEPTH <= depth <= MOST_DEPTH):
            return frame
        gain = STAIN_DEPTH / depth
    levels = np.clip(GROUND_LEVEL + gain * (np.arange(256) - ground), 0, 255)
    return replace(frame, pixels=np.asarray(cv2.LUT(frame.pixels, np.rint(levels).astype(np.uint8)), np.uint8))


def is_fluorescent(frame: Frame) -> bool:
    """Whether it is bright on dark, so that the stages see its negative."""
    return fluorescent_ground(shrunk(frame.pixels, COARSE)) is not None


def fluorescent_ground(coarse: UInt8Array) -> float | None:
    """The ground's grey level if the picture is bright on dark, else None."""
    if _little_lit(coarse) is None or _field_in_black(coarse) is not None:
        return None
    low, high = grey_levels(coarse, EXTREMES)
    rough = cv2.morphologyEx(coarse, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    ground = float(np.median(coarse[rough <= np.quantile(rough, SMOOTHEST)]))
    return ground if ground - low < DARK_GROUND * (high - low) else None


def _field_in_black(coarse: UInt8Array) -> UInt8Array | None:
    """What is lit, 1, where a bright field fills little of a black picture; else None. There nearly all that is lit
    belongs to wide pieces. In fluorescence it is the chromosomes that are lit, thin and apart."""
    lit = _little_lit(coarse)
    if lit is None:
        return None
    wide = cv2.morphologyEx(lit, cv2.MORPH_OPEN, np.ones((WIDEST, WIDEST), np.uint8))
    _, numbers = cv2.connectedComponents(lit, connectivity=4)
    apart = ~np.isin(numbers, np.unique(numbers[wide > 0])) & (lit > 0)
    return lit if np.count_nonzero(apart) < MOST_APART * np.count_nonzero(lit) else None


def _little_lit(coarse: UInt8Array) -> UInt8Array | None:
    """What is in the upper half of levels, 1; None where the picture shows nothing, or more than ``MOST_LIT`` is
    lit."""
    low, high = grey_levels(coarse, EXTREMES)
    lit = (coarse > (low + high) / 2).astype(np.uint8)
    return lit if high - low >= LEAST_CONTRAST and np.count_nonzero(lit) <= MOST_LIT * coarse.size else None


def _depth(coarse: UInt8Array, hat: int) -> float:
    """How many levels thin things stand out from what is around them, to the side that ``hat`` says."""
    thin = cv2.morphologyEx(coarse, hat, np.ones((WIDEST, WIDEST), np.uint8))
    _, standing = cv2.threshold(thin, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return grey_levels(thin, [0.75], standing)[0] if standing.any() else 0.0
