"""Fluorescent metaphases with pixel masks: ``NAME_dapi.png`` with ``NAME_mask.png``, as the ADIR M-FISH set has them.

A mask is 8 bit: 0 ground, 1..22, 23 = X, 24 = Y, 255 = overlap. The case is the one of ``cases.csv`` (columns image,
case), else the slide: the first three characters of names as the ADIR set has them (probe set and slide number), of
other names what ``names.case_of`` reads. Half of the slides are to learn from, half to test on. Chromosomes are bright
on black.

The mask has classes, not chromosomes: a chromosome is a connected piece of its class. Pieces of one class that an
overlap joins are one; so are homologues that touch or cross. Pieces below ``SMALLEST_PX`` are left out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.records import LABELS, BoolArray, Box, UInt8Array
from trainer.data.foreign import ForeignSet
from trainer.data.metaphase import FrameTruth, framed
from trainer.data.pictures import Skipped, require_size
from trainer.data.walk import is_hidden
from trainer.errors import DatasetError

OVERLAP = 255
_ADIR = re.compile(r"([A-Z]\d\d)\d\d[0-9A-Z]{2}_dapi\.png")
"""The probe set and the slide (together the group), the frame's number on it, the code of its karyotype."""
SMALLEST_PX = 60
"""Smaller pieces are the mask's crumbs; the smallest whole chromosomes of the set are 120 px."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskTruth:
    """One chromosome of a mask: its box, half-open, and its own pixels in it, bool (h, w)."""

    label: str
    box_px: Box
    mask: BoolArray


def mask_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*_mask.png") if not is_hidden(file))


def read_mfish(folder: Path) -> tuple[list[FrameTruth], list[Skipped]]:
    """All frames that have a mask, by name, and the masks that cannot be read. ``DatasetError`` for a mask without a
    picture or of another size."""
    foreign = ForeignSet.of(folder)
    truths, skipped = [], []
    for path in mask_files(folder):
        picture = picture_of(path)
        mask = read_mask(path)
        if mask is None:
            skipped.append(Skipped(path.name, "expected an 8-bit grey mask"))
            continue
        require_size(picture, mask.shape[::-1], str(path))
        pieces = pieces_of_mask(mask)
        boxes, labels = [list(p.box_px) for p in pieces], [p.label for p in pieces]
        slide = slide_of(picture, foreign)
        truths.append(framed(picture, slide, split_of_slide(slide), boxes, labels, str(path)))
    foreign.tell_guessed(truth.path for truth in truths if not _ADIR.fullmatch(truth.image))
    return truths, skipped


def slide_of(picture: Path, foreign: ForeignSet) -> str:
    """The slide, or the case, that ``picture`` (``NAME_dapi.png``) is of."""
    adir = _ADIR.fullmatch(picture.name)
    if adir and not foreign.cases:
        return adir[1]
    return foreign.case(picture)


def split_of_slide(slide: str) -> str:
    """Train for half of the slides, test for the others, by a hash of the name: a slide keeps its split."""
    return "train" if hashlib.sha256(slide.encode()).digest()[0] % 2 else "test"


def picture_of(path: Path) -> Path:
    """The picture that the mask at ``path`` belongs to; ``DatasetError`` where it is not there."""
    picture = path.with_name(path.name.replace("_mask", "_dapi"))
    if not picture.is_file():
        raise DatasetError(f"{path}: its picture {picture.name} is not there; copy both")
    return picture


def read_mask(path: Path) -> UInt8Array | None:
    """The mask in a file, uint8 (H, W), or None where there is none."""
    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        mask = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # an empty file
        return None
    return mask if mask is not None and mask.ndim == 2 and mask.dtype == np.uint8 else None


def pieces_of_mask(mask: UInt8Array) -> list[MaskTruth]:
    """The chromosomes of ``mask`` uint8 (H, W), class by class, without overlaps; each fills its box."""
    pieces = []
    for value, label in enumerate(LABELS, 1):
        own = mask == value
        if not own.any():
            continue
        joined = cv2.connectedComponents((own | (mask == OVERLAP)).astype(np.uint8), connectivity=8)[1]
        joined[~own] = 0
        for number in np.unique(joined[own]):
            ys, xs = np.nonzero(joined == number)
            if len(ys) >= SMALLEST_PX:
                x0, y0, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
                pieces.append(MaskTruth(label, (x0, y0, x1, y1), joined[y0:y1, x0:x1] == number))
    return pieces
