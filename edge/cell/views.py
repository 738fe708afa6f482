"""What a located object shows of itself: is it a chromosome, whole, and marked once?

Nine numbers an object, each of them at hand once it is located, straightened and read. None decides alone: that an
object is pale says little, that it is pale and as long as two says much; ``edge.cell.keep`` weighs them and their
products.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.straighten import CROP_ROWS
from edge.overlap import box_iou
from edge.records import Crop, Float32Array, Prediction, Region, UInt8Array

VIEWS = ("score", "single", "certain", "covered", "weaker", "stronger", "stain", "length", "width")
"""In the order of ``views``:

- ``score``, ``single``, ``certain``: log odds of the locator's score, of being one whole chromosome, of the likeliest
  label;
- ``covered``: the share of its mask, 0..1, that objects of more ``score + single`` claim together;
- ``weaker``, ``stronger``: the most that its box shares with that of an object of less, of more (intersection over
  union);
- ``stain``, ``width``: its crop's mean absorption, and its pixels a row, as shares of the cell's median;
- ``length``: the rows that its crop takes, as a share of all.
"""
LEAST = 1e-4
MOST_STAIN, MOST_WIDTH = 2.0, 3.0
"""Beyond these, blacker and broader says no more."""


def views(regions: Sequence[Region], crops: Sequence[Crop], predictions: Sequence[Prediction]) -> Float32Array:
    """The views of each object, float32 (n, 9)."""
    if not regions:
        return np.zeros((0, len(VIEWS)), np.float32)
    seen = zip(regions, predictions, strict=True)
    odds = log_odds(np.array([(r.score, p.single, p.scores.max()) for r, p in seen], np.float32))
    strength = odds[:, 0] + odds[:, 1]
    boxes = np.array([r.box_px for r in regions], np.float32)
    shared, more = box_iou(boxes, boxes), strength[None] > strength[:, None]
    near = (np.where(which, shared, 0).max(1) for which in (more.T, more))
    return np.column_stack([odds, _covered(regions, strength), *near, *_looks(crops)]).astype(np.float32)


def log_odds(p: Float32Array) -> Float32Array:
    """The log odds of probabilities ``p``, any shape; none counts as surer than ``LEAST`` either way."""
    p = np.clip(p, LEAST, 1 - LEAST)
    return np.asarray(np.log(p / (1 - p)))


def _looks(crops: Sequence[Crop]) -> tuple[npt.NDArray[np.floating], ...]:
    """Stain, length and width."""
    lines = np.concatenate([crop.pixels for crop in crops])
    stain, count = (_sums(each).reshape(len(crops), -1) for each in (lines, (lines > 0).view(np.uint8)))
    rows = np.count_nonzero(count, axis=1)
    count = np.maximum(count.sum(1), 1)
    stain = stain.sum(1).astype(np.float32) / count
    width = count / np.maximum(rows, 1)
    stain = np.minimum(stain / max(float(np.median(stain)), 1.0), MOST_STAIN)
    width = np.minimum(width / max(float(np.median(width)), 1.0), MOST_WIDTH)
    return stain, rows / np.float32(CROP_ROWS), width


def _sums(lines: UInt8Array) -> npt.NDArray[np.integer]:
    """The sum of each line of (n, m)."""
    return np.asarray(cv2.reduce(lines, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S), np.int32)


def _covered(regions: Sequence[Region], strength: Float32Array) -> Float32Array:
    """The share of each mask, 0..1, that stronger objects claim."""
    boxes = np.array([r.box_px for r in regions])
    boxes -= np.tile(boxes[:, :2].min(0), 2)
    claimed = np.zeros(boxes[:, :1:-1].max(0), np.bool_)
    spots = boxes.tolist()
    shares = np.zeros(len(regions), np.float32)
    for k in np.argsort(-strength, kind="stable").tolist():
        x0, y0, x1, y1 = spots[k]
        mask, there = regions[k].mask, claimed[y0:y1, x0:x1]
        shares[k] = int(np.count_nonzero(there & mask)) / max(int(np.count_nonzero(mask)), 1)
        there |= mask
    return shares
