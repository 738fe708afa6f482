"""Single cut-out chromosomes with labels: a zip or a folder with ``crops.csv`` and pictures, or one folder a class."""

from __future__ import annotations

import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge.camera.decoding import check_is_file, decode_levels
from edge.camera.pixels import to_8_bit
from edge.errors import FrameError
from edge.records import LABELS, UInt8Array
from trainer.data.names import is_split, label_of, label_said_by, split_named, split_of_case
from trainer.data.pictures import SHOWN, Skipped
from trainer.data.splits import SPLITS, check_splits, require_split
from trainer.data.tables import Row, parse_table, read_table
from trainer.data.walk import files_below, plain_path
from trainer.errors import DatasetError

COLUMNS = ("file", "label", "cell", "donor", "split")
TABLE = "crops.csv"
SUFFIXES = (".webp", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
MOST_BYTES = 1 << 28
"""Largest size of one file of a zip, unpacked; a table of a million crops takes a fifth of it."""
ANY_SPLIT = ""
"""The split of all cut-outs of a set that states neither a split nor a donor: it can only be used as a whole."""

TURNED_SHARE = 0.8
"""If at least this share of a set's upright cut-outs is seen the other way up, that is the set and not a network's
mistakes."""


class CropWarning(UserWarning):
    """Pictures that were listed but could not be read; they are left out."""


class UnsplitWarning(UserWarning):
    """A set states neither donors nor splits, so nobody can tell what is to learn from and what to test on; all was
    read."""


@dataclass(frozen=True, slots=True, eq=False)
class CropTruth:
    """One cut-out: ``pixels`` uint8 (H, W) as stored (dark on white, or bright on black), ``label`` of ``LABELS``;
    ``cell`` is a name among those of its donor. What is transparent is white, as in frames; deeper levels are scaled to
    8 bits as a frame's are (``edge.camera.pixels.to_8_bit``), all crops of a cell by one scale."""

    file: str
    label: str
    cell: str
    donor: str
    split: str
    pixels: UInt8Array


@dataclass(frozen=True, slots=True)
class _Entry:
    file: str
    label: str
    cell: str
    donor: str
    split: str


def read_crops(source: Path, split: str) -> list[CropTruth]:
    """Crops of one split, cell by cell, otherwise in the table's order.

    ``source`` is a zip or a folder with ``crops.csv`` (columns ``COLUMNS``), or a folder of classes,
    ``[SPLIT/]LABEL/[DONOR/[CELL/]]PICTURE``; "" is a cell, donor or split that is not known. A donor without a stated
    split gets one by its name (``names.split_of_case``). Crops with neither donor nor split belong to train; but if no
    crop of the set has either, all are read whatever split is asked for, with an ``UnsplitWarning``. Unreadable
    pictures are left out with one ``CropWarning`` that names them. ``DatasetError``: nothing usable there, no such
    split, or a donor is in two.
    """
    if split not in SPLITS:
        raise DatasetError(f"{source}: expected a split of {', '.join(SPLITS)}, got '{split}'; name one of them")
    with _opened(source) as (entries, read):
        unsplit = all(entry.split == ANY_SPLIT for entry in entries)
        if not unsplit:
            require_split(split, (entry.split for entry in entries), str(source))
        crops, skipped = _decode([entry for entry in entries if unsplit or entry.split == split], read)
    if not crops:
        first = f", first {skipped[0].file}: {skipped[0].reason}" if skipped else ""
        raise DatasetError(f"{source}: no readable picture in split '{split}' ({len(skipped)} unreadable{first})")
    if unsplit:
        warnings.warn(
            f"{source}: expected donors or splits, found none: all {len(crops)} cut-outs are taken for '{split}'; "
            "state them, or do not both train and measure with this set",
            UnsplitWarning,
            stacklevel=2,
        )
    if skipped:
        shown = ", ".join(s.file for s in skipped[:SHOWN]) + (" ..." if len(skipped) > SHOWN else "")
        warnings.warn(f"{source}: {len(skipped)} unreadable picture(s) left out: {shown}", CropWarning, stacklevel=2)
    return [crop for cell in by_cell(crops).values() for crop in cell]


def donors_of(source: Path) -> dict[str, set[str]]:
    """The donors of each split, ``ANY_SPLIT`` where none is known; no picture is looked at."""
    donors: dict[str, set[str]] = {}
    with _opened(source) as (entries, _):
        for entry in entries:
            donors.setdefault(entry.split, set()).add(entry.donor)
    return donors


def all_crops(source: Path) -> tuple[list[CropTruth], list[Skipped]]:
    """Every crop of every split (``ANY_SPLIT`` where none is known), and what could not be read."""
    with _opened(source) as (entries, read):
        return _decode(entries, read)


def has_classes(folder: Path) -> bool:
    """Whether ``folder`` holds folders named by label, at its top or one split below."""
    return any(label_of(path.name) for path in _class_folders(folder))


@contextmanager
def _opened(source: Path) -> Iterator[tuple[list[_Entry], Callable[[str], bytes]]]:
    """What is listed, and how to read a picture's file."""
    if source.is_dir():
        listed = (source / TABLE).is_file()
        entries = _table_entries(source) if listed else _folder_entries(source)
        yield entries, lambda name: _file_in(source, name)
        return
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DatasetError(
            f"{source}: expected a zip of crops or a folder of classes, cannot read it: {reason}"
        ) from error
    with archive:
        names = {str(plain_path(name)): name for name in archive.namelist()}

        def read(file: str) -> bytes:
            return _member(archive, names[file])

        yield _zip_entries(read, source), read


def _file_in(folder: Path, name: str) -> bytes:
    """The bytes of a file below ``folder``. ``OSError`` or ``FrameError`` for what cannot be read or is no file."""
    check_is_file(folder / name, (folder / name).stat().st_mode)
    return (folder / name).read_bytes()


def _zip_entries(read: Callable[[str], bytes], source: Path) -> list[_Entry]:
    table = f"{source}:{TABLE}"
    try:
        rows = parse_table(read(TABLE), table, COLUMNS)
    except KeyError:
        raise DatasetError(
            f"{source}: expected {TABLE} at the top of the zip, found none; put it there, or unpack a folder a class "
            "and name that"
        ) from None
    except OSError as error:
        raise DatasetError(f"{table}: cannot be read: {error}; make the zip again") from error
    return _entries(rows, table)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """The unpacked file ``name``. ``KeyError`` if it is not there, ``OSError`` for one that cannot be unpacked."""
    size = archive.getinfo(name).file_size
    if size > MOST_BYTES:
        raise OSError(f"{size} bytes, expected at most {MOST_BYTES}")
    try:
        return archive.read(name)
    except Exception as error:  # broken, encrypted and strange zips: BadZipFile, zlib.error, EOFError, RuntimeError ...
        raise OSError(str(error) or type(error).__name__) from error


def _table_entries(folder: Path) -> list[_Entry]:
    return _entries(read_table(folder / TABLE, COLUMNS), str(folder / TABLE))


def _entries(rows: Sequence[Row], table: str) -> list[_Entry]:
    """The entries of a table. A row without a split belongs where the others of its donor do, if any of them states
    one."""
    stated = {row.text("donor"): row.text("split") for row in rows if row.text("donor") and row.text("split")}
    entries = []
    for row in rows:
        donor, split = row.text("donor"), row.text("split")
        if split not in (*SPLITS, ""):
            raise row.wrong("split", f"one of {', '.join(SPLITS)}, or empty")
        split = split or stated.get(donor) or _split_of(donor)
        entries.append(_Entry(str(plain_path(row.text("file"))), row.label(), row.text("cell"), donor, split))
    return _checked(entries, table)


def _split_of(donor: str) -> str:
    return split_of_case(donor) if donor else ANY_SPLIT


def _folder_entries(folder: Path) -> list[_Entry]:
    entries = []
    for top in _class_folders(folder):
        label = label_of(top.name)
        if label is None:
            if not split_named(Path(top.name) / "_") and files_below(top, SUFFIXES):
                raise DatasetError(
                    f"{top}: class '{top.name}' is none of 1..22, X, Y (chr7 and C7 will do); rename or remove it"
                )
            continue
        stated = split_named(top.relative_to(folder) / "_")
        for path in files_below(top, SUFFIXES):
            _require_own(path, path.relative_to(top), label)
            donor, cell = _owners(path.relative_to(top))
            entries.append(_Entry(str(path.relative_to(folder)), label, cell, donor, stated or _split_of(donor)))
    entries.sort(key=lambda e: (e.split, e.donor, e.cell, LABELS.index(e.label), e.file))
    return _checked(entries, str(folder))


def _require_own(path: Path, below: Path, label: str) -> None:
    """``DatasetError`` where a name ``below`` a class's folder says another class: the folders 1, 2, ... may be cells.
    Or where a folder there is named as a split: it would be taken for a donor."""
    for name in (*below.parent.parts, below.stem):
        if label_said_by(name) not in (None, label):
            raise DatasetError(
                f"{path}: expected a folder a class, LABEL/DONOR/CELL/PICTURE, got chromosome {label_said_by(name)} by "
                f"its name in the folder of {label}; sort them so, or state their labels in {TABLE}"
            )
    if any(map(is_split, below.parent.parts)):
        raise DatasetError(
            f"{path}: expected SPLIT/LABEL/DONOR/CELL/PICTURE, got a split in the folder of {label}; sort them so"
        )


def _class_folders(folder: Path) -> list[Path]:
    tops = sorted(path for path in folder.iterdir() if path.is_dir())
    inner = [sorted(p for p in top.iterdir() if p.is_dir()) for top in tops if split_named(Path(top.name) / "_")]
    return [*tops, *(path for paths in inner for path in paths)]


def _owners(below: Path) -> tuple[str, str]:
    """Donor and cell of a picture's path below its class: ``DONOR/CELL/PICTURE``, as far as there are folders."""
    folders = below.parent.parts
    donor = folders[0] if folders else ""
    return donor, f"{donor}/{folders[1]}" if len(folders) > 1 else ""


def _checked(entries: list[_Entry], table: str) -> list[_Entry]:
    files = [entry.file for entry in entries]
    if len(set(files)) < len(files):
        double = next(file for file, times in Counter(files).items() if times > 1)
        raise DatasetError(f"{table}: '{double}' is listed more than once; keep it once")
    check_splits(((e.donor, e.split) for e in entries if e.donor), "donor", table)
    if all(entry.split == ANY_SPLIT for entry in entries):
        return entries
    # The others may be anybody's, also of donors that are learned from: to test on them might measure memory.
    entries = [entry if entry.split else replace(entry, split="train") for entry in entries]
    check_splits(((e.cell, e.split) for e in entries if e.cell and not e.donor), "cell", table)
    return entries


def _decode(entries: Iterable[_Entry], read: Callable[[str], bytes]) -> tuple[list[CropTruth], list[Skipped]]:
    crops: list[CropTruth] = []
    skipped: list[Skipped] = []
    for entry in entries:
        try:
            levels = decode_levels(entry.file, read(entry.file))
        except KeyError:
            skipped.append(Skipped(entry.file, "not in the zip"))
        except (OSError, FrameError) as error:
            reason = getattr(error, "strerror", None) or str(error).removeprefix(f"{entry.file}: ")
            skipped.append(Skipped(entry.file, reason))
        else:
            crops.append(CropTruth(entry.file, entry.label, entry.cell, entry.donor, entry.split, levels))
    return _in_8_bit(crops), skipped


def _in_8_bit(crops: list[CropTruth]) -> list[CropTruth]:
    """The crops in 8 bits; deeper ones of a cell are scaled by one white: scaled each by its own, a pale chromosome
    would become as dark as the others."""
    scaled: dict[CropTruth, UInt8Array] = {}
    for cell in by_cell(crop for crop in crops if crop.pixels.dtype != np.uint8).values():
        levels = to_8_bit(np.concatenate([crop.pixels.ravel() for crop in cell]))
        parts = np.split(levels, np.cumsum([crop.pixels.size for crop in cell])[:-1])
        scaled |= {crop: part.reshape(crop.pixels.shape) for crop, part in zip(cell, parts, strict=True)}
    return [replace(crop, pixels=scaled[crop]) if crop in scaled else crop for crop in crops]


def by_cell(crops: Iterable[CropTruth]) -> dict[tuple[str, str], list[CropTruth]]:
    """Crops grouped by donor and cell, wherever they stand, in the order met: two donors may both have a cell 1."""
    cells: dict[tuple[str, str], list[CropTruth]] = {}
    for crop in crops:
        cells.setdefault((crop.donor, crop.cell), []).append(crop)
    return cells
