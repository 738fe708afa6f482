"""Metaphases in COCO form: JSON with ``images``, ``annotations`` and ``categories``.

The JSON lies at the top, in ``annotations/`` or beside its frames in a folder of its own (``train/``, ``valid/``,
``test/``); frames lie beside it or under the folder as their ``file_name`` says, or in ``images/`` or a folder named as
in the JSON's name (``train2017/``). The split is the one that the JSON's name or folder states, else each case's own.
The case is the image's field ``case``, else the one of ``cases.csv``, else read off the file's name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.data.metaphase import FrameTruth, framed
from trainer.data.names import split_named
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
        except (OSError, ValueError) as error:
            raise DatasetError(f"{file}: expected COCO's JSON, cannot read it: {error}") from error
        if isinstance(content, dict) and all(isinstance(content.get(part), list) for part in PARTS):
            tables[file] = content
    return tables


def read_coco(path: Path) -> list[FrameTruth]:
    """All frames, table by table. ``DatasetError`` names the table and the entry that is wrong."""
    folder = path.parent if path.is_file() else path
    strangers = Strangers.of(folder)
    truths: list[FrameTruth] = []
    for file, table in coco_files(path).items():
        split = split_named(file.relative_to(folder))
        try:
            truths += _frames(table, file, folder, split, strangers)
        except (KeyError, TypeError) as error:
            raise DatasetError(f"{file}: not as COCO has it, {type(error).__name__} {error}") from error
    return truths


def _frames(
    table: dict[str, Any], file: Path, folder: Path, split: str | None, strangers: Strangers
) -> list[FrameTruth]:
    names = {entry["id"]: str(entry["name"]) for entry in table["categories"]}
    marks: dict[Any, list[dict[str, Any]]] = {entry["id"]: [] for entry in table["images"]}
    for mark in table["annotations"]:
        if mark["image_id"] not in marks:
            raise DatasetError(f"{file}, annotation {mark.get('id')}: no image has the id {mark['image_id']}")
        marks[mark["image_id"]].append(mark)
    truths = []
    year_folder = folder / file.stem.split("_")[-1]
    for entry in table["images"]:
        own = marks[entry["id"]]
        picture = strangers.find(
            entry["file_name"], [file.parent, folder, folder / "images", file.parent / "images", year_folder], file
        )
        boxes = [[round(x), round(y), round(x + w), round(y + h)] for x, y, w, h in (m["bbox"] for m in own)]
        labels = [stranger_label(names[m["category_id"]], f"{file}, annotation {m.get('id')}") for m in own]
        case = str(entry.get("case") or strangers.case(picture.name))
        truths.append(framed(picture, case, strangers.split(case, split), boxes, labels, f"{file}, {picture.name}"))
    return truths
