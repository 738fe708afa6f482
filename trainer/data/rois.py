"""Training samples for the separator: real chromosomes in real crowds, and pasted ones whose masks are exact.

Half of the windows of real frames stay as they are. There, people's boxes are exact but masks are known in part: a dark
pixel in no other box is the chromosome's, one outside its box is not, and one in several boxes, or where something is
to be ignored, is left open. Into the other windows cut-outs of lone chromosomes are pasted, beside and across each
other and what is there. As light multiplies, the order in which they are pasted does not matter: each keeps its whole
mask, and each is a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.cell.compare import MATCH_IOU
from edge.locate.separate import make_rois, roi_matrix, warp_into
from edge.overlap import box_iou
from edge.records import Float32Array, UInt8Array
from trainer.data.excluded import teaches_nothing
from trainer.data.framecache import CachedFrame
from trainer.data.proposals import framed_by, picked_proposals, proposal
from trainer.data.windows import PIXEL_STRIDE_PX, WINDOW_PX, Pasted, paste, place, stain
from trainer.errors import DatasetError

REAL_SHARE = 0.5
"""Share of the windows that stay real, with nothing pasted in."""
PROPOSED_SHARE = 0.6
"""Share of the real windows, of frames with a locator's own boxes, in which those are mended instead of drawn ones."""
MOST_PASTED, MOST_REAL = 20, 16
NEAR_SHARE = 0.75
"""Share of the pasted chromosomes that are put beside or across another, where separating is hard."""
NEAR_PX = 16.0
OPEN = 2
"""A mask's value where nothing is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Rois:
    """Samples: ``inputs`` uint8 (n, 64, 64, 2); ``masks`` uint8 (n, 64, 64) of 0, 1 and ``OPEN``; ``sides`` float32
    (n, 4), the true box in the input's pixels; ``shares`` float32 (n,), how much the box in the input and the true one
    share (intersection over union, 0..1)."""

    inputs: UInt8Array
    masks: UInt8Array
    sides: Float32Array
    shares: Float32Array

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    roi: UInt8Array
    mask: UInt8Array
    sides: Float32Array
    share: float


def draw_rois(
    frames: Sequence[CachedFrame], rng: np.random.Generator, count: int, real_share: float = REAL_SHARE
) -> Rois:
    """``count`` samples. ``DatasetError``: pasted ones are wanted and no frame has a lone chromosome, or real ones and
    no frame has a box."""
    if real_share < 1 and not any(frame.cutouts for frame in frames):
        raise DatasetError("expected frames with lone chromosomes to paste, found none; give more frames")
    if real_share > 0 and not any(len(frame.boxes) for frame in frames):
        raise DatasetError("expected frames with boxes, found none; give more frames")
    samples: list[_Sample] = []
    while len(samples) < count:
        frame = frames[int(rng.integers(len(frames)))]
        draw = _real if rng.random() < real_share else _pasted
        samples += draw(frame, frames, rng)
    picked = [samples[k] for k in rng.permutation(len(samples))[:count]]
    return Rois(
        np.stack([s.roi for s in picked]),
        np.stack([s.mask for s in picked]),
        np.stack([s.sides for s in picked]),
        np.array([s.share for s in picked], np.float32),
    )


def _real(frame: CachedFrame, _: Sequence[CachedFrame], rng: np.random.Generator) -> list[_Sample]:
    placed = place(frame, rng, 1.2)
    boxes, picture, unknown = placed.boxes, _stained(placed.image, rng), placed.open
    given = [proposal(boxes, k, rng) for k in rng.permutation(_inside(boxes)).tolist()]
    real = placed.proposals[_inside(placed.proposals)]
    if len(placed.ignored):  # what is proposed there may be a chromosome that no box tells of
        real = real[(box_iou(real, boxes).max(1, initial=0) >= MATCH_IOU) | ~teaches_nothing(real, placed.ignored)]
    if len(real) and len(boxes) and rng.random() < PROPOSED_SHARE:
        given = list(picked_proposals(real, boxes, rng))
    samples = []
    for box in given[:MOST_REAL]:
        best, share = framed_by(box, boxes)
        cells = placed.candidates == best
        whole, part = cells.all(-1) & ~unknown, cells.any(-1)
        known = np.where(whole, 255, np.where(part, 128, 0)).astype(np.uint8)
        matrix = roi_matrix(box)
        on_cells = np.concatenate([matrix[:, :2] * PIXEL_STRIDE_PX, matrix[:, 2:]], axis=1)
        levels = warp_into(known, on_cells, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
        mask = np.where(levels == 128, OPEN, levels > 128).astype(np.uint8)
        (roi,) = make_rois(picture, box[None], matrix[None])
        samples.append(_Sample(roi, mask, _sides(matrix, boxes[best]), share))
    return samples


def _inside(boxes: Float32Array) -> npt.NDArray[np.intp]:
    """The rows of the boxes (n, 4) that lie wholly in the window."""
    return np.flatnonzero((boxes[:, :2] >= 0).all(1) & (boxes[:, 2:] <= WINDOW_PX).all(1))


def _pasted(frame: CachedFrame, frames: Sequence[CachedFrame], rng: np.random.Generator) -> list[_Sample]:
    placed = place(frame, rng, 1.2)
    image, boxes = placed.image, placed.boxes
    pasted = _paste_many(image, frame, frames, boxes, rng)
    picture = _stained(image, rng)
    samples = []
    everywhere = np.concatenate([np.stack([p.box for p in pasted]), boxes]) if pasted else boxes
    for k, one in enumerate(pasted):
        box = proposal(everywhere, k, rng)
        best, share = framed_by(box, everywhere)
        if best != k:  # it frames another one now, whose mask may not be known
            continue
        matrix = roi_matrix(box)
        whole = np.zeros((WINDOW_PX, WINDOW_PX), np.uint8)
        side = len(one.mask)
        whole[one.corner[1] : one.corner[1] + side, one.corner[0] : one.corner[0] + side] = one.mask * 255
        soft = warp_into(whole, matrix, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        mask = (soft > 127).astype(np.uint8)
        (roi,) = make_rois(picture, box[None], matrix[None])
        samples.append(_Sample(roi, mask, _sides(matrix, one.box), share))
    return samples


def _stained(image: Float32Array, rng: np.random.Generator) -> UInt8Array:
    return np.asarray(np.rint(stain(image, rng)[..., 0] * 255), np.uint8)


def _sides(matrix: Float32Array, box: npt.NDArray[np.float32]) -> Float32Array:
    return np.asarray(box * matrix[0, 0] + np.tile(matrix[:, 2], 2), np.float32)


def _paste_many(
    image: Float32Array,
    frame: CachedFrame,
    frames: Sequence[CachedFrame],
    boxes: Float32Array,
    rng: np.random.Generator,
) -> list[Pasted]:
    pasted: list[Pasted] = []
    middles = list(boxes.reshape(-1, 2, 2).mean(1)) or [np.full(2, WINDOW_PX / 2)]
    donor = frame
    for _ in range(int(rng.integers(6, MOST_PASTED + 1))):
        if rng.random() < 0.25 or not donor.cutouts:
            donor = frames[int(rng.integers(len(frames)))]
        if not donor.cutouts:
            continue
        cut = donor.cutouts[int(rng.integers(len(donor.cutouts)))]
        if rng.random() < NEAR_SHARE:
            target = middles[int(rng.integers(len(middles)))] + rng.normal(0, NEAR_PX, 2)
        else:
            target = np.mean(middles, axis=0) + rng.normal(0, 90, 2)
        one = paste(image, cut, target, frame.density, rng)
        if one is not None:
            pasted.append(one)
            middles.append(one.box.reshape(2, 2).mean(0))
    return pasted
