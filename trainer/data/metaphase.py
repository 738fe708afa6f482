"""Metaphase frames with labelled boxes: ``images/``, ``images.csv`` and ``boxes.csv`` in one folder.

The layout is that of the G-banded set of Tseng et al., Sci Data 10:104 (2023), doi 10.1038/s41597-023-02003-7, after
its boxes were written to a table; any folder with these columns will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer.data.splits import check_splits, pick_split
from trainer.data.tables import Row, read_table
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


def read_frames(folder: Path, split: str) -> list[FrameTruth]:
    """All frames of one split ("train", "val" or "test"), in the table's order.

    ``DatasetError``: a table, a column or a picture is missing, a label is unknown, a case is in two splits, or no
    frame is in the split.
    """
    images = read_table(folder / "images.csv", IMAGE_COLUMNS)
    table = str(folder / "images.csv")
    check_splits(((row.text("case"), row.text("split")) for row in images), "case", table)
    pick_split(split, (row.text("split") for row in images), table)
    boxes: dict[str, list[Row]] = {row.text("image"): [] for row in images}
    for row in read_table(folder / "boxes.csv", BOX_COLUMNS):
        if row.text("image") not in boxes:
            raise row.wrong("image", "a picture listed in images.csv")
        boxes[row.text("image")].append(row)
    frames = [_frame(folder, row, boxes[row.text("image")]) for row in images if row.text("split") == split]
    absent = [frame.image for frame in frames if not frame.path.is_file()]
    if absent:
        raise DatasetError(
            f"{folder / 'images'}: {len(absent)} of {len(frames)} pictures of split '{split}' are missing, "
            f"first {absent[0]}; complete the folder"
        )
    return frames


def _frame(folder: Path, row: Row, boxes: list[Row]) -> FrameTruth:
    width, height = row.integer("width_px"), row.integer("height_px")
    if row.text("finding") not in FINDINGS:
        raise row.wrong("finding", "normal, numerical, structural or empty")
    stated = np.array([[b.integer(c) for c in BOX_COLUMNS[2:]] for b in boxes], np.int64).reshape(-1, 4)
    inside = np.clip(stated, 0, (width, height, width, height))
    empty = np.flatnonzero((inside[:, 0] >= inside[:, 2]) | (inside[:, 1] >= inside[:, 3]))
    if len(empty):
        raise boxes[int(empty[0])].wrong("xmin", f"the left side of a box within {width}x{height} px")
    return FrameTruth(
        image=row.text("image"),
        path=folder / "images" / row.text("image"),
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
