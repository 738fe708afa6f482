"""Regions to crops: each chromosome alone, straight and upright, at its cell's scale and stain.

A crop is 128 x 32 px. The cell's median chromosome is 60 rows long in it, so that size still tells 1 from 2 and 21 from
22; the rows follow the centre line, so that a bent chromosome reads like a straight one. Values are absorption (one
minus the share of light let through), 255 a little above what the darkest bands of the cell absorb: background 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.locate.background import background_of
from edge.locate.geometry import LINE_POINTS, centre_lines, evenly, line_length
from edge.locate.grid import SURE_SCORE
from edge.records import NOMINAL_UM_PER_PX, BoolArray, Crop, Float32Array, Frame, Region, UInt8Array

CROP_ROWS, CROP_COLS = 128, 32
MEDIAN_ROWS = 60.0
NOMINAL_MEDIAN_UM = 4.9
"""Median chromosome of a cell in the training frames; the scale where a frame has too few to tell its own."""
FEWEST_FOR_SCALE = 16
STAIN_PERCENTILE, STAIN_LEVEL = 90.0, 0.75
CUTOUT_PITCH_PX = 3


def straighten(frame: Frame, regions: Sequence[Region], among: Sequence[Region] = ()) -> tuple[Crop, ...]:
    """One crop a region, in order; which end is up is not yet known. Those ``among`` which they lie get no crop: they
    are neighbours, and tell the cell's scale and stain with them."""
    if not regions:
        return ()
    cell = [*regions, *among]
    ground = background_of(frame.pixels)
    absorbed = 1 - np.minimum(frame.pixels.astype(np.float32) / np.maximum(ground, 1), 1)
    masks = [r.mask for r in cell]
    spots = [(slice(r.box_px[1], r.box_px[3]), slice(r.box_px[0], r.box_px[2])) for r in cell]
    crowd, trusted = np.zeros(frame.pixels.shape, np.uint8), np.zeros(frame.pixels.shape, np.bool_)
    sure = [r.score >= SURE_SCORE for r in cell]
    for spot, mask, trust in zip(spots, masks, sure, strict=True):
        crowd[spot] += mask
        if trust:
            trusted[spot] |= mask
    # Pieces and dirt among the doubtful ones must not shrink the cell's yardsticks.
    dark = absorbed[trusted] if trusted.any() else absorbed[crowd > 0]
    stain = float(np.percentile(dark, STAIN_PERCENTILE)) if dark.size else 0.5
    lengths = [line_length(r.axis_px) for r, trust in zip(cell, sure, strict=True) if trust]
    scale = rows_per_px(lengths, frame.um_per_px)
    corners = np.array([r.box_px[:2] for r in regions], np.float32)
    maps = reading_maps(np.stack([_even_axis(r) for r in regions]) - corners[:, None], scale)
    crops = []
    for k, (region, map_x, map_y) in enumerate(zip(regions, *maps, strict=True)):
        spot, mask = spots[k], masks[k]
        own = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8))
        alone = np.where((own > 0) & ((crowd[spot] == 0) | mask), absorbed[spot], 0).astype(np.float32)
        crops.append(Crop(region.id, read_crop(alone, map_x, map_y, stain)))
    return tuple(crops)


def _even_axis(region: Region) -> Float32Array:
    # The locator's lines are evenly spaced as they come; others may have any points.
    return region.axis_px if len(region.axis_px) == LINE_POINTS else evenly(region.axis_px)


def rows_per_px(lengths_px: Sequence[float], um_per_px: float) -> float:
    """Crop rows per picture pixel: by the cell's own median length where there are enough to tell, else nominal."""
    if len(lengths_px) >= FEWEST_FOR_SCALE:
        return MEDIAN_ROWS / max(float(np.median(lengths_px)), 1.0)
    return MEDIAN_ROWS * um_per_px / NOMINAL_MEDIAN_UM


def reading_maps(axes: Float32Array, scale: float) -> tuple[Float32Array, Float32Array]:
    """Where in the picture each crop's pixels are read: x and y, float32 (n, 128, 32), for ``cv2.remap``.

    ``axes`` (n, points, 2), evenly spaced, the first point towards the top; ``scale``: crop rows per picture pixel.
    Beyond the ends the line goes on straight.
    """
    n, points = axes.shape[:2]
    axes = np.asarray(axes, np.float32)
    step = np.hypot(*np.moveaxis(np.diff(axes, axis=1), 2, 0)).mean(1)[:, None]
    rows = (np.arange(CROP_ROWS, dtype=np.float32) + np.float32(0.5 - CROP_ROWS / 2)) / np.float32(scale)
    at = rows / np.maximum(step, np.float32(1e-3)) + np.float32((points - 1) / 2)
    tangent = np.concatenate(
        [axes[:, 1:2] - axes[:, :1], (axes[:, 2:] - axes[:, :-2]) / 2, axes[:, -1:] - axes[:, -2:-1]], 1
    )
    low = np.clip(at.astype(np.int64), 0, points - 2)
    rest = np.clip(at - low.astype(np.float32), 0, 1)[..., None]
    each = np.arange(n)[:, None]
    middle = axes[each, low] * (1 - rest) + axes[each, low + 1] * rest
    along = tangent[each, low] * (1 - rest) + tangent[each, low + 1] * rest
    middle += along * (at - np.clip(at, 0, points - 1))[..., None]
    along /= np.maximum(np.hypot(along[..., 0], along[..., 1]), 1e-6)[..., None]
    aside = ((np.arange(CROP_COLS) + 0.5 - CROP_COLS / 2) / scale).astype(np.float32)
    middle -= np.float32(0.5)
    return middle[..., :1] + along[..., 1:] * aside, middle[..., 1:] - along[..., :1] * aside


def read_crop(absorbed: Float32Array, map_x: Float32Array, map_y: Float32Array, stain: float) -> UInt8Array:
    """One crop, uint8 (128, 32); ``stain`` is the absorption that becomes ``STAIN_LEVEL`` of 255."""
    read = cv2.remap(absorbed, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(cv2.convertScaleAbs(read, alpha=255 * STAIN_LEVEL / max(stain, 0.02)), np.uint8)


def crops_from_cutouts(pictures: Sequence[UInt8Array]) -> tuple[Crop, ...]:
    """The crops of one cell's cut-outs: uint8 (h, w) each, one upright dark chromosome on white, p arm on top."""
    absorbed = [_absorbed(p) for p in pictures]
    masks = [_solid(a) for a in absorbed]
    axes = []
    for line in centre_lines([m[1::CUTOUT_PITCH_PX, 1::CUTOUT_PITCH_PX] for m in masks]):
        axis = line * np.float32(CUTOUT_PITCH_PX)
        axes.append(axis[::-1] if axis[0, 1] > axis[-1, 1] else axis)
    scale = rows_per_px([line_length(a) for a in axes], NOMINAL_UM_PER_PX)
    stain = float(np.percentile(np.concatenate([a[m] for a, m in zip(absorbed, masks, strict=True)]), STAIN_PERCENTILE))
    maps = reading_maps(np.stack(axes), scale)
    return tuple(
        Crop(k, read_crop(a, map_x, map_y, stain))
        for k, (a, map_x, map_y) in enumerate(zip(absorbed, *maps, strict=True))
    )


def _absorbed(picture: UInt8Array) -> Float32Array:
    return np.pad(1 - picture.astype(np.float32) / np.float32(255), 2 * CUTOUT_PITCH_PX)


def _solid(absorbed: Float32Array) -> BoolArray:
    """The cut-out's own pixels: what is not white, in one filled piece."""
    dark = (cv2.GaussianBlur(absorbed, (3, 3), 0) > 0.06).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    if count < 2:
        return np.ones(absorbed.shape, np.bool_)
    piece = (pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    outline, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(piece, outline, -1, 1, -1) > 0)
