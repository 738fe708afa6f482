"""Regions to crops: each chromosome alone, straight and upright, at its cell's scale and stain.

A crop is 128 x 32 px. The cell's median chromosome is 60 rows long in it, so that size still tells 1 from 2 and 21 from
22; the rows follow the centre line, so that a bent chromosome reads like a straight one. Values are absorption (one
minus the share of light let through), 255 a little above what the darkest bands of the cell absorb: background 0.

The longest of a cell may reach beyond those rows: to the classifier the middle of such a one says enough, but people
judge its ends, too. Beside an arm that is bent back lies the other one; people take it for dirt or a neighbour, the
classifier has learned from it (freed of it, 625 val and train frames needed 295 corrections instead of 286).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.locate.background import absorption_of
from edge.locate.geometry import LINE_POINTS, evenly, line_length, taken
from edge.locate.grid import SURE_SCORE
from edge.locate.levels import level
from edge.records import BoolArray, Crop, Float32Array, Frame, Region, UInt8Array

CROP_ROWS, CROP_COLS = 128, 32
FULL_ROWS = 2 * CROP_ROWS
"""A crop with so many rows has room for the ends: four times the median's, and no chromosome is so long."""
MEDIAN_ROWS = 60.0
NOMINAL_MEDIAN_UM = 4.9
"""Median chromosome of a cell in the training frames; the scale where a frame has too few to tell its own."""
FEWEST_FOR_SCALE = 16
BENT_CHORD, ARM_ROWS, BESIDE_COLS = 0.85, 32, 24
"""An axis whose ends are nearer to one another than this share of its length is bent, and back upon itself if what is
so many rows away along it comes as near as that many columns: half of a crop and of an arm."""
OTHER_ROWS, OWN_COLS = 6, 4
"""What lies nearer to a stretch of the axis so many rows away is no part of a row, unless so few columns from its
middle."""
STAIN_SHARE, STAIN_LEVEL = 0.9, 0.75
_RIM = np.ones((5, 5), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class TwofoldCrop(Crop):
    """A crop of which people are shown another one, ``display`` uint8 (128 or 256, 32): as far as the chromosome's
    ends, and without its other arm where that is bent back and lies beside it."""

    display: UInt8Array

    @property
    def mirrored(self) -> TwofoldCrop:
        pixels, display = (np.ascontiguousarray(whole[:, ::-1]) for whole in (self.pixels, self.display))
        return replace(self, pixels=pixels, display=display)

    @property
    def shown(self) -> Crop:
        return Crop(self.region_id, self.display)


def straighten(frame: Frame, regions: Sequence[Region], among: Sequence[Region] = ()) -> tuple[Crop, ...]:
    """One crop a region, in order; which end is up is not yet known. Those ``among`` which they lie get no crop: they
    are neighbours, and tell the cell's scale and stain with them."""
    if not regions:
        return ()
    cell = [*regions, *among]
    absorbed = absorption_of(frame)
    spots = [(slice(r.box_px[1], r.box_px[3]), slice(r.box_px[0], r.box_px[2])) for r in cell]
    crowd = np.zeros(frame.pixels.shape, np.uint8)
    # Pieces and dirt among the doubtful ones must not shrink the cell's yardsticks.
    sure = np.array([r.score >= SURE_SCORE for r in cell])
    for k in np.flatnonzero(sure).tolist():
        crowd[spots[k]] += cell[k].mask
    trusted = crowd > 0
    for k in np.flatnonzero(~sure).tolist():
        crowd[spots[k]] += cell[k].mask
    free = np.asarray(crowd == 0)
    dark = absorbed[trusted if sure.any() else ~free]
    stain = level(dark, STAIN_SHARE) if dark.size else 0.5
    axes = np.stack([_even_axis(r) for r in cell])
    scale = rows_per_px(line_length(axes[sure]), frame.um_per_px)
    corners = np.array([r.box_px[:2] for r in regions], np.float32)
    alone = [_alone(absorbed[spot], free[spot], r.mask) for r, spot in zip(regions, spots, strict=False)]
    axes = axes[: len(regions)] - corners[:, None]
    pictures = read_crops(alone, axes, scale, stain)
    crops = [Crop(region.id, picture) for region, picture in zip(regions, pictures, strict=True)]
    long, bent = np.flatnonzero(pictures[:, [0, -1]].any((1, 2))).tolist(), come_back(axes, scale)
    for k in {*long, *bent}:
        axis, display = axes[k : k + 1], crops[k].pixels
        if k in long:
            (display,) = read_crops([alone[k]], axis, scale, stain, FULL_ROWS)
        if k in bent:
            display = without_other_arm(display, axis, scale)
        if display is not crops[k].pixels:
            crops[k] = TwofoldCrop(regions[k].id, pictures[k], display)
    return tuple(crops)


def _alone(absorbed: Float32Array, free: BoolArray, mask: BoolArray) -> Float32Array:
    """A chromosome and its rim, as far as no other one has that; 0 elsewhere."""
    own = mask.view(np.uint8)
    return np.asarray(cv2.copyTo(absorbed, (cv2.dilate(own, _RIM) & free.view(np.uint8)) | own), np.float32)


def _even_axis(region: Region) -> Float32Array:
    # The locator's lines are evenly spaced as they come; others may have any points.
    return region.axis_px if len(region.axis_px) == LINE_POINTS else evenly(region.axis_px)


def rows_per_px(lengths_px: Float32Array, um_per_px: float) -> float:
    """Crop rows per picture pixel: by the cell's own median length where there are enough to tell, else nominal."""
    if len(lengths_px) >= FEWEST_FOR_SCALE:
        return MEDIAN_ROWS / max(float(np.median(lengths_px.astype(np.float64))), 1.0)
    return MEDIAN_ROWS * um_per_px / NOMINAL_MEDIAN_UM


def reading_maps(axes: Float32Array, scale: float, rows: int = CROP_ROWS) -> tuple[Float32Array, Float32Array]:
    """Where in the picture each crop's pixels are read: x and y, float32 (n, rows, 32), for ``cv2.remap``.

    ``axes`` (n, points, 2), evenly spaced, the first point towards the top; ``scale``: crop rows per picture pixel.
    Beyond the ends the line goes on straight.
    """
    points = axes.shape[1]
    axes = np.asarray(axes, np.float32)
    step = np.hypot(*np.moveaxis(np.diff(axes, axis=1), 2, 0)).mean(1)[:, None]
    off = (np.arange(rows, dtype=np.float32) + np.float32(0.5 - rows / 2)) / np.float32(scale)
    at = off / np.maximum(step, np.float32(1e-3)) + np.float32((points - 1) / 2)
    tangent = np.concatenate(
        [axes[:, 1:2] - axes[:, :1], (axes[:, 2:] - axes[:, :-2]) / 2, axes[:, -1:] - axes[:, -2:-1]], 1
    )
    low = np.clip(at.astype(np.int64), 0, points - 2)
    rest = np.clip(at - low.astype(np.float32), 0, 1)[..., None]
    middle = taken(axes, low) * (1 - rest) + taken(axes, low + 1) * rest
    along = taken(tangent, low) * (1 - rest) + taken(tangent, low + 1) * rest
    middle += along * (at - np.clip(at, 0, points - 1))[..., None]
    along /= np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-6)[..., None]
    aside = ((np.arange(CROP_COLS) + 0.5 - CROP_COLS / 2) / scale).astype(np.float32)
    middle -= np.float32(0.5)
    map_x, map_y = along[..., 1:] * aside, along[..., :1] * aside
    map_x += middle[..., :1]
    return map_x, np.subtract(middle[..., 1:], map_y, out=map_y)


def read_crops(
    absorbed: Sequence[Float32Array], axes: Float32Array, scale: float, stain: float, rows: int = CROP_ROWS
) -> UInt8Array:
    """The crops uint8 (n, rows, 32) of n pictures float32 (h, w), ``axes`` and ``scale`` as for ``reading_maps``;
    ``stain`` is the absorption that becomes ``STAIN_LEVEL`` of 255."""
    read = np.zeros((len(absorbed), rows, CROP_COLS), np.float32)
    map_x, map_y = reading_maps(axes, scale, rows)
    for k, (picture, part) in enumerate(zip(absorbed, _rows_within(absorbed, map_x, map_y), strict=True)):
        if part.start < part.stop:
            cv2.remap(picture, map_x[k, part], map_y[k, part], cv2.INTER_LINEAR, read[k, part], cv2.BORDER_CONSTANT, 0)
    levels = cv2.convertScaleAbs(read.reshape(-1, CROP_COLS), alpha=255 * STAIN_LEVEL / max(stain, 0.02))
    return np.asarray(levels, np.uint8).reshape(read.shape)


def come_back(axes: Float32Array, scale: float) -> list[int]:
    """Which of the axes (n, points, 2) are bent back so far that one arm is read beside the other."""
    bent = np.flatnonzero(np.hypot(*(axes[:, -1] - axes[:, 0]).T) < BENT_CHORD * line_length(axes)).tolist()
    return [k for k in bent if _nearest_stretch_cols(axes[k, ::2], scale) < BESIDE_COLS]


def _nearest_stretch_cols(axis: Float32Array, scale: float) -> float:
    """The least distance from one stretch of an axis (points, 2) to another, in a crop's pixels."""
    along = np.linspace(0, float(line_length(axis)) * scale, len(axis))
    first, second = np.nonzero(along > along[:, None] + ARM_ROWS)
    return float(np.hypot(*(axis[first] - axis[second]).T).min(initial=np.inf)) * scale


def without_other_arm(crop: UInt8Array, axis: Float32Array, scale: float) -> UInt8Array:
    """A crop as read along ``axis`` (1, points, 2), less what lies nearer to another stretch of it than to its own
    row's; the very same array where nothing does."""
    aside = np.abs(np.arange(CROP_COLS, dtype=np.float32) + np.float32(0.5 - CROP_COLS / 2))
    rows, columns = np.nonzero(np.where(aside > OWN_COLS, crop, 0))
    map_x, map_y = (where[0, rows, columns, None] for where in reading_maps(axis, scale, len(crop)))
    points = axis[0] - np.float32(0.5)
    along = np.linspace(-0.5, 0.5, len(points), dtype=np.float32) * (line_length(axis)[0] * np.float32(scale))
    another = np.abs(along - (rows + np.float32(0.5 - len(crop) / 2))[:, None].astype(np.float32)) > OTHER_ROWS
    nearer = (map_x - points[:, 0]) ** 2 + (map_y - points[:, 1]) ** 2 < (aside[columns, None] / np.float32(scale)) ** 2
    foreign = (another & nearer).any(1)
    if not foreign.any():
        return crop
    freed = crop.copy()
    freed[rows[foreign], columns[foreign]] = 0
    return freed


def _rows_within(pictures: Sequence[Float32Array], map_x: Float32Array, map_y: Float32Array) -> list[slice]:
    """The rows of each crop from the first to the last that meets its picture; about half of all."""
    sizes = np.array([picture.shape for picture in pictures], np.float32)
    meets = np.ones(map_x.shape[:2], np.bool_)
    for at, size in ((map_x, sizes[:, 1:]), (map_y, sizes[:, :1])):
        ends = at[:, :, 0], at[:, :, -1]  # a row is straight
        meets &= (np.maximum(*ends) > -1) & (np.minimum(*ends) < size)
    first, last = meets.argmax(1), map_x.shape[1] - meets[:, ::-1].argmax(1)
    last[~meets[np.arange(len(meets)), first]] = 0
    return [slice(*ends) for ends in zip(first.tolist(), last.tolist(), strict=True)]
