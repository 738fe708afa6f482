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
from edge.locate.geometry import centre_lines, line_length
from edge.records import NOMINAL_UM_PER_PX, BoolArray, Crop, Float32Array, Frame, Region, UInt8Array

CROP_ROWS, CROP_COLS = 128, 32
MEDIAN_ROWS = 60.0
NOMINAL_MEDIAN_UM = 4.9
"""Median chromosome of a cell in the training frames; the scale where a frame has too few to tell its own."""
FEWEST_FOR_SCALE = 16
STAIN_PERCENTILE, STAIN_LEVEL = 90.0, 0.75
CUTOUT_PITCH_PX = 3


def straighten(frame: Frame, regions: Sequence[Region]) -> tuple[Crop, ...]:
    """One crop a region, in order; which end is up is not yet known."""
    if not regions:
        return ()
    ground = background_of(frame.pixels)
    absorbed = 1 - np.minimum(frame.pixels.astype(np.float32) / np.maximum(ground, 1), 1)
    masks = [r.mask for r in regions]
    spots = [(slice(r.box_px[1], r.box_px[3]), slice(r.box_px[0], r.box_px[2])) for r in regions]
    crowd = np.zeros(frame.pixels.shape, np.uint8)
    for spot, mask in zip(spots, masks, strict=True):
        crowd[spot] += mask
    dark = absorbed[crowd > 0]
    stain = float(np.percentile(dark, STAIN_PERCENTILE)) if dark.size else 0.5
    scale = rows_per_px([line_length(r.axis_px) for r in regions], frame.um_per_px)
    crops = []
    for region, spot, mask in zip(regions, spots, masks, strict=True):
        x0, y0 = region.box_px[:2]
        own = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8))
        alone = np.where((own > 0) & ((crowd[spot] == 0) | mask), absorbed[spot], 0).astype(np.float32)
        axis = region.axis_px - np.array([x0, y0], np.float32)
        crops.append(Crop(region.id, sample(alone, axis, scale, stain)))
    return tuple(crops)


def rows_per_px(lengths_px: Sequence[float], um_per_px: float) -> float:
    """Crop rows per picture pixel: by the cell's own median length where there are enough to tell, else nominal."""
    if len(lengths_px) >= FEWEST_FOR_SCALE:
        return MEDIAN_ROWS / max(float(np.median(lengths_px)), 1.0)
    return MEDIAN_ROWS * um_per_px / NOMINAL_MEDIAN_UM


def sample(absorbed: Float32Array, axis: Float32Array, scale: float, stain: float) -> UInt8Array:
    """``absorbed`` float32 (H, W) read along ``axis`` (n, 2): uint8 (128, 32), the axis's first point towards the top.

    ``scale``: crop rows per pixel of ``absorbed``; ``stain``: the absorption that becomes ``STAIN_LEVEL`` of 255.
    """
    steps = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(axis, axis=0).T))])
    along = (np.arange(CROP_ROWS) + 0.5 - CROP_ROWS / 2) / scale + steps[-1] / 2
    inside = np.clip(along, 0, steps[-1])
    x, y = np.interp(inside, steps, axis[:, 0]), np.interp(inside, steps, axis[:, 1])
    tangent = np.stack([np.gradient(axis[:, 0]), np.gradient(axis[:, 1])], axis=1)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1]), 1e-6)[:, None]
    tx, ty = np.interp(inside, steps, tangent[:, 0]), np.interp(inside, steps, tangent[:, 1])
    x, y = x + tx * (along - inside), y + ty * (along - inside)
    aside = (np.arange(CROP_COLS) + 0.5 - CROP_COLS / 2) / scale
    map_x = (x[:, None] - ty[:, None] * aside - 0.5).astype(np.float32)
    map_y = (y[:, None] + tx[:, None] * aside - 0.5).astype(np.float32)
    read = cv2.remap(absorbed, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(np.clip(np.rint(read * (255 * STAIN_LEVEL / max(stain, 0.02))), 0, 255), np.uint8)


def crops_from_cutouts(pictures: Sequence[UInt8Array]) -> tuple[Crop, ...]:
    """The crops of one cell's cut-outs: uint8 (h, w) each, one upright dark chromosome on white, p arm on top."""
    absorbed = [_padded(1 - p.astype(np.float32) / 255) for p in pictures]
    masks = [_solid(a) for a in absorbed]
    axes = []
    for line in centre_lines([m[1::CUTOUT_PITCH_PX, 1::CUTOUT_PITCH_PX] for m in masks]):
        axis = line * np.float32(CUTOUT_PITCH_PX)
        axes.append(axis[::-1] if axis[0, 1] > axis[-1, 1] else axis)
    scale = rows_per_px([line_length(a) for a in axes], NOMINAL_UM_PER_PX)
    stain = float(np.percentile(np.concatenate([a[m] for a, m in zip(absorbed, masks, strict=True)]), STAIN_PERCENTILE))
    return tuple(Crop(k, sample(a, x, scale, stain)) for k, (a, x) in enumerate(zip(absorbed, axes, strict=True)))


def _padded(absorbed: Float32Array) -> Float32Array:
    return np.pad(absorbed, 2 * CUTOUT_PITCH_PX)


def _solid(absorbed: Float32Array) -> BoolArray:
    """The cut-out's own pixels: what is not white, in one filled piece."""
    dark = (cv2.GaussianBlur(absorbed, (3, 3), 0) > 0.06).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    if count < 2:
        return np.ones(absorbed.shape, np.bool_)
    piece = (pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    outline, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(piece, outline, -1, 1, -1) > 0)
