"""How likely each located object is a chromosome: the locator proposes, the classifier and the verifier look again.

The locator offers more than it is sure of. Nine views of each object (``edge.cell.views``) and, where these leave a
doubt, what the verifier says of it (``edge.cell.verify``) decide together, and so do their products: a logistic
regression of the second degree over the objects found on the val frames, kept in the verifier's bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.cell.verify import Verifier, shown
from edge.cell.views import VIEWS, views
from edge.locate.decode import firsts
from edge.overlap import SAME_MASK_IOU, box_iou, mask_iou, meet
from edge.records import BoolArray, Crop, Float32Array, Frame, Prediction, Region
from edge.runtime.bundle import Bundle, load_bundle

MOST_IOU = 0.7
"""Two objects whose boxes share more than this, and whose masks are the same, are one; the likelier stays. By boxes
alone, of two chromosomes that cross in an X one would be lost: 0.98 corrections a val cell instead of 0.94."""
IMPOSSIBLE_NATS = -1e3
MOST_NATS = 8.0
"""A verifier that is surer than this says no more."""
SURE_STRENGTH, SURE_LABEL, LEAST_CLAIMED, LEAST_SHARED = 5.0, 4.0, 0.15, 0.35
"""An object of more ``score + single`` and more ``certain`` (in nats), of which others claim less and whose box shares
less with theirs, needs no verifier: of all that is found in val frames 61 % are such, of these 99.94 % are chromosomes,
and it left as many corrections to take them for sure."""
BEYOND_DOUBT_NATS = 5.7
"""What counts as the verifier's word on those: the median of what it said of them on val."""
WEIGHED = (*VIEWS, "whole")
_FIRST, _SECOND = np.triu_indices(len(WEIGHED))
TERMS = (
    "keep_bias",
    *(f"keep_{name}" for name in WEIGHED),
    *(f"keep_{WEIGHED[a]}_{WEIGHED[b]}" for a, b in zip(_FIRST, _SECOND, strict=True)),
)
"""Weights in the bundle's calibration, in the order of ``terms``."""
_MOST_WEIGHT = 1e4


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """``rows``: which of the objects (n,) are no doubles, as indices; ``weighed`` float32 (len(rows), 10): the views of
    those, and the verifier's log odds."""

    rows: npt.NDArray[np.intp]
    weighed: Float32Array


NOTHING = Seen(np.zeros(0, np.intp), np.zeros((0, len(WEIGHED)), np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Kept(Seen):
    """``odds`` float32 (n,): of all objects, the log odds of being a chromosome."""

    odds: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Keeper:
    """Log odds of being a chromosome: ``terms(weighed) @ weights``; ``weights`` float32 (66,)."""

    verifier: Verifier
    weights: Float32Array

    @classmethod
    def of(cls, bundle: Bundle, threads: int = 2) -> Keeper:
        """The network and the weights in a verifier's bundle."""
        return cls(
            Verifier(bundle, threads),
            np.array([bundle.calibrated(name, -_MOST_WEIGHT, _MOST_WEIGHT) for name in TERMS], np.float32),
        )

    @property
    def models(self) -> dict[str, str]:
        return self.verifier.models

    def __call__(
        self, frame: Frame, regions: Sequence[Region], crops: Sequence[Crop], predictions: Sequence[Prediction]
    ) -> Kept:
        """The log odds of each region; of two that are the same, the likelier keeps them."""
        return self.again(NOTHING, frame, regions, crops, predictions)

    def again(
        self,
        before: Seen,
        frame: Frame,
        regions: Sequence[Region],
        crops: Sequence[Crop],
        predictions: Sequence[Prediction],
    ) -> Kept:
        """The same after more was found: the first of ``regions`` are those looked at ``before``, and what the verifier
        said of them still holds where nothing beside them has changed."""
        seen = look(self.verifier, frame, regions, crops, predictions, before)
        odds = np.full(len(regions), IMPOSSIBLE_NATS, np.float32)
        odds[seen.rows] = terms(seen.weighed) @ self.weights
        return Kept(seen.rows, seen.weighed, odds)


def load_keeper(models: Path, threads: int = 2) -> Keeper:
    """From the bundle ``verifier`` in ``models``; ``ModelError`` when it is not sound."""
    return Keeper.of(load_bundle(models / "verifier", "verifier"), threads)


def look(
    verifier: Verifier,
    frame: Frame,
    regions: Sequence[Region],
    crops: Sequence[Crop],
    predictions: Sequence[Prediction],
    before: Seen = NOTHING,
) -> Seen:
    """What there is to weigh. Doubles go first: two marks of one chromosome would each count against the other.
    ``before``: what was seen of the first regions when the others were not there yet."""
    found = views(regions, crops, predictions)
    rows, chances = singled(regions, found)
    single = [regions[k] for k in rows]
    doubted = doubtful(found[rows])
    said = np.full(len(rows), BEYOND_DOUBT_NATS, np.float32)
    held, words = _still_said(before, rows, single, [regions[k] for k in np.setxor1d(before.rows, rows)], frame)
    said[doubted & held] = words[doubted & held]
    asked = np.flatnonzero(doubted & ~held)
    said[asked] = np.clip(verifier.verify(frame, single, chances, asked), -MOST_NATS, MOST_NATS)
    return Seen(rows, np.column_stack([found[rows], said]).astype(np.float32))


def _still_said(
    before: Seen, rows: npt.NDArray[np.intp], single: Sequence[Region], changed: Sequence[Region], frame: Frame
) -> tuple[BoolArray, Float32Array]:
    """Whether the verifier's word on each of the regions ``rows`` (n,) still holds, and the word: it looked at that one
    ``before``, and none that ``changed``, having come or gone, shows in its look."""
    words = np.full(max(rows.max(initial=-1), before.rows.max(initial=-1)) + 1, np.nan, np.float32)
    heard = doubtful(before.weighed[:, :-1])
    words[before.rows[heard]] = before.weighed[heard, -1]
    clear = ~meet(shown([r.box_px for r in single], frame), [r.box_px for r in changed]).any(1)
    return ~np.isnan(words[rows]) & clear, words[rows]


def doubtful(found: Float32Array) -> npt.NDArray[np.bool_]:
    """Which objects the verifier is to look at, (n,), by their views (n, 9)."""
    score, single, certain, covered, weaker, stronger = found.T[:6]
    sure = (score + single > SURE_STRENGTH) & (certain > SURE_LABEL)
    return np.asarray(~sure | (covered >= LEAST_CLAIMED) | (np.maximum(weaker, stronger) >= LEAST_SHARED))


def singled(regions: Sequence[Region], found: Float32Array) -> tuple[npt.NDArray[np.intp], Float32Array]:
    """Which regions are no doubles of likelier ones, in order, and the chance of each, 0..1, by locator and classifier
    alone; ``found`` float32 (n, 9): their views."""
    strength = found[:, 0] + found[:, 1]
    order = np.argsort(-strength, kind="stable")
    boxes = np.array([regions[k].box_px for k in order], np.float32).reshape(-1, 4)
    doubles = box_iou(boxes, boxes) > MOST_IOU
    for a, b in np.argwhere(np.triu(doubles, 1)).tolist():
        one, other = regions[order[a]], regions[order[b]]
        doubles[a, b] = mask_iou(one.box_px, one.mask, other.box_px, other.mask) > SAME_MASK_IOU
    rows = np.sort(order[firsts(doubles)])
    return rows, np.asarray(1 / (1 + np.exp(-strength[rows])), np.float32)


def terms(weighed: Float32Array) -> Float32Array:
    """One, what is weighed (n, 10), and the products of each two of them, float32 (n, 66)."""
    return np.column_stack([np.ones(len(weighed), np.float32), weighed, weighed[:, _FIRST] * weighed[:, _SECOND]])
