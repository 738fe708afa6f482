"""One chromosome that was taken for two: the box around two objects that look like its halves.

Where a long chromosome is crossed, bent or pale in the middle, the locator may frame each half. The halves are doubted,
and the end of one points at the end of the other. The separator then looks whether there is a chromosome in the box
around both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.locate.geometry import line_length
from edge.overlap import box_iou
from edge.records import Float32Array, Region

DOUBTED_NATS = (-4.5, 3.0)
"""Log odds of each half of being a chromosome."""
LARGEST_GAP, LARGEST_TURN = 0.5, 0.8
"""Between their nearest ends, in median lengths of the cell's objects; and by one plus the cosine of the angle between
the ways out of these ends: 0 goes straight on, 1 turns by 90 degrees."""
MOST_SHARED = 0.4
"""Intersection over union of their boxes: more are two marks of the same half."""
MOST_PAIRS = 4
_END_POINTS = 6
"""So many points of a centre line's 33, from its end inwards, tell the way out."""


def joined_boxes(regions: Sequence[Region], odds: Float32Array) -> Float32Array:
    """The boxes around two of the ``regions`` each, by their log ``odds`` (n,): float32 (m, 4), likeliest pairs first.
    Lines have at least seven points."""
    doubted = np.flatnonzero((odds > DOUBTED_NATS[0]) & (odds < DOUBTED_NATS[1])).tolist()
    if len(doubted) < 2:
        return np.zeros((0, 4), np.float32)
    usual = float(np.median(line_length(np.stack([r.axis_px for r in regions]))))
    lines = np.stack([regions[k].axis_px for k in doubted])
    ends = lines[:, [0, -1]].reshape(-1, 2)
    out = ends - lines[:, [_END_POINTS, -1 - _END_POINTS]].reshape(-1, 2)
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-3)
    gap = _of_pairs(np.linalg.norm(ends[:, None] - ends[None], axis=2) / max(usual, 1.0))
    turn = _of_pairs(1 + out @ out.T)
    nearest = (gap + turn).argmin(2)[..., None]
    gap, turn = (np.take_along_axis(each, nearest, 2)[..., 0] for each in (gap, turn))
    boxes = np.array([regions[k].box_px for k in doubted], np.float32)
    fit = (gap < LARGEST_GAP) & (turn < LARGEST_TURN) & (box_iou(boxes, boxes) < MOST_SHARED)
    a, b = np.nonzero(np.triu(fit, 1))
    order = np.argsort((gap + turn)[a, b], kind="stable")[:MOST_PAIRS]
    first, other = boxes[a[order]], boxes[b[order]]
    return np.concatenate([np.minimum(first[:, :2], other[:, :2]), np.maximum(first[:, 2:], other[:, 2:])], 1)


def _of_pairs(ends: Float32Array) -> Float32Array:
    """What is told of each two ends, (2n, 2n), as (n, n, 4) for each two objects."""
    n = len(ends) // 2
    return ends.reshape(n, 2, n, 2).transpose(0, 2, 1, 3).reshape(n, n, 4)
