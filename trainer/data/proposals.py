"""Boxes that are nearly right, as a locator's are: what the separator learns to mend.

Most stray a little on every side. Where chromosomes touch or cross the locator makes other mistakes: it takes one side
from the neighbour, stops where another crosses, or goes on into the next one. Boxes drawn in these ways cost nothing,
so there are many; the boxes of a real locator (``asked``) are fewer, with the very mistakes that must be mended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import track

from edge.locate.locator import load_locator
from edge.overlap import box_iou
from edge.records import Float32Array
from trainer.data.framecache import CachedFrame

SLOPPY, SLOPPY_PX = 0.05, 1.2
"""How far the sides of a located box stray at most, as one sigma: a share of its longer side, plus pixels."""
STRAY = 0.15
"""Share of boxes that stray 1 to 2.5 times as far; the others stray 0.2 to 1 times as far."""
BORROWED, SHORT, LONG = 0.15, 0.12, 0.08
"""Shares of boxes with sides of a neighbour, with a side too far in, and with a side too far out."""
OWN_SIDE = 0.65
LEAST_SIDE_PX = 8.0
POOR_IOU, POOR_WEIGHT, STRANGE_IOU, STRANGE_WEIGHT = 0.75, 5.0, 0.3, 0.3
"""A locator's boxes are mostly right, so one that shares less than ``POOR_IOU`` with every true box is drawn with
``POOR_WEIGHT``, since it teaches more; one that shares less than ``STRANGE_IOU`` with ``STRANGE_WEIGHT``."""


def sloppy(box: Float32Array, rng: np.random.Generator) -> Float32Array:
    """The box (4,) as a locator would give it where nothing is in the way."""
    side = float(max(box[2] - box[0], box[3] - box[1]))
    spread = (SLOPPY * side + SLOPPY_PX) * (rng.uniform(1, 2.5) if rng.random() < STRAY else rng.uniform(0.2, 1))
    return np.asarray(box + rng.normal(0, spread, 4), np.float32)


def proposal(boxes: Float32Array, index: int, rng: np.random.Generator) -> Float32Array:
    """A box (4,) that a locator might give for ``boxes[index]`` among its neighbours ``boxes`` (n, 4)."""
    box, kind = boxes[index].copy(), rng.random()
    if kind < BORROWED:
        box = _borrowed(boxes, index, rng)
    elif kind < BORROWED + SHORT + LONG:
        side = int(rng.integers(4))
        extent = float(box[side % 2 + 2] - box[side % 2])
        inward = 1.0 if side < 2 else -1.0
        share = rng.uniform(0.15, 0.55) if kind < BORROWED + SHORT else -rng.uniform(0.1, 0.6)
        box[side] += inward * share * extent
    box = sloppy(box, rng)
    return np.concatenate([box[:2], np.maximum(box[2:], box[:2] + LEAST_SIDE_PX)]).astype(np.float32)


def _borrowed(boxes: Float32Array, index: int, rng: np.random.Generator) -> Float32Array:
    """The box with some sides of a neighbour that it meets; unchanged if it meets none."""
    meets = box_iou(boxes[index : index + 1], boxes)[0] > 0
    meets[index] = False
    near = np.flatnonzero(meets)
    if not len(near):
        return np.asarray(boxes[index].copy())
    other = boxes[int(near[int(rng.integers(len(near)))])]
    return np.asarray(np.where(rng.random(4) < OWN_SIDE, boxes[index], other), np.float32)


def framed_by(box: Float32Array, boxes: Float32Array) -> tuple[int, float]:
    """Which of ``boxes`` (n >= 1, 4) the box frames best, and their intersection over union."""
    share = box_iou(box[None], boxes)[0]
    return int(share.argmax()), float(share.max())


def picked_proposals(proposals: Float32Array, boxes: Float32Array, rng: np.random.Generator) -> Float32Array:
    """The proposals (n >= 1, 4) in a drawn order in which poor ones mostly come first; ``boxes`` (m >= 1, 4) are
    true."""
    shares = box_iou(proposals, boxes).max(1)
    weight = np.where(shares < STRANGE_IOU, STRANGE_WEIGHT, np.where(shares < POOR_IOU, POOR_WEIGHT, 1.0))
    # The largest of u ** (1 / w) is a draw without replacement by weight (Efraimidis and Spirakis 2006).
    return np.asarray(proposals[np.argsort(-(rng.random(len(weight)) ** (1 / weight)), kind="stable")])


def asked(frames: Sequence[CachedFrame], models: Path) -> list[CachedFrame]:
    """The frames with what the locator in ``models`` proposes for them; ``ModelError`` for a bundle that cannot be
    used."""
    locator = load_locator(models)
    told = track(frames, "asking the locator")
    return [replace(frame, proposals=locator.proposals(frame.pixels)) for frame in told]
