"""Drawn chromosomes on a slide, and what of them shows in their crops."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.camera.ideogram import Bent
from edge.locate.geometry import centre_lines
from edge.records import Box, Float32Array, Frame, Region, UInt8Array

LIGHT = 220
DEPTH = 0.5
"""Optical density of the darkest band."""
ON = 40
"""Stain level that tells chromosome from ground in a crop."""


def slide_with(bents: Sequence[Bent], corners: Sequence[tuple[int, int]], side: int = 320) -> Frame:
    density = np.zeros((side, side), np.float32)
    for bent, (x, y) in zip(bents, corners, strict=True):
        h, w = bent.mask.shape
        density[y : y + h, x : x + w] += DEPTH * bent.absorbance
    return Frame(np.rint(LIGHT * 10**-density).astype(np.uint8), 0, 0.0, "drawn.png")


def region_of(id: int, bent: Bent, corner: tuple[int, int]) -> Region:
    ys, xs = np.nonzero(bent.mask)
    top, left, bottom, right = int(ys.min()), int(xs.min()), int(ys.max()) + 1, int(xs.max()) + 1
    box: Box = (left + corner[0], top + corner[1], right + corner[0], bottom + corner[1])
    mask = np.ascontiguousarray(bent.mask[top:bottom, left:right])
    (line,) = centre_lines([mask])
    return Region(id, box, mask, line + np.asarray(box[:2], np.float32), (), 1.0)


def length_of(crop: UInt8Array) -> int:
    return int((crop.max(axis=1) > ON).sum())


def bands_of(crop: UInt8Array) -> npt.NDArray[np.floating]:
    """Mean stain along the chromosome, 60 values end to end."""
    rows = np.flatnonzero(crop.max(axis=1) > ON)
    profile = crop[rows[0] : rows[-1] + 1, 10:22].mean(axis=1)
    return np.asarray(cv2.resize(profile[:, None], (1, 60))[:, 0])


def likeness(crop: UInt8Array, straight: Float32Array) -> tuple[float, float]:
    """Correlation of the crop's bands with the straight drawing's: as it lies, and turned over."""
    absorbed = (1 - 10 ** (-DEPTH * straight)).mean(axis=1).astype(np.float64)
    drawn = cv2.resize(absorbed[:, None], (1, 60))[:, 0]
    bands = bands_of(crop)
    return float(np.corrcoef(bands, drawn)[0, 1]), float(np.corrcoef(bands[::-1], drawn)[0, 1])
