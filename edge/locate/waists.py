"""Two chromosomes that were taken for one: the parts of an object on either side of its waists.

Small chromosomes lie end to end or side against an end, and the locator then frames both at once. Between them the
object is narrower and paler than on either side, as it may be at a centromere too, so the parts are only proposed; who
weighs all objects of the cell says which stand. Of 35 chromosomes of the 275 val frames that no object marked but a
part of one would, the parts at the deepest waist mark 28, at the two deepest 33.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.geometry import LINE_POINTS, evenly, taken
from edge.locate.regions import Shape
from edge.records import BoolArray, Box, Crop, Float32Array, Region

Float64Array = npt.NDArray[np.float64]
DOUBTED_NATS, LEAST_DEPTH, DEPTH_BELIEVED = (0.0, 5.5), 0.1, 0.6
"""Of an object that may be two: the limits of its log odds of being a chromosome; the least depth of its waist if its
label is not believed at all; and how much deeper it must be if the label is believed for sure. On val its parts, three
a frame, leave 1.03 corrections a cell instead of 1.16; a depth of -0.1 leaves 1.03, of 0.25 1.07, of 0.4 1.11."""
WAISTS = 2
LEAST_SHARE = 0.15
"""The least share of the length on either side of a waist, and between two."""
LEAST_ROWS = 16
"""Shorter crops are of no two chromosomes."""
LEAST_PART_PX = 30


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What lies between two shares of the length of a region: its box in the frame, its mask in that, the region's
    centre line (n, 2) and the two ``ends``, 0..1."""

    box_px: Box
    mask: BoolArray
    whole_line: Float32Array
    ends: tuple[float, float]


def parted(
    regions: Sequence[Region], crops: Sequence[Crop], odds: Float32Array, believed: Float32Array, most: int
) -> list[Part]:
    """The parts of those of ``regions`` that may be two: their log ``odds`` (n,) of being a chromosome leave a doubt,
    and they have a waist, which must be the deeper the more their labels are ``believed`` (n,), 0..1. At the ``most``
    clearest waists."""
    doubted = np.flatnonzero((odds > DOUBTED_NATS[0]) & (odds < DOUBTED_NATS[1])).tolist()
    depths = LEAST_DEPTH + DEPTH_BELIEVED * believed[doubted].astype(np.float64)
    found: list[Part] = []
    for k, at in zip(doubted, waists([crops[k] for k in doubted], depths, most), strict=True):
        found += parts(regions[k], at) if at else ()
    return found


def shapes_of(found: Sequence[Part]) -> list[Shape]:
    """The parts with their centre lines, evenly spaced."""
    return [(part.box_px, part.mask, line) for part, line in zip(found, stretches(found), strict=True)]


def waists(crops: Sequence[Crop], least_depths: Float64Array, most: int) -> list[tuple[float, ...]]:
    """Where the object in each of the ``crops`` is narrower and paler than on either side: shares of its length from
    the top, deepest first. Depth is what is missing of stain, and half of what is missing of breadth, 0..1.5, and more
    than the crop's own of ``least_depths`` (n,). Of all crops together the ``most`` that exceed that by most."""
    if not crops:
        return []
    pixels = np.stack([crop.pixels for crop in crops])
    breadth = np.count_nonzero(pixels, axis=2)
    row = np.arange(breadth.shape[1])
    first, last = (breadth > 0).argmax(1)[:, None], row[-1] - (breadth[:, ::-1] > 0).argmax(1)[:, None]
    length = last + 1 - first
    margin = np.ceil(LEAST_SHARE * length)
    depth = _depths(pixels.sum(2, dtype=np.float64), first, last) + _depths(breadth, first, last) / 2
    depth[(row < first + margin) | (row > last - margin)] = 0
    depth[(length[:, 0] <= LEAST_ROWS) | (np.count_nonzero(breadth, axis=1) < LEAST_ROWS)] = 0
    found: list[tuple[float, int, float]] = []
    for _ in range(WAISTS):
        deepest = depth.argmax(1)[:, None]
        at = ((deepest - first + 0.5) / length)[:, 0].tolist()
        beyond = depth.max(1) - least_depths
        found += [(beyond[k], k, at[k]) for k in np.flatnonzero(beyond > 0).tolist()]
        depth[np.abs(row - deepest) <= margin] = 0
    clearest = sorted(found, reverse=True)[:most]
    return [tuple(at for _, own, at in clearest if own == k) for k in range(len(crops))]


def _depths(
    along: npt.NDArray[np.floating | np.integer], first: npt.NDArray[np.intp], last: npt.NDArray[np.intp]
) -> Float64Array:
    """How much less there is of something, at each place ``along`` (n, rows) objects from their ``first`` to their
    ``last`` row (n, 1), than at the most on the poorer of its sides: 0..1."""
    rows = np.arange(-1, along.shape[1] + 1)
    held = np.take_along_axis(along, np.clip(rows, first, last), 1)
    smooth = (held[:, :-2] + 2 * held[:, 1:-1] + held[:, 2:]) / 4
    smooth[(rows[1:-1] < first) | (rows[1:-1] > last)] = 0
    sides = np.maximum.accumulate(smooth, 1), np.maximum.accumulate(smooth[:, ::-1], 1)[:, ::-1]
    return np.asarray(1 - smooth / np.maximum(np.minimum(*sides), 1))


def parts(region: Region, waists_at: Sequence[float]) -> list[Part]:
    """The two parts of ``region`` before and after each waist, a share of its centre line; none where one of them has
    next to nothing."""
    rows, cols = np.nonzero(region.mask)
    points = np.stack([cols, rows], 1).astype(np.float32) + np.float32(0.5)
    line = region.axis_px - np.array(region.box_px[:2], np.float32)
    nearest = ((line**2).sum(1) - 2 * points @ line.T).argmin(1)
    margin = _margin(region.mask)
    found: list[Part] = []
    for at in waists_at:
        before = nearest < at * (len(line) - 1)
        if min(np.count_nonzero(before), np.count_nonzero(~before)) < LEAST_PART_PX:
            continue
        for own, ends in ((before, (0.0, at)), (~before, (at, 1.0))):
            mask = np.zeros(region.mask.shape, np.uint8)
            mask[rows[own], cols[own]] = 1
            x, y, width, height = cv2.boundingRect(mask)
            top, left = max(y - margin, 0), max(x - margin, 0)
            cut = mask[top : y + height + margin, left : x + width + margin].view(np.bool_)
            x0, y0 = region.box_px[0] + left, region.box_px[1] + top
            found.append(Part((x0, y0, x0 + cut.shape[1], y0 + cut.shape[0]), cut, region.axis_px, ends))
    return found


def _margin(mask: BoolArray) -> int:
    """Mean gap between a mask and the edges of its box, in pixels."""
    height, width = cv2.boundingRect(mask.view(np.uint8))[:1:-1]
    return int(mask.shape[0] - height + mask.shape[1] - width) // 4


def stretches(found: Sequence[Part]) -> Float32Array:
    """The parts' centre lines (m, LINE_POINTS, 2): the stretches of their wholes' between their ends."""
    if not found:
        return np.zeros((0, LINE_POINTS, 2), np.float32)
    lines = np.stack([part.whole_line for part in found])
    last = lines.shape[1] - 1
    places = np.array([np.linspace(*part.ends, last + 1) for part in found]) * last
    before = np.minimum(places.astype(np.intp), last - 1)
    step = taken(lines, before + 1) - taken(lines, before)
    return evenly((taken(lines, before) + step * (places - before)[..., None]).astype(np.float32))
