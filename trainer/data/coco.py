"""Metaphases in COCO form: JSON with ``images``, ``annotations`` and ``categories``.

The JSON lies at the top, in ``annotations/`` or beside its frames in a folder of its own (``train/``, ``valid/``,
``test/``); frames lie beside it or under the folder as their ``file_name`` says, or in ``images/`` or a folder named as
in the JSON's name (``train2017/``). The split is the one that the JSON's name or folder states, else each case's own.
The case is the image's field ``case``, else the one of ``cases.csv``, else a folder that the frame lies in
(``names.case_folder``), else read off the file's name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.data.metaphase import FrameTruth, framed
from trainer.data.names import split_named
from trainer.data.pictures import require_size
from trainer.data.strangers import Strangers, stranger_label
from trainer.errors import DatasetError

PARTS = ("images", "annotations", "categories")
PLACES = ("*.json", "annotations/*.json", "*/*.json")


def coco_files(path: Path) -> dict[Path, dict[str, Any]]:
    """The COCO tables at ``path``, a JSON file or a folder; other JSON is passed over."""
    files = [path] if path.is_file() else sorted({f for place in PLACES for f in path.glob(place)})
    tables = {}
    for file in files:
        try:
            content = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise DatasetError(f"{file}: expected COCO's JSON, cannot read it: {error}") from error
        if isinstance(content, dict) and all(isinstance(content.get(part), list) for part in PARTS):
            tables[file] = content
    return tables


@dataclass(frozen=True, slots=True, eq=False)
class CocoFrame:
    """One image of a ``table`` file as it has it: ``entry`` and ``marks`` are its image's and its annotations' own
    fields, ``labels`` what the annotations' categories stand for; ``path`` is where its picture lies."""

    table: Path
    path: Path
    case: str
    split: str
    entry: dict[str, Any]
    marks: tuple[dict[str, Any], ...]
    labels: tuple[str, ...]


def read_coco(path: Path) -> list[FrameTruth]:
    """All frames, table by table. ``DatasetError`` names the table and the entry that is wrong."""
    truths: list[FrameTruth] = []
    for frame in coco_frames(path):
        try:
            boxes = [[x, y, x + w, y + h] for x, y, w, h in (m["bbox"] for m in frame.marks)]
        except (KeyError, TypeError, ValueError) as error:
            raise _not_coco(frame.table, error) from error
        where = f"{frame.table}, {frame.path.name}"
        truths.append(framed(frame.path, frame.case, frame.split, boxes, frame.labels, where))
    return truths


def coco_frames(path: Path) -> list[CocoFrame]:
    """As ``read_coco``, with all that the tables say of each frame."""
    folder = path.parent if path.is_file() else path
    strangers = Strangers.of(folder)
    frames: list[CocoFrame] = []
    for file, table in coco_files(path).items():
        split = split_named(Path(*file.resolve().parts[-2:]) if path.is_file() else file.relative_to(folder))
        try:
            frames += _frames(table, file, folder, split, strangers)
        except (KeyError, TypeError) as error:
            raise _not_coco(file, error) from error
    return frames


def _not_coco(file: Path, error: Exception) -> DatasetError:
    return DatasetError(f"{file}: not as COCO has it, {type(error).__name__} {error}")


def _frames(
    table: dict[str, Any], file: Path, folder: Path, split: str | None, strangers: Strangers
) -> list[CocoFrame]:
    names = {entry["id"]: str(entry["name"]) for entry in table["categories"]}
    marks: dict[Any, list[dict[str, Any]]] = {entry["id"]: [] for entry in table["images"]}
    for mark in table["annotations"]:
        if mark["image_id"] not in marks:
            raise DatasetError(f"{file}, annotation {mark.get('id')}: no image has the id {mark['image_id']}")
        marks[mark["image_id"]].append(mark)
    frames = []
    year_folder = folder / file.stem.split("_")[-1]
    for entry in table["images"]:
        own = marks[entry["id"]]
        picture = strangers.find(
            entry["file_name"], [file.parent, folder, folder / "images", file.parent / "images", year_folder], file
        )
        stated = entry.get("width"), entry.get("height")
        if all(stated):
            require_size(picture, stated, f"{file}, image {entry['id']}")
        labels = tuple(stranger_label(names[m["category_id"]], f"{file}, annotation {m.get('id')}") for m in own)
        case = str(entry.get("case") or strangers.case(picture))
        frames.append(CocoFrame(file, picture, case, strangers.split(case, split), entry, tuple(own), labels))
    return frames
