"""Whether a cell was captured before: one that counts twice makes a clone of what a single cell shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.cases.state import CellState
from edge.overlap import box_iou
from edge.records import Box, Cell

SAME_PLACE_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a picture is kept: cell ``id`` of the store, the ``number``-th of ``case``."""

    id: int
    case: str
    number: int


def kept_cells(db: sqlite3.Connection, frame_sha256: str) -> tuple[Kept, ...]:
    """The cells in ``db`` that were captured from the picture of that hash, the first first."""
    cells = "cells JOIN cases ON cases.id = case_id WHERE frame_sha256 = ? ORDER BY cells.id"
    return tuple(Kept(*row) for row in db.execute(f"SELECT cells.id, name, number FROM {cells}", (frame_sha256,)))


def seen_before(cell: Cell, captured: Sequence[CellState]) -> CellState | None:
    """The first of ``captured`` that shows the same field as ``cell``; None where none does.

    In two pictures of one size of the same field most chromosomes of ``cell`` lie where those of the other do, one to
    one. The machine's boxes are compared: what people changed since moves no chromosome. A cell that is set aside is
    known as well; it can be taken back.
    """
    return next((state for state in captured if _same_field(cell, state.captured.cell)), None)


def _same_field(one: Cell, other: Cell) -> bool:
    if (one.width_px, one.height_px) != (other.width_px, other.height_px) or not one.count or not other.count:
        return False
    share = box_iou(_boxes(one), _boxes(other))
    nearest, back = share.argmax(axis=1), share.argmax(axis=0)
    rows = np.arange(len(share))
    mutual = (back[nearest] == rows) & (share[rows, nearest] >= SAME_PLACE_IOU)
    return bool(2 * mutual.sum() > one.count)


def _boxes(cell: Cell) -> list[Box]:
    return [chromosome.region.box_px for chromosome in cell.chromosomes]
