"""Single cut-out chromosomes with labels: a zip with ``crops.csv`` and pictures, or one folder a class."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.records import LABELS, UInt8Array
from trainer.data.splits import check_splits, pick_split
from trainer.data.tables import parse_table
from trainer.errors import DatasetError

COLUMNS = ("file", "label", "cell", "donor", "split")
SUFFIXES = (".webp", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


class CropWarning(UserWarning):
    """Pictures that were listed but could not be read; they are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class CropTruth:
    """One cut-out: ``pixels`` uint8 (H, W) as stored (dark on white, or bright on black), ``label`` of ``LABELS``."""

    file: str
    label: str
    cell: str
    donor: str
    split: str
    pixels: UInt8Array


def read_crops(source: Path, split: str) -> list[CropTruth]:
    """Crops of one split, in the table's order, so that a cell's crops stand together.

    ``source`` is a zip with ``crops.csv`` (columns ``COLUMNS``) or a folder of folders named by label; the latter has
    neither splits nor cells: every crop gets the split asked for and "" as its cell and donor. Unreadable pictures
    are left out with one ``CropWarning`` that names them. ``DatasetError``: nothing usable there.
    """
    if source.is_dir():
        return _read_folder(source, split)
    try:
        with zipfile.ZipFile(source) as archive:
            return _read_zip(archive, source, split)
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DatasetError(
            f"{source}: expected a zip of crops or a folder of classes, cannot read it: {reason}"
        ) from error


def _read_zip(archive: zipfile.ZipFile, source: Path, split: str) -> list[CropTruth]:
    table = f"{source}:crops.csv"
    try:
        rows = parse_table(archive.read("crops.csv"), table, COLUMNS)
    except KeyError:
        raise DatasetError(f"{source}: expected crops.csv at the top of the zip, found none") from None
    check_splits(((row.text("donor"), row.text("split")) for row in rows), "donor", table)
    pick_split(split, (row.text("split") for row in rows), table)
    chosen = [
        (row.text("file"), row.label(), row.text("cell"), row.text("donor"))
        for row in rows
        if row.text("split") == split
    ]
    return _decode(chosen, split, archive.read, str(source))


def _read_folder(folder: Path, split: str) -> list[CropTruth]:
    files = [
        (str(path.relative_to(folder)), label, "", "")
        for label in LABELS
        for path in sorted((folder / label).glob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    return _decode(files, split, lambda name: (folder / name).read_bytes(), str(folder))


def _decode(
    entries: Iterable[tuple[str, str, str, str]], split: str, read: Callable[[str], bytes], source: str
) -> list[CropTruth]:
    crops: list[CropTruth] = []
    unreadable: list[str] = []
    for file, label, cell, donor in entries:
        try:
            data = np.frombuffer(read(file), np.uint8)
            pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
        except (KeyError, OSError, zipfile.BadZipFile, cv2.error):
            pixels = None
        if pixels is None:
            unreadable.append(file)
        else:
            crops.append(CropTruth(file, label, cell, donor, split, np.asarray(pixels, np.uint8)))
    if not crops:
        raise DatasetError(f"{source}: no readable picture in split '{split}' ({len(unreadable)} unreadable)")
    if unreadable:
        shown = ", ".join(unreadable[:5]) + (" ..." if len(unreadable) > 5 else "")
        warnings.warn(f"{source}: {len(unreadable)} unreadable picture(s) left out: {shown}", CropWarning, stacklevel=3)
    return crops


def by_cell(crops: Iterable[CropTruth]) -> dict[str, list[CropTruth]]:
    """Crops grouped by cell, in the order met."""
    cells: dict[str, list[CropTruth]] = {}
    for crop in crops:
        cells.setdefault(crop.cell, []).append(crop)
    return cells
