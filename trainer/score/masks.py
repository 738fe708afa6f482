"""How labelled cells compare with masks of their chromosomes: located by pixels, not only by boxes.

Where the truth does not say whose a pixel is, it is ignored, in what was found and in the truth. What locates no true
one and lies at an object to be ignored counts neither way. Where no pixel is ignored, masks are whole, and the measures
are also given for those that cross others, and for those that lie alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.cell.compare import MATCH_IOU, Score, compare, one_to_one
from edge.overlap import CROSSING_PX, box_iou, shared_px
from edge.records import BoolArray, Box, Cell, Chromosome, Frame
from trainer.data.excluded import teaches_nothing
from trainer.data.masked import MaskedFrame
from trainer.data.mfish import MaskTruth

TOUCHING_PX = 2
"""A gap that is not wider joins two chromosomes for the eye."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of the true chromosomes of one or more frames, (n,) each: ``iou`` of its mask with that of the one
    that found it, 0 where none did; whether its label is ``right``; whether it is ``crossing`` another or ``touching``
    one, never both."""

    iou: npt.NDArray[np.float64]
    right: BoolArray
    crossing: BoolArray
    touching: BoolArray

    @classmethod
    def joined(cls, parts: Sequence[Outcome]) -> Outcome:
        names = ("iou", "right", "crossing", "touching")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def figures(self, which: BoolArray, suffix: str) -> dict[str, Any]:
        """The figures of ``which`` (n,): how many, and their shares, each name ending in ``suffix``; None where there
        is none."""
        iou, right, some = self.iou[which], self.right[which], bool(which.any())
        located = iou[iou > 0]
        shares = {
            "located": len(located) / len(iou) if some else None,
            "mean_mask_iou": located.mean() if len(located) else None,
            "mean_mask_iou_of_all": iou.mean() if some else None,
            "end_to_end": right.mean() if some else None,
        }
        rounded = {name: None if share is None else round(float(share), 4) for name, share in shares.items()}
        return {f"{name}{suffix}": value for name, value in ({"truth": len(iou)} | rounded).items()}


def mask_figures(frames: Iterable[MaskedFrame], label: Callable[[Frame], Cell]) -> dict[str, Any]:
    """The measures over ``frames``, each labelled by ``label``. Pairs are one to one. ``located``, ``precision``: their
    masks' intersection over union is 0.5 or more; ``mean_mask_iou``: over these pairs; ``end_to_end``: the label is
    right too. ``..._boxes``: the same by boxes. ``count_off``: by how many a frame's count is wrong, on average.

    Where all masks are whole also ``mean_mask_iou_of_all``: over all true ones, 0 for one that was not located; and
    these for the true ones of each kind: ``_crossing`` share ``CROSSING_PX`` or more with another,
    ``_touching_or_crossing`` have one at most a gap of ``TOUCHING_PX`` away, ``_alone`` are the others."""
    from edge.camera.files import read_frame

    by_mask, by_box, off, outcomes, whole = Score(), Score(), 0, [], True
    for index, frame in enumerate(frames):
        found, pieces = _counted(label(read_frame(frame.path, index)).chromosomes, frame), frame.pieces
        outcome = outcome_by_mask(found, frame)
        by_mask += _score(outcome, len(found))
        by_box += compare(
            [c.region.box_px for c in found],
            [c.label for c in found],
            [p.box_px for p in pieces],
            [p.label for p in pieces],
        )
        off += abs(len(found) - len(pieces))
        outcomes.append(outcome)
        whole &= not frame.ignored.any()
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
    figures = counts | {name: round(float(share), 4) for name, share in shares.items()}
    return figures | _by_kind(Outcome.joined(outcomes)) if whole and outcomes else figures


def _counted(found: Sequence[Chromosome], frame: MaskedFrame) -> Sequence[Chromosome]:
    if not (found and len(frame.ignored_px)):
        return found
    boxes = [c.region.box_px for c in found]
    alike = np.maximum(box_iou(boxes, [p.box_px for p in frame.pieces]), mask_ious(found, frame))
    out = teaches_nothing(boxes, frame.ignored_px) & (alike.max(1, initial=0) < MATCH_IOU)
    return [c for c, left_out in zip(found, out, strict=True) if not left_out]


def _by_kind(outcome: Outcome) -> dict[str, Any]:
    every = outcome.figures(np.ones(len(outcome.iou), np.bool_), "")
    crowded = outcome.crossing | outcome.touching
    return (
        {"mean_mask_iou_of_all": every["mean_mask_iou_of_all"]}
        | outcome.figures(outcome.crossing, "_crossing")
        | outcome.figures(crowded, "_touching_or_crossing")
        | outcome.figures(~crowded, "_alone")
    )


def outcome_by_mask(found: Sequence[Chromosome], frame: MaskedFrame) -> Outcome:
    """One frame's outcome, its pairs those of most summed intersection over union of their masks."""
    n = len(frame.pieces)
    iou, right = np.zeros(n), np.zeros(n, np.bool_)
    if found and n:
        every = mask_ious(found, frame)
        mine, theirs = one_to_one(every)
        iou[theirs] = every[mine, theirs]
        right[theirs] = [found[i].label == frame.pieces[j].label for i, j in zip(mine, theirs, strict=True)]
    return Outcome(iou, right, *_kinds(frame.pieces))


def _score(outcome: Outcome, found: int) -> Score:
    located = int(np.count_nonzero(outcome.iou))
    return Score(1, len(outcome.iou), found, located, int(outcome.right.sum()), float(outcome.iou.sum()))


def mask_ious(found: Sequence[Chromosome], frame: MaskedFrame) -> npt.NDArray[np.float64]:
    """The intersection over union of every found chromosome's mask with every true piece's, (n, m), without ignored
    pixels."""

    def known(box: Box, mask: BoolArray) -> BoolArray:
        x0, y0, x1, y1 = box
        return np.asarray(mask & ~frame.ignored[y0:y1, x0:x1])

    mine = [(c.region.box_px, known(c.region.box_px, c.region.mask)) for c in found]
    true = [(p.box_px, known(p.box_px, p.mask)) for p in frame.pieces]
    both = np.zeros((len(mine), len(true)))
    for i, j in np.argwhere(box_iou([box for box, _ in mine], [box for box, _ in true]) > 0):
        both[i, j] = shared_px(*mine[i], *true[j])
    own, theirs = (np.array([np.count_nonzero(mask) for _, mask in some], np.float64) for some in (mine, true))
    return np.asarray(both / np.maximum(own[:, None] + theirs - both, 1))


def _kinds(pieces: Sequence[MaskTruth]) -> tuple[BoolArray, BoolArray]:
    """Which pieces cross another, and which only touch one, (n,) each."""
    crossing, near = np.zeros(len(pieces), np.bool_), np.zeros(len(pieces), np.bool_)
    wide = [_widened(piece) for piece in pieces]
    for i, piece in enumerate(pieces):
        for j in range(i):
            if shared_px(*wide[i], pieces[j].box_px, pieces[j].mask):
                near[[i, j]] = True
                if shared_px(piece.box_px, piece.mask, pieces[j].box_px, pieces[j].mask) >= CROSSING_PX:
                    crossing[[i, j]] = True
    return crossing, near & ~crossing


def _widened(piece: MaskTruth) -> tuple[Box, BoolArray]:
    """A piece's box and mask with a margin on all sides of the widest gap and one pixel."""
    reach = TOUCHING_PX + 1
    x0, y0, x1, y1 = piece.box_px
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    mask = cv2.dilate(np.pad(piece.mask, reach).astype(np.uint8), disc) > 0
    return (x0 - reach, y0 - reach, x1 + reach, y1 + reach), mask
