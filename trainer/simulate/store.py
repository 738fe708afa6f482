"""Composites as files: COCO's JSON with whole masks, and PNG frames, as ``trainer/data/coco.py`` reads them.

Beside COCO's own fields an annotation has ``centre_line``, points [x, y] from end to end, ``overlaps``, the ids of the
annotations that it crosses, and ``source``, the picture that it was cut out of; an image has ``case``, ``karyotype``
and ``base``, the picture whose ground it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.errors import SinkError
from edge.records import LABELS, UInt8Array
from trainer.data.rle import rle_of
from trainer.files import write_result
from trainer.sheet import Tile
from trainer.simulate.compose import Composite

TILE_PX = (460, 400)
PALE = 0.55
"""How pale the frame is in the outlined pictures, so that black lines stand out."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What ``store`` wrote: the ``table`` file, the numbers of ``cells``, of ``chromosomes`` and of those that
    cross."""

    table: Path
    cells: int
    chromosomes: int
    crossing: int


def store(cells: Iterable[Composite], out: Path, split: str) -> Stored:
    """Writes ``out``/annotations/``split``.json and the frames beside it in images/, the table last.

    Files of the same name are replaced. An older table is removed first: if the run is interrupted, its masks would lie
    on other pictures. ``SinkError`` if a file cannot be written.
    """
    table = out / "annotations" / f"{split}.json"
    _remove(table)
    images: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    for number, cell in enumerate(cells, 1):
        name = f"{split}-{number:04d}.png"
        write_result(out / "images" / name, cv2.imencode(".png", cell.pixels)[1].tobytes(), "--out")
        height, width = cell.pixels.shape
        own = {"case": cell.case, "karyotype": cell.karyotype, "base": cell.base}
        images.append({"id": number, "file_name": name, "width": width, "height": height} | own)
        marks += _marks(cell, number, len(marks) + 1)
    categories = [{"id": k, "name": label} for k, label in enumerate(LABELS, 1)]
    content = {"images": images, "annotations": marks, "categories": categories}
    write_result(table, (json.dumps(content, separators=(",", ":")) + "\n").encode(), "--out")
    return Stored(table, len(images), len(marks), sum(bool(mark["overlaps"]) for mark in marks))


def _remove(table: Path) -> None:
    try:
        table.unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"cannot replace {table}: {error.strerror}; name another folder with --out") from error


def _marks(cell: Composite, image_id: int, first_id: int) -> list[dict[str, Any]]:
    height, width = cell.pixels.shape
    return [
        {
            "id": first_id + k,
            "image_id": image_id,
            "category_id": LABELS.index(one.label) + 1,
            "bbox": [one.box_px[0], one.box_px[1], one.box_px[2] - one.box_px[0], one.box_px[3] - one.box_px[1]],
            "area": int(np.count_nonzero(one.mask)),
            "iscrowd": 0,
            "segmentation": rle_of(one.mask, one.mask_box_px, height, width),
            "centre_line": [[round(float(v), 1) for v in point] for point in one.centre_line_px],
            "overlaps": [first_id + j for j in one.overlaps],
            "source": one.source,
        }
        for k, one in enumerate(cell.chromosomes)
    ]


def sheet_rows(cells: Sequence[Composite]) -> list[tuple[str, list[Tile]]]:
    """A row for each of ``cells``: the picture as it is, and with an outline around every chromosome."""
    return [
        (
            cell.karyotype,
            [Tile(cell.pixels, f"on {cell.base}, case {cell.case}"), Tile(_outlined(cell), f"{len(cell.chromosomes)}")],
        )
        for cell in cells
    ]


def _outlined(cell: Composite) -> UInt8Array:
    canvas = np.rint(255 - (255 - cell.pixels.astype(np.float32)) * PALE).astype(np.uint8)
    for one in cell.chromosomes:
        found, _ = cv2.findContours(
            one.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=one.mask_box_px[:2]
        )
        cv2.drawContours(canvas, found, -1, 0, 1)
    return np.asarray(canvas, np.uint8)
