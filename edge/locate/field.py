"""Bright field or fluorescence: told from the frame itself, so that the stages always see dark chromosomes on bright.

In bright field the ground is the lightest thing there is, in fluorescence (DAPI, Q-bands) the darkest; both are the
smoothest. So the level of the smoothest tenth of the frame, between its extremes, tells which it is. On the 275 val
frames of the metaphase set it lies at 0.78 to 1, on 38 DAPI metaphases at 0 to 0.03; with vignettes, glare and nuclei
over a third of the frame drawn in, still above 0.34 and below 0.28.
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
"""More than this share of the frame in its upper half of levels is bright field behind a black rim or eyepiece."""
LEAST_CONTRAST = 16
"""Grey levels from extreme to extreme; a flatter frame shows nothing, and is left as it is."""
GROUND_LEVEL, STAIN_DEPTH = 250.0, 130.0
"""What fluorescence becomes: the levels of ground and stain that are usual in the metaphase set's val frames."""
WIDEST = 15
"""Coarse pixels: more than a chromosome's width at any magnification, less than a nucleus."""


def dark_on_bright(frame: Frame) -> Frame:
    """``frame`` itself if it is bright field, else its negative, in the levels of a stained bright-field frame."""
    coarse = shrunk(frame.pixels, COARSE)
    ground = fluorescent_ground(coarse)
    if ground is None:
        return frame
    # Light adds up as absorption does, so a linear negative keeps the bands' proportions. Thin things only set the
    # gain: nuclei may be far brighter.
    thin = cv2.morphologyEx(coarse, cv2.MORPH_TOPHAT, np.ones((WIDEST, WIDEST), np.uint8))
    least, _ = cv2.threshold(thin, 0, 255, cv2.THRESH_OTSU)
    gain = STAIN_DEPTH / max(float(np.percentile(thin[thin >= max(least, 1)], 75)), 1.0)
    levels = np.clip(GROUND_LEVEL - gain * (np.arange(256) - ground), 0, 255)
    return replace(frame, pixels=np.asarray(cv2.LUT(frame.pixels, np.rint(levels).astype(np.uint8)), np.uint8))


def fluorescent_ground(coarse: UInt8Array) -> float | None:
    """The ground's grey level if the picture is bright on dark, else None."""
    low, high = grey_levels(coarse, EXTREMES)
    if high - low < LEAST_CONTRAST or np.count_nonzero(coarse > (low + high) / 2) > MOST_LIT * coarse.size:
        return None
    rough = cv2.morphologyEx(coarse, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    ground = float(np.median(coarse[rough <= np.quantile(rough, SMOOTHEST)]))
    return ground if ground - low < DARK_GROUND * (high - low) else None
