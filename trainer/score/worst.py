"""Pictures of the frames that need most corrections: what was missed, what is spurious, what has a wrong name.

What is right looks as in the edge's own overlay. Mistakes can be told apart without colour: a missed one has a dashed
box, a spurious one a box of double lines, a wrongly named one a thick outline, each with words. One that is located too
badly to count is both missed and spurious.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from edge.camera.files import read_frame
from edge.cell.drawing import BLACK, WHITE, Colour, font
from edge.cell.overlay import draw_overlay, least_hiding
from edge.records import Box, Cell, Chromosome, Crop, Frame, Region, UInt8Array
from edge.sinks.files import write_bytes
from trainer.score.outcomes import FrameOutcome

MISSED: Colour = (255, 225, 60)
SPURIOUS: Colour = (190, 20, 60)
WRONG: Colour = WHITE
_STRIP_FILL: Colour = (28, 28, 28)
OUTLINES = "outlines_px"
"""The key that a line's chromosome may have beside the stable ones: its outlines, each a list of [x, y] in the frame's
pixels. Without it the box is drawn."""

_Polygon = npt.NDArray[np.int32]
"""(n, 1, 2), x and y."""


def with_outlines(line: dict[str, Any], cell: Cell) -> dict[str, Any]:
    """``line`` of ``cell`` with each chromosome's outlines under ``OUTLINES``; a mask without a pixel has none."""
    chromosomes = []
    for entry, chromosome in zip(line["chromosomes"], cell.chromosomes, strict=True):
        region = chromosome.region
        found, _ = cv2.findContours(
            region.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=region.box_px[:2]
        )
        chromosomes.append(entry | {OUTLINES: [contour[:, 0].tolist() for contour in found]})
    return line | {"chromosomes": chromosomes}


def write_worst(outcomes: Sequence[FrameOutcome], folder: Path, count: int) -> int:
    """Writes a PNG for each of the first ``count`` of ``outcomes`` that need a correction, named by rank and frame;
    returns how many.

    ``folder`` exists. Raises ``SinkError`` if a picture cannot be written.
    """
    worst = [outcome for outcome in outcomes if outcome.corrections][:count]
    digits = max(2, len(str(len(worst))))
    for rank, outcome in enumerate(worst, 1):
        picture = draw_mistakes(read_frame(outcome.truth.path), outcome)
        png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
        write_bytes(folder / f"{rank:0{digits}d}_{PurePath(outcome.truth.image).stem}.png", png)
    return len(worst)


def draw_mistakes(frame: Frame, outcome: FrameOutcome) -> UInt8Array:
    """``frame`` with what was found, its mistakes marked, above a legend: uint8 (H * scale + legend, W * scale, 3),
    RGB; ``scale`` is that of ``draw_overlay``."""
    wrong = set(outcome.wrong)
    right = [i for j, i in outcome.found_of.items() if j not in wrong]
    canvas = draw_overlay(frame, _cell(frame, outcome.line, right), headed=False)
    height, width = canvas.shape[:2]
    scale = width // frame.pixels.shape[1]
    type_px = int(np.clip(min(height, width) / 60, 15, 28))
    marks = _marks(outcome, scale, (frame.pixels.shape[1], frame.pixels.shape[0]))

    plain = cv2.resize(frame.pixels, (width, height), interpolation=cv2.INTER_CUBIC)
    taken = (canvas != plain[..., None]).any(2).astype(np.uint8)  # outlines and labels of the right ones
    canvas = canvas.copy()
    for i in outcome.spurious:
        claimed = [p * scale for p in _outlines(outcome.line["chromosomes"][i], frame.pixels.shape[::-1])]
        cv2.polylines(canvas, claimed, True, WHITE, 3, cv2.LINE_AA)
        cv2.polylines(canvas, claimed, True, SPURIOUS, 1, cv2.LINE_AA)
    for style, polygons, _ in marks:
        _draw_outline(canvas, style, polygons, max(2, type_px // 8))
        cv2.polylines(taken, polygons, True, 2, 5)
        cv2.drawContours(taken, polygons, -1, 1, cv2.FILLED)
    picture = Image.fromarray(canvas)
    for style, polygons, text in marks:
        size = (round(font(type_px).getlength(text)) + 8, type_px + 6)
        place = least_hiding(taken, np.concatenate(polygons), size)
        _draw_plate(ImageDraw.Draw(picture), place, text, style, type_px, _nearest(polygons, place))
        taken[place[1] : place[3], place[0] : place[2]] = 8
    return np.concatenate([np.asarray(picture), _legend(outcome, width, type_px)])


def _marks(outcome: FrameOutcome, scale: int, size_px: tuple[int, int]) -> list[tuple[Colour, list[_Polygon], str]]:
    """The colour, which stands for the style, the outlines in the drawing's pixels, and the words of every mistake."""
    truth, found = outcome.truth, outcome.line["chromosomes"]
    missed = [
        (MISSED, [_corners(_box(truth.boxes_px[j], size_px))], f"missed {truth.labels[j]}") for j in outcome.missed
    ]
    spurious = [
        (SPURIOUS, [_corners(_box(found[i]["box_px"], size_px))], f"spurious {found[i]['label']}")
        for i in outcome.spurious
    ]
    wrong = [
        (WRONG, _outlines(found[outcome.found_of[j]], size_px), f"{outcome.said(j)} ({truth.labels[j]})")
        for j in outcome.wrong
    ]
    return [(style, [polygon * scale for polygon in own], text) for style, own, text in (*wrong, *spurious, *missed)]


def _cell(frame: Frame, line: Mapping[str, Any], indices: Sequence[int]) -> Cell:
    """The chromosomes at ``indices`` of a line, as far as drawing needs them."""
    height, width = frame.pixels.shape
    chromosomes = []
    for i in indices:
        entry = line["chromosomes"][i]
        box = _box(entry["box_px"], (width, height))
        mask = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
        cv2.fillPoly(mask, _outlines(entry, (width, height)), 1, offset=(-box[0], -box[1]))
        axis = np.array([box[:2], box[2:]], np.float32)
        chromosomes.append(
            Chromosome(
                region=Region(i, box, mask > 0, axis, (), 1.0),
                crop=Crop(i, np.zeros((1, 1), np.uint8)),
                label=entry["label"],
                confidence=1.0,
                status="review" if entry.get("status") == "review" else "accepted",
                candidates=((entry["label"], 1.0),),
                p_arm_up=True,
            )
        )
    return Cell(
        frame.source,
        frame.index,
        width,
        height,
        frame.um_per_px,
        frame.scale_stated,
        tuple(chromosomes),
        "",
        (),
        {},
        {},
    )


def _box(box_px: Sequence[float], size_px: tuple[int, int]) -> Box:
    """The box clipped to its frame of that size (w, h), at least a pixel large."""
    x0, y0, x1, y1 = (round(float(edge)) for edge in box_px)
    width, height = size_px
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    return x0, y0, max(min(x1, width), x0 + 1), max(min(y1, height), y0 + 1)


def _corners(box: Box) -> _Polygon:
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.int32)[:, None]


def _outlines(entry: Mapping[str, Any], size_px: tuple[int, int]) -> list[_Polygon]:
    """The outlines of a line's chromosome, else its box."""
    stated = [np.asarray(points, np.float64).round().astype(np.int32) for points in entry.get(OUTLINES, ()) if points]
    return [points.reshape(-1, 1, 2) for points in stated] or [_corners(_box(entry["box_px"], size_px))]


def _draw_outline(canvas: UInt8Array, style: Colour, polygons: Sequence[_Polygon], line_px: int) -> None:
    if style == MISSED:
        for polygon in polygons:
            _dashed(canvas, polygon, line_px)
    elif style == SPURIOUS:
        cv2.polylines(canvas, polygons, True, SPURIOUS, 3 * line_px, cv2.LINE_AA)
        cv2.polylines(canvas, polygons, True, WHITE, line_px, cv2.LINE_AA)
    else:
        cv2.polylines(canvas, polygons, True, BLACK, 2 * line_px + 1, cv2.LINE_AA)
        cv2.polylines(canvas, polygons, True, WRONG, 2 * line_px - 1, cv2.LINE_AA)


def _dashed(canvas: UInt8Array, polygon: _Polygon, line_px: int) -> None:
    """Draws dashes in the colour ``MISSED`` on a dark line, four line widths long and as far apart."""
    cv2.polylines(canvas, [polygon], True, BLACK, line_px + 2, cv2.LINE_AA)
    points = polygon[:, 0].astype(np.float64)
    for start, end in zip(points, np.roll(points, -1, 0), strict=True):
        dashes = max(1, round(float(np.linalg.norm(end - start)) / (8 * line_px)))
        for k in range(dashes):
            a, b = (start + (end - start) * (k + part) / dashes for part in (0.25, 0.75))
            cv2.line(canvas, a.round().astype(int).tolist(), b.round().astype(int).tolist(), MISSED, line_px)


def _nearest(polygons: Sequence[_Polygon], place: Box) -> tuple[int, int]:
    """The point of the outlines nearest to the middle of ``place``, among points a 16th of a side apart."""
    parts = np.arange(16)[:, None, None] / 16
    corners = [polygon[:, 0] for polygon in polygons]
    points = np.concatenate([((1 - parts) * c + parts * np.roll(c, -1, 0)).reshape(-1, 2) for c in corners])
    middle = np.array([(place[0] + place[2]) / 2, (place[1] + place[3]) / 2])
    x, y = points[((points - middle) ** 2).sum(1).argmin()].round().astype(int).tolist()
    return x, y


def _draw_plate(
    pen: ImageDraw.ImageDraw, place: Box, text: str, style: Colour, type_px: int, owner: tuple[int, int]
) -> None:
    """Draws ``text`` on a plate of the colour ``style``, and a line to the point ``owner`` if that is far away."""
    x0, y0, x1, y1 = place
    middle = (x0 + x1) / 2, (y0 + y1) / 2
    ink = WHITE if style == SPURIOUS else BLACK
    away = max(x0 - owner[0], owner[0] - x1, y0 - owner[1], owner[1] - y1)
    if away > type_px:
        pen.line((middle, owner), fill=BLACK, width=4)
        pen.line((middle, owner), fill=style, width=2)
    pen.rectangle((x0, y0, x1 - 1, y1 - 1), fill=style, outline=ink)
    pen.text(middle, text, fill=ink, font=font(type_px), anchor="mm")


def _legend(outcome: FrameOutcome, width_px: int, type_px: int) -> UInt8Array:
    """The strip below the frame: its name, its counts, and what the styles mean, in as many rows as that takes."""
    pad, sample = type_px // 2, 3 * type_px
    missed, spurious, wrong = outcome.missed, outcome.spurious, outcome.wrong
    right = len(outcome.found_of) - len(wrong)
    items: list[tuple[Colour | None, str]] = [
        (None, f"{outcome.truth.image}: {len(outcome.truth.labels)} true, {outcome.found} found, {right} right"),
        (MISSED, f"{len(missed)} missed"),
        (SPURIOUS, f"{len(spurious)} spurious"),
        (WRONG, f"{len(wrong)} wrong: said (true)"),
    ]
    places, x, y = [], pad, pad
    for style, text in items:
        long = (sample + pad if style else 0) + round(font(type_px).getlength(text))
        if x > pad and x + long > width_px - pad:
            x, y = pad, y + type_px + pad
        places.append((x, y))
        x += long + 3 * pad
    strip = np.full((y + type_px + 2 * pad, width_px, 3), _STRIP_FILL, np.uint8)
    for (style, _), (x, y) in zip(items, places, strict=True):
        if style:
            _draw_outline(strip, style, [_corners((x, y, x + sample, y + type_px))], 2)
    picture = Image.fromarray(strip)
    for (style, text), (x, y) in zip(items, places, strict=True):
        at = x + (sample + pad if style else 0), y + type_px // 2
        ImageDraw.Draw(picture).text(at, text, fill=WHITE, font=font(type_px), anchor="lm")
    return np.asarray(picture)
