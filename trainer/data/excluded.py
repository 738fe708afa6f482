"""What technicians excluded from a cell: most of it teaches that it is no chromosome, some of it teaches nothing.

Whoever excludes an object does not say why. Pieces and doubles of a chromosome lie on it, and debris is hardly ever
named surely by its bands: neither is a chromosome, and that is what they teach. What lies apart and is named surely may
be a whole chromosome of a neighbour cell, which looks like any other; learned from as no chromosome it would cost real
ones. Of 45 objects found in 200 val frames of the metaphase set that were no marked chromosome, five were such, three
of them chromosomes that nobody had marked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edge.overlap import areas, common_area, shared_of_smaller
from edge.records import BoolArray
from trainer.errors import DatasetError

SURE = 0.9
"""An object whose likeliest class has at least this probability is named surely; 97 in 100 true chromosomes are."""
APART = 0.5
"""An object lies apart if it shares less than this with each chromosome, as a share of the smaller of both boxes."""
INSIDE = 0.5
"""A found box is of an object to be ignored if at least this share of it lies in that one's box, which may hold several
chromosomes."""

Boxes = npt.NDArray[np.int64]


def perhaps_anothers(excluded: Any, boxes_px: Boxes, where: str) -> Boxes:
    """Boxes int64 (k, 4) of the ``excluded`` objects of a line of corrections, each with ``box_px`` and ``candidates``,
    that may be another cell's chromosomes; ``boxes_px`` (n, 4) are those of its own. ``DatasetError``, naming
    ``where``, for what is none."""
    try:
        sure = [one["box_px"] for one in excluded if float(one["candidates"][0][1]) >= SURE]
        boxes = np.array(sure, np.float64).reshape(len(sure), 4)
        if not np.isfinite(boxes).all():
            raise ValueError("not finite")
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise DatasetError(
            f"{where}: each excluded object needs box_px and candidates ({type(error).__name__} {error}); export the "
            "case again"
        ) from error
    return np.asarray(boxes[shared_of_smaller(boxes, boxes_px).max(1, initial=0) < APART].astype(np.int64))


def teaches_nothing(found: npt.ArrayLike, ignored_px: npt.ArrayLike) -> BoolArray:
    """Which of the ``found`` boxes (n, 4) are of objects at ``ignored_px`` (k, 4): bool (n,)."""
    inside = common_area(found, ignored_px) / np.maximum(areas(found), 1)[:, None]
    return np.asarray(inside.max(1, initial=0) >= INSIDE)
