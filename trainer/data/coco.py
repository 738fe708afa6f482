"""Metaphases in COCO form: JSON with ``images``, ``annotations`` and ``categories``.

The JSON lies at the top, in ``annotations/`` or beside its frames in a folder of its own (``train/``, ``valid/``,
``test/``); frames lie beside it or under the folder as their ``file_name`` says, or in ``images/`` or a folder named as
in the JSON's name (``train2017/``, ``images/train2017/``). The split is the one that the JSON's name or folder states,
else each case's own. The case is the image's field ``case``, else the one of ``cases.csv``, else a folder that the
frame lies in (``names.case_folder``), else read off the file's name.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.data.foreign import ForeignSet, foreign_label
from trainer.data.metaphase import FrameTruth, framed
from trainer.data.names import split_named
from trainer.data.pictures import require_size
from trainer.data.splits import SPLITS
from trainer.data.tables import LARGEST
from trainer.data.walk import is_hidden
from trainer.errors import DatasetError

PARTS = ("images", "annotations", "categories")
PLACES = ("*", "*/*")


def coco_files(path: Path) -> dict[Path, dict[str, Any]]:
    """The COCO tables at ``path``, a JSON file or a folder; other JSON is passed over."""
    below = (file for place in PLACES for file in path.glob(place) if not is_hidden(file))
    files = [path] if path.is_file() else sorted(file for file in below if file.suffix.lower() == ".json")
    tables = {}
    for file in files:
        try:
            content = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise DatasetError(f"{file}: expected COCO's JSON, cannot read it: {error}") from error
        if isinstance(content, dict) and all(isinstance(content.get(part), list) for part in PARTS):
            tables[file] = content
    return tables


class CrowdWarning(UserWarning):
    """Marks of several chromosomes at once, COCO's ``iscrowd``; what lies there is ignored."""


@dataclass(frozen=True, slots=True, eq=False)
class CocoFrame:
    """One image of a ``table`` file as it has it: ``entry`` and ``marks`` are its image's and its annotations' own
    fields, ``labels`` what the annotations' categories stand for; ``crowds`` the annotations of several chromosomes at
    once; ``path`` is where its picture lies."""

    table: Path
    path: Path
    case: str
    split: str
    entry: dict[str, Any]
    marks: tuple[dict[str, Any], ...]
    labels: tuple[str, ...]
    crowds: tuple[dict[str, Any], ...]

    @property
    def ignored_px(self) -> npt.NDArray[np.int64]:
        """The crowds' boxes (k, 4): x0, y0, x1, y1."""
        boxes = np.array([corners(mark, self.table) for mark in self.crowds], np.float64)
        return np.rint(boxes.reshape(-1, 4)).astype(np.int64)


def read_coco(path: Path) -> list[FrameTruth]:
    """All frames, table by table; what lies in a crowd is ignored. ``DatasetError`` names the table and the entry that
    is wrong."""
    truths: list[FrameTruth] = []
    for frame in coco_frames(path):
        boxes = [corners(mark, frame.table) for mark in frame.marks]
        where = f"{frame.table}, {frame.path.name}"
        truth = framed(frame.path, frame.case, frame.split, boxes, frame.labels, where)
        truths.append(replace(truth, ignored_px=frame.ignored_px))
    return truths


def corners(mark: dict[str, Any], table: Path) -> list[float]:
    """x0, y0, x1, y1 of an annotation's ``bbox``; ``DatasetError`` where it is none."""
    where = f"{table}, annotation {mark.get('id')}"
    box = _field(mark, "bbox", where)
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_length, box)):
        raise _wrong(where, "bbox", "[x, y, width, height] in px", box)
    x, y, width, height = box
    return [x, y, x + width, y + height]


def _is_length(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= LARGEST


def coco_frames(path: Path) -> list[CocoFrame]:
    """The frames as ``read_coco`` gives them, with all that the tables say of each. One ``CrowdWarning`` counts the
    crowds."""
    folder = path.parent if path.is_file() else path
    foreign = ForeignSet.of(folder)
    frames: list[CocoFrame] = []
    for file, table in coco_files(path).items():
        split = _split_by_name(file) if path.is_file() else split_named(file.relative_to(folder))
        try:
            frames += _frames(table, file, folder, split, foreign)
        except TypeError as error:  # an id that is a list
            raise DatasetError(f"{file}: not as COCO has it, {error}; give numbers as ids") from error
    foreign.tell_guessed(frame.path for frame in frames if not _stated_case(frame.entry))
    crowds = sum(len(frame.crowds) for frame in frames)
    if crowds:
        warnings.warn(
            f"{path}: {crowds} annotation(s) with iscrowd 1 mark several chromosomes each: what lies there teaches "
            "nothing and counts neither way",
            CrowdWarning,
            stacklevel=2,
        )
    return frames


def _stated_case(entry: dict[str, Any]) -> str:
    """The case that an image's ``entry`` states, which may be the number 0; "" where it states none."""
    case = entry.get("case")
    return "" if case is None else str(case).strip()


def _split_by_name(file: Path) -> str | None:
    """The split that a file given by its own path states: its name, or its folder's name if that is a split's and
    nothing else."""
    above = file.resolve().parent.name
    return split_named(Path(file.name)) or (split_named(Path(above) / "_") if above in (*SPLITS, "valid") else None)


def _field(entry: Any, name: str, where: str) -> Any:
    if not isinstance(entry, dict) or name not in entry:
        raise DatasetError(f"{where}: expected an object with '{name}', got none; correct the table")
    return entry[name]


def _wrong(where: str, field: str, expected: str, got: object) -> DatasetError:
    return DatasetError(f"{where}: expected '{field}' to be {expected}, got {got!r}; correct the table")


def _frames(table: dict[str, Any], file: Path, folder: Path, split: str | None, foreign: ForeignSet) -> list[CocoFrame]:
    where = f"{file}, categories"
    names = {_field(entry, "id", where): str(_field(entry, "name", where)) for entry in table["categories"]}
    marks: dict[Any, list[dict[str, Any]]] = {}
    for entry in table["images"]:
        own_id = _field(entry, "id", f"{file}, images")
        if own_id in marks:
            raise _wrong(f"{file}, image {own_id}", "id", "another for each image", own_id)
        marks[own_id] = []
    labels: dict[Any, list[str]] = {own_id: [] for own_id in marks}
    crowds: dict[Any, list[dict[str, Any]]] = {own_id: [] for own_id in marks}
    for mark in table["annotations"]:
        image_id = _field(mark, "image_id", f"{file}, annotations")
        where = f"{file}, annotation {mark.get('id')}"
        if image_id not in marks:
            raise _wrong(where, "image_id", f"the id of one of the {len(marks)} images", image_id)
        if mark.get("iscrowd") == 1:
            crowds[image_id].append(mark)
            continue
        category = _field(mark, "category_id", where)
        if category not in names:
            raise _wrong(where, "category_id", f"the id of one of the {len(names)} categories", category)
        marks[image_id].append(mark)
        labels[image_id].append(foreign_label(names[category], where))
    own = file.stem.split("_")[-1]
    places = [file.parent, folder, folder / "images", file.parent / "images", folder / own, folder / "images" / own]
    frames = []
    for entry in table["images"]:
        where = f"{file}, image {entry['id']}"
        picture = _picture(entry, places, file, foreign, where)
        case = _stated_case(entry) or foreign.case(picture)
        own_id, own_split = entry["id"], foreign.split(case, split)
        known = tuple(marks[own_id]), tuple(labels[own_id]), tuple(crowds[own_id])
        frames.append(CocoFrame(file, picture, case, own_split, entry, *known))
    return frames


def _picture(entry: dict[str, Any], places: list[Path], file: Path, foreign: ForeignSet, where: str) -> Path:
    """Where the picture of an image's ``entry`` lies. ``DatasetError`` if it is not there, or not of the size that the
    entry states, if it states one."""
    name = _field(entry, "file_name", where)
    if not isinstance(name, str):
        raise _wrong(where, "file_name", "text", name)
    picture = foreign.find(name, places, file)
    width, height = entry.get("width"), entry.get("height")
    if width and height:
        for field, side in (("width", width), ("height", height)):
            if not _is_length(side):
                raise _wrong(where, field, "a number of pixels", side)
        require_size(picture, (width, height), where)
    return picture
