"""The karyogram: a cell's chromosomes cut out, upright, in their 24 numbered places.

The order is ISCN's: groups A (1-3), B (4-5), C (6-12), D (13-15), E (16-18), F (19-20), G (21-22) and the sex
chromosomes. All chromosomes of a cell are drawn at one scale, the p arm up, homologues side by side on one line. A
place grows with its copies, so a trisomy or a tetraploid cell fits as it is. An autosome that is not there twice says
so. Markers have a place of their own after the sex chromosomes, where there are any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from edge.cell.drawing import STATUS_COLOUR, WHITE, Colour, font, trimmed, wrapped
from edge.records import Cell, Chromosome, Status, UInt8Array

_Group = tuple[str, tuple[str, ...]]
ROWS: tuple[tuple[_Group, ...], ...] = (
    (("A", ("1", "2", "3")), ("B", ("4", "5"))),
    (("C", ("6", "7", "8", "9", "10", "11", "12")),),
    (("D", ("13", "14", "15")), ("E", ("16", "17", "18"))),
    (("F", ("19", "20")), ("G", ("21", "22")), ("sex", ("X", "Y"))),
)

MARKER = "mar"
"""The name and the place of a marker chromosome."""
NO_NAMES: Mapping[int, str] = {}

_LONGEST_PX = 170
"""Drawn length of the cell's longest chromosome."""
_MAX_ENLARGEMENT = 2.5
"""A cell of which only small chromosomes were found is not blown up beyond this."""
_MARGIN_PX, _HEADER_GAP_PX, _ROW_GAP_PX = 36, 16, 26
_BETWEEN_COPIES_PX, _BETWEEN_PLACES_PX, _BETWEEN_GROUPS_PX = 6, 30, 64
_MARK_PX, _NUMBER_PX = 20, 30

_INK, _GREY, _LINE = (24, 24, 24), (130, 130, 130), (190, 190, 190)
_REVIEW_FILL: Colour = (255, 240, 214)
_REVIEW_INK: Colour = (178, 88, 0)
_FINDING_INK: Colour = (176, 24, 32)


class _Cutout(NamedTuple):
    stain: UInt8Array
    status: Status
    note: str
    """Written above it where its name is not simply its place's, such as ``der(9)``."""


@dataclass(frozen=True, slots=True)
class _Place:
    label: str
    cutouts: tuple[_Cutout, ...]
    column_px: int

    @property
    def width_px(self) -> int:
        columns = max(1 if self.label in ("Y", MARKER) else 2, len(self.cutouts))
        return columns * self.column_px + (columns - 1) * _BETWEEN_COPIES_PX

    @property
    def odd(self) -> bool:
        """An autosome that is not there twice."""
        return self.label not in ("X", "Y", MARKER) and len(self.cutouts) != 2


def draw_karyogram(cell: Cell, names: Mapping[int, str] = NO_NAMES, *, headed: bool = True) -> UInt8Array:
    """The karyogram of ``cell`` as uint8 (H, W, 3), RGB, dark on white. An empty cell gives the empty form.

    ``names``: region id to name for those that are not just their label: ``mar`` or such as ``der(9)``. ``headed``:
    with the lines above it that say karyotype, frame and findings.
    """
    upright = [_upright(c) for c in cell.chromosomes]
    longest = max((stain.shape[0] for stain in upright), default=_LONGEST_PX)
    scale = min(_LONGEST_PX / longest, _MAX_ENLARGEMENT)
    named = [names.get(c.region.id, "") for c in cell.chromosomes]
    cutouts = [
        _Cutout(_scaled(s, scale), c.status, "" if name == MARKER else name)
        for s, c, name in zip(upright, cell.chromosomes, named, strict=True)
    ]
    places = [MARKER if name == MARKER else c.label for name, c in zip(named, cell.chromosomes, strict=True)]
    column_px = max((c.stain.shape[1] for c in cutouts), default=0)
    column_px = max(column_px, _LONGEST_PX // 5)

    def place(label: str) -> _Place:
        here = [k for k, own in zip(cutouts, places, strict=True) if own == label]
        return _Place(label, tuple(here), column_px)

    form = (*ROWS[:-1], (*ROWS[-1], ("", (MARKER,)))) if MARKER in places else ROWS
    rows = [[[place(label) for label in labels] for _, labels in groups] for groups in form]
    inner_px = max(_row_width(row) for row in rows)
    heights = [_row_height(row) for row in rows]
    header = _header(cell, inner_px) if headed else []
    header_px = sum(size + 10 for _, size, _ in header) + (_HEADER_GAP_PX if headed else 0)
    height_px = 2 * _MARGIN_PX + header_px + sum(heights) + _ROW_GAP_PX * (len(rows) - 1)

    picture = Image.new("RGB", (inner_px + 2 * _MARGIN_PX, height_px), WHITE)
    pen = ImageDraw.Draw(picture)
    y = _MARGIN_PX
    for text, size, colour in header:
        pen.text((_MARGIN_PX, y), text, fill=colour, font=font(size))
        y += size + 10
    y = _MARGIN_PX + header_px
    for groups, row, row_px in zip(form, rows, heights, strict=True):
        _draw_row(picture, groups, row, y, row_px, inner_px)
        y += row_px + _ROW_GAP_PX
    return np.asarray(picture)


def _upright(chromosome: Chromosome) -> UInt8Array:
    """The crop with its p arm up, turned and never mirrored, and its empty border cut away."""
    return trimmed(chromosome.crop.pixels if chromosome.p_arm_up else chromosome.crop.pixels[::-1, ::-1])


def _scaled(stain: UInt8Array, scale: float) -> UInt8Array:
    height, width = (max(1, round(n * scale)) for n in stain.shape)
    resized = Image.fromarray(np.ascontiguousarray(stain)).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def _row_width(row: list[list[_Place]]) -> int:
    groups = [sum(p.width_px for p in places) + _BETWEEN_PLACES_PX * (len(places) - 1) for places in row]
    return sum(groups) + _BETWEEN_GROUPS_PX * (len(row) - 1)


def _row_height(row: list[list[_Place]]) -> int:
    tallest = max((c.stain.shape[0] for places in row for p in places for c in p.cutouts), default=0)
    return _MARK_PX + max(tallest, _LONGEST_PX // 3) + _NUMBER_PX


def _header(cell: Cell, width_px: int) -> list[tuple[str, int, Colour]]:
    """Lines of (text, size, colour): karyotype; count, frame and what to review; each finding."""
    reviews = sum(c.status == "review" for c in cell.chromosomes)
    plural = "chromosome" if cell.count == 1 else "chromosomes"
    review = f"   {reviews} to review (marked ?)" if reviews else ""
    lines: list[tuple[str, int, Colour]] = [(line, 30, _INK) for line in wrapped(cell.karyotype, 30, width_px)]
    lines += [(t, 16, _GREY) for t in wrapped(f"{cell.count} {plural}   {cell.frame}{review}", 16, width_px)]
    lines += [(t, 18, _FINDING_INK) for finding in cell.findings for t in wrapped(finding, 18, width_px)]
    return lines


def _draw_row(
    picture: Image.Image, groups: tuple[_Group, ...], row: list[list[_Place]], top: int, row_px: int, inner_px: int
) -> None:
    """One row, its places spread over the picture's width so that the rows end flush."""
    slack = inner_px - _row_width(row)
    gaps = sum(len(places) - 1 for places in row)
    weight = gaps + 2 * (len(row) - 1)  # a gap between groups takes twice the share of one between places
    x = float(_MARGIN_PX)
    pen = ImageDraw.Draw(picture)
    baseline = top + row_px - _NUMBER_PX
    for (letter, _), places in zip(groups, row, strict=True):
        start = x
        for place in places:
            _draw_place(picture, place, round(x), baseline)
            x += place.width_px + _BETWEEN_PLACES_PX + slack / weight
        end = x - _BETWEEN_PLACES_PX - slack / weight
        middle, below = (start + end) / 2, top + row_px + 8
        pen.line([(start, below), (end, below)], fill=_LINE)
        half = font(14).getlength(letter) / 2 + 6
        pen.rectangle((middle - half, below - 8, middle + half, below + 8), fill=WHITE)
        pen.text((middle, below), letter, fill=_GREY, font=font(14), anchor="mm")
        x = end + _BETWEEN_GROUPS_PX + 2 * slack / weight


def _draw_place(picture: Image.Image, place: _Place, left: int, baseline: int) -> None:
    pen = ImageDraw.Draw(picture)
    columns = max(1, len(place.cutouts))
    used = columns * place.column_px + (columns - 1) * _BETWEEN_COPIES_PX
    x = left + (place.width_px - used) // 2
    for cutout in place.cutouts:
        _draw_cutout(picture, cutout, x, place.column_px, baseline)
        x += place.column_px + _BETWEEN_COPIES_PX
    pen.line([(left, baseline + 4), (left + place.width_px, baseline + 4)], fill=_INK, width=1)
    text = f"{place.label}  ({len(place.cutouts)})" if place.odd else place.label
    colour = _FINDING_INK if place.odd else _INK
    pen.text((left + place.width_px / 2, baseline + 9), text, fill=colour, font=font(16), anchor="ma")


def _draw_cutout(picture: Image.Image, cutout: _Cutout, x: int, column_px: int, baseline: int) -> None:
    height, width = cutout.stain.shape
    if cutout.status == "review":
        pen = ImageDraw.Draw(picture)
        box = (x - 2, baseline - height - _MARK_PX, x + column_px + 1, baseline + 3)
        pen.rounded_rectangle(box, 5, fill=_REVIEW_FILL, outline=STATUS_COLOUR["review"], width=2)
        pen.text((x + column_px / 2, box[1] + 3), "?", fill=_REVIEW_INK, font=font(15), anchor="ma")
    if cutout.note:
        at = (x + column_px / 2, baseline - height - 4)
        ImageDraw.Draw(picture).text(at, cutout.note, fill=_FINDING_INK, font=font(13), anchor="mb")
    x += (column_px - width) // 2
    area = (x, baseline - height, x + width, baseline)
    paper = np.asarray(picture.crop(area), dtype=np.uint16)
    inked = paper * (255 - cutout.stain[..., None].astype(np.uint16)) // 255
    picture.paste(Image.fromarray(inked.astype(np.uint8)), area)
