"""The frame with an outline and a label on every chromosome, for the eye at the microscope.

Outlines and labels carry a dark rim, so they read on any background. Labels stand beside their chromosome where there
is room; each takes the place that hides least of the chromosomes and labels already there. The legend stands in a strip
of its own above the frame and never hides a chromosome.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from edge.cell.drawing import BLACK, STATUS_COLOUR, WHITE, Colour, font, wrapped
from edge.cell.karyogram import NO_NAMES
from edge.records import BoolArray, Cell, Chromosome, Frame, UInt8Array

_READABLE_PX = 1200
"""A frame whose longer side is below this is drawn at twice its size, so that the labels stay legible."""
_STRIP_FILL: Colour = (28, 28, 28)

_Rect = tuple[int, int, int, int]
_Contour = npt.NDArray[np.int32]
"""OpenCV's: (n, 1, 2), x and y."""


def draw_overlay(frame: Frame, cell: Cell, names: Mapping[int, str] = NO_NAMES, *, headed: bool = True) -> UInt8Array:
    """``frame`` with ``cell``'s outlines and labels, as uint8 (strip + H * scale, W * scale, 3), RGB.

    ``names``: region id to name for those that are not just their label: ``mar`` or such as ``der(9)``.
    ``headed``: with the strip. ``scale`` is 2 for a small frame, else 1. A mask without a pixel is outlined by its box.
    """
    height, width = frame.pixels.shape
    scale = 2 if max(height, width) < _READABLE_PX else 1
    grey = cv2.resize(frame.pixels, (width * scale, height * scale), interpolation=cv2.INTER_CUBIC)
    canvas = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    type_px = int(np.clip(min(height, width) * scale / 55, 15, 32))
    line_px = max(2, round(type_px / 11))

    contours = [_contours(c, scale) for c in cell.chromosomes]
    for contour in contours:
        cv2.polylines(canvas, contour, True, BLACK, line_px + 2, cv2.LINE_AA)
    for chromosome, contour in zip(cell.chromosomes, contours, strict=True):
        cv2.polylines(canvas, contour, True, STATUS_COLOUR[chromosome.status], line_px, cv2.LINE_AA)

    picture = Image.fromarray(canvas)
    _draw_labels(picture, cell, contours, type_px, names)
    if not headed:
        return np.asarray(picture)
    return np.concatenate([_legend(cell, picture.width, type_px), np.asarray(picture)])


def _contours(chromosome: Chromosome, scale: int) -> list[_Contour]:
    """Outlines of the region's mask in the drawing's pixels, each int32 (n, 1, 2)."""
    region = chromosome.region
    mask: BoolArray = region.mask if region.mask.any() else np.ones_like(region.mask)
    enlarged = np.kron(mask, np.ones((scale, scale), dtype=np.bool_)).astype(np.uint8)
    offset = (region.box_px[0] * scale, region.box_px[1] * scale)
    found, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
    return list(found)


def _draw_labels(
    picture: Image.Image, cell: Cell, contours: list[list[_Contour]], type_px: int, names: Mapping[int, str]
) -> None:
    taken = np.zeros((picture.height, picture.width), dtype=np.uint8)
    for contour in contours:
        cv2.drawContours(taken, contour, -1, 1, cv2.FILLED)
    pen = ImageDraw.Draw(picture)
    for chromosome, contour in zip(cell.chromosomes, contours, strict=True):
        text = names.get(chromosome.region.id, chromosome.label) + ("?" if chromosome.status == "review" else "")
        size = (round(font(type_px).getlength(text)) + 2, type_px)
        x0, y0, x1, y1 = least_hiding(taken, np.concatenate(contour), size)
        taken[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = 8
        rim = max(2, round(type_px / 8))
        at = ((x0 + x1) / 2, (y0 + y1) / 2)
        ink = WHITE if chromosome.status == "accepted" else STATUS_COLOUR["review"]
        pen.text(at, text, fill=ink, font=font(type_px), anchor="mm", stroke_width=rim, stroke_fill=BLACK)


def least_hiding(taken: UInt8Array, contour: _Contour, size: tuple[int, int]) -> _Rect:
    """The place for a label of ``size`` (w, h) around or on ``contour`` that covers least of what is ``taken``."""
    x, y, box_w, box_h = cv2.boundingRect(contour)
    (w, h), gap = size, 4
    middle_x, middle_y = x + (box_w - w) // 2, y + (box_h - h) // 2
    left, right, above, below = x - w - gap, x + box_w + gap, y - h - gap, y + box_h + gap
    ends = contour[[contour[:, 0, 1].argmin(), contour[:, 0, 1].argmax()], 0]
    places = [
        (int(ends[0, 0]) - w // 2, above),
        (int(ends[1, 0]) - w // 2, below),
        (right, middle_y),
        (left, middle_y),
        *((corner_x, corner_y) for corner_y in (y, y + box_h - h) for corner_x in (right, left, x, x + box_w - w)),
        (middle_x, middle_y),
    ]
    height, width = taken.shape

    def hidden(place: tuple[int, int]) -> float:
        px, py = place
        inside = taken[max(0, py) : max(0, py + h), max(0, px) : max(0, px + w)]
        off_picture = w * h - inside.size
        return float(inside.sum()) + 20.0 * off_picture

    px, py = min(places, key=hidden)  # the first of equals: above, then below, then beside
    px, py = int(np.clip(px, 0, max(0, width - w))), int(np.clip(py, 0, max(0, height - h)))
    return px, py, px + w, py + h


def _legend(cell: Cell, width_px: int, type_px: int) -> UInt8Array:
    """The strip above the frame: count and karyotype, findings, and what the colours mean."""
    pad = type_px // 2
    reviews = sum(c.status == "review" for c in cell.chromosomes)
    inner = width_px - 2 * pad
    title = f"{cell.count} {'chromosome' if cell.count == 1 else 'chromosomes'}   {cell.karyotype}"
    lines: list[tuple[str, Colour]] = [(t, WHITE) for t in wrapped(title, type_px, inner)]
    lines += [(t, STATUS_COLOUR["review"]) for f in cell.findings for t in wrapped(f, type_px, inner)]
    line_px = type_px + pad
    strip = Image.new("RGB", (width_px, line_px * (len(lines) + 1) + pad), _STRIP_FILL)
    pen = ImageDraw.Draw(strip)
    for i, (text, colour) in enumerate(lines):
        pen.text((pad, pad + i * line_px), text, fill=colour, font=font(type_px))
    x = float(pad)
    y = pad + len(lines) * line_px
    for text, colour in (
        (f"{cell.count - reviews} accepted", STATUS_COLOUR["accepted"]),
        (f"{reviews} to review (?)", STATUS_COLOUR["review"]),
    ):
        pen.text((x, y), text, fill=colour, font=font(type_px))
        x += font(type_px).getlength(text) + 2 * pad
    return np.asarray(strip)
