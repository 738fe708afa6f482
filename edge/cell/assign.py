"""One label for every chromosome, decided over the whole cell.

A human cell has two of each autosome and XX or XY, and a crop that could be an 8 or an X is the one that is missing.
But the rule is soft: every copy beyond the second costs a price, and so does every missing one, so that a third 21
that looks like a 21 is said to be one. The best labelling is an assignment of chromosomes to numbered copies of the
classes, cost the negative log of the calibrated probability plus the price of the copy; the sex chromosomes are tried
as XX and as XY.

Why missing copies have a price through the others: an assignment that leaves a second place free has bought a third
place elsewhere, which it paid for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from edge.records import LABELS, Prediction, Status

COPIES = 4
"""Least places a class, enough for tetrasomy; a picture with more objects than they hold gets more."""
SEXES = ((2, 0), (1, 1))
"""Copies of X and Y that cost nothing: XX or XY."""
EXTRA_PRICE_NATS = (4.0, 6.0)
"""For the third and for each further copy, in nats; chosen on the val frames."""
ACCEPT_CONFIDENCE = 0.90
ACCEPT_SINGLE = 0.5
FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class Assigned:
    """``confidence``: probability of ``label`` given the crop and the rest of the cell, in 0..1."""

    label: str
    confidence: float
    status: Status


def assign(
    predictions: Sequence[Prediction], extra_price_nats: tuple[float, float] = EXTRA_PRICE_NATS
) -> tuple[Assigned, ...]:
    """A label for each prediction, in order."""
    if not predictions:
        return ()
    cost = -np.log(np.maximum(np.stack([p.scores for p in predictions]).astype(np.float64), FLOOR))
    labels = best_labels(cost, extra_price_nats)
    belief = _belief(cost, labels, extra_price_nats)
    return tuple(
        Assigned(LABELS[label], float(sure), _status(float(sure), prediction))
        for label, sure, prediction in zip(labels, belief, predictions, strict=True)
    )


def best_labels(cost: npt.NDArray[np.float64], extra_price_nats: tuple[float, float]) -> npt.NDArray[np.intp]:
    """The cheapest labelling of ``cost`` (n, 24): n indices of LABELS."""
    totals, found = [], []
    for sex in SEXES:
        prices = _prices(sex, extra_price_nats, max(COPIES, -(-len(cost) // len(LABELS)) + 1))
        table = (cost[:, :, None] + prices[None]).reshape(len(cost), -1)
        rows, places = linear_sum_assignment(table)
        totals.append(float(table[rows, places].sum()))
        found.append(places // prices.shape[1])
    return np.asarray(found[int(np.argmin(totals))])


def _prices(sex: tuple[int, int], extra: tuple[float, float], copies: int) -> npt.NDArray[np.float64]:
    """What the first, second, ... copy of each class costs, (24, copies)."""
    expected = np.full(len(LABELS), 2)
    expected[LABELS.index("X")], expected[LABELS.index("Y")] = sex
    beyond = np.arange(copies)[None] - expected[:, None]
    first, further = extra
    return np.where(beyond < 0, 0.0, np.where(beyond == 0, first, first + further * beyond))


def _belief(
    cost: npt.NDArray[np.float64], labels: npt.NDArray[np.intp], extra_price_nats: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """How sure each label is: its weight against that of what it could be instead. Either another class, all others
    as they are, at the price of the cell that this makes; or the class of one of the others, which takes this one's
    for it."""
    counts = np.bincount(labels, minlength=len(LABELS))
    classes = np.arange(len(LABELS))
    prices = [_prices(sex, extra_price_nats, int(counts.max()) + 1) for sex in SEXES]
    paid = [np.pad(p.cumsum(axis=1), ((0, 0), (1, 0))) for p in prices]
    own = cost[np.arange(len(labels)), labels]
    theirs = cost[:, labels]
    swapped = np.where(labels[:, None] == labels, 0.0, np.exp(own[:, None] + own - theirs - theirs.T)).sum(1)
    out = np.empty(len(labels))
    for i, label in enumerate(labels):
        cells = counts + np.eye(len(LABELS), dtype=np.intp)
        cells[:, label] -= 1
        total = cost[i] + np.min([p[classes, cells].sum(axis=1) for p in paid], axis=0)
        out[i] = 1 / (np.exp(total[label] - total).sum() + swapped[i])
    return out


def _status(confidence: float, prediction: Prediction) -> Status:
    return "accepted" if confidence >= ACCEPT_CONFIDENCE and prediction.single >= ACCEPT_SINGLE else "review"
