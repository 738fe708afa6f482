"""Metaphase frames with labelled boxes, and the trainer's own form of them: ``images/``, ``images.csv`` and
``boxes.csv`` in one folder. ``trainer/data/sources.py`` knows the other forms.

The layout is that of the G-banded set of Tseng et al., Sci Data 10:104 (2023), doi 10.1038/s41597-023-02003-7, with its
boxes written to a table; any folder with these columns will do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer.data.pictures import require_size, size_of
from trainer.data.tables import LARGEST, Row, read_table
from trainer.errors import DatasetError

IMAGE_COLUMNS = ("image", "case", "split", "width_px", "height_px", "finding", "difficult")
BOX_COLUMNS = ("image", "label", "xmin", "ymin", "xmax", "ymax")
FINDINGS = ("normal", "numerical", "structural", "")


@dataclass(frozen=True, slots=True, eq=False)
class FrameTruth:
    """One frame and what is known of it.

    ``boxes_px`` int64 (n, 4), half-open (x0, y0, x1, y1), within the frame; ``stated_boxes_px`` the same as the table
    has them (a few reach one pixel beyond the border); ``labels`` (n,) of ``LABELS``; ``finding`` is the case's stated
    karyotype: normal, numerical, structural, or empty where none is stated.
    """

    image: str
    path: Path
    case: str
    split: str
    width_px: int
    height_px: int
    finding: str
    difficult: bool
    boxes_px: npt.NDArray[np.int64]
    stated_boxes_px: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    p_ends_px: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """Row of a chromosome to where its p arm ends, x and y; only of those where a person marked it."""
    ignored_px: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    """int64 (k, 4), half-open: objects of which nothing is to be learned, see ``trainer/data/excluded.py``."""


def read_frames(folder: Path, split: str) -> list[FrameTruth]:
    """All frames of one split ("train", "val" or "test") of a set in any form of ``sources``, in its own order.

    Frames that cannot be read are left out with one ``SkippedWarning`` that names them, those in which nobody has
    marked a chromosome (``sources``) with another. ``DatasetError``: a table, a column or a picture is missing, a
    picture has not the stated size, a label is unknown, a case is in two splits, or no frame is in the split.
    """
    from trainer.data.sources import frames_at  # the readers of the other forms make this module's records

    return frames_at(folder, split)


def some_frames(folder: Path, split: str, count: int) -> list[FrameTruth]:
    """At most ``count`` frames of ``read_frames``, spread evenly over them."""
    frames = read_frames(folder, split)
    return [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).astype(np.intp))]


def read_tables(folder: Path) -> list[FrameTruth]:
    """All frames of ``images.csv`` with their boxes of ``boxes.csv``; whether the pictures are there is not checked,
    but those that are must have the stated size: ``DatasetError``."""
    images = read_table(folder / "images.csv", IMAGE_COLUMNS)
    boxes: dict[str, list[Row]] = {row.text("image"): [] for row in images}
    for row in read_table(folder / "boxes.csv", BOX_COLUMNS):
        if row.text("image") not in boxes:
            raise row.wrong("image", "a picture listed in images.csv")
        boxes[row.text("image")].append(row)
    return [_frame(folder, row, boxes[row.text("image")]) for row in images]


def framed(
    path: Path, case: str, split: str, boxes_px: Sequence[Sequence[float]], labels: Sequence[str], where: str
) -> FrameTruth:
    """A frame of which only its labelled boxes are known, half-open; its size is read from the picture.

    ``DatasetError``, naming ``where``, for a box that is not four numbers or that lies wholly outside the frame. If the
    picture's size cannot be read the boxes stay as they are: whoever reads the frame finds out that it is no picture.
    """
    stated = np.array([_whole(box, where) for box in boxes_px], np.int64).reshape(-1, 4)
    width, height = size_of(path) or (int(v) for v in np.maximum(stated.reshape(-1, 2).max(0, initial=1), 1))
    inside, empty = _clip(stated, width, height)
    if len(empty):
        box = stated[int(empty[0])].tolist()
        raise DatasetError(
            f"{where}: expected boxes with an area within their frame of {width}x{height} px, got {box}; correct or "
            "remove it"
        )
    return FrameTruth(path.name, path, case, split, width, height, "", False, inside, stated, tuple(labels))


def _whole(box: Sequence[float], where: str) -> npt.NDArray[np.int64]:
    try:
        edges = np.rint(np.array(box, np.float64).reshape(4))
    except (TypeError, ValueError, OverflowError):
        edges = np.full(4, np.nan)
    if not (np.abs(edges) <= LARGEST).all():
        raise DatasetError(f"{where}: a box must be four numbers of pixels, got {box}; correct it")
    return edges.astype(np.int64)


def _clip(stated: npt.NDArray[np.int64], width: int, height: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
    """The boxes clipped to the frame, and the rows of those that lie wholly outside it."""
    inside = np.clip(stated, 0, (width, height, width, height))
    return inside, np.flatnonzero((inside[:, 0] >= inside[:, 2]) | (inside[:, 1] >= inside[:, 3]))


def _frame(folder: Path, row: Row, boxes: list[Row]) -> FrameTruth:
    width, height = row.integer("width_px"), row.integer("height_px")
    if row.text("finding") not in FINDINGS:
        raise row.wrong("finding", "normal, numerical, structural or empty")
    if row.text("difficult") not in ("0", "1", ""):
        raise row.wrong("difficult", "0, 1 or empty")
    path = folder / "images" / row.text("image")
    require_size(path, (width, height), f"{row.table}, line {row.line}")
    stated = np.array([[b.integer(c) for c in BOX_COLUMNS[2:]] for b in boxes], np.int64).reshape(-1, 4)
    inside, empty = _clip(stated, width, height)
    if len(empty):
        raise boxes[int(empty[0])].wrong("xmin", f"the left side of a box within {width}x{height} px")
    return FrameTruth(
        image=row.text("image"),
        path=path,
        case=row.text("case"),
        split=row.text("split"),
        width_px=width,
        height_px=height,
        finding=row.text("finding"),
        difficult=row.text("difficult") == "1",
        boxes_px=inside,
        stated_boxes_px=stated,
        labels=tuple(b.label() for b in boxes),
    )
