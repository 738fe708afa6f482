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
    labels, prices = best_labels(cost, extra_price_nats)
    belief = _belief(cost, labels, prices)
    return tuple(
        Assigned(LABELS[label], float(sure), _status(float(sure), prediction))
        for label, sure, prediction in zip(labels, belief, predictions, strict=True)
    )


def best_labels(
    cost: npt.NDArray[np.float64], extra_price_nats: tuple[float, float]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """The cheapest labelling of ``cost`` (n, 24), and the price (24, COPIES) of each class's copies that it used."""
    best: tuple[float, npt.NDArray[np.intp], npt.NDArray[np.float64]] | None = None
    for x_copies, y_copies in ((2, 0), (1, 1)):
        prices = _prices(x_copies, y_copies, extra_price_nats, max(COPIES, -(-len(cost) // len(LABELS)) + 1))
        table = (cost[:, :, None] + prices[None]).reshape(len(cost), -1)
        rows, places = linear_sum_assignment(table)
        total = float(table[rows, places].sum())
        if best is None or total < best[0]:
            best = total, places // prices.shape[1], prices
    assert best is not None
    return best[1], best[2]


def _prices(x_copies: int, y_copies: int, extra: tuple[float, float], copies: int) -> npt.NDArray[np.float64]:
    expected = np.full(len(LABELS), 2)
    expected[LABELS.index("X")], expected[LABELS.index("Y")] = x_copies, y_copies
    beyond = np.arange(copies)[None] - expected[:, None]
    first, further = extra
    return np.where(beyond < 0, 0.0, np.where(beyond == 0, first, first + further * beyond))


def _belief(
    cost: npt.NDArray[np.float64], labels: npt.NDArray[np.intp], prices: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """How sure each label is with all others as they are: the crop's probabilities, each class weighed by the price
    of taking one more of it, and of leaving a place empty where this chromosome sat."""
    counts = np.bincount(labels, minlength=len(LABELS))
    out = np.empty(len(labels))
    for i, label in enumerate(labels):
        others = counts.copy()
        others[label] -= 1
        next_price = prices[np.arange(len(LABELS)), np.minimum(others, prices.shape[1] - 1)]
        weighed = -(cost[i] + next_price)
        weighed -= weighed.max()
        share = np.exp(weighed)
        out[i] = share[label] / share.sum()
    return out


def _status(confidence: float, prediction: Prediction) -> Status:
    return "accepted" if confidence >= ACCEPT_CONFIDENCE and prediction.single >= ACCEPT_SINGLE else "review"
