"""The centre line of a chromosome from its mask.

Long chromosomes bend into V, C and S shapes, so the line follows the mask: geodesic distance from one end, the middle
of each distance band, a smooth curve through the middles. Short, stout ones (21, 22, Y) have no such end to start
from; their line is the principal axis. All masks of a cell are worked in one picture, an atlas with one tile a mask,
because a few large OpenCV calls cost less than thousands of small ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.records import BoolArray, Float32Array

Float64Array = npt.NDArray[np.float64]
LINE_POINTS = 33
STOUT = 2.0
"""Below this ratio of length to width the principal axis is the line."""
DEGREES = (1, 2, 3, 4, 6)
SLACK = 1.04
"""How much worse than the wiggliest curve a simpler one may fit and still be taken."""
LONGEST = 1.4
"""A line longer than this times the walk through the mask has run wild: a mask in rags."""
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)
_EVEN = np.linspace(0, 1, LINE_POINTS)


def centre_lines(masks: Sequence[BoolArray]) -> list[Float32Array]:
    """For each mask bool (h, w): the centre line, float32 (LINE_POINTS, 2) of (x, y), end to end, evenly spaced;
    pixel (i, j) has its middle at (j + 0.5, i + 0.5). An empty mask gives its box's longer middle line."""
    whole = [_joined(mask) for mask in masks]
    far = _geodesic(whole)
    return [_line(mask, distance) for mask, distance in zip(whole, far, strict=True)]


def line_length(line: Float32Array) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _joined(mask: BoolArray) -> BoolArray:
    """One piece: a chromosome that another crosses may come in parts, which are bridged; specks are dropped."""
    count, pieces, stats, centroids = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    sizes = stats[1:, cv2.CC_STAT_AREA]
    kept = 1 + np.flatnonzero(sizes >= max(4, 0.12 * sizes.sum()))
    out = np.isin(pieces, kept).astype(np.uint8)
    main = 1 + int(sizes.argmax())
    for piece in kept:
        if piece != main:
            a, b = _nearest(pieces == main, pieces == piece)
            cv2.line(out, a, b, 1, 3)
    return out > 0


def _nearest(a: BoolArray, b: BoolArray) -> tuple[tuple[int, int], tuple[int, int]]:
    pa, pb = np.argwhere(a), np.argwhere(b)
    gaps = ((pa[:, None] - pb[None]) ** 2).sum(-1)
    i, j = np.unravel_index(int(gaps.argmin()), gaps.shape)
    return (int(pa[i, 1]), int(pa[i, 0])), (int(pb[j, 1]), int(pb[j, 0]))


def _geodesic(masks: Sequence[BoolArray]) -> list[npt.NDArray[np.uint8]]:
    """Distance within each mask from one of its two far ends, in steps of an octagonal walk (at most 255)."""
    if not masks:
        return []
    side = max(max(m.shape) for m in masks) + 2
    per_row = int(np.ceil(np.sqrt(len(masks))))
    rows = -(-len(masks) // per_row)
    atlas = np.zeros((rows * side, per_row * side), np.uint8)
    places = []
    for k, mask in enumerate(masks):
        y, x = k // per_row * side + 1, k % per_row * side + 1
        places.append((slice(y, y + mask.shape[0]), slice(x, x + mask.shape[1])))
        atlas[places[-1]] = mask
    seeds = np.zeros_like(atlas)
    for place, mask in zip(places, masks, strict=True):
        ys, xs = np.nonzero(mask)
        if len(ys):
            k = int(((ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2).argmax())
            seeds[place][ys[k], xs[k]] = 1
    for last in (False, True):
        steps = _walk(atlas, seeds)
        if last:
            break
        seeds[:] = 0
        for place, mask in zip(places, masks, strict=True):
            tile = np.where(mask, steps[place], 0)
            if mask.any():
                seeds[place].flat[int(tile.argmax())] = 1
                seeds[place] &= mask
    return [steps[place] for place in places]


def _walk(atlas: npt.NDArray[np.uint8], seeds: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    steps = np.zeros_like(atlas)
    reached = seeds.copy()
    count = int(cv2.countNonZero(reached))
    for k in range(255):
        steps += reached ^ 1
        grown = cv2.dilate(reached, _SQUARE if k % 2 else _CROSS) & atlas
        new_count = int(cv2.countNonZero(grown))
        if new_count == count:
            break
        reached, count = grown, new_count
    return steps


def _line(mask: BoolArray, distance: npt.NDArray[np.uint8]) -> Float32Array:
    ys, xs = np.nonzero(mask)
    h, w = mask.shape
    if len(ys) < 4:
        ends = [(0.0, h / 2), (float(w), h / 2)] if w >= h else [(w / 2, 0.0), (w / 2, float(h))]
        return _evenly(np.asarray(ends))
    points = np.stack([xs + 0.5, ys + 0.5], axis=1)
    length = float(distance[ys, xs].max()) + 1.0
    width = len(points) / length
    if length < STOUT * width:
        return _principal(points)
    # A geodesic starts in a corner of the rounded end, so the end caps are left out of the fit and reached straight.
    along = distance[ys, xs].astype(np.float64)
    line = points[:0]
    for share in (1.0, 0.6):
        cap = min(share * width, 0.25 * length)
        low, high = along.min() + cap, along.max() - cap
        trunk = (along >= low) & (along <= high)
        if trunk.sum() < 8:
            return _principal(points)
        line = _smooth((along[trunk] - low) / (high - low), points[trunk], length / width)
        along = _project(points, line)
    whole = _to_ends(line, along)
    return whole if line_length(whole) < LONGEST * length else _principal(points)


def _principal(points: Float64Array) -> Float32Array:
    middle = points.mean(0)
    _, vectors = np.linalg.eigh(np.cov((points - middle).T))
    axis = vectors[:, 1]
    along = (points - middle) @ axis
    return _evenly(np.stack([middle + axis * (along.min() - 0.5), middle + axis * (along.max() + 0.5)]))


def _smooth(at: Float64Array, points: Float64Array, slenderness: float) -> Float64Array:
    """The simplest curve through the middles of the distance bands: the lowest degree that explains the mask nearly as
    well as the highest, (LINE_POINTS, 2). The longer the chromosome, the more bends it may have."""
    basis = _basis(at, DEGREES[-1])
    middle = points.mean(0)
    gram, moment = basis.T @ basis + 1e-6 * len(at) * np.eye(basis.shape[1]), basis.T @ (points - middle)
    spread = float(((points - middle) ** 2).sum())
    fits = [np.linalg.solve(gram[:n, :n], moment[:n]) for n in (d + 1 for d in DEGREES if d <= max(1.0, slenderness - 1))]
    errors = [spread - float((fit * moment[: len(fit)]).sum()) for fit in fits]
    fit = next(f for f, error in zip(fits, errors, strict=True) if error <= SLACK * errors[-1])
    return np.asarray(_basis(_EVEN, len(fit) - 1) @ fit + middle)


def _basis(at: Float64Array, degree: int) -> Float64Array:
    """Legendre polynomials on 0..1, (n, degree + 1)."""
    x = 2 * at - 1
    columns = [np.ones_like(x), x]
    for n in range(1, degree):
        columns.append(((2 * n + 1) * x * columns[-1] - n * columns[-2]) / (n + 1))
    return np.stack(columns[: degree + 1], axis=1)


def _project(points: Float64Array, line: Float64Array) -> Float64Array:
    """How far along the line, in pixels, each point's nearest place on it lies; the ends go on straight."""
    nearest = ((line * line).sum(1) - 2 * points @ line.T).argmin(1)
    steps = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    tangents = np.concatenate([line[1:2] - line[:1], line[2:] - line[:-2], line[-1:] - line[-2:-1]])
    tangents /= np.maximum(np.hypot(tangents[:, 0], tangents[:, 1]), 1e-6)[:, None]
    return np.asarray(steps[nearest] + ((points - line[nearest]) * tangents[nearest]).sum(1))


def _to_ends(line: Float64Array, along: Float64Array) -> Float32Array:
    """The line carried on straight to where the mask ends; ``along`` as ``_project`` gives it."""
    length = float(np.hypot(*np.diff(line, axis=0).T).sum())
    before, after = max(0.5 - float(along.min()), 0.0), max(float(along.max()) + 0.5 - length, 0.0)
    head = line[:1] + before * _direction(line[0] - line[2])
    tail = line[-1:] + after * _direction(line[-1] - line[-3])
    return _evenly(np.concatenate([head, line, tail]))


def _direction(vector: Float64Array) -> Float64Array:
    return np.asarray(vector / max(float(np.hypot(*vector)), 1e-6))


def _evenly(line: Float64Array) -> Float32Array:
    """LINE_POINTS points at equal steps along the line."""
    steps = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0, steps[-1], LINE_POINTS)
    return np.stack([np.interp(at, steps, line[:, 0]), np.interp(at, steps, line[:, 1])], axis=1).astype(np.float32)
