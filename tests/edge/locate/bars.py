"""Bars for chromosomes: one, two end to end, and one across another."""

from __future__ import annotations

import numpy as np

from edge.locate.geometry import evenly
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import BoolArray, Crop, Region, UInt8Array
from tests.builders import make_crop, make_region


def pair(first: int = 40, other: int = 24, neck: int = 4, neck_stain: int = 60, neck_cols: int = 6) -> Crop:
    """Two bars of ``first`` and ``other`` rows with a paler and narrower neck between them."""
    pixels = make_crop(rows=first + neck + other, cols=12, stain=150).pixels.copy()
    top = (CROP_ROWS - first - neck - other) // 2 + first
    pixels[top : top + neck] = 0
    pixels[top : top + neck, (CROP_COLS - neck_cols) // 2 : (CROP_COLS + neck_cols) // 2] = neck_stain
    return Crop(0, pixels)


def upright(height: int = 68, first: int = 40) -> Region:
    """A region of two bars, 12 px wide, the ground's margin 3 px; the second bar stands 6 px to the right."""
    mask = np.zeros((height + 6, 24), np.bool_)
    mask[3 : 3 + first, 3:15] = True
    mask[3 + first : 3 + height, 9:21] = True
    ends = np.array([[12, 3], [12, 3 + height]], np.float32)
    return Region(0, (100, 50, 124, 56 + height), mask, evenly(ends + np.array([100, 50], np.float32)), (), 0.8)


def bar(id: int, x: float, y: float, length: float, *, lying: bool = False) -> Region:
    """12 px wide, from (x, y) down, or to the right."""
    w, h = (length, 12.0) if lying else (12.0, length)
    box = (int(x), int(y), int(x + w), int(y + h))
    ends = [[x, y + 6], [x + length, y + 6]] if lying else [[x + 6, y], [x + 6, y + length]]
    return Region(id, box, make_region(box_px=box).mask, evenly(np.array(ends, np.float32)), (), 0.5)


def crossed() -> tuple[UInt8Array, BoolArray, BoolArray]:
    """A lying bar across a standing one: the picture, and the pixels of either."""
    picture = np.full((200, 200), 210, np.uint8)
    lying, standing = np.zeros((200, 200), np.bool_), np.zeros((200, 200), np.bool_)
    lying[93:107, 50:150] = standing[50:150, 93:107] = True
    picture[lying | standing] = 90
    picture[lying & standing] = 40
    return picture, lying, standing
