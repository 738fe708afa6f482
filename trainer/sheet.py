"""Contact sheets: rows of small grey pictures with a word at the left of each row and one below each picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge.records import UInt8Array

GAP_PX = 6
TEXT_PX = 13
INK, PAPER = 20, 245


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """``pixels`` uint8 (H, W), and the words under it, which may be none."""

    pixels: UInt8Array
    caption: str = ""


def draw_sheet(rows: Sequence[tuple[str, Sequence[Tile]]], tile_px: tuple[int, int], title_px: int = 90) -> bytes:
    """The sheet as PNG: one line of pictures for each (title, tiles).

    Pictures larger than ``tile_px`` (width, height) are made smaller, smaller ones are left as they are.
    """
    width, height = tile_px
    columns = max((len(tiles) for _, tiles in rows), default=0)
    captioned = any(tile.caption for _, tiles in rows for tile in tiles)
    step_x, step_y = width + GAP_PX, height + GAP_PX + (TEXT_PX + 2 if captioned else 0)
    size = (title_px + max(columns, 1) * step_x + GAP_PX, max(len(rows), 1) * step_y + GAP_PX)
    sheet = Image.new("L", size, PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_PX)
    for i, (title, tiles) in enumerate(rows):
        y = GAP_PX + i * step_y
        pen.text((GAP_PX, y + height // 2 - TEXT_PX // 2), title, INK, font)
        for j, tile in enumerate(tiles):
            x = title_px + j * step_x
            small = _fitted(tile.pixels, width, height)
            sheet.paste(Image.fromarray(small), (x + (width - small.shape[1]) // 2, y + (height - small.shape[0]) // 2))
            if tile.caption:
                pen.text((x, y + height), tile.caption, INK, font)
    png = io.BytesIO()
    sheet.save(png, "PNG", optimize=True)
    return png.getvalue()


def dark_on_light(crop: UInt8Array) -> UInt8Array:
    """A classifier's crop, in which stain is bright, as a microscope shows it: dark on light."""
    return np.asarray(255 - crop, np.uint8)


def _fitted(pixels: UInt8Array, width: int, height: int) -> UInt8Array:
    scale = min(width / pixels.shape[1], height / pixels.shape[0], 1.0)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels, np.uint8)
