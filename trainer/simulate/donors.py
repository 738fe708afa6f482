"""Lone chromosomes of real frames, cut out at the frame's own scale with their labels, to be laid elsewhere.

``trainer/data/pixels.py`` says which lie alone: their masks are exact. Light multiplies, so a cut-out is the share of
light that it lets through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from edge.camera.files import read_frame
from edge.locate.field import dark_on_bright
from edge.records import BoolArray, Float32Array, UInt8Array
from trainer.data.metaphase import FrameTruth
from trainer.data.pixels import PixelTruth, around, pixel_truth
from trainer.simulate.ground import Ground, ground_of

KEPT_PX, FADE_PX = 3.0, 5.0
"""A cut-out keeps its surroundings up to the first distance, then they fade into plain light over the second."""
APART_PX = 2.0
"""What lies nearer to something else than this is not taken for the chromosome's rim."""
MOST_LIGHT = 1.15
"""The bright rim that cameras draw around dark things is kept up to this ratio to the light."""
USUAL_SIZE = (0.6, 1.6)
"""Limits of a chromosome's area, relative to what its class has in its cell; beyond them it is a part, or more than
one."""
PALEST = 0.02
"""No chromosome's mean optical density is taken for less."""
FINE_PX = 1.5
"""The size of the detail that bands in focus have."""


@dataclass(frozen=True, slots=True, eq=False)
class LoneChromosome:
    """One cut out of the frame ``image``: ``ratio`` float16 (h, w), the share of light that passes; ``mask`` bool (h,
    w), within it; its ``label``."""

    image: str
    label: str
    ratio: npt.NDArray[np.float16]
    mask: BoolArray

    @property
    def size_px(self) -> float:
        """The side of a square of its area."""
        return float(np.sqrt(np.count_nonzero(self.mask)))


@dataclass(frozen=True, slots=True, eq=False)
class Donor:
    """A frame and its lone chromosomes. ``density``: their median optical density; ``crispness``: how much it changes
    from pixel to pixel, more for bands in focus; ``unit``: the size of its chromosomes, 1 where it is usual in the set
    for their classes."""

    truth: FrameTruth
    lone: tuple[LoneChromosome, ...]
    density: float
    crispness: float
    unit: float


def opened(truth: FrameTruth) -> tuple[UInt8Array, PixelTruth]:
    """The frame's pixels, dark on bright, and what its boxes tell of them."""
    pixels = dark_on_bright(read_frame(truth.path)).pixels
    return pixels, pixel_truth(pixels, truth.boxes_px)


def donor_of(truth: FrameTruth) -> Donor:
    """The frame's lone chromosomes; ``unit`` is 1 until ``with_units`` knows the others."""
    if not truth.labels:
        return Donor(truth, (), 0.0, 0.0, 1.0)
    pixels, known = opened(truth)
    ground = ground_of(pixels, known, truth.boxes_px)
    height, width = pixels.shape
    lone: list[LoneChromosome] = []
    for index, (box, mask) in known.isolated.items():
        if min(box[0], box[1], width - box[2], height - box[3]) > 0:
            lone.append(LoneChromosome(truth.image, truth.labels[index], *_cut(pixels, ground, box, mask)))
    if not lone:
        return Donor(truth, (), 0.0, 0.0, 1.0)
    density, detail = np.median([_stain(one) for one in lone], axis=0).tolist()
    return Donor(truth, tuple(lone), max(density, PALEST), max(detail / max(density, PALEST), 1e-3), 1.0)


def _stain(lone: LoneChromosome) -> tuple[float, float]:
    """A chromosome's mean optical density, and the spread of its fine detail."""
    density = -np.log10(np.clip(lone.ratio.astype(np.float32), 0.02, 1))
    fine = density - cv2.GaussianBlur(density, (0, 0), FINE_PX)
    core = cv2.erode(lone.mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0  # the rim is always steep
    return float(density[lone.mask].mean()), float(fine[core].std()) if core.any() else 0.0


def _cut(
    pixels: UInt8Array, ground: Ground, box: tuple[int, int, int, int], mask: BoolArray
) -> tuple[npt.NDArray[np.float16], BoolArray]:
    margin = int(KEPT_PX + FADE_PX) + 1
    inner, pad = around(box, margin, pixels.shape)
    own = np.pad(mask, margin)
    passed = np.clip(pixels[inner] / np.maximum(ground.light[inner], 1), 0, MOST_LIGHT)
    passed = np.pad(passed.astype(np.float32), pad, constant_values=1.0)
    away = _distance(own)
    # The chromosome's own pale rim counts as stuff too: only what does not hang together with it is another's.
    _, pieces = cv2.connectedComponents((np.pad(ground.stuff[inner], pad) & ((away > KEPT_PX) | own)).astype(np.uint8))
    other = (pieces > 0) & ~np.isin(pieces, np.unique(pieces[own]))
    kept = np.clip((KEPT_PX + FADE_PX - away) / FADE_PX, 0, 1)
    if other.any():
        kept *= np.clip((_distance(other) - APART_PX) / APART_PX, 0, 1)
    kept[own] = 1
    return (1 + (passed - 1) * kept).astype(np.float16), own


def _distance(mask: BoolArray) -> Float32Array:
    """The distance of each pixel to the nearest of the mask, px."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5))


def with_units(donors: Sequence[Donor]) -> list[Donor]:
    """The donors with their ``unit``, without chromosomes that have not the size of their class in the cell."""
    sizes: dict[str, list[float]] = {}
    for donor in donors:
        for lone in donor.lone:
            sizes.setdefault(lone.label, []).append(lone.size_px)
    usual = {label: float(np.median(some)) for label, some in sizes.items()}
    done = []
    for donor in donors:
        relative = [lone.size_px / usual[lone.label] for lone in donor.lone]
        unit = float(np.median(relative)) if relative else 1.0
        low, high = np.sqrt(USUAL_SIZE) * unit
        kept = tuple(one for one, size in zip(donor.lone, relative, strict=True) if low <= size <= high)
        done.append(replace(donor, lone=kept, unit=unit))
    return done
