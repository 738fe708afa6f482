"""What technicians corrected: JSON lines, one a frame, as ``chromo-edge case export`` writes them.

A line is the object of ``tests/contract/cell.schema.json`` with ``image`` (the frame's path beside the JSONL) and
``case`` added, and the chromosomes as they were in the end: ``label``, ``box_px``, ``edited``, and ``p_end_px``, where
the p arm ends, of those that somebody turned. What somebody excluded is in ``excluded`` (``trainer/data/excluded.py``
says what it teaches). Frames in which nobody changed anything teach as well: somebody has accepted them. Each case has
its own split (``names.split_of_case``).

``trainer data label`` writes the same lines for cells that nobody has seen, each marked as ``unreviewed``.

A frame whose ``karyotype`` has a marker or a derivative is left out: the marker would teach that it is no chromosome,
the derivative that it is a whole one of its class.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from edge.records import LABELS
from trainer.data.excluded import perhaps_anothers
from trainer.data.metaphase import FrameTruth, framed
from trainer.data.names import split_of_case
from trainer.data.pictures import Skipped, require_size
from trainer.data.walk import files_below, is_hidden, is_there
from trainer.errors import DatasetError

FIELDS = ("image", "case", "chromosomes")
PLACES = ("*.jsonl", "*/*.jsonl", "*/corrections/*.jsonl")
"""Where the JSONL lies below a folder that is an export's ``corrections``; an export or a folder of several such; a
folder of several exports."""

CORRECTIONS = "corrections.jsonl"
"""The file's name in an export."""
UNREVIEWED = "unreviewed"
"""The mark of a line whose labels are the models' own."""

_CHANGED = re.compile(r"mar\b|der\(")
"""Marks of markers and derivatives in ISCN."""


class UnreviewedWarning(UserWarning):
    """The labels of a set come from models, and nobody has looked at them."""


def correction_files(path: Path) -> list[Path]:
    """The JSONL files at ``path``: the file itself, or those of a folder and of the folders in it, one a case, each
    with the corrections alone or with all that ``chromo-edge case export`` writes. ``DatasetError`` where some lie
    deeper."""
    if path.is_file():
        return [path]
    files = sorted(file for place in PLACES for file in path.glob(place) if not is_hidden(file))
    below = files_below(path, (Path(CORRECTIONS).suffix,)) if files else []
    deeper = [file for file in below if file.name == CORRECTIONS and file not in files]
    if deeper:
        raise DatasetError(
            f"{path}: {deeper[0]} lies deeper than {files[0]}, and would not be learned from; put the cases' exports "
            "side by side"
        )
    return files


def read_corrections(path: Path) -> tuple[list[FrameTruth], list[Skipped]]:
    """All frames, in the lines' order, and those left out with the reason. ``DatasetError`` names the line that is
    wrong.

    If two lines are of one frame the later holds: a case may be exported again after another look.
    """
    found: dict[Path, tuple[FrameTruth, str]] = {}
    unseen: set[Path] = set()
    for file in correction_files(path):
        for where, line in _lines(file):
            frame = _frame(line, file.parent, where)
            found[frame.path] = frame, str(line.get("karyotype", ""))
            (unseen.add if line.get(UNREVIEWED) is True else unseen.discard)(frame.path)
    if unseen:
        warnings.warn(
            f"{path}: {len(unseen)} of {len(found)} cells have the labels that models gave them, and nobody has "
            "reviewed them: learn from them, but measure on others",
            UnreviewedWarning,
            stacklevel=2,
        )
    taken = [frame for frame, karyotype in found.values() if not _CHANGED.search(karyotype)]
    left_out = [
        Skipped(frame.image, f"a cell of {karyotype}: there is no class for markers and derivatives")
        for frame, karyotype in found.values()
        if _CHANGED.search(karyotype)
    ]
    return taken, left_out


def count_edited(path: Path) -> int:
    """How many chromosomes somebody changed."""
    lines = {file.parent / str(line["image"]): line for file in correction_files(path) for _, line in _lines(file)}
    return sum(bool(chromosome.get("edited")) for line in lines.values() for chromosome in line["chromosomes"])


def _lines(file: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        texts = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file}: expected JSON lines, cannot read it: {error}") from error
    found = []
    for number, text in enumerate(texts, 1):
        where = f"{file}, line {number}"
        try:
            line = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{where}: not readable as JSON ({error}); export the case again") from error
        missing = [name for name in FIELDS if not isinstance(line, dict) or name not in line]
        if missing:
            raise DatasetError(
                f"{where}: expected a corrected frame with {', '.join(FIELDS)}; lacks {', '.join(missing)}"
            )
        found.append((where, line))
    return found


def _frame(line: dict[str, Any], folder: Path, where: str) -> FrameTruth:
    picture = folder / str(line["image"])
    if not is_there(picture):
        raise DatasetError(f"{where}: its frame {picture} is not there; copy the frames with their JSONL")
    if "width_px" in line and "height_px" in line:
        require_size(picture, (line["width_px"], line["height_px"]), where)
    try:
        labels = [str(c["label"]) for c in line["chromosomes"]]
        boxes = [c["box_px"] for c in line["chromosomes"]]
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"{where}: each chromosome needs label and box_px ({type(error).__name__} {error})"
        ) from error
    strange = sorted(set(labels) - set(LABELS))
    if strange:
        raise DatasetError(f"{where}: label must be one of 1..22, X, Y, got '{strange[0]}'")
    case = str(line["case"])
    frame = framed(picture, case, split_of_case(case), boxes, labels, where)
    frame = replace(frame, ignored_px=perhaps_anothers(line.get("excluded", []), frame.boxes_px, where))
    told = {row: c["p_end_px"] for row, c in enumerate(line["chromosomes"]) if "p_end_px" in c}
    try:
        ends_px = {row: (float(x), float(y)) for row, (x, y) in told.items()}
        if not all(map(math.isfinite, chain.from_iterable(ends_px.values()))):
            raise ValueError("not finite")
        return replace(frame, p_ends_px=ends_px)
    except (TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"{where}: p_end_px must be two numbers of pixels ({error}); correct it") from error
