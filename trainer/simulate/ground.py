"""A real frame with its chromosomes taken away: what a composite is laid on, with light, haze, nuclei and specks.

What could be a chromosome goes: all that is dark in a box, and elsewhere whatever has a chromosome's size. The light
there is what surrounds it, smoothed; grain from clean places of the same frame is laid over it, so that no smooth
patch tells where something was.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.records import BoolArray, Float32Array, UInt8Array
from trainer.data.pixels import PixelTruth

RIM_PX = 6
"""How far beyond its dark pixels a chromosome still dims or brightens the ground."""
RIM_SHARE = 0.6
"""Whatever is darker than this share of the palest chromosome's darkness may be a chromosome."""
LARGEST_SPECK_PX2, SMALLEST_BLOB_PX2 = 100, 4000
NUCLEUS_PX = 61
"""A dark body with room for a disc of this diameter, not mostly in boxes, is a nucleus or dirt."""
NUCLEUS_LIGHT = 0.85
"""A nucleus is darker than this share of the brightest light around it, within ``FIELD_PX``."""
FIELD_PX = 256
NUCLEUS_RIM_PX = 12
"""A nucleus has a rim of this width, which says nothing of the light."""
COARSE = 4
"""Light is smoothed at this coarser scale: so many frame pixels to one."""
NEAR_PX, FAR_PX = 10.0, 40.0
FAR_WEIGHT = 0.02
"""The weight of the far surroundings where the near ones are known."""
BLOCKED_LIGHT = 0.8
"""Nothing is laid where less than this share of the light is left."""
SHIFTS = 200
GRAINY = 3.5
"""What differs by more standard deviations is not grain but something that lies there."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """``light`` float32 (H, W): grey levels with no chromosome in the way, smooth; ``grain`` float32 (H, W) to be added
    where no chromosome lies: the rest of what is there; ``stuff`` bool (H, W): dark pixels that may be a chromosome's;
    ``blocked`` bool (H, W): nuclei and dirt."""

    light: Float32Array
    grain: Float32Array
    stuff: BoolArray
    blocked: BoolArray


def ground_of(
    pixels: UInt8Array, known: PixelTruth, boxes: npt.NDArray[np.int64], rng: np.random.Generator | None = None
) -> Ground:
    """The ground of ``pixels`` uint8 (H, W), with what is ``known`` of them by ``boxes`` int (n, 4). Without ``rng``
    the holes get no grain, which saves time where only the light is needed."""
    nuclei = _nuclei(pixels, boxes)
    stuff = _stuff(pixels, known, boxes) & ~nuclei
    hole = (cv2.dilate(stuff.astype(np.uint8), _disc(2 * RIM_PX + 1)) > 0) & ~nuclei
    with_rims = cv2.dilate(nuclei.astype(np.uint8), _disc(2 * NUCLEUS_RIM_PX + 1)) > 0
    light = _smoothed(pixels, ~(hole | with_rims))
    grain = np.where(hole, 0, pixels - light).astype(np.float32)
    if rng is not None:
        _fill(grain, hole, rng)
    left = cv2.GaussianBlur(light + grain, (0, 0), 1.5) / np.maximum(light, 1)
    dark = cv2.morphologyEx((left < BLOCKED_LIGHT).astype(np.uint8), cv2.MORPH_OPEN, _disc(5))
    return Ground(light, grain, stuff, cv2.dilate(dark, _disc(9)) > 0)


def _disc(width_px: int) -> UInt8Array:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px, width_px)), np.uint8)


def _nuclei(pixels: UInt8Array, boxes: npt.NDArray[np.int64]) -> BoolArray:
    """The bodies too wide for a chromosome, bool (H, W)."""
    height, width = pixels.shape
    size = (max(1, width // COARSE), max(1, height // COARSE))
    coarse = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    side = FIELD_PX // COARSE
    field = cv2.GaussianBlur(cv2.dilate(coarse, np.ones((side + 1, side + 1), np.uint8)), (0, 0), side / 4)
    dark = (coarse < NUCLEUS_LIGHT * field).astype(np.uint8)
    # A nucleus at the frame's edge goes on beyond it.
    wide = cv2.morphologyEx(
        cv2.copyMakeBorder(dark, side, side, side, side, cv2.BORDER_REPLICATE),
        cv2.MORPH_OPEN,
        _disc(NUCLEUS_PX // COARSE | 1),
    )[side:-side, side:-side]
    _, bodies = cv2.connectedComponents(np.ascontiguousarray(wide))
    boxed = _in_boxes(coarse.shape, -(-boxes // COARSE))
    area, inside = (np.bincount(bodies[some].reshape(-1), minlength=bodies.max() + 1) for some in (bodies >= 0, boxed))
    nucleus = inside < 0.5 * area
    nucleus[0] = False
    found = cv2.dilate(nucleus[bodies].astype(np.float32), _disc(3))
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5)


def _in_boxes(shape: tuple[int, ...], boxes: npt.NDArray[np.int64]) -> BoolArray:
    inside = np.zeros(shape, np.bool_)
    for x0, y0, x1, y1 in boxes:
        inside[y0:y1, x0:x1] = True
    return inside


def _stuff(pixels: UInt8Array, known: PixelTruth, boxes: npt.NDArray[np.int64]) -> BoolArray:
    """The dark pixels that may be a chromosome's, bool (H, W)."""
    darkness = cv2.GaussianBlur(cv2.subtract(known.ground, pixels), (3, 3), 0)
    level = RIM_SHARE * np.percentile(darkness[known.chromosome], 5) if known.chromosome.any() else 0.0
    dark = (darkness > max(level, 6.0)).astype(np.uint8)
    _, components, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    middling = (area > LARGEST_SPECK_PX2) & (area < SMALLEST_BLOB_PX2)
    middling[0] = False
    return np.asarray(known.chromosome | ((dark > 0) & _in_boxes(dark.shape, boxes)) | middling[components])


def _smoothed(pixels: UInt8Array, clean: BoolArray) -> Float32Array:
    """The mean of the clean pixels around each pixel, from near ones where there are some, else from farther ones."""
    height, width = pixels.shape
    size = (max(1, width // COARSE), max(1, height // COARSE))
    weight = cv2.resize(clean.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    level = cv2.resize(pixels.astype(np.float32) * clean, size, interpolation=cv2.INTER_AREA)
    far = _around(level, FAR_PX) / np.maximum(_around(weight, FAR_PX), 1e-6)
    near = (_around(level, NEAR_PX) + FAR_WEIGHT * far) / (_around(weight, NEAR_PX) + FAR_WEIGHT)
    return np.asarray(cv2.resize(near, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _around(values: Float32Array, reach_px: float) -> Float32Array:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), reach_px / COARSE))


def _fill(grain: Float32Array, hole: BoolArray, rng: np.random.Generator) -> None:
    """Fills the holes of ``grain`` with grain from clean places of the frame, in place."""
    spread = 1.4826 * float(np.median(np.abs(grain[~hole]))) if not hole.all() else 0.0
    source = ~hole & (np.abs(grain) <= GRAINY * spread)
    height, width = grain.shape
    missing = hole.copy()
    filled = grain.copy()
    for _ in range(SHIFTS):
        if not missing.any():
            break
        shift = int(rng.integers(-height, height)), int(rng.integers(-width, width))
        here = missing & np.roll(source, shift, (0, 1))
        filled[here] = np.roll(grain, shift, (0, 1))[here]
        missing &= ~here
    filled[missing] = rng.normal(0, spread, int(missing.sum()))
    grain[...] = filled
