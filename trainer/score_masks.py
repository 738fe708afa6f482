"""How labelled cells compare with masks of their chromosomes: located by pixels, not only by boxes.

Pixels where chromosomes overlap belong to several of them, and the truth does not say to which: they are ignored, in
what was found and in the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.cell.compare import Score, compare, one_to_one
from edge.records import Cell, Chromosome, Frame, UInt8Array
from trainer.data.mfish import OVERLAP, Piece, mask_files, picture_of, pieces_of_mask, read_mask
from trainer.errors import DatasetError


@dataclass(frozen=True, slots=True, eq=False)
class MaskedFrame:
    """A metaphase at ``path`` and its ``mask`` uint8 (H, W), whose values ``trainer/data/mfish.py`` explains."""

    path: Path
    mask: UInt8Array

    @classmethod
    def of(cls, mask_file: Path) -> MaskedFrame:
        mask = read_mask(mask_file)
        if mask is None:
            raise DatasetError(f"{mask_file}: expected an 8-bit grey mask; copy it again or take it away")
        return cls(picture_of(mask_file), mask)


def masked_frames(folder: Path) -> list[Path]:
    """The masks in ``folder``, by name; ``DatasetError`` where there is none."""
    files = mask_files(folder)
    if not files:
        raise DatasetError(f"{folder}: expected NAME_dapi.png with NAME_mask.png, found no mask; name their folder")
    return files


def mask_figures(frames: Iterable[MaskedFrame], label: Callable[[Frame], Cell]) -> dict[str, Any]:
    """The measures over ``frames``, each labelled by ``label``. Pairs are one to one. ``located``, ``precision``: their
    masks' intersection over union is 0.5 or more; ``mean_mask_iou``: over these pairs; ``end_to_end``: the label is
    right too. ``..._boxes``: the same by boxes. ``count_off``: by how many a frame's count is wrong, on average."""
    from edge.camera.files import read_frame

    by_mask, by_box, off = Score(), Score(), 0
    for index, frame in enumerate(frames):
        found, pieces = label(read_frame(frame.path, index)).chromosomes, pieces_of_mask(frame.mask)
        by_mask += score_by_mask(found, pieces, frame.mask)
        by_box += compare(
            [c.region.box_px for c in found],
            [c.label for c in found],
            [p.box_px for p in pieces],
            [p.label for p in pieces],
        )
        off += abs(len(found) - len(pieces))
    shares = {
        "located": by_mask.located_share,
        "precision": by_mask.precision,
        "mean_mask_iou": by_mask.mean_iou,
        "label_given_located": by_mask.right / max(by_mask.located, 1),
        "end_to_end": by_mask.end_to_end,
        "located_boxes": by_box.located_share,
        "precision_boxes": by_box.precision,
        "end_to_end_boxes": by_box.end_to_end,
        "corrections_per_cell": by_mask.corrections_per_cell,
        "count_off": off / max(by_mask.frames, 1),
    }
    counts = {"frames": by_mask.frames, "truth": by_mask.truth, "found": by_mask.found}
    return counts | {name: round(float(share), 4) for name, share in shares.items()}


def score_by_mask(found: Sequence[Chromosome], pieces: Sequence[Piece], mask: UInt8Array) -> Score:
    """One frame's score, its pairs those of most summed intersection over union of their masks."""
    if not found or not pieces:
        return Score(frames=1, truth=len(pieces), found=len(found))
    iou = mask_iou(found, pieces, mask)
    mine, theirs = one_to_one(iou)
    right = sum(found[i].label == pieces[j].label for i, j in zip(mine, theirs, strict=True))
    return Score(1, len(pieces), len(found), len(mine), right, float(iou[mine, theirs].sum()))


def mask_iou(found: Sequence[Chromosome], pieces: Sequence[Piece], mask: UInt8Array) -> npt.NDArray[np.float64]:
    """Of every chromosome found with every true piece, (n, m), off the overlaps."""
    number = np.zeros(mask.shape, np.int64)  # from 1; each pixel off the overlaps is of one piece at most
    for k, piece in enumerate(pieces, 1):
        x0, y0, x1, y1 = piece.box_px
        number[y0:y1, x0:x1][piece.mask] = k
    both, own = np.zeros((len(found), len(pieces) + 1)), np.zeros(len(found))
    for row, chromosome in enumerate(found):
        x0, y0, x1, y1 = chromosome.region.box_px
        known = chromosome.region.mask & (mask[y0:y1, x0:x1] != OVERLAP)
        both[row] = np.bincount(number[y0:y1, x0:x1][known], minlength=len(pieces) + 1)
        own[row] = np.count_nonzero(known)
    true = np.array([np.count_nonzero(piece.mask) for piece in pieces])
    either = own[:, None] + true - both[:, 1:]
    return np.asarray(both[:, 1:] / np.maximum(either, 1))
