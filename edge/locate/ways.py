"""A frame laid another way, and what was found in it as it lies in the frame that was taken.

The networks have no direction of their own, nor quite a size, yet their grids do: laid another way, or a little larger,
they err elsewhere. A doubtful stored cell is read each way until one is sure, and what is likeliest stands
(``edge/cell/readings.py``); the frames of a scene on the live page are laid in turn, and what they say is put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from edge.records import BoolArray, Box, Frame, Region

Way = Literal["as taken", "larger", "mirrored", "on its side", "smaller"]
"""``mirrored``: left and right swapped; ``on its side``: rows and columns swapped; ``larger`` and ``smaller``: as if it
were of another scale."""
WAYS: tuple[Way, ...] = get_args(Way)
"""On 275 val frames, of which the half that is not sure was read in so many ways besides the usual one, the likeliest
reading leaves, with none 0.735 corrections a cell, mirrored and on its side 0.607, larger and smaller, too, 0.553.
Turned by half, or mirrored and larger, it adds nothing to these."""
MIRRORING: tuple[Way, ...] = ("mirrored", "on its side")
"""Either turns a left hand into a right one."""
ZOOMS: dict[Way, float] = {"larger": 1.06, "smaller": 0.94}


def laid(frame: Frame, way: Way) -> Frame:
    """``frame``, or one of its pixels laid the other ``way``."""
    if way == "as taken":
        return frame
    if way in ZOOMS:
        return replace(frame, um_per_px=frame.um_per_px * ZOOMS[way])
    pixels = frame.pixels[:, ::-1] if way == "mirrored" else frame.pixels.T
    return replace(frame, pixels=np.ascontiguousarray(pixels))


def laid_back(
    regions: Sequence[Region], way: Way, shape: tuple[int, ...], shift_px: tuple[float, float]
) -> tuple[Region, ...]:
    """``regions`` of a frame that was laid so, of ``shape`` (H, W), as they lie in the frame that was taken.
    ``shift_px``: how far, to the right and down, boxes are drawn off the middles of their chromosomes, however the
    frame lies."""
    if way not in MIRRORING:
        return tuple(regions)
    return tuple(_laid_back(region, way, shape, shift_px) for region in regions)


def _laid_back(region: Region, way: Way, shape: tuple[int, ...], shift_px: tuple[float, float]) -> Region:
    height, width = shape if way == "mirrored" else shape[::-1]
    (x0, y0, x1, y1), mask, axis = region.box_px, region.mask, region.axis_px
    right, down = shift_px
    if way == "mirrored":
        box, mask, axis = (width - x1, y0, width - x0, y1), mask[:, ::-1], axis * (-1, 1) + (width, 0)
        by = round(2 * right), 0
    else:
        box, mask, axis = (y0, x0, y1, x1), mask.T, axis[:, ::-1]
        by = round(right - down), round(down - right)
    u0, u1 = _moved(box[0], box[2], by[0], width)
    v0, v1 = _moved(box[1], box[3], by[1], height)
    return replace(
        region,
        box_px=(u0, v0, u1, v1),
        mask=_within(mask, box, (u0, v0, u1, v1)),
        axis_px=np.ascontiguousarray(axis, np.float32),
    )


def _moved(low: int, high: int, by: int, end: int) -> tuple[int, int]:
    """A side of a box, moved, within the frame and at least a pixel long."""
    moved = min(max(low + by, 0), end - 1)
    return moved, max(min(high + by, end), moved + 1)


def _within(mask: BoolArray, box: Box, other: Box) -> BoolArray:
    """``mask`` of ``box`` as that of the ``other`` box: pixels stay where they are."""
    out = np.zeros((other[3] - other[1], other[2] - other[0]), np.bool_)
    x0, y0, x1, y1 = max(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), min(box[3], other[3])
    if x0 < x1 and y0 < y1:
        part = mask[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
        out[y0 - other[1] : y1 - other[1], x0 - other[0] : x1 - other[0]] = part
    return out
