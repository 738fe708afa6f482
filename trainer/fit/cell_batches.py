"""Batches for the arbiter: its cells, changed each time, so that it does not learn them by heart.

Chromosomes leave and others join, so that the number of copies tells nothing; some cells are made as if in a laboratory
that the classifier does not know.
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
"""Share of objects that are left out of a cell."""
SHORT, OVERFULL = 0.3, 0.6
"""Shares of cells that lose one chromosome or two, and that get one to three more."""
KNOWN_BOXES = 0.15
"""Share of cells shown as if somebody had drawn their boxes: nothing but chromosomes, all of them sure."""
GUESTS = 5000
"""At most so many lone chromosomes are kept to be put into other cells than their own."""
SURENESS, NOISE = (-0.1, 0.15), 0.015
"""How much surer or less sure the labels are made: mean and deviation of a normal, as a logarithm. And the deviation of
the noise on all that is known."""
ELSEWHERE = 0.35
"""Share of cells that are made as if in a laboratory that the classifier does not know."""
FLATTER, LEANING_NATS, DOUBT_NATS = (0.3, 1.0), 0.6, 0.6
"""In such cells: limits of the factor on the log scores of a cell's objects; and how far these lean, as the deviation
of a normal, towards each label in the whole cell, and in each object besides."""
BAND_CONTRAST, SMOOTHEST_PARTS = (0.4, 1.5), 1.5
"""In such cells: limits of the factor on the bands' distance from an object's mean stain; and how far they are smeared
at most, in parts of the profile."""
LONE_COVERED, LONE_SHARED = 13, 26
"""A chromosome is alone if less of it is shared: a twentieth of its mask, a tenth of its box, in levels of 255."""
MOST_LEVEL = 255
PLACE_SPREAD = 32.0
"""How far the places of guests are spread, as the deviation of a normal, in levels of 255."""


@dataclass(frozen=True, slots=True, eq=False)
class Guests:
    """Chromosomes that nothing touches, to be put into other cells: ``rows`` uint8 (n, 300) of their tables, and their
    ``label`` (n,)."""

    rows: UInt8Array
    label: npt.NDArray[np.int8]


def _weighed(name: str) -> int:
    """The table's column of that one of ``WEIGHED``."""
    return int(COLUMNS["weighed"].start) + WEIGHED.index(name)


def lone_ones(cells: CellSet, rng: np.random.Generator) -> Guests:
    """The chromosomes that share next to nothing with others, at most ``GUESTS`` of them."""
    covered, weaker, stronger = (cells.table[..., _weighed(name)] for name in ("covered", "weaker", "stronger"))
    lone = cells.whole & (covered < LONE_COVERED) & (weaker < LONE_SHARED) & (stronger < LONE_SHARED)
    cell, seat = np.nonzero(lone)
    some = np.sort(rng.permutation(len(cell))[:GUESTS])
    rows = cells.table[cell[some], seat[some]].copy()
    for name in ("iou", "shared"):
        rows[:, COLUMNS[name]] = 0
    return Guests(rows, cells.label[cell[some], seat[some]])


def make_batch(cells: CellSet, guests: Guests, rng: np.random.Generator, count: int) -> Batch:
    """A batch: table (B, 96, 300, 1) in 0..1, whole (B, 96), label (B, 96), NOTHING for what is none. Some cells have
    too few or too many chromosomes, so that the number of copies tells nothing; some have known boxes; labels are more
    or less sure, and there is noise."""
    picked = rng.integers(len(cells), size=count)
    table, whole, label = (each[picked].copy() for each in (cells.table, cells.whole, cells.label))
    for k in range(count):
        there = table[k, :, 0] > 0
        gone = rng.random(SEATS) < OVERLOOKED
        if rng.random() < KNOWN_BOXES:
            gone |= ~whole[k]
            table[k, there, _weighed("score")] = MOST_LEVEL
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
    """Changes a cell's table (96, 300), in 0..1 and in place, into one of another laboratory: the classifier is less
    sure of all labels, leans towards some, and is wrong more often; bands are paler or stronger, sharp or smeared."""
    there = x[:, 0] > 0
    scores, stain = COLUMNS["scores"], slice(COLUMNS["profile"].start, COLUMNS["profile"].start + PROFILE_PARTS)
    logs = (x[there, scores] - 1) * np.float32(NATS) * np.float32(rng.uniform(*FLATTER))
    logs += rng.normal(0, LEANING_NATS, logs.shape[1:]) + rng.normal(0, DOUBT_NATS, logs.shape)
    logs -= np.logaddexp.reduce(logs, axis=1, keepdims=True)
    x[there, scores] = np.clip(1 + logs / np.float32(NATS), 0, 1)
    low, high = VIEW_LIMITS[WEIGHED.index("certain")]
    certain = log_odds(np.exp(logs.max(1)))
    x[there, _weighed("certain")] = np.clip((certain - low) / (high - low), 0, 1)
    bands = x[there, stain]
    middle = bands.mean(1, keepdims=True)
    bands = gaussian_filter1d(bands, rng.uniform(0, SMOOTHEST_PARTS), axis=1)
    x[there, stain] = np.clip(middle + (bands - middle) * np.float32(rng.uniform(*BAND_CONTRAST)), 0, 1)
