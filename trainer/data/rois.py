"""Training samples for the separator: chromosomes with exact masks, pasted among others in real frames.

A window of a real frame gets cut-outs of lone chromosomes pasted in, beside and across what is there and each other.
Whatever was pasted last or first, light multiplies: each pasted chromosome keeps its whole mask, and each is a sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.locate.separate import make_roi, roi_matrix, warp_into
from edge.records import Float32Array, UInt8Array
from trainer.data.framecache import CachedFrame
from trainer.data.windows import WINDOW_PX, Pasted, paste, place, stain
from trainer.errors import DatasetError

MOST_PASTED = 20
NEAR_SHARE = 0.75
"""Of the pasted, how many are put beside or across another: where separating is hard."""
NEAR_PX = 16.0
SLOPPY, SLOPPY_PX = 0.05, 1.2
"""How far the sides of a located box stray: a share of its longer side, and pixels (one sigma)."""
STRAY = 0.15
"""Share of samples that are off by up to three times that, or turned from another chromosome's own mask."""


def draw_rois(frames: Sequence[CachedFrame], rng: np.random.Generator, count: int) -> tuple[UInt8Array, UInt8Array]:
    """``count`` samples: inputs uint8 (count, 64, 64, 2), masks uint8 (count, 64, 64) of 0 and 1.

    ``DatasetError``: no frame has a lone chromosome."""
    if not any(frame.cutouts for frame in frames):
        raise DatasetError("expected frames with lone chromosomes to paste, found none; give more frames")
    rois: list[UInt8Array] = []
    masks: list[UInt8Array] = []
    while len(rois) < count:
        frame = frames[int(rng.integers(len(frames)))]
        image, _, boxes = place(frame, rng, 1.2)
        pasted = _paste_many(image, frame, frames, boxes, rng)
        picture = np.asarray(np.rint(stain(image, rng)[..., 0] * 255), np.uint8)
        for one in pasted:
            box = sloppy(one.box, rng)
            matrix = roi_matrix(box)
            rois.append(make_roi(picture, box, matrix))
            whole = np.zeros((WINDOW_PX, WINDOW_PX), np.uint8)
            side = len(one.mask)
            whole[one.corner[1] : one.corner[1] + side, one.corner[0] : one.corner[0] + side] = one.mask * 255
            soft = warp_into(whole, matrix, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
            masks.append((soft > 127).astype(np.uint8))
    order = rng.permutation(len(rois))[:count]
    return np.stack([rois[k] for k in order]), np.stack([masks[k] for k in order])


def sloppy(box: Float32Array, rng: np.random.Generator) -> Float32Array:
    """The box as a locator would give it."""
    side = float(max(box[2] - box[0], box[3] - box[1]))
    spread = (SLOPPY * side + SLOPPY_PX) * (rng.uniform(1, 2.5) if rng.random() < STRAY else rng.uniform(0.2, 1))
    return np.asarray(box + rng.normal(0, spread, 4), np.float32)


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
