"""Metaphases in Pascal VOC form: one XML a frame, wherever it lies under the folder.

Frames lie beside their XML, in ``JPEGImages/`` or in ``images/``, or in a folder there with the name of the XML's own.
The split is stated by ``ImageSets/Main/*.txt``, whose lines name frames with or without folders (where several have
one name, with them) and suffix, or by the name of a folder above the XML; where neither states one, or trainval.txt
alone does, each case has its own (``names.split_of_case``). A listed picture without XML is one that nobody has marked.
The case is the one of ``cases.csv`` (columns image, case), else a folder that the frame lies in
(``names.case_folder``), else read off the file's name (``names.case_of``). Corners are taken as labelImg and CVAT write
them: edges, not pixel numbers, so that the box is half-open. An object's ``difficult`` is ignored; that of
``FrameTruth`` is the frame's.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Sequence
from itertools import takewhile
from operator import eq
from pathlib import Path, PurePosixPath

from edge.camera.files import PICTURE_SUFFIXES
from trainer.data.foreign import ForeignSet, foreign_label
from trainer.data.metaphase import FrameTruth, framed
from trainer.data.names import split_named
from trainer.data.pictures import UNMARKED, Skipped, require_size
from trainer.data.walk import files_below, plain_path
from trainer.errors import DatasetError

FOLDERS = ("", "JPEGImages", "images")
LISTS = "ImageSets/Main"
SUFFIXES = (".xml",)
LEARNED = "train or val"
"""The split of frames that a list names only as not for testing: their case decides which of both."""
CORNERS = ("xmin", "ymin", "xmax", "ymax")
_NO_XML = (ET.ParseError, OSError, ValueError, LookupError)
"""What reading XML raises; the last two come from an encoding that the parser does not know, as GB2312."""
_MOST_DIGITS = 10
"""A picture's side has fewer digits; Python reads no number of 5,000 digits."""
_FLAG = re.compile(r"\s+-?[01]$")
"""What may follow a frame's name in a list: whether the frame shows the list's class."""


def read_voc(folder: Path) -> tuple[list[FrameTruth], list[Skipped]]:
    """All frames, by file name; the XML that is not well-formed, and the listed pictures that have none.

    ``DatasetError`` names the file: an unknown class, a box outside its frame, a frame without a picture or with one of
    another size than is stated; a list that names what is not there, a frame that is in no list.
    """
    foreign = ForeignSet.of(folder)
    paths = list(filter(_may_annotate, files_below(folder, SUFFIXES)))
    stated, bare = _image_sets(folder, paths)
    truths, skipped = [], [Skipped(name, UNMARKED) for name in bare]
    for path in paths:
        try:
            root = ET.parse(path).getroot()
        except _NO_XML as error:
            skipped.append(Skipped(str(path.relative_to(folder)), f"not readable as XML: {error}"))
            continue
        split = stated.get(path, split_named(path.relative_to(folder).parent / "_"))
        if stated and split is None and root.find("object") is not None:
            raise DatasetError(f"{path}: its frame is in no list of {folder / LISTS}; add it to that of its split")
        truths.append(_frame(root, path, folder, split, foreign))
    foreign.tell_guessed(truth.path for truth in truths)
    return truths, skipped


def has_annotations(folder: Path) -> bool:
    """Whether there is XML below that is Pascal VOC's, or not well-formed."""
    return any(map(_may_annotate, files_below(folder, SUFFIXES)))


def _may_annotate(path: Path) -> bool:
    try:
        return bool(next(ET.iterparse(path, ("start",)))[1].tag == "annotation")
    except (*_NO_XML, StopIteration):
        return True


def _image_sets(folder: Path, files: Collection[Path]) -> tuple[dict[Path, str], list[str]]:
    """The split of each of the ``files`` of XML whose frame a split's list names; ``LEARNED`` for those that only
    another list has, as trainval.txt. And, by name, the listed pictures that have none."""
    stems: dict[str, list[Path]] = {}
    for file in files:
        stems.setdefault(file.stem, []).append(file)
    stated: dict[Path, str] = {}
    others: set[Path] = set()
    unknown: list[tuple[Path, str, str | None]] = []
    for path in sorted(path for path in folder.glob(f"{LISTS}/*.txt") if "_" not in path.stem):
        split = split_named(path.relative_to(folder))
        for line in _lines(path):
            stem = _stem_of(line, stems)
            if stem is None:
                unknown.append((path, line, split))
                continue
            own = _one_of(stems[stem], line, path, folder)
            if split is None:
                others.add(own)
            elif stated.setdefault(own, split) != split:
                raise DatasetError(f"{path}: frame '{line}' is in {stated[own]} too; keep it in one list")
    return (dict.fromkeys(others, LEARNED) | stated if stated else {}), _pictures_of(unknown, folder)


def _one_of(files: Sequence[Path], line: str, listed: Path, folder: Path) -> Path:
    """The one of ``files`` of one name whose folders are most like those in a list's line. ``DatasetError`` where
    several are."""
    said = _plain(line).parent.parts[::-1]
    own = [file.parent.relative_to(folder).parts[::-1] for file in files]
    alike = [len(list(takewhile(bool, map(eq, said, parts)))) for parts in own]
    best = [file for file, count in zip(files, alike, strict=True) if count == max(alike)]
    if len(best) > 1:
        names = " or ".join(str(file.relative_to(folder)) for file in best)
        raise DatasetError(f"{listed}: frame '{line}' may be that of {names}; write its folder before its name")
    return best[0]


def _plain(line: str) -> PurePosixPath:
    """The path in a list's line."""
    return plain_path(line.strip("\"'"))


def _lines(path: Path) -> list[str]:
    """The lines of a list that are not empty. ``DatasetError`` if it cannot be read as UTF-8."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: expected the frames' names as UTF-8 text, cannot read it: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def _pictures_of(unknown: Collection[tuple[Path, str, str | None]], folder: Path) -> list[str]:
    """The names of the pictures below ``folder`` that lines of lists name for which there is no XML, each ``unknown``
    one a (list, line, its split). ``DatasetError`` for a line of a split's list that names no picture either."""
    pictures = {path.stem: path.name for path in files_below(folder, PICTURE_SUFFIXES)} if unknown else {}
    bare: set[str] = set()
    for path, line, split in unknown:
        stem = _stem_of(line, pictures)
        if stem is not None:
            bare.add(pictures[stem])
        elif split is not None:
            raise DatasetError(
                f"{path}: frame '{line}' has neither XML nor a picture; add them, or take it off the list"
            )
    return sorted(bare)


def _stem_of(line: str, stems: Collection[str]) -> str | None:
    """The one of ``stems`` that a list's line names, whose name may have dots and blanks of its own."""
    for said in (line, _FLAG.sub("", line)):
        name = _plain(said).name
        for stem in (name, PurePosixPath(name).stem):
            if stem in stems:
                return stem
    return None


def _frame(root: ET.Element, path: Path, folder: Path, split: str | None, foreign: ForeignSet) -> FrameTruth:
    name = root.findtext("filename") or path.stem
    above = path.parent.relative_to(folder).parts
    # Annotations/CASE/ beside JPEGImages/CASE/
    like = [folder.joinpath(*above[:k], sub, *above[k + 1 :]) for k in range(len(above)) for sub in FOLDERS if sub]
    beside = [path.parent, *like, *(p / sub for p in (folder, path.parent.parent) for sub in FOLDERS)]
    picture = foreign.find(plain_path(name).name, beside, path)
    stated = [root.findtext(f"size/{side}") or "" for side in ("width", "height")]
    # Some programs write 0 for what they do not know.
    if all(side.isdecimal() and len(side) < _MOST_DIGITS and int(side) for side in stated):
        require_size(picture, (int(stated[0]), int(stated[1])), str(path))
    labels, boxes = [], []
    for number, one in enumerate(root.iter("object"), 1):
        corners = [one.findtext(f"bndbox/{c}") for c in CORNERS]
        try:
            boxes.append([float(c or "") for c in corners])
        except ValueError:
            raise DatasetError(
                f"{path}, object {number}: expected numbers {', '.join(CORNERS)}, got {corners}"
            ) from None
        labels.append(foreign_label(one.findtext("name") or "", f"{path}, object {number}"))
    case = foreign.case(picture)
    own = foreign.split(case, None if split == LEARNED else split)
    own = "train" if split == LEARNED and own == "test" else own
    return framed(picture, case, own, boxes, labels, str(path))
