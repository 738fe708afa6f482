"""Cut-outs to crops: chromosomes that somebody has cut out already, as the networks read located ones.

Sets of cut-outs are of any resolution, often a coarse one, and a centre line is only as good as the mask that it is
found in: cell by cell they are brought to one size first. Of 1,563 G-banded, 368 Q-banded and 12,647 cut-outs of val,
each named alone, 96.5, 93.5 and 97.5 % are right so, and 96.0, 92.9 and 97.2 % with lines found in every third pixel of
them as they come.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.locate.geometry import centre_lines, line_length
from edge.locate.levels import level
from edge.locate.straighten import STAIN_SHARE, read_crops, rows_per_px
from edge.records import NOMINAL_UM_PER_PX, BoolArray, Crop, Float32Array, UInt8Array

WORKING_AREA = 6000.0
"""A cell's cut-outs are zoomed until the median one has so many pixels, 150 long and 40 broad, to find centre lines."""
LINE_PITCH = 2
"""One row and one column in so many is enough to find a line in."""
MOST_SIDE_PX = 1000
"""The longest side that a chromosome can have, where its line is found. Of anything larger fewer rows and columns are
taken, as all of a cell take as much room as the largest."""
MOST_AREAS = 4.0
"""A chromosome has at most so many times the pixels of the cell's median one."""
AT_ONCE = 256
"""So many cut-outs are worked at once. A set of unknown cells is read as one cell, and 20,000 would take 5 GB."""
MARGIN_PX = 6
"""Around each: its rim, and room for the line to reach its ends."""
LIGHT_PERCENTILE = 75.0
"""This percentile of the values along the edges of a cell's cut-outs is the light, which is white only where somebody
made it so."""


def crops_from_cutouts(pictures: Sequence[UInt8Array]) -> tuple[Crop, ...]:
    """The crops of one cell's cut-outs: uint8 (h, w) each, one chromosome, dark on white or bright on black. Of a
    chromosome that does not lie flat, the end that is higher in the picture is on top."""
    bright = bright_on_black(pictures)
    dark = [255 - p if bright else p for p in pictures]
    light = max(float(np.percentile(_edges(dark), LIGHT_PERCENTILE)), 1.0)
    zoom = float(np.sqrt(WORKING_AREA / np.median([np.count_nonzero(_solid(_absorbed(p, light))) for p in dark])))
    zoomed = [_zoomed(p, zoom) for p in dark]
    parts = [slice(k, k + AT_ONCE) for k in range(0, len(zoomed), AT_ONCE)]
    lines, own = [], []
    for part in parts:
        absorbed = [_absorbed(p, light) for p in zoomed[part]]
        masks = [_solid(a) for a in absorbed]
        lines.append(_upright_lines(masks))
        own += [_some(a[m])[:: len(parts)] for a, m in zip(absorbed, masks, strict=True)]
    scale = rows_per_px(line_length(np.concatenate(lines)), NOMINAL_UM_PER_PX / zoom)
    stain = level(np.concatenate(own), STAIN_SHARE)
    read = [
        read_crops([_absorbed(p, light) for p in zoomed[part]], axes, scale, stain)
        for part, axes in zip(parts, lines, strict=True)
    ]
    return tuple(Crop(k, picture) for k, picture in enumerate(np.concatenate(read)))


def _upright_lines(masks: Sequence[BoolArray]) -> Float32Array:
    """The centre lines, float32 (n, points, 2), the higher end first."""
    half = np.float32(0.5)
    corners, parts = zip(*map(_part, masks), strict=True)
    pitches = [LINE_PITCH * max(1, -(-max(part.shape) // MOST_SIDE_PX)) for part in parts]
    found = centre_lines([part[::pitch, ::pitch] for part, pitch in zip(parts, pitches, strict=True)])
    lines = (found - half) * np.array(pitches, np.float32)[:, None, None] + half
    lines += np.array(corners, np.float32)[:, None]
    down = lines[:, 0, 1] > lines[:, -1, 1]
    lines[down] = lines[down, ::-1]
    return lines


def _some(values: Float32Array) -> Float32Array:
    """The stain of a cut-out, thinned if it is larger than any chromosome: it is to count no more than the largest."""
    return values[:: max(1, int(len(values) / (MOST_AREAS * WORKING_AREA)))]


def _part(mask: BoolArray) -> tuple[tuple[int, int], BoolArray]:
    """What of a mask a line is found in, with its corner (x, y): all of it, or of a larger one the part around its
    pixels."""
    if max(mask.shape) <= MOST_SIDE_PX:
        return (0, 0), mask
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    x, y = max(x - MARGIN_PX, 0), max(y - MARGIN_PX, 0)
    return (x, y), mask[y : y + height + 2 * MARGIN_PX, x : x + width + 2 * MARGIN_PX]


def bright_on_black(pictures: Sequence[UInt8Array]) -> bool:
    """Whether one cell's cut-outs (n >= 1) are fluorescent: told from what lies along their edges."""
    return bool(np.median(_edges(pictures)) < 128)


def _edges(pictures: Sequence[UInt8Array]) -> UInt8Array:
    return np.concatenate([edge for p in pictures for edge in (p[0], p[-1], p[:, 0], p[:, -1])])


def _zoomed(picture: UInt8Array, zoom: float) -> UInt8Array:
    size = [max(1, round(zoom * side)) for side in picture.shape[::-1]]
    way = cv2.INTER_CUBIC if zoom > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def _absorbed(picture: UInt8Array, light: float) -> Float32Array:
    passed = np.minimum(picture.astype(np.float32) / np.float32(light), 1)
    return np.pad(1 - passed, MARGIN_PX)


def _solid(absorbed: Float32Array) -> BoolArray:
    """The cut-out's own pixels: what is not white, in one filled piece."""
    dark = (cv2.GaussianBlur(absorbed, (3, 3), 0) > 0.06).astype(np.uint8)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(dark, connectivity=8)
    if count < 2:
        return np.ones(absorbed.shape, np.bool_)
    piece = (pieces == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    outline, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(piece, outline, -1, 1, -1) > 0)
