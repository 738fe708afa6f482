"""Fluorescent metaphases with pixel masks: ``NAME_dapi.png`` with ``NAME_mask.png``, as the ADIR M-FISH set has them.

A mask is 8 bit: 0 ground, 1..22, 23 = X, 24 = Y, 255 = overlap. The case is the slide: the first three characters of
the name (probe set and slide number). Chromosomes are bright on black: the G-band networks do not know such frames.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.records import LABELS, UInt8Array
from trainer.data.metaphase import FrameTruth, framed
from trainer.data.names import split_of_case
from trainer.data.pictures import Skipped
from trainer.errors import DatasetError

OVERLAP = 255
SLIDE_LETTERS = 3
SMALLEST_PX = 60
"""Smaller pieces are the mask's crumbs; the smallest whole chromosomes of the set are 120 px."""


def mask_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*_mask.png"))


def read_mfish(folder: Path) -> tuple[list[FrameTruth], list[Skipped]]:
    """All frames that have a mask, by name, and the masks that cannot be read."""
    truths, skipped = [], []
    for path in mask_files(folder):
        picture = path.with_name(path.name.replace("_mask", "_dapi"))
        if not picture.is_file():
            raise DatasetError(f"{path}: its picture {picture.name} is not there; copy both")
        try:
            mask = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:  # an empty file
            mask = None
        if mask is None or mask.ndim != 2:
            skipped.append(Skipped(path.name, "expected an 8-bit grey mask"))
            continue
        boxes, labels = boxes_of_mask(np.asarray(mask, np.uint8))
        slide = path.name[:SLIDE_LETTERS]
        truths.append(framed(picture, slide, split_of_case(slide), boxes, labels, str(path)))
    return truths, skipped


def boxes_of_mask(mask: UInt8Array) -> tuple[list[list[int]], list[str]]:
    """The box of each piece of each class, half-open, and its label.

    Pieces of one class that an overlap joins are one chromosome; homologues that cross each other are told as one.
    """
    boxes, labels = [], []
    for value, label in enumerate(LABELS, 1):
        own = mask == value
        if not own.any():
            continue
        joined = cv2.connectedComponents((own | (mask == OVERLAP)).astype(np.uint8), connectivity=8)[1]
        joined[~own] = 0
        for piece in np.unique(joined[own]):
            ys, xs = np.nonzero(joined == piece)
            if len(ys) >= SMALLEST_PX:
                boxes.append([int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1])
                labels.append(label)
    return boxes, labels
