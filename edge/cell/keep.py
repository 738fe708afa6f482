"""How likely each located object is a chromosome: the locator proposes, the classifier has a second look.

The locator offers more than it is sure of. Its own score, whether the straightened crop looks like one whole
chromosome, and how much of the object a likelier one claims too (a piece of a chromosome, or the same one twice) are
three views of the same question; together they decide better than a limit on each. The weights are a logistic
regression over the objects found on the val frames, kept in the classifier's bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.locate.decode import not_doubled
from edge.records import Float32Array, Prediction, Region
from edge.runtime.bundle import Bundle

MOST_IOU = 0.7
"""Two objects that share more than this are one; the likelier stays."""
IMPOSSIBLE_NATS = -1e3
VIEWS = ("keep_score", "keep_single", "keep_covered")
"""Weights in the bundle's calibration, in the order of ``views``; ``keep_bias`` beside them."""


@dataclass(frozen=True, slots=True, eq=False)
class Keeper:
    """Log odds of being a chromosome: ``bias + views @ weights``; ``weights`` float32 (3,)."""

    bias: float
    weights: Float32Array

    @classmethod
    def of(cls, bundle: Bundle) -> Keeper:
        """The weights in a classifier's bundle."""
        return cls(bundle.calibrated("keep_bias"), np.array([bundle.calibrated(v) for v in VIEWS], np.float32))

    def __call__(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> Float32Array:
        """The log odds of each region, float32 (n,); of two that are the same, the likelier keeps them."""
        odds = np.asarray(self.bias + views(regions, predictions) @ self.weights, np.float32)
        order = np.argsort(-odds, kind="stable")
        boxes = np.array([r.box_px for r in regions], np.float32).reshape(-1, 4)
        doubled = np.ones(len(regions), np.bool_)
        doubled[order[not_doubled(boxes[order], MOST_IOU)]] = False
        return np.where(doubled, np.float32(IMPOSSIBLE_NATS), odds)


def views(regions: Sequence[Region], predictions: Sequence[Prediction]) -> Float32Array:
    """The views, float32 (n, 3): the log odds of the locator's score and of ``single``; the share covered."""
    p = np.array([(r.score, q.single) for r, q in zip(regions, predictions, strict=True)], np.float32).reshape(-1, 2)
    p = np.clip(p, 1e-4, 1 - 1e-4)
    odds = np.log(p / (1 - p))
    return np.concatenate([odds, _covered(regions, odds.sum(1))[:, None]], axis=1).astype(np.float32)


def _covered(regions: Sequence[Region], strength: Float32Array) -> Float32Array:
    """The share of each mask, 0..1, that stronger objects claim."""
    if not regions:
        return np.zeros(0, np.float32)
    boxes = np.array([r.box_px for r in regions])
    left, top = boxes[:, :2].min(0)
    claimed = np.zeros((boxes[:, 3].max() - top, boxes[:, 2].max() - left), np.bool_)
    shares = np.zeros(len(regions), np.float32)
    for k in np.argsort(-strength, kind="stable").tolist():
        x0, y0, x1, y1 = boxes[k] - (left, top, left, top)
        mask, there = regions[k].mask, claimed[y0:y1, x0:x1]
        shares[k] = int(np.count_nonzero(there & mask)) / max(int(np.count_nonzero(mask)), 1)
        there |= mask
    return shares
