"""Masks in COCO's uncompressed run lengths: column by column, runs of 0 and of 1 in turn, 0 first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge.records import BoolArray, Box
from trainer.errors import DatasetError


def rle_of(mask: BoolArray, box_px: Box, height_px: int, width_px: int) -> dict[str, Any]:
    """COCO's ``{"counts", "size"}`` for ``mask`` bool (h, w), which lies at ``box_px`` in a frame of that size."""
    x0, y0, x1, y1 = box_px
    whole = np.zeros((height_px, width_px), np.bool_)
    whole[y0:y1, x0:x1] = mask
    column_major = whole.T.reshape(-1)
    turns = np.flatnonzero(column_major[1:] != column_major[:-1]) + 1
    edges = np.concatenate([[0], turns, [column_major.size]])
    counts = np.diff(edges).tolist()
    return {"counts": [0, *counts] if column_major[0] else counts, "size": [height_px, width_px]}


def mask_of_rle(rle: object, height_px: int, width_px: int, where: str) -> BoolArray:
    """The mask bool (H, W) that ``rle`` stands for; ``DatasetError``, naming ``where``, if it is not one of this
    size."""
    counts = rle.get("counts") if isinstance(rle, Mapping) else None
    if not isinstance(rle, Mapping) or not isinstance(counts, list):
        got = "polygons" if isinstance(rle, list) else "compressed ones" if isinstance(counts, str) else repr(rle)[:40]
        raise DatasetError(f"{where}: expected a segmentation in uncompressed run lengths, got {got}; convert it")
    try:
        runs = np.asarray(counts, np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"{where}: expected run lengths in whole numbers ({error}); correct the table") from error
    total = sum(map(int, runs.reshape(-1)))  # NumPy's sum wraps round: its repeat then wrote too far
    if rle.get("size") != [height_px, width_px] or total != height_px * width_px or (runs < 0).any() or runs.ndim != 1:
        raise DatasetError(
            f"{where}: expected run lengths of {width_px}x{height_px} px in all, as the picture has, "
            f"got size {rle.get('size')} and {total} px; correct the table"
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, runs).reshape(width_px, height_px).T)
