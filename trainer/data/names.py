"""What other people's file and class names say: the label, the case, the split."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath

from edge.records import LABELS

GROUPS = {"A": (1, 3), "B": (4, 5), "C": (6, 12), "D": (13, 15), "E": (16, 18), "F": (19, 20), "G": (21, 22)}
"""First and last autosome of each Denver group; X counts with C, Y with G."""
TRAIN_PERCENT, VAL_PERCENT = 80, 10
_LABEL = re.compile(r"(?:chr(?:omosome)?)?[ _-]*([A-G])?[ _-]*0?(\d{1,2}|X|Y)", re.IGNORECASE)
_SAID = re.compile(r"(?:^|[^A-Za-z])(?i:chr(?:omosome)?)[ _-]*0?(\d{1,2}|[XYxy])(?![0-9A-Za-z])|^([XY])(?![0-9A-Za-z])")
_UPLOADED = r"^(?=[0-9]*[a-f])[0-9a-f]{8}-(?=.)"
_MADE_BY_TOOLS = re.compile(rf"{_UPLOADED}|(?i:_(?:jpe?g|png|tiff?|bmp|webp))+\.rf\.[0-9A-Za-z]+$|_dapi$")
"""What Label Studio puts before a file's name, Roboflow behind it, and M-FISH sets at its end."""
_SHELF = re.compile(
    r"(?:jpe?g|png|tiff?)?_?(?:image|img|picture|frame|metaphase|annotation|label|mask|set)s?"
    r"|jpe?g|png|tiff?|webp|bmp|xml|coco|voc(?:devkit|\d{4})?|data(?:set)?s?|default|obj_train_data|\.\.?",
    re.IGNORECASE,
)
"""Names of folders that programs and habits give to any set, not to a case: JPEGImages, annotations, VOC2012, data
..."""
_SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_ALONE = {"training": "train", "dev": "val", "testing": "test"}
_ALONE |= dict.fromkeys(("eval", "evaluation", "holdout"), "test")
"""More names of splits, of files, and of folders only if it is the whole name: a folder Dev K may be a patient's. Names
that may mean val or test are taken for test."""
_LIKE_A_SPLIT = re.compile(r"train|test|val|eval|dev|hold|held", re.IGNORECASE)


def label_of(name: str) -> str | None:
    """The class that ``name`` stands for ("7", "chr7", "Chromosome 7", "C7", "x"), or None; also None for a Denver
    group that is not the number's ("A7")."""
    found = _LABEL.fullmatch(name.strip())
    if found is None:
        return None
    group, label = found[1], found[2].upper()
    if label not in LABELS:
        return None
    if group is not None:
        own = {"X": "C", "Y": "G"}.get(label) or next(
            g for g, (low, high) in GROUPS.items() if low <= int(label) <= high
        )
        if group.upper() != own:
            return None
    return label


def label_said_by(name: str) -> str | None:
    """The class that the name of a file or folder says outright ("cell3_chr7_a", "chr7", "X_1"), else None: a bare
    number may be a cell's or a picture's."""
    found = _SAID.search(name)
    label = (found[1] or found[2]).upper() if found else None
    return label if label in LABELS else None


def case_of(file_name: str) -> str:
    """The case that a frame's file name tells, where no table states it: the stem without its last part.

    Parts are set off by ``_``, ``-``, ``.`` or a space; a stem of digits alone loses its last one ("103071.jpg" is
    frame 1 of case 10307, as in Tseng et al. 2023); a stem of one part is a case of its own.
    """
    stem = _MADE_BY_TOOLS.sub("", PurePath(file_name).stem)
    if stem.isdecimal() and len(stem) > 1:
        return stem[:-1]
    return re.sub(r"[ _.-]+[^ _.-]*$", "", stem) or stem


def before_upload(file_name: str) -> str:
    """The name of a picture before Label Studio put eight letters before it, if it did."""
    return re.sub(_UPLOADED, "", file_name)


def case_folder(path: PurePath) -> str | None:
    """The case that a folder on ``path``, given within its set, tells: the outermost whose name is no split's and not
    one that any set may have. It may hold several folders, one a slide."""
    parts = path.parent.parts
    return next((part for part in parts if not _SHELF.fullmatch(part) and not split_named(PurePath(part) / "_")), None)


def split_of_case(case: str) -> str:
    """The split of a case whose split nobody states: 80 % train, 10 % val, 10 % test, by a hash of its name.

    A case keeps its split whatever else is added later.
    """
    percent = int.from_bytes(hashlib.sha256(case.encode()).digest()[:8], "big") % 100
    return "train" if percent < TRAIN_PERCENT else "val" if percent < TRAIN_PERCENT + VAL_PERCENT else "test"


def split_named(path: PurePath) -> str | None:
    """The split that the words of a file's name or of the folders on its path state ("valid/",
    "instances_val2017.json", "Testing set/"), the file first, then the folders from inside out; None where none
    does."""
    for part in (path.stem, *reversed(path.parent.parts)):
        words = [word.removesuffix("set") for word in re.split(r"[^a-z]+", part.lower())]
        known = _SPLIT_NAMES | _ALONE if part == path.stem or is_split(part) else _SPLIT_NAMES
        stated = {known[word] for word in words if word in known}
        if len(stated) == 1:
            return stated.pop()
    return None


def is_split(name: str) -> bool:
    """Whether a folder's whole name is a split's ("test", "Training set"; not "test 12")."""
    whole = re.sub(r"[ _-]?set$|[ _-]", "", name.lower())
    return whole in _SPLIT_NAMES or whole in _ALONE


def like_a_split(name: str) -> bool:
    """Whether a folder's name begins as a split's does ("testdata", "hold-out 2"; but also "Valentina")."""
    return _LIKE_A_SPLIT.match(name) is not None
