"""Cells that nobody has reviewed, as a set to learn from: each with the labels that the models give it.

A network is at its weakest in a laboratory that it has never seen, and there the whole cell knows better than the
network does: two of each class are expected, and each chromosome is weighed against the others. So what the assignment
makes of a laboratory's own cells teaches the network, although some of it is wrong. Measured with a classifier that had
never seen the metaphase set's laboratory: `models/classifier/card.md`.

The set is for learning alone. Whoever measured on it would measure how well the models agree with themselves, and each
reader of it says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.camera.files import PICTURE_SUFFIXES, read_frame
from edge.errors import FrameError
from edge.locate.straighten import FEWEST_FOR_SCALE
from edge.pipeline import Pipeline
from edge.sinks.files import writable_folder, write_bytes
from edge.sinks.jsonl import cell_to_json
from trainer.data.corrections import UNREVIEWED
from trainer.data.pictures import Skipped
from trainer.data.strangers import Strangers
from trainer.errors import DatasetError

LINES = "unreviewed.jsonl"
PICTURES = "images"


@dataclass(frozen=True, slots=True)
class Unreviewed:
    """What was made of a folder: so many ``cells`` of so many ``cases``, and so many ``chromosomes`` in them;
    ``skipped``: the pictures that are not among them."""

    cells: int
    cases: int
    chromosomes: int
    skipped: tuple[Skipped, ...]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder and of the folders in it, in order; ``DatasetError`` where there is none."""
    inside = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.name[0] != ".")
    if not inside:
        raise DatasetError(f"{folder}: expected a folder with pictures of metaphases, found none in it; check the path")
    return inside


def label_unreviewed(folder: Path, pictures: Iterable[Path], pipeline: Pipeline, out: Path) -> Unreviewed:
    """Writes ``unreviewed.jsonl`` and ``images/`` into ``out``, in the form of ``trainer/data/corrections.py``; the
    ``pictures`` are some of ``folder``, which names their cases as ``Strangers`` has them.

    ``SinkError`` where ``out`` cannot be written.
    """
    kept = writable_folder(out / PICTURES)
    strangers = Strangers.of(folder)
    lines: dict[str, str] = {}
    cases: set[str] = set()
    skipped, chromosomes = [], 0
    for index, picture in enumerate(pictures):
        name = str(picture.relative_to(folder))
        try:
            cell = pipeline.label(read_frame(picture, index))
        except FrameError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        if cell.count < FEWEST_FOR_SCALE:
            skipped.append(Skipped(name, f"{cell.count} chromosomes: no metaphase"))
            continue
        content = picture.read_bytes()
        image = hashlib.sha256(content).hexdigest() + picture.suffix.lower()
        if image in lines:
            skipped.append(Skipped(name, "the same picture as one before"))
            continue
        write_bytes(kept / image, content)
        case = strangers.case(picture)
        line = {**cell_to_json(cell), "image": f"{PICTURES}/{image}", "case": case, UNREVIEWED: True}
        lines[image] = json.dumps(line, allow_nan=False) + "\n"
        cases.add(case)
        chromosomes += cell.count
    write_bytes(out / LINES, "".join(lines.values()).encode("ascii"))
    return Unreviewed(len(lines), len(cases), chromosomes, tuple(skipped))
