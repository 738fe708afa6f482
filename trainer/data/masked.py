"""Metaphases whose chromosomes have masks, in two forms.

``NAME_dapi.png`` with ``NAME_mask.png`` (``mfish.py``) gives each pixel one class, or says that several overlap there:
overlaps are ignored. COCO's JSON with a ``segmentation`` in uncompressed run lengths, as ``trainer simulate`` writes
it, has each mask whole: no pixel is ignored. Its crowds, several chromosomes in one mark, are to be found by nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.records import BoolArray, Box
from trainer.data.coco import CocoFrame, coco_frames, corners
from trainer.data.foreign import ForeignSet
from trainer.data.mfish import (
    OVERLAP,
    MaskTruth,
    mask_files,
    picture_of,
    pieces_of_mask,
    read_mask,
    slide_of,
    split_of_slide,
)
from trainer.data.pictures import UNMARKED, Skipped, fault_of, require_size, warn_skipped
from trainer.data.rle import mask_of_rle
from trainer.data.splits import require_split
from trainer.errors import DatasetError


@dataclass(frozen=True, slots=True, eq=False)
class MaskedFrame:
    """A metaphase at ``path``, its chromosomes ``pieces``, which may share pixels, and ``ignored`` bool (H, W), the
    pixels of which nobody knows whose they are. What is found at ``ignored_px`` int64 (k, 4), x0, y0, x1, y1, counts
    neither way."""

    path: Path
    pieces: tuple[MaskTruth, ...]
    ignored: BoolArray
    ignored_px: npt.NDArray[np.int64]


Reader = Callable[[], MaskedFrame]
"""Reads one frame's masks when it is called: not all masks of a set need be in memory."""


def masked_frames(path: Path, split: str = "") -> list[Reader]:
    """A reader for each metaphase with masks at ``path``, by file, of one ``split`` if it is named; ``DatasetError`` if
    there is none. Pictures that cannot be read are left out with one ``SkippedWarning`` that names them; another counts
    COCO's pictures without a mark."""
    files = mask_files(path)
    if files:
        foreign, pictures = ForeignSet.of(path), [picture_of(file) for file in files]
        splits = [split_of_slide(slide_of(picture, foreign)) for picture in pictures]
        named = list(zip([partial(read_mfish_masks, file) for file in files], pictures, splits, strict=True))
        return _readable(named, split, path)
    frames = coco_frames(path) if path.is_dir() or path.suffix.lower() == ".json" else []
    warn_skipped(path, [Skipped(frame.path.name, UNMARKED) for frame in frames if not frame.marks])
    marked = [(partial(read_coco_masks, frame), frame.path, frame.split) for frame in frames if frame.marks]
    if not marked:
        raise DatasetError(
            f"{path}: expected NAME_dapi.png with NAME_mask.png, or COCO's JSON with masks as run lengths, found "
            "neither; name their folder"
        )
    return _readable(marked, split, path)


def _readable(named: Sequence[tuple[Reader, Path, str]], split: str, path: Path) -> list[Reader]:
    """Of the ``named`` readers, each with its picture and split, those of ``split`` whose pictures can be read."""
    if split:
        require_split(split, (own for _, _, own in named), str(path))
    faults = [(reader, picture.name, fault_of(picture)) for reader, picture, own in named if split in ("", own)]
    left_out = [Skipped(name, fault) for _, name, fault in faults if fault]
    warn_skipped(path, left_out)
    if len(left_out) == len(faults):
        raise DatasetError(f"{path}: no readable picture among {len(faults)}, first {left_out[0].reason}")
    return [reader for reader, _, fault in faults if not fault]


def read_mfish_masks(mask_file: Path) -> MaskedFrame:
    """The frame of a mask file, its overlaps ignored. ``DatasetError`` if it is no mask, or not of its picture's
    size."""
    mask = read_mask(mask_file)
    if mask is None:
        raise DatasetError(f"{mask_file}: expected an 8-bit grey mask; copy it again or take it away")
    picture = picture_of(mask_file)
    require_size(picture, mask.shape[::-1], str(mask_file))
    return MaskedFrame(picture, tuple(pieces_of_mask(mask)), mask == OVERLAP, np.zeros((0, 4), np.int64))


def read_coco_masks(frame: CocoFrame) -> MaskedFrame:
    """The frame with whole masks. ``DatasetError`` names an annotation without a mask, or whose mask lies outside its
    box."""
    try:
        height_px, width_px = int(frame.entry["height"]), int(frame.entry["width"])
        require_size(frame.path, (width_px, height_px), f"{frame.table}, image {frame.entry['id']}")
        pieces = tuple(
            _piece(mark, label, height_px, width_px, frame.table)
            for mark, label in zip(frame.marks, frame.labels, strict=True)
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"{frame.table}: not as COCO has it, {type(error).__name__} {error}") from error
    return MaskedFrame(frame.path, pieces, np.zeros((height_px, width_px), np.bool_), frame.ignored_px)


def _piece(mark: dict[str, Any], label: str, height_px: int, width_px: int, table: Path) -> MaskTruth:
    where = f"{table}, annotation {mark.get('id')}"
    whole = mask_of_rle(mark.get("segmentation"), height_px, width_px, where)
    x0, y0, x1, y1 = corners(mark, table)
    box: Box = (
        max(math.floor(x0), 0),
        max(math.floor(y0), 0),
        min(math.ceil(x1), width_px),
        min(math.ceil(y1), height_px),
    )
    inside = whole[box[1] : box[3], box[0] : box[2]]
    if not inside.any() or int(inside.sum()) < int(whole.sum()):
        raise DatasetError(f"{where}: expected a mask within its box {list(box)}, got one that is not; correct it")
    return MaskTruth(label, box, inside)
