"""The one entrance to labelled data: says which form a path has, and reads it.

===============  =====================================================================  ======================
form             what is there                                                          read by
===============  =====================================================================  ======================
``tables``       folder with ``images.csv``, ``boxes.csv`` and ``images/``              ``metaphase.py``
``voc``          folder with Pascal VOC's XML                                           ``voc.py``
``coco``         COCO's JSON, or a folder with some                                     ``coco.py``
``corrections``  JSON lines of corrected cells, or a folder with some                   ``corrections.py``
``masks``        folder of ``NAME_dapi.png`` with ``NAME_mask.png``                     ``mfish.py``
``crops``        zip or folder with ``crops.csv`` and single chromosomes                ``crops.py``
``classes``      folder of single chromosomes, one folder a class                       ``crops.py``
===============  =====================================================================  ======================

The last two hold single chromosomes, the others whole metaphases. Every form is split by case or donor.

A metaphase without a mark is one that nobody has marked yet, and is left out: learned from, it would teach that what it
shows are no chromosomes. In corrections it stays: somebody has looked at it and found none.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import track

from trainer.data.coco import coco_files, read_coco
from trainer.data.corrections import correction_files, read_corrections
from trainer.data.crops import ANY_SPLIT, TABLE, CropTruth, all_crops, donors_of, has_classes
from trainer.data.metaphase import FrameTruth, read_tables
from trainer.data.mfish import mask_files, read_mfish
from trainer.data.pictures import UNMARKED, Skipped, fault_of, warn_skipped, warn_turned
from trainer.data.pixels import NOBODY
from trainer.data.splits import check_splits, require_split
from trainer.data.voc import has_annotations, read_voc
from trainer.errors import DatasetError

Form = Literal["tables", "voc", "coco", "corrections", "masks", "crops", "classes"]
CUTOUT_FORMS: tuple[Form, ...] = ("crops", "classes")
EXPECTED = (
    "images.csv and boxes.csv, Pascal VOC's XML, COCO's JSON, JSON lines of corrected cells, NAME_dapi.png with "
    "NAME_mask.png, a zip or folder with crops.csv, or a folder a class"
)
MOST_MARKED = NOBODY
"""Chromosomes in one frame: a pixel's owner is kept in eight bits."""
_FEW = 4
_STAMP = 8
MADE_BY = "made2"
"""The version in the file names of ``kept_at``: raise it when crops, looks or cells come to be made in another way."""


def form_of(path: Path) -> Form:
    """The form of the set at ``path``; ``DatasetError`` says in one line what was expected and what is there."""
    if path.is_file():
        form = _form_of_file(path)
    elif path.is_dir():
        form = _form_of_folder(path)
    else:
        raise DatasetError(f"{path}: expected labelled data ({EXPECTED}), found nothing there; check the path")
    if form is None:
        raise DatasetError(f"{path}: expected labelled data ({EXPECTED}), found {_inside(path)}; name the set itself")
    return form


def _form_of_file(path: Path) -> Form | None:
    if zipfile.is_zipfile(path):
        return "crops"
    if path.suffix.lower() == ".jsonl":
        return "corrections"
    return "coco" if path.suffix.lower() == ".json" and coco_files(path) else None


def _form_of_folder(path: Path) -> Form | None:
    tests: dict[Form, Callable[[], bool]] = {
        "masks": lambda: bool(mask_files(path)),
        "tables": lambda: (path / "images.csv").is_file() or (path / "boxes.csv").is_file(),
        "crops": lambda: (path / TABLE).is_file(),
        "corrections": lambda: bool(correction_files(path)),
        "coco": lambda: bool(coco_files(path)),
        "voc": lambda: has_annotations(path),  # before classes: folders 1, 2, ... may be cases
        "classes": lambda: has_classes(path),
    }
    return next((form for form, there in tests.items() if there()), None)


def _inside(path: Path) -> str:
    if path.is_file():
        return f"a file of {path.stat().st_size} bytes"
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries)
    return (
        ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "") or "an empty folder"
    )


def holds_cutouts(path: Path) -> bool:
    """Whether the set at ``path`` is of single chromosomes rather than of whole metaphases."""
    return form_of(path) in CUTOUT_FORMS


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """Everything of a set, all splits together, in its own order: frames or cut-outs, the other is empty.

    ``skipped``: the files that cannot be read or have no mark, which are in neither.
    """

    form: Form
    path: Path
    frames: tuple[FrameTruth, ...]
    cutouts: tuple[CropTruth, ...]
    skipped: tuple[Skipped, ...]


def read_all(path: Path) -> Contents:
    """Read the whole set, decoding each picture. ``DatasetError`` for what contradicts itself: a case in two splits,
    an unknown label, a box outside its frame."""
    form = form_of(path)
    if form in CUTOUT_FORMS:
        crops, skipped = all_crops(path)
        return Contents(form, path, (), tuple(crops), tuple(skipped))
    frames, skipped = _listed(form, path)
    console = Console(stderr=True)
    seen = track(frames, "reading frames", console=console, disable=not console.is_terminal)
    faults = {frame.path: fault_of(frame.path) for frame in seen}
    warn_turned(str(path), faults)
    return Contents(form, path, *_without_faulty(frames, faults, skipped))


def splits_at(path: Path) -> list[str]:
    """The splits that the set has, by name."""
    form = form_of(path)
    if form in CUTOUT_FORMS:
        return sorted(donors_of(path).keys() - {ANY_SPLIT})
    return sorted({frame.split for frame in _listed(form, path)[0]})


def marked_owners(path: Path) -> dict[str, set[str]]:
    """The owners of the chromosomes in each split: donors of cut-outs, as ``donors_of`` has them, or the cases of the
    frames in which a chromosome has a box."""
    form = form_of(path)
    if form in CUTOUT_FORMS:
        return donors_of(path)
    owners: dict[str, set[str]] = {}
    for frame in _listed(form, path)[0]:
        if frame.labels:
            owners.setdefault(frame.split, set()).add(frame.case)
    return owners


def stamp_of(path: Path) -> str:
    """Eight letters that change with the set's pictures, labels, boxes, cases or splits, wherever the set lies."""
    form = form_of(path)
    if form not in CUTOUT_FORMS:
        return stamp_of_frames(_listed(form, path)[0])
    if path.is_file():
        return _digest_of(path)[:_STAMP]
    digest = hashlib.sha256()
    for crop in all_crops(path)[0]:
        known = (crop.file, crop.label, crop.cell, crop.donor, crop.split, crop.pixels.shape)
        digest.update(repr(known).encode() + crop.pixels.tobytes())
    return digest.hexdigest()[:_STAMP]


def stamp_of_frames(frames: Sequence[FrameTruth]) -> str:
    """As ``stamp_of``, of these frames in this order."""
    digest = hashlib.sha256()
    for frame in frames:
        known = (frame.image, frame.case, frame.split, frame.labels, frame.boxes_px.tolist())
        told = [each for each in (frame.p_ends_px, frame.ignored_px.tolist()) if each]
        digest.update(repr((*known, *told, _digest_of(frame.path))).encode())
    return digest.hexdigest()[:_STAMP]


def _digest_of(file: Path) -> str:
    """The hash of a file's content: its time says little, as a copy has another. "" if it cannot be read, which is told
    when the set is read."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return ""


def kept_at(store: Path, source: Path, split: str, models: Iterable[str], kind: str = "") -> Path:
    """The file in ``store``, which many runs share, for what these models (``sha256:<hex>`` each) made of a split of
    the set: another file once the set, a model or ``MADE_BY`` has changed."""
    hashes = (model.removeprefix("sha256:")[:8] for model in models)
    return store / ("-".join(filter(None, (kind, source.name, stamp_of(source), split, *hashes, MADE_BY))) + ".npz")


def frames_at(path: Path, split: str) -> list[FrameTruth]:
    """The frames of a split: what ``metaphase.read_frames`` returns."""
    form = form_of(path)
    if form in CUTOUT_FORMS:
        raise DatasetError(
            f"{path}: expected whole metaphases with boxes, got single chromosomes; name a set of frames"
        )
    frames, skipped = _listed(form, path)
    what = "marked picture" if any(s.reason == UNMARKED for s in skipped) else "picture"
    require_split(split, (frame.split for frame in frames), str(path), what)
    frames = [frame for frame in frames if frame.split == split]
    absent = [frame.image for frame in frames if not frame.path.is_file()]
    if absent:
        raise DatasetError(
            f"{path}: {len(absent)} of {len(frames)} pictures of split '{split}' are missing, "
            f"first {absent[0]}; complete the folder"
        )
    kept, _, left_out = _without_faulty(frames, {f.path: fault_of(f.path) for f in frames}, skipped)
    warn_skipped(path, left_out)
    warn_turned(f"{path}, split {split}", (frame.path for frame in kept))
    if not kept:
        raise DatasetError(f"{path}: no readable picture in split '{split}' ({len(left_out)} unreadable)")
    return list(kept)


def _listed(form: Form, path: Path) -> tuple[list[FrameTruth], list[Skipped]]:
    """The frames in which a chromosome is marked or of which somebody said that there is none, and those left out."""
    skipped: list[Skipped] = []
    if form in ("voc", "masks", "corrections"):
        leaving_out = {"voc": read_voc, "masks": read_mfish, "corrections": read_corrections}
        frames, skipped = leaving_out[form](path)
    else:
        frames = read_tables(path) if form == "tables" else read_coco(path)
    if form in ("voc", "coco"):
        frames = _by_path(frames, path)
    double = _double(frames)
    if double:
        whose = sorted({frame.case for frame in frames if frame.image == double[0]})
        mend = "leave all but one export of the case out" if form == "corrections" else "list each frame once"
        if len(whose) > 1 and form == "corrections":
            mend = f"it is in cases {' and '.join(whose)}: set it aside where it does not belong, and export that again"
        raise DatasetError(f"{path}: {len(double)} picture(s) are there more than once, first {double[0]}; {mend}")
    for frame in frames:
        if len(frame.labels) > MOST_MARKED:
            raise DatasetError(
                f"{path}: expected at most {MOST_MARKED} chromosomes in a frame, got {len(frame.labels)} in "
                f"{frame.image}; cut out a picture of each metaphase"
            )
        marks = list(zip(frame.labels, map(tuple, frame.stated_boxes_px.tolist()), strict=True))
        if len(set(marks)) < len(marks):
            label, box = next(mark for mark in marks if marks.count(mark) > 1)
            raise DatasetError(
                f"{path}: {frame.image} has the box {list(box)} of a {label} more than once; keep it once"
            )
    check_splits(((frame.case, frame.split) for frame in frames), "case", str(path))
    if form == "corrections":
        return frames, skipped
    unmarked = [Skipped(frame.image, UNMARKED) for frame in frames if not frame.labels]
    return [frame for frame in frames if frame.labels], [*skipped, *unmarked]


def _double(frames: Sequence[FrameTruth]) -> list[str]:
    """The names that more than one of the frames have."""
    return sorted(name for name, times in Counter(frame.image for frame in frames).items() if times > 1)


def _by_path(frames: Sequence[FrameTruth], path: Path) -> list[FrameTruth]:
    """The frames of the set at ``path``; those whose file names others have, too, named by their paths in it."""
    top, double = path.parent if path.is_file() else path, set(_double(frames))
    return [
        replace(frame, image=Path(os.path.relpath(frame.path, top)).as_posix()) if frame.image in double else frame
        for frame in frames
    ]


def _without_faulty(
    frames: list[FrameTruth], faults: dict[Path, str], skipped: list[Skipped]
) -> tuple[tuple[FrameTruth, ...], tuple[CropTruth, ...], tuple[Skipped, ...]]:
    kept = tuple(frame for frame in frames if not faults[frame.path])
    left_out = [Skipped(frame.image, faults[frame.path]) for frame in frames if faults[frame.path]]
    return kept, (), (*skipped, *left_out)
