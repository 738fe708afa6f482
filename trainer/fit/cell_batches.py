"""What the arbiter is shown of its cells: never twice the same, so that it does not learn them by heart.

Chromosomes leave and others join, so that copies tell nothing; some cells are made as if in a laboratory that the
classifier does not know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from edge.cell.arbiter import COLUMNS, NATS, PROFILE_PARTS, SEATS, VIEW_LIMITS
from edge.cell.keep import WEIGHED
from edge.cell.views import log_odds
from edge.records import Float32Array, UInt8Array
from trainer.data.cells import CellSet, leave
from trainer.data.cropset import NOTHING
from trainer.fit.loop import Batch
from trainer.networks.arbiter import KNOWN

OVERLOOKED = 0.01
"""Share of objects that are left out."""
SHORT, OVERFULL = 0.3, 0.6
"""Share of cells that lack one chromosome or two, and that have one to three too many."""
KNOWN_BOXES = 0.15
"""Share of cells whose boxes somebody drew: nothing but chromosomes, and each of them for sure."""
GUESTS = 5000
"""Lone chromosomes, at most, that are put into other cells than their own."""
SURENESS, NOISE = (-0.1, 0.15), 0.015
"""How much surer or less sure the labels are made, as a normal of the log; and noise on all that is known."""
ELSEWHERE = 0.35
"""Share of cells that are made as if in a laboratory that the classifier does not know."""
FLATTER, LEANING_NATS, DOUBT_NATS = (0.3, 1.0), 0.6, 0.6
"""There: by what the log scores of a cell's objects are multiplied; how far, as the deviation of a normal, they lean
towards each label in the whole cell; and in each object besides."""
BAND_CONTRAST, SMOOTHEST_PARTS = (0.4, 1.5), 1.5
"""There: by what the bands' distance from an object's mean stain is multiplied, and how far they are smeared."""
LONE_COVERED, LONE_SHARED = 13, 26
"""A chromosome that shares less is alone: a twentieth of its mask, a tenth of its box, in levels of 255."""
MOST_LEVEL = 255
PLACE_SPREAD = 32.0
"""How far the places of guests are spread, as the deviation of a normal, in levels of 255."""


@dataclass(frozen=True, slots=True, eq=False)
class Guests:
    """``rows`` uint8 (n, 300) of tables, of chromosomes that nothing touches, and their ``label`` (n,)."""

    rows: UInt8Array
    label: npt.NDArray[np.int8]


def lone_ones(cells: CellSet, rng: np.random.Generator) -> Guests:
    """Chromosomes that share next to nothing with others, ``GUESTS`` of them at most."""
    near = [
        cells.table[..., COLUMNS["weighed"]][..., WEIGHED.index(name)] for name in ("covered", "weaker", "stronger")
    ]
    covered, *shared = near
    lone = cells.whole & (covered < LONE_COVERED) & (shared[0] < LONE_SHARED) & (shared[1] < LONE_SHARED)
    cell, seat = np.nonzero(lone)
    some = np.sort(rng.permutation(len(cell))[:GUESTS])
    rows = cells.table[cell[some], seat[some]].copy()
    for name in ("iou", "shared"):
        rows[:, COLUMNS[name]] = 0
    return Guests(rows, cells.label[cell[some], seat[some]])


def make_batch(cells: CellSet, guests: Guests, rng: np.random.Generator, count: int) -> Batch:
    """table (B, 96, 300, 1) in 0..1, whole (B, 96), label (B, 96) with NOTHING: some cells with chromosomes too few or
    too many, so that copies tell nothing; some with boxes that are known; labels more or less sure, and noise."""
    picked = rng.integers(len(cells), size=count)
    table, whole, label = (each[picked].copy() for each in (cells.table, cells.whole, cells.label))
    for k in range(count):
        there = table[k, :, 0] > 0
        gone = rng.random(SEATS) < OVERLOOKED
        if rng.random() < KNOWN_BOXES:
            gone |= ~whole[k]
            table[k, there, COLUMNS["weighed"].start + WEIGHED.index("score")] = MOST_LEVEL
            table[k, there, COLUMNS["odds"]] = MOST_LEVEL
        if rng.random() < SHORT and whole[k].any():
            gone[rng.choice(np.flatnonzero(whole[k]), rng.integers(1, 3))] = True
        leave(table[k], gone)
        whole[k, gone], label[k, gone] = False, NOTHING
        if rng.random() < OVERFULL and len(guests.rows):
            free = np.flatnonzero(~there | gone)[: rng.integers(1, 4)]
            drawn = rng.integers(len(guests.rows), size=len(free))
            table[k, free] = guests.rows[drawn]
            places = 127.5 + rng.normal(0, PLACE_SPREAD, (len(free), 2))
            table[k, free, COLUMNS["place"]] = np.clip(places, 0, 255).astype(np.uint8)
            whole[k, free], label[k, free] = True, guests.label[drawn]
    x = table.astype(np.float32) / np.float32(255)
    seated = x[..., :1]
    sureness = np.exp(rng.normal(*SURENESS, (count, 1, 1))).astype(np.float32)
    scores = COLUMNS["scores"]
    x[..., scores] = np.clip(1 - (1 - x[..., scores]) * sureness, 0, 1) * seated
    for k in np.flatnonzero(rng.random(count) < ELSEWHERE).tolist():
        _elsewhere(x[k], rng)
    others = slice(KNOWN.start, scores.start)
    x[..., others] += rng.normal(0, NOISE, x[..., others].shape).astype(np.float32) * seated
    return x[..., None], whole.astype(np.float32), label.astype(np.float32)


def _elsewhere(x: Float32Array, rng: np.random.Generator) -> None:
    """Makes the table (96, 300) of a cell, in 0..1, one of another laboratory, in place: the classifier is less sure of
    all labels, leans towards some, and is wrong more often; bands are paler or stronger, sharp or smeared."""
    there = x[:, 0] > 0
    scores, stain = COLUMNS["scores"], slice(COLUMNS["profile"].start, COLUMNS["profile"].start + PROFILE_PARTS)
    logs = (x[there, scores] - 1) * np.float32(NATS) * np.float32(rng.uniform(*FLATTER))
    logs += rng.normal(0, LEANING_NATS, logs.shape[1:]) + rng.normal(0, DOUBT_NATS, logs.shape)
    logs -= np.logaddexp.reduce(logs, axis=1, keepdims=True)
    x[there, scores] = np.clip(1 + logs / np.float32(NATS), 0, 1)
    low, high = VIEW_LIMITS[WEIGHED.index("certain")]
    certain = log_odds(np.exp(logs.max(1)))
    x[there, COLUMNS["weighed"].start + WEIGHED.index("certain")] = np.clip((certain - low) / (high - low), 0, 1)
    bands = x[there, stain]
    middle = bands.mean(1, keepdims=True)
    bands = gaussian_filter1d(bands, rng.uniform(0, SMOOTHEST_PARTS), axis=1)
    x[there, stain] = np.clip(middle + (bands - middle) * np.float32(rng.uniform(*BAND_CONTRAST)), 0, 1)
