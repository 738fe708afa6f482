"""All objects of a cell at once: which of them are chromosomes, and which chromosomes. The learned arbiter.

Classifier, verifier and keeper judge each object for itself, with little of what lies around it. What they say is
strange or likely only beside the others: a crop that could be a 19 or a 22 is the longer of two; an object as long as
two small ones is both of them where the cell lacks two; of two homologues the bent one looks like the straight one.
The arbiter sees what is known of every object, and of every two what they share, and adds to the log odds of being a
chromosome and to the log scores of each label. It should not count copies: most of the cells that it learned from were
given chromosomes too many or too few, so that a third 21 stays one, and ``edge.cell.assign`` still has the last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.cell.keep import WEIGHED, Kept
from edge.overlap import box_iou, shared_by_each_two
from edge.records import LABELS, Crop, Float32Array, Prediction, Region, UInt8Array
from edge.runtime.bundle import Bundle, load_bundle
from edge.runtime.interpreter import Network

SEATS = 96
"""Objects that the network takes; of more, the likeliest."""
NATS = 9.2
"""What is surer than this, or less likely, counts as this."""
MOST_ODDS = 12.0
STRANGE, FAMILIAR, HALF = 0.85, 0.97, 0.5
"""What the arbiter says of labels counts by ``HALF`` up to ``STRANGE`` and in full from ``FAMILIAR`` on: the mean of a
cell's likeliest scores, weighted by the chance of each object being a chromosome. Where the classifier is not at home,
the arbiter knows less too. Three in four val cells are beyond 0.966. Of Q-banded cut-outs, in a trial where neither
network had seen their laboratory, 92.2 % are right within the cell without the arbiter, 91.4 % with all that it says,
92.8 % with half."""
VIEW_LIMITS = np.array([(-NATS, NATS)] * 3 + [(0, 1)] * 3 + [(0, 2), (0, 1), (0, 3), (-8, 8)], np.float32)
"""The limits of each of ``WEIGHED``."""
MOST_LENGTHS, MOST_RATIO, FARTHEST = 4.0, 2.0, 8.0
"""Limits of a length, of the log of an area or breadth, and of a place, each against the cell's median; places in
median lengths from the median place."""
PROFILE_PARTS = 32
_BREADTH_LEVELS = 4.0
"""Levels of 255 for each pixel that a row is broad."""


def _columns() -> dict[str, slice]:
    widths = {
        "there": 1,
        "weighed": len(WEIGHED),
        "odds": 1,
        "up": 1,
        "length": 1,
        "area": 1,
        "breadth": 1,
        "extent": 2,
        "place": 2,
        "scores": len(LABELS),
        "profile": 2 * PROFILE_PARTS,
        "iou": SEATS,
        "shared": SEATS,
    }
    ends = np.cumsum(list(widths.values())).tolist()
    return {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}


COLUMNS = _columns()
"""Where each thing stands in the table: what is known of the object, and what it shares with the object of each seat:
``iou`` by boxes, ``shared`` of its own mask."""
TABLE_WIDTH = COLUMNS["shared"].stop


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """``predictions`` with the scores that the cell leaves, and the log odds float32 (n,) of being a chromosome."""

    predictions: tuple[Prediction, ...]
    odds: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What there is to know of n objects of a cell: ``weighed`` float32 (n, 10), as the keeper weighs them; ``odds``
    (n,), the keeper's; ``scores`` (n, 24); ``up`` (n,); ``boxes`` (n, 4), ``lengths`` (n,) of their centre lines and
    ``areas`` (n,) of their masks, all in frame pixels; ``profiles`` uint8 (n, 64); ``shared`` (n, n), the share of each
    mask that each other claims too."""

    weighed: Float32Array
    odds: Float32Array
    scores: Float32Array
    up: Float32Array
    boxes: Float32Array
    lengths: Float32Array
    areas: Float32Array
    profiles: UInt8Array
    shared: Float32Array

    @classmethod
    def of(
        cls, regions: Sequence[Region], crops: Sequence[Crop], predictions: Sequence[Prediction], kept: Kept
    ) -> Known:
        """What is known of those that are ``heard``; of one at least."""
        seats = heard(kept)
        single, cut, said = ([each[k] for k in kept.rows[seats]] for each in (regions, crops, predictions))
        areas = np.array([max(int(np.count_nonzero(r.mask)), 1) for r in single], np.float32)
        steps = np.diff(np.stack([r.axis_px for r in single]), axis=1)
        up = np.array([p.p_arm_up for p in said], np.float32)
        shared = shared_by_each_two([r.box_px for r in single], [r.mask for r in single])
        return cls(
            kept.weighed[seats],
            kept.odds[kept.rows[seats]],
            np.stack([p.scores for p in said]),
            up,
            np.array([r.box_px for r in single], np.float32),
            np.hypot(steps[..., 0], steps[..., 1]).sum(1),
            areas,
            _profiles(np.stack([crop.pixels for crop in cut]), up),
            (shared / areas[:, None]).astype(np.float32),
        )

    def table(self) -> UInt8Array:
        """The network's input, uint8 (SEATS, TABLE_WIDTH); a row an object, empty ones 0."""
        n = len(self.odds)
        length, area, breadth = (float(np.median(v)) for v in (self.lengths, self.areas, self._breadths()))
        places = (self.boxes[:, :2] + self.boxes[:, 2:]) / 2
        logs = np.log(np.maximum(self.scores, np.exp(-np.float32(NATS))))
        known = {
            "there": np.full((n, 1), 255, np.uint8),
            "weighed": _levels(self.weighed, *VIEW_LIMITS.T),
            "odds": _levels(self.odds, -MOST_ODDS, MOST_ODDS),
            "up": _levels(self.up, 0, 1),
            "length": _levels(self.lengths / max(length, 1), 0, MOST_LENGTHS),
            "area": _levels(np.log(self.areas / area), -MOST_RATIO, MOST_RATIO),
            "breadth": _levels(np.log(self._breadths() / breadth), -MOST_RATIO, MOST_RATIO),
            "extent": _levels((self.boxes[:, 2:] - self.boxes[:, :2]) / max(length, 1), 0, MOST_LENGTHS),
            "place": _levels((places - np.median(places, 0)) / max(length, 1), -FARTHEST, FARTHEST),
            "scores": _levels(logs, -NATS, 0),
            "profile": self.profiles,
            "iou": _seated(_levels(box_iou(self.boxes, self.boxes), 0, 1)),
            "shared": _seated(_levels(self.shared, 0, 1)),
        }
        table = np.zeros((SEATS, TABLE_WIDTH), np.uint8)
        for name, columns in COLUMNS.items():
            table[:n, columns] = known[name].reshape(n, -1)
        return table

    def heeded(self) -> np.float32:
        """How much what the arbiter says of labels counts in this cell, 0.5..1."""
        chance = 1 / (1 + np.exp(-np.clip(self.odds, -MOST_ODDS, MOST_ODDS)))
        sure = float((chance * self.scores.max(1)).sum() / chance.sum())
        return np.float32(np.interp(sure, (STRANGE, FAMILIAR), (HALF, 1)))

    def _breadths(self) -> Float32Array:
        return np.asarray(self.areas / np.maximum(self.lengths, 1), np.float32)


def heard(kept: Kept) -> npt.NDArray[np.intp]:
    """Which of the objects that the keeper saw the network takes: the likeliest, in order, as indices of its rows."""
    return np.sort(np.argsort(-kept.odds[kept.rows], kind="stable")[:SEATS])


class Arbiter:
    """The arbiter of a verified bundle. It works on one core, also where an accelerator has the other networks: its
    many small operators would wait for one another longer than they take, 1.5 ms alone and 2.3 to 3.2 on two cores
    that others use too."""

    def __init__(self, bundle: Bundle) -> None:
        self.models = {"arbiter": bundle.model_id}
        self._network = Network.of_bundle(bundle, threads=1)

    def __call__(
        self, regions: Sequence[Region], crops: Sequence[Crop], predictions: Sequence[Prediction], kept: Kept
    ) -> Judged:
        """Doubles stay as they are, and so do those that are not ``heard``."""
        odds, judged = kept.odds.copy(), list(predictions)
        rows = kept.rows[heard(kept)]
        if len(rows):
            known = Known.of(regions, crops, predictions, kept)
            said = self._network.run_uint8(known.table()[None])
            odds[rows] += said["keep"].reshape(SEATS)[: len(rows)]
            labels = said["label"].reshape(SEATS, -1)[: len(rows)]
            scores = _said_again(known.scores, known.heeded() * labels)
            for k, again in zip(rows.tolist(), scores, strict=True):
                judged[k] = replace(judged[k], scores=again)
        return Judged(tuple(judged), odds)


def load_arbiter(models: Path) -> Arbiter:
    """From the bundle ``arbiter`` in ``models``; ``ModelError`` when it is not sound."""
    return Arbiter(load_bundle(models / "arbiter", "arbiter"))


def _said_again(scores: Float32Array, labels: Float32Array) -> Float32Array:
    """Scores (n, 24), each with ``labels`` added to its logarithm, that sum to 1 again."""
    logs = np.log(np.maximum(scores, np.exp(-np.float32(NATS)))) + labels
    again = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(again / again.sum(1, keepdims=True), np.float32)


def _levels(values: npt.NDArray[Any], low: npt.ArrayLike, high: npt.ArrayLike) -> UInt8Array:
    """``values`` between the limits as 0..255."""
    share = (values - np.asarray(low, np.float32)) / (np.asarray(high, np.float32) - np.asarray(low, np.float32))
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def _seated(pairs: UInt8Array) -> UInt8Array:
    """(n, n) as (n, SEATS)."""
    return np.pad(pairs, ((0, 0), (0, SEATS - len(pairs))))


def _profiles(crops: UInt8Array, up: Float32Array) -> UInt8Array:
    """Along each crop (n, 128, 32), p arm first as far as that is known: its mean absorption, and its breadth; uint8
    (n, 64)."""
    breadth = np.count_nonzero(crops, axis=2).astype(np.float32)
    stain = crops.sum(2, dtype=np.float32) / np.maximum(breadth, 1)
    parts = (
        np.stack([stain, breadth * np.float32(_BREADTH_LEVELS)], 1).reshape(len(crops), 2, PROFILE_PARTS, -1).mean(3)
    )
    down = up < 0.5
    parts[down] = parts[down, :, ::-1]
    return np.asarray(np.minimum(parts, 255).reshape(len(crops), -1), np.uint8)
