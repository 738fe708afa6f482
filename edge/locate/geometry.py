"""The centre line of a chromosome from its mask.

Long chromosomes bend into V, C and S shapes, so the line follows the mask: geodesic distance from one end, the middle
of each distance band, a smooth curve through the middles. Short, stout ones (21, 22, Y) have no such end to start
from; their line is the principal axis. All masks of a cell are worked in one picture, an atlas with one tile a mask,
because a few large OpenCV calls cost less than thousands of small ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.records import BoolArray, Float32Array

Float64Array = npt.NDArray[np.float64]
LINE_POINTS = 33
STOUT = 2.0
"""Below this ratio of length to width the principal axis is the line."""
MOST_POINTS = 160
FEWEST_PIXELS = 4
SMALLEST_PIECE = 0.12
"""Of a mask; what is smaller and apart is dirt or a neighbour's."""
DEGREES = (1, 2, 3, 4, 6)
SLACK = 1.04
"""How much worse than the wiggliest curve a simpler one may fit and still be taken."""
BENT = 1.6
"""A chromosome may be this much longer than the walk along the inner side of its bends; beyond it is in rags."""
LONGEST = 1.4
"""A line longer than this times the walk through the mask has run wild: a mask in rags."""
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_SQUARE = np.ones((3, 3), np.uint8)
_EVEN = np.linspace(0, 1, LINE_POINTS)


def centre_lines(masks: Sequence[BoolArray]) -> list[Float32Array]:
    """For each mask bool (h, w): the centre line, float32 (LINE_POINTS, 2) of (x, y), end to end, evenly spaced;
    pixel (i, j) has its middle at (j + 0.5, i + 0.5). An empty mask gives its box's longer middle line."""
    if not masks:
        return []
    whole = [_whole(mask) for mask in masks]
    far = [
        np.repeat(np.repeat(f, 2, 0), 2, 1)[: m.shape[0], : m.shape[1]]
        for f, m in zip(_halves(whole), whole, strict=True)
    ]
    return list(_evenly(_lines(whole, far)))


def line_length(line: Float32Array) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def without_specks(mask: BoolArray) -> BoolArray:
    """The mask without pieces too small to be a part of the same chromosome."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    return np.asarray(_large(stats)[pieces])


def _large(stats: npt.NDArray[np.int32]) -> BoolArray:
    """Which of the pieces, the ground being none, are no specks."""
    sizes = stats[:, cv2.CC_STAT_AREA]
    large = sizes >= max(FEWEST_PIXELS, SMALLEST_PIECE * int(sizes[1:].sum()))
    large[0] = False
    return np.asarray(large)


def _whole(mask: BoolArray) -> BoolArray:
    """The mask in one piece: without specks, and bridged where another that crosses it parts it."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    large = _large(stats)
    out = large[pieces].astype(np.uint8)
    main = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    for piece in np.flatnonzero(large).tolist():
        if piece != main:
            a, b = _nearest(pieces == main, pieces == piece)
            cv2.line(out, a, b, 1, 3)
    return np.asarray(out > 0)


def _nearest(a: BoolArray, b: BoolArray) -> tuple[tuple[int, int], tuple[int, int]]:
    pa, pb = np.argwhere(a), np.argwhere(b)
    gaps = ((pa[:, None] - pb[None]) ** 2).sum(-1)
    # Facing ends have many nearest pairs, and a bridge along a flank would bow the line: the middle one is taken.
    pairs = np.argwhere(gaps <= (np.sqrt(gaps.min()) + 1) ** 2)
    i, j = pairs[len(pairs) // 2]
    return (int(pa[i, 1]), int(pa[i, 0])), (int(pb[j, 1]), int(pb[j, 0]))


def _halves(masks: Sequence[BoolArray]) -> list[npt.NDArray[np.uint8]]:
    """``_geodesic`` on masks of half the size, in full pixels (at most 255): a quarter of the work, and the line is
    smoothed anyway."""
    halves = []
    for mask in masks:
        h, w = mask.shape
        even = np.zeros((h + h % 2, w + w % 2), np.bool_)
        even[:h, :w] = mask
        halves.append(even[::2, ::2] | even[1::2, ::2] | even[::2, 1::2] | even[1::2, 1::2])
    return [np.minimum(far, 127) * np.uint8(2) for far in _geodesic(halves)]


def _geodesic(masks: Sequence[BoolArray]) -> list[npt.NDArray[np.uint8]]:
    """Distance within each mask from one of its two far ends, in steps of an octagonal walk (at most 255)."""
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
    count, still = int(cv2.countNonZero(reached)), 0
    for k in range(255):
        steps += reached ^ 1
        reached = cv2.dilate(reached, _SQUARE if k % 2 else _CROSS) & atlas
        new_count = int(cv2.countNonZero(reached))
        still = still + 1 if new_count == count else 0
        if still == 2:  # once may mean a corner: every other step goes along rows and columns only
            break
        count = new_count
    return steps


@dataclass(frozen=True, slots=True, eq=False)
class _Clouds:
    """The masks' pixels, ragged lists padded: ``points`` (n, k, 2), ``weight`` (n, k) 0 for padding, ``walk`` (n, k),
    the geodesic distance from one end. Large masks are thinned to every other or third pixel."""

    points: Float64Array
    weight: Float64Array
    walk: Float64Array

    @classmethod
    def of(cls, masks: Sequence[BoolArray], far: Sequence[npt.NDArray[np.uint8]]) -> _Clouds:
        places = [_thinned(mask) for mask in masks]
        n, k = len(masks), max([1, *(len(p) for p in places)])
        points, weight, walk = np.zeros((n, k, 2)), np.zeros((n, k)), np.zeros((n, k))
        for i, (place, mask, distance) in enumerate(zip(places, masks, far, strict=True)):
            m = len(place)
            points[i, :m, 1], points[i, :m, 0] = np.divmod(place, mask.shape[1])
            weight[i, :m] = 1
            walk[i, :m] = distance.reshape(-1)[place]
        return cls(points + 0.5, weight, walk)

    def farthest(self, along: Float64Array, sign: float) -> Float64Array:
        """The largest (``sign`` 1) or smallest (-1) value over each mask's pixels; 0 for an empty mask."""
        found = np.where(self.weight > 0, sign * along, -np.inf).max(1)
        return np.asarray(np.where(np.isfinite(found), sign * found, 0.0))


def _width(mask: BoolArray) -> float:
    """Twice the largest distance to the rim, at least 1."""
    rim = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)
    return max(2 * float(rim.max()) - 1, 1.0)


def _thinned(mask: BoolArray) -> npt.NDArray[np.intp]:
    """Flat indices of some MOST_POINTS pixels, on a slanted lattice: every n-th pixel in reading order may fall into
    the same columns of each row, and pull an upright chromosome's line aside."""
    rows, cols = np.nonzero(mask)
    step = 1 + len(rows) // MOST_POINTS
    slant = next(s for s in itertools.count(round(0.62 * step)) if math.gcd(s, step) == 1)
    kept = (cols + slant * rows) % step == 0
    return np.asarray(rows[kept] * mask.shape[1] + cols[kept])


def _lines(masks: Sequence[BoolArray], far: Sequence[npt.NDArray[np.uint8]]) -> Float64Array:
    """All lines at once, (n, LINE_POINTS, 2), not yet evenly spaced."""
    clouds = _Clouds.of(masks, far)
    straight = _principal(clouds)
    area = np.array([np.count_nonzero(m) for m in masks], float)
    walked = clouds.farthest(clouds.walk, 1) + 1
    # The walk hugs the inner side of a bend: it says too little of a chromosome that is bent and thick.
    width = np.array([_width(m) for m in masks])
    stretched = area / width
    length = np.where((stretched > walked) & (stretched < BENT * walked), stretched, walked)
    width = np.maximum(area, 1) / length
    # A geodesic starts in a corner of the rounded end, so the end caps are left out of the fit and reached straight.
    along = clouds.walk
    line = straight
    for share in (1.0, 0.6):
        cap = np.minimum(share * width, 0.25 * walked)
        low, high = clouds.farthest(along, -1) + cap, clouds.farthest(along, 1) - cap
        at = (along - low[:, None]) / np.maximum(high - low, 1.0)[:, None]
        trunk = clouds.weight * ((at >= 0) & (at <= 1))
        line = _smooth(np.clip(at, 0, 1), clouds.points, trunk, length / width)
        along = _project(clouds.points, line)
    bent = _to_ends(line, clouds, along)
    bent_length = np.hypot(*np.moveaxis(np.diff(bent, axis=1), 2, 0)).sum(1)
    stout = (length < STOUT * width) | (bent_length > LONGEST * length) | (trunk.sum(1) < 8)
    lines = np.where(stout[:, None, None], straight, bent)
    for i in np.flatnonzero(area < FEWEST_PIXELS).tolist():
        h, w = masks[i].shape
        ends = np.array([[0, h / 2], [w, h / 2]] if w >= h else [[w / 2, 0], [w / 2, h]])
        lines[i] = ends[0] + _EVEN[:, None] * (ends[1] - ends[0])
    return np.asarray(lines)


def _principal(clouds: _Clouds) -> Float64Array:
    """The straight line along each mask's principal axis."""
    weight = clouds.weight / np.maximum(clouds.weight.sum(1), 1)[:, None]
    middle = (clouds.points * weight[..., None]).sum(1)
    x, y = np.moveaxis(clouds.points - middle[:, None], 2, 0)
    angle = 0.5 * np.arctan2(2 * (weight * x * y).sum(1), (weight * (x * x - y * y)).sum(1))
    axis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    along = x * axis[:, :1] + y * axis[:, 1:]
    first, last = clouds.farthest(along, -1) - 0.5, clouds.farthest(along, 1) + 0.5
    steps = first[:, None] + _EVEN * (last - first)[:, None]
    return np.asarray(middle[:, None] + steps[..., None] * axis[:, None])


def _smooth(at: Float64Array, points: Float64Array, weight: Float64Array, slenderness: Float64Array) -> Float64Array:
    """The simplest curves through the middles of the distance bands: for each mask the lowest degree that explains it
    nearly as well as the highest, (n, LINE_POINTS, 2). The longer the chromosome, the more bends it may have."""
    count = np.maximum(weight.sum(1), 1)
    middle = (points * weight[..., None]).sum(1) / count[:, None]
    offset = (points - middle[:, None]) * weight[..., None]
    basis = _basis(at, DEGREES[-1])
    weighted = np.swapaxes(basis * weight[..., None], 1, 2)
    gram, moment = weighted @ basis, weighted @ offset
    gram = gram + (1e-6 * count[:, None, None] + 1e-9) * np.eye(basis.shape[2])
    spread = (offset**2).sum((1, 2))
    curves, errors = [], []
    for degree in DEGREES:
        n = degree + 1
        fit = np.linalg.solve(gram[:, :n, :n], moment[:, :n])
        curves.append(_basis(_EVEN, degree) @ fit)
        allowed = degree <= np.maximum(1.0, slenderness - 1)
        errors.append(np.where(allowed, spread - (fit * moment[:, :n]).sum((1, 2)), np.inf))
    good = np.stack(errors) <= SLACK * np.min(errors, axis=0)
    return np.asarray(np.stack(curves)[good.argmax(0), np.arange(len(at))] + middle[:, None])


def _basis(at: Float64Array, degree: int) -> Float64Array:
    """Legendre polynomials on 0..1, (..., degree + 1)."""
    x = 2 * at - 1
    columns = [np.ones_like(x), x]
    for n in range(1, degree):
        columns.append(((2 * n + 1) * x * columns[-1] - n * columns[-2]) / (n + 1))
    return np.stack(columns[: degree + 1], axis=-1)


def _project(points: Float64Array, line: Float64Array) -> Float64Array:
    """How far along its line, in pixels, each point's nearest place on it lies, (n, k); the ends go on straight."""
    short, knots = points.astype(np.float32), line.astype(np.float32)
    nearest = ((knots * knots).sum(2)[:, None] - 2 * short @ np.swapaxes(knots, 1, 2)).argmin(2)
    pieces = np.diff(line, axis=1)
    steps = np.cumsum(np.hypot(pieces[..., 0], pieces[..., 1]), axis=1)
    steps = np.concatenate([np.zeros_like(steps[:, :1]), steps], axis=1)
    tangent = _directions(np.concatenate([pieces[:, :1], line[:, 2:] - line[:, :-2], pieces[:, -1:]], axis=1))
    rows = np.arange(len(line))[:, None]
    return np.asarray(steps[rows, nearest] + ((points - line[rows, nearest]) * tangent[rows, nearest]).sum(2))


def _to_ends(line: Float64Array, clouds: _Clouds, along: Float64Array) -> Float64Array:
    """The lines carried on straight to where the masks end; ``along`` as ``_project`` gives it."""
    pieces = np.diff(line, axis=1)
    length = np.hypot(pieces[..., 0], pieces[..., 1]).sum(1)
    before = np.maximum(0.5 - clouds.farthest(along, -1), 0)[:, None]
    after = np.maximum(clouds.farthest(along, 1) + 0.5 - length, 0)[:, None]
    head = line[:, 0] + before * _directions(line[:, 0] - line[:, 2])
    tail = line[:, -1] + after * _directions(line[:, -1] - line[:, -3])
    return np.concatenate([head[:, None], line[:, 1:-1], tail[:, None]], axis=1)


def _directions(vectors: Float64Array) -> Float64Array:
    return np.asarray(vectors / np.maximum(np.hypot(vectors[..., 0], vectors[..., 1]), 1e-6)[..., None])


def evenly(line: npt.NDArray[np.floating]) -> Float32Array:
    """LINE_POINTS points at equal steps along ``line`` (n >= 2, 2)."""
    return np.asarray(_evenly(np.asarray(line, np.float64)[None])[0], np.float32)


def _evenly(lines: Float64Array) -> Float32Array:
    """The same for many lines (m, n, 2) at once; twice, since cutting corners makes steps there shorter."""
    rows = np.arange(len(lines))[:, None]
    for _ in range(2):
        pieces = np.diff(lines, axis=1)
        length = np.hypot(pieces[..., 0], pieces[..., 1])
        steps = np.concatenate([np.zeros((len(lines), 1)), length.cumsum(axis=1)], axis=1)
        at = _EVEN * steps[:, -1:]
        piece = np.clip((steps[:, None] <= at[..., None]).sum(2) - 1, 0, length.shape[1] - 1)
        share = np.clip((at - steps[rows, piece]) / np.maximum(length[rows, piece], 1e-9), 0, 1)[..., None]
        lines = lines[rows, piece] * (1 - share) + lines[rows, piece + 1] * share
    return np.asarray(lines, np.float32)
