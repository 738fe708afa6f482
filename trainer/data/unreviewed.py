"""Cells that nobody has reviewed, as a set to learn from: each with the labels that the models give it.

A network is weakest in a laboratory that it has never seen, and there the decision over the whole cell knows more than
the network does: two of each class are expected, and each chromosome is weighed against the others. So the assigned
labels of a laboratory's own cells teach the network, although some of them are wrong. Measured with a classifier that
had never seen the metaphase set's laboratory: `models/classifier/card.md`.

The set is for learning alone: to measure on it would be to measure how well the models agree with themselves. A warning
says so whenever it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edge.camera.files import PICTURE_SUFFIXES, read_frame
from edge.cases.ometiff import is_set_aside
from edge.errors import ConfigError, FrameError, SinkError
from edge.locate.straighten import FEWEST_FOR_SCALE
from edge.pipeline import Pipeline
from edge.sinks.files import reason, writable_folder, write_bytes
from edge.sinks.jsonl import cell_to_json
from trainer.data.corrections import CORRECTIONS, PLACES, UNREVIEWED
from trainer.data.foreign import ForeignSet
from trainer.data.pictures import Skipped, description_of, warn_skipped
from trainer.data.walk import files_below
from trainer.errors import DatasetError

LINES = "unreviewed.jsonl"
PICTURES = "images"
PART = "unreviewed.part"
"""The file with the lines until all cells are labelled: a set is whole or not there."""
KARYOGRAM = "-karyogram.png"
"""How the name of an exported karyogram ends; the frame beside it has outlines drawn."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What models made of a folder: the numbers of ``cells``, of their ``cases`` and of the ``chromosomes`` in them,
    and the share of these that they are sure enough of to accept."""

    cells: int
    cases: int
    chromosomes: int
    accepted: float

    def __str__(self) -> str:
        return (
            f"{self.cells} cell{'s'[: self.cells != 1]} of {self.cases} case{'s'[: self.cases != 1]}, "
            f"{self.chromosomes} chromosomes, {self.accepted:.1%} of them accepted; nobody has reviewed them"
        )


def pictures_in(folder: Path, out: Path) -> list[Path]:
    """The pictures of a folder and of the folders in it, in order. ``DatasetError`` if there is none, if one is of no
    known case, and for an export of cases, most of whose pictures are drawn; ``ConfigError`` if the results in ``out``
    would be among the pictures the next time. Cells that somebody set aside, as OME-TIFF says, are left out with a
    warning."""
    if out.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{out}: expected an --out that is not within {folder}, whose pictures are learned from")
    inside = files_below(folder, PICTURE_SUFFIXES)
    drawn = [file.parent for place in PLACES for file in folder.glob(place) if file.name == CORRECTIONS]
    drawn += [path.parent for path in inside if path.name.endswith(KARYOGRAM)]
    if drawn:
        raise DatasetError(
            f"{folder}: expected frames as the camera took them, got {drawn[0]}, an export with karyograms and drawn "
            "outlines; learn from its corrections by trainer fit, or export the frames alone, as ome-tiff"
        )
    aside = [path for path in inside if is_set_aside(description_of(path))]
    warn_skipped(folder, [Skipped(str(path.relative_to(folder)), "a person set this cell aside") for path in aside], "")
    inside = sorted(set(inside) - set(aside))
    if not inside:
        raise DatasetError(f"{folder}: expected a folder with pictures of metaphases, found none in it; check the path")
    foreign = ForeignSet.of(folder)
    for picture in inside:
        foreign.case(picture)
    foreign.tell_guessed(inside, one_will_do=True)
    return inside


def label_unreviewed(folder: Path, pictures: Iterable[Path], pipeline: Pipeline, out: Path, kept: Path) -> None:
    """Writes ``unreviewed.jsonl`` into ``out``, in the form of ``trainer/data/corrections.py``, and the pictures that
    it names into ``kept``, each under its hash; ``pictures`` are some of ``folder``, which names their cases as
    ``ForeignSet`` has them. What cannot be read, shows no metaphase or came before is left out with a warning. Cells
    that the same models had labelled when they were stopped are not labelled again.

    ``DatasetError`` where nothing is left, ``SinkError`` where a folder cannot be written.
    """
    foreign = ForeignSet.of(folder)
    lines: dict[str, str] = {}
    skipped = []
    out, kept = writable_folder(out), writable_folder(kept)
    labelled = _labelled_before(out / PART, pipeline)
    for index, picture in enumerate(pictures):
        name = str(picture.relative_to(folder))
        try:
            frame = read_frame(picture, index)
            content = picture.read_bytes()
            image = kept / (hashlib.sha256(content).hexdigest() + picture.suffix.lower())
            if image.name in lines:
                skipped.append(Skipped(name, "the same picture as one before"))
                continue
            cell = labelled.get(image.name) or cell_to_json(pipeline.label(frame))
        except FrameError as error:
            skipped.append(Skipped(name, str(error)))
            continue
        if cell["count"] < FEWEST_FOR_SCALE:
            skipped.append(Skipped(name, f"{cell['count']} chromosomes: no metaphase"))
            continue
        write_bytes(image, content)
        beside = Path(os.path.relpath(image, out)).as_posix()
        line = {**cell, "image": beside, "case": foreign.case(picture), UNREVIEWED: True}
        lines[image.name] = json.dumps(line, allow_nan=False) + "\n"
        if image.name not in labelled:
            _add(lines[image.name], out / PART)
    warn_skipped(folder, skipped, rest="")
    if not lines:
        raise DatasetError(f"{folder}: expected pictures of metaphases, found none in {len(skipped)} picture(s)")
    write_bytes(out / LINES, "".join(lines.values()).encode("ascii"))
    (out / PART).unlink(missing_ok=True)


def _labelled_before(part: Path, pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """The lines in ``part`` of cells that these models labelled, by their pictures' names; other lines are removed from
    the file."""
    found: dict[str, dict[str, Any]] = {}
    for text in part.read_text(encoding="ascii", errors="replace").splitlines() if part.is_file() else ():
        try:
            line = json.loads(text)
            if line["models"] == pipeline.models:
                found[PurePosixPath(line["image"]).name] = line
        except (ValueError, KeyError, TypeError):
            continue  # a line that was torn when the process was killed
    write_bytes(part, "".join(json.dumps(line) + "\n" for line in found.values()).encode("ascii"))
    return found


def _add(line: str, part: Path) -> None:
    try:
        with part.open("a", encoding="ascii") as file:
            file.write(line)
    except OSError as error:
        raise SinkError(
            f"cannot write {part}: {reason(error)}; free some space and give the same command again: it goes on"
        ) from error


def labelled_in(out: Path) -> Labelled:
    """The figures of what ``label_unreviewed`` wrote to ``out``."""
    cells = [json.loads(line) for line in (out / LINES).read_text(encoding="ascii").splitlines()]
    marks = [chromosome["status"] == "accepted" for cell in cells for chromosome in cell["chromosomes"]]
    return Labelled(len(cells), len({cell["case"] for cell in cells}), len(marks), sum(marks) / len(marks))
