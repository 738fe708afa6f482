"""Masks in the frame: where the separator is of two minds about a pixel, the stain decides.

The network answers on 64 x 64 px, coarser than the frame, and so its edges are only near the rim that the eye sees.
Within ``UNSURE_NATS`` of even odds a pixel is the chromosome's if it is stained and no surer object has it. On 40
composites of val cut-outs the masks' mean intersection over union rose from 0.898 to 0.918, of those that cross from
0.849 to 0.865; on the val frames 0.82 corrections a cell were left instead of 0.84.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.locate.grid import SURE_SCORE
from edge.records import BoolArray, Box, Float32Array, Region, UInt8Array

UNSURE_NATS = 1.0
"""2 or 3 gain another 0.003 on composites, and leave 0.02 or 0.05 more corrections a val cell."""
DARK_SHARE = 0.85
"""Stain begins at this share of Otsu's level between ground and stain: pale end bands stay in, the blurred rim stays
out."""
_STAINED, _TAKEN = 1, 2
_LEAST_NATS = np.zeros(256, np.float32)
"""How sure the network must be of a pixel, by whether it is stained and whether it is taken."""
_LEAST_NATS[:4] = UNSURE_NATS, -UNSURE_NATS, UNSURE_NATS, 0.0


def masks_of(
    odds: Sequence[Float32Array],
    boxes_px: Sequence[Box],
    scores: Sequence[float],
    stain: UInt8Array,
    known: Sequence[Region],
) -> list[BoolArray]:
    """The masks of objects whose pixels have these log ``odds``, float32 (h, w) of each one's box, in a frame whose
    ``stain`` is as ``stain_of`` gives it, beside the regions that are ``known`` there."""
    pixels = stain.copy()
    for region in known:
        if region.score >= SURE_SCORE:
            _take(pixels, region.box_px, region.mask)
    for own, box, score in zip(odds, boxes_px, scores, strict=True):
        if score >= SURE_SCORE:
            _take(pixels, box, own > 0)
    return [own > cv2.LUT(_within(pixels, box), _LEAST_NATS) for own, box in zip(odds, boxes_px, strict=True)]


def stain_of(darkness: UInt8Array, shape: tuple[int, ...]) -> UInt8Array:
    """1 where a frame of ``shape`` (H, W) is stained as chromosomes are, else 0; ``darkness`` as ``darkness_of`` gives
    it, at the locator's scale, by which the frame's grain is averaged away."""
    some = np.ascontiguousarray(darkness[::2, ::2])  # tells the level as well, in a quarter of the time
    level, _ = cv2.threshold(some, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    full = cv2.resize(darkness, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.threshold(full, int(DARK_SHARE * level), _STAINED, cv2.THRESH_BINARY)[1], np.uint8)


def _take(pixels: UInt8Array, box: Box, mask: BoolArray) -> None:
    own = _within(pixels, box)
    own |= mask.view(np.uint8) * np.uint8(_TAKEN)


def _within(pixels: UInt8Array, box: Box) -> UInt8Array:
    x0, y0, x1, y1 = box
    return pixels[y0:y1, x0:x1]
