"""One label for every chromosome, decided over the whole cell, together with what is none.

A human cell has two of each autosome and XX or XY, and a crop that could be an 8 or an X is the one that is missing.
But the rule is soft: every copy beyond the second costs a price, and so does every missing one, so that a third 21
that looks like a 21 is said to be one. The best labelling is an assignment of located objects to numbered copies of
the classes, or to nothing. A copy costs the negative log of the calibrated probability, that of being a chromosome at
all, and the copy's price; nothing costs the negative log of the probability of being none. So a doubtful object is
kept where a copy is missing and dropped where all are there. The sex chromosomes are tried as XX and as XY.

Where there is so much that the cell may be triploid or tetraploid, or two cells lie in one frame, three and four copies
of each are tried, too, with all their sexes: else no object is so surely a chromosome that it was a fourth copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from edge.records import LABELS, Float32Array, Prediction, Status

CHROMOSOMES_A_SET = 23
COPIES = 4
"""Least places a class, enough for tetrasomy; a picture with more objects than they hold gets more."""
LEAST_OBJECTS = {2: 0, 3: 58, 4: 81}
"""Level of ploidy to how many likely objects there must be to try it: near-triploid, near-tetraploid (ISCN)."""
LEVEL_PRICE_NATS = 4.0
"""The price of another level than diploid. Two val frames side by side, six of six, are then 89 to 92 chromosomes, not
67 to 70."""
EXTRA_PRICE_NATS = (2.0, 2.0)
"""The price of the third copy, and how much more each further one costs than the one before, in nats. On the val frames
3 leaves as many corrections as 2, but of third copies that lie alone 2 finds 97.8 % and 3 finds 96.3 %. A fourth must
cost less than real objects' odds, 4 to 6 nats: val frames have none, and give the same where it costs 4, 4.5 or 8."""
MISSING_PRICE_NATS = 3.0
"""The price of each expected copy that is not there; chosen on the val frames: 2.25 finds 0.06 points fewer of the
chromosomes, is 0.11 more precise and leaves 0.97 corrections instead of 1.00, but counts are exact in 76 % of the
cells, not 80."""
CERTAIN_NATS = 1e3
"""Log odds of an object that is known to be a chromosome."""
ACCEPT_CONFIDENCE = 0.90
ACCEPT_SINGLE = 0.5
FLOOR = 1e-6
_NEVER = 1e6


@dataclass(frozen=True, slots=True)
class Assigned:
    """The label of prediction number ``index``; ``confidence``: probability of ``label`` given the crop, the rest of
    the cell and the odds, in 0..1."""

    index: int
    label: str
    confidence: float
    status: Status


def assign(predictions: Sequence[Prediction], odds: Float32Array | float = CERTAIN_NATS) -> tuple[Assigned, ...]:
    """A label for each prediction that is taken for a chromosome, in order.

    ``odds``: log odds of each being one, float32 (n,), or the same for all.
    """
    if not predictions:
        return ()
    cost = _cost_of(predictions)
    sure = np.broadcast_to(np.asarray(odds, np.float64), (len(cost),))
    kept, labels = best_labels(cost, sure)
    belief = _belief(cost[kept], labels, int((sure > 0).sum())) / (1 + np.exp(-np.minimum(sure[kept], 500)))
    return tuple(
        Assigned(index, LABELS[label], confidence, _status(confidence, predictions[index]))
        for index, label, confidence in zip(kept.tolist(), labels.tolist(), belief.tolist(), strict=True)
    )


def best_labels(
    cost: npt.NDArray[np.float64], odds: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The cheapest labelling of ``cost`` (n, 24), ``odds`` (n,): the rows that are chromosomes, and their labels as
    indices of LABELS."""
    return _cheapest(cost, odds)[:2]


def price_of(predictions: Sequence[Prediction], odds: Float32Array) -> float:
    """What the best labelling of a whole cell costs, in nats, with what is no chromosome: of several readings of one
    picture the cheapest is the likeliest. Infinite where there is nothing to label."""
    if not predictions:
        return float("inf")
    cost = _cost_of(predictions)
    return _cheapest(cost, np.asarray(odds, np.float64))[2]


def _cost_of(predictions: Sequence[Prediction]) -> npt.NDArray[np.float64]:
    """The cost of each label for each prediction, (n, 24), in nats."""
    return np.asarray(-np.log(np.maximum(np.stack([p.scores for p in predictions]).astype(np.float64), FLOOR)))


def _cheapest(
    cost: npt.NDArray[np.float64], odds: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], float]:
    nothing = np.full((len(cost), len(cost)), _NEVER)
    np.fill_diagonal(nothing, np.logaddexp(0, odds))
    best, found = np.inf, np.zeros(len(cost), np.intp)
    copies = max(COPIES, -(-len(cost) // len(LABELS)) + 1)
    for make in _makes(int((odds > 0).sum()), copies):
        table = (cost[:, :, None] + make.prices[None]).reshape(len(cost), -1)
        table = np.concatenate([table + np.logaddexp(0, -odds)[:, None], nothing], axis=1)
        rows, places = linear_sum_assignment(table)
        total = make.price + float(table[rows, places].sum())
        if total < best:
            best, found = total, places
    kept = np.flatnonzero(found < len(LABELS) * copies)
    return kept, found[kept] // copies, best


class _Make(NamedTuple):
    """What a cell may be made of: ``prices`` of the first, second, ... copy of each class, (24, copies), of which an
    expected one saves its own; ``price`` of what is expected and not yet there, beyond a diploid cell's."""

    prices: npt.NDArray[np.float64]
    price: float


def _makes(likely: int, copies: int) -> list[_Make]:
    """All that a cell of so many ``likely`` chromosomes may be, diploid first; X and Y in all numbers with an X."""
    first, further = EXTRA_PRICE_NATS
    found = []
    for level, least in LEAST_OBJECTS.items():
        if likely < least:
            break
        more = level - 2
        price = LEVEL_PRICE_NATS * (more > 0) + MISSING_PRICE_NATS * more * CHROMOSOMES_A_SET
        for y in range(level):
            expected = np.full(len(LABELS), level)
            expected[LABELS.index("X")], expected[LABELS.index("Y")] = level - y, y
            beyond = np.arange(copies)[None] - expected[:, None]
            found.append(_Make(np.where(beyond < 0, -MISSING_PRICE_NATS, first + further * beyond), price))
    return found


def _belief(cost: npt.NDArray[np.float64], labels: npt.NDArray[np.intp], likely: int) -> npt.NDArray[np.float64]:
    """How sure each label is: its weight against that of what it could be instead. Either another class, all others
    as they are, at the price of the cell that this makes; or the class of one of the others, which takes this one's
    for it."""
    counts = np.bincount(labels, minlength=len(LABELS))
    classes = np.arange(len(LABELS))
    makes = _makes(likely, int(counts.max()) + 1)
    paid = np.stack([np.pad(make.prices.cumsum(axis=1), ((0, 0), (1, 0))) for make in makes])
    own = cost[np.arange(len(labels)), labels]
    theirs = cost[:, labels]
    swapped = np.where(labels[:, None] == labels, 0.0, np.exp(own[:, None] + own - theirs - theirs.T)).sum(1)
    # The price of the cell as it is, and with one copy of its own class less and one of another more: (makes, n, 24).
    now = paid[:, classes, counts]
    less, more = (paid[:, classes, np.maximum(counts + step, 0)] - now for step in (-1, 1))
    whole = now.sum(1) + np.array([make.price for make in makes])
    cell = whole[:, None, None] + less[:, labels, None] + more[:, None]
    cell[:, np.arange(len(labels)), labels] = whole[:, None]
    total = cost + cell.min(0)
    beside = np.exp(total[np.arange(len(labels)), labels, None] - total).sum(1)
    return np.asarray(1 / (beside + swapped))


def _status(confidence: float, prediction: Prediction) -> Status:
    return "accepted" if confidence >= ACCEPT_CONFIDENCE and prediction.single >= ACCEPT_SINGLE else "review"
