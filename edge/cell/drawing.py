"""What the pictures of a cell share: the colours that tell status, the type, line breaking, and trimmed crops."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
from PIL import ImageFont

from edge.records import Status, UInt8Array

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

STATUS_COLOUR: dict[Status, Colour] = {"accepted": (56, 160, 255), "review": (255, 150, 0)}
"""RGB. Blue against orange keeps apart for colour-blind eyes too; a ``?`` says "review" besides the colour."""

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
_FAINT_STAIN = 16
"""Pixels below this are background when a crop is trimmed."""


@cache
def font(size_px: int) -> Font:
    """The typeface that ships within Pillow, so that a picture looks the same on every board."""
    return ImageFont.load_default(size_px)


def wrapped(text: str, size_px: int, width_px: float) -> list[str]:
    """``text`` broken after spaces and commas into lines of at most ``width_px`` where it can be broken at all."""
    lines = [""]
    for part in re.findall(r"[^\s,]*[\s,]?", text):
        if lines[-1] and font(size_px).getlength((lines[-1] + part).rstrip()) > width_px:
            lines.append("")
        lines[-1] += part
    return [line.strip() for line in lines]


def trimmed(stain: UInt8Array) -> UInt8Array:
    """The crop uint8 (H, W) without its empty border; itself if there is no stain in it."""
    rows, columns = (np.flatnonzero(stain.max(axis=axis) >= _FAINT_STAIN) for axis in (1, 0))
    if rows.size == 0:
        return stain
    return stain[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
