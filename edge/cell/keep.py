"""Which of the located objects are chromosomes: the locator proposes, the classifier has a second look.

The locator offers more than it is sure of. Its own score, and whether the straightened crop looks like one whole
chromosome, are two views of the same question; together they decide better than a limit on either. The weights are
a logistic regression over the objects found on the val frames, kept in the classifier's bundle.
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


@dataclass(frozen=True, slots=True)
class Keeper:
    """Log odds of being a chromosome: ``bias + score * logit(region.score) + single * logit(prediction.single)``."""

    bias: float
    score: float
    single: float

    @classmethod
    def of(cls, bundle: Bundle) -> Keeper:
        """The weights in a classifier's bundle."""
        return cls(*(bundle.calibrated(name) for name in ("keep_bias", "keep_score", "keep_single")))

    def __call__(self, regions: Sequence[Region], predictions: Sequence[Prediction]) -> tuple[int, ...]:
        """Indices of the regions to keep, in their order."""
        if not regions:
            return ()
        odds = self.odds(views(regions, predictions))
        boxes = np.array([r.box_px for r in regions], np.float32)
        order = np.argsort(-odds, kind="stable")
        order = order[odds[order] > 0]
        return tuple(sorted(order[not_doubled(boxes[order], MOST_IOU)].tolist()))

    def odds(self, seen: Float32Array) -> Float32Array:
        return np.asarray(self.bias + seen @ np.array([self.score, self.single], np.float32), np.float32)


def views(regions: Sequence[Region], predictions: Sequence[Prediction]) -> Float32Array:
    """The two views as log odds, float32 (n, 2)."""
    p = np.array([(r.score, q.single) for r, q in zip(regions, predictions, strict=True)], np.float32).reshape(-1, 2)
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(p / (1 - p)), np.float32)
