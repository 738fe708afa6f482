"""Whether a cell was captured before: one that counts twice makes a clone of what a single cell shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from edge.cases.state import CellState
from edge.overlap import box_iou
from edge.records import Cell

SAME_PLACE_IOU = 0.5
"""Two boxes lie in one place when they overlap by this much (intersection over union)."""
NEAR_PX = 8.0
"""Moves are counted in squares of this side; those in neighbouring squares count as alike."""
ENOUGH_MOVED = 4
"""A move of the stage is believed when at least so many chromosomes lie alike after it: for one alone there always is
such a move, and often for two or three."""

Float64Array = npt.NDArray[np.float64]


def seen_before(cell: Cell, captured: Sequence[CellState]) -> CellState | None:
    """The first of ``captured`` that shows the same field as ``cell``; None where none does.

    Two pictures of one size show the same field when most chromosomes of ``cell`` lie where those of the other do, one
    to one, as they are or after one move of the stage for all. The machine's boxes are compared, as what people changed
    since moves no chromosome. A cell that is set aside counts as known too, as it can be taken back. In none of 4,000
    pairs of different frames of Tseng et al. (2023) more than a quarter of the chromosomes lie so.
    """
    return next((state for state in captured if _same_field(cell, state.captured.cell)), None)


def _same_field(one: Cell, other: Cell) -> bool:
    if (one.width_px, one.height_px) != (other.width_px, other.height_px) or not one.count or not other.count:
        return False
    here, there = _boxes(one), _boxes(other)
    moved = _alike(here + np.tile(_way(here, there), 2), there)
    alike = moved if moved >= ENOUGH_MOVED else _alike(here, there)
    return 2 * alike > one.count


def _alike(here: Float64Array, there: Float64Array) -> int:
    """How many boxes of ``here`` lie in the same place as one of ``there``, one to one."""
    share = box_iou(here, there)
    nearest, back = share.argmax(axis=1), share.argmax(axis=0)
    rows = np.arange(len(share))
    return int(((back[nearest] == rows) & (share[rows, nearest] >= SAME_PLACE_IOU)).sum())


def _way(here: Float64Array, there: Float64Array) -> Float64Array:
    """The commonest move (x, y), px, from a box ``here`` to one ``there``: the stage's, where both show one field."""
    middles = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (here, there)]
    ways = (middles[1][None] - middles[0][:, None]).reshape(-1, 2)
    places = np.floor((ways - ways.min(axis=0)) / NEAR_PX).astype(np.intp)
    votes = np.zeros(places.max(axis=0) + 1)
    np.add.at(votes, tuple(places.T), 1)
    votes = ndimage.convolve(votes, np.ones((3, 3)), mode="constant")  # a common way may lie on a border
    most = np.array(np.unravel_index(votes.argmax(), votes.shape))
    way: Float64Array = np.median(ways[(np.abs(places - most) <= 1).all(axis=1)], axis=0)
    return way


def _boxes(cell: Cell) -> Float64Array:
    return np.array([chromosome.region.box_px for chromosome in cell.chromosomes], np.float64)
