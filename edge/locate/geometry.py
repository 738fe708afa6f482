"""The centre line of a chromosome from its mask.

Long chromosomes bend into V, C and S shapes, so the line follows the mask: geodesic distance from one end, the middle
of each distance band, a smooth curve through the middles. Short, stout ones (21, 22, Y) have no such end to start
from; their line is the principal axis. All masks of a cell are worked at once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.geodesic import from_far_end
from edge.locate.pieces import FEWEST_PIXELS, stacked, whole
from edge.records import BoolArray, Float32Array, UInt8Array

T = TypeVar("T", bound=np.generic)
LINE_POINTS = 33
STOUT = 2.0
"""Below this ratio of length to width the principal axis is the line."""
MOST_POINTS = 160
DEGREES = (1, 2, 3, 4, 6)
SLACK = 1.04
"""How much worse than the wiggliest curve a simpler one may fit and still be taken."""
BENT = 1.6
"""A chromosome may be this much longer than the walk along the inner side of its bends; beyond, its mask is in rags."""
LONGEST = 1.4
"""A line longer than this times the walk through the mask has run wild: a mask in rags."""
_EVEN = np.linspace(0, 1, LINE_POINTS, dtype=np.float32)


def centre_lines(masks: BoolArray | Sequence[BoolArray]) -> Float32Array:
    """For each mask bool (h, w): the centre line, float32 (n, LINE_POINTS, 2) of (x, y), end to end, evenly spaced;
    pixel (i, j) has its middle at (j + 0.5, i + 0.5). An empty mask gives its box's longer middle line."""
    if not len(masks):
        return np.zeros((0, LINE_POINTS, 2), np.float32)
    return _evenly(_lines(whole(stacked(masks)), [mask.shape for mask in masks]))


def line_length(line: Float32Array) -> Float32Array:
    """The length of each line (..., n, 2)."""
    pieces = np.diff(line, axis=-2)
    return np.asarray(np.hypot(pieces[..., 0], pieces[..., 1]).sum(-1))


@dataclass(frozen=True, slots=True, eq=False)
class _Clouds:
    """The masks' pixels, ragged lists padded: ``points`` (n, k, 2), ``weight`` (n, k) 0 for padding, ``walk`` (n, k),
    the geodesic distance from one end. Large masks are thinned to every other or third pixel."""

    points: Float32Array
    weight: Float32Array
    walk: Float32Array

    @classmethod
    def of(cls, stack: BoolArray, walk: UInt8Array) -> _Clouds:
        """``walk`` uint8 (n, h / 2, w / 2), as ``from_far_end`` gives it."""
        n, height, width = stack.shape
        area = np.count_nonzero(stack.reshape(n, -1), axis=1)
        lattices = [_lattice(height, width, 1 + pixels // MOST_POINTS) for pixels in area.tolist()]
        kept = np.flatnonzero(stack & np.stack(lattices))
        owner, pixel = np.divmod(kept, height * width)
        rows, cols = np.divmod(pixel, width)
        counts = np.bincount(owner, minlength=n)
        place = np.arange(len(owner)) - (counts.cumsum() - counts)[owner]
        shape = n, max(1, int(counts.max()))
        points = np.zeros((*shape, 2), np.float32)
        weight, distance = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        points[owner, place, 0] = cols + 0.5
        points[owner, place, 1] = rows + 0.5
        weight[owner, place] = 1
        distance[owner, place] = walk[owner, rows // 2, cols // 2]
        return cls(points, weight, distance)

    def farthest(self, along: Float32Array, sign: float) -> Float32Array:
        """The largest (``sign`` 1) or smallest (-1) value over each mask's pixels; 0 for an empty mask."""
        found = np.where(self.weight > 0, sign * along, -np.inf).max(1)
        return np.asarray(np.where(np.isfinite(found), sign * found, 0.0))


def _widths(stack: BoolArray) -> Float32Array:
    """Twice the largest distance to the rim, at least 1, of each mask."""
    padded = np.pad(stack.astype(np.uint8), ((0, 0), (1, 1), (1, 1)))
    rim = cv2.distanceTransform(padded.reshape(-1, padded.shape[2]), cv2.DIST_L2, 3)
    return np.asarray(np.maximum(2 * rim.reshape(len(stack), -1).max(1) - 1, np.float32(1)))


@lru_cache(maxsize=32)
def _lattice(height: int, width: int, step: int) -> BoolArray:
    """Every ``step``-th pixel of a mask (h, w), slanted: every n-th in reading order may fall into the same columns of
    each row, and pull an upright chromosome's line aside."""
    rows, cols = np.mgrid[:height, :width]
    return np.asarray((cols + _slant(step) * rows) % step == 0)


def _slant(step: int) -> int:
    return next(s for s in itertools.count(round(0.62 * step)) if math.gcd(s, step) == 1)


def _lines(stack: BoolArray, shapes: Sequence[tuple[int, ...]]) -> Float32Array:
    """All lines at once, (n, LINE_POINTS, 2), not yet evenly spaced; ``shapes`` (h, w) are the masks' own."""
    clouds = _Clouds.of(stack, from_far_end(stack))
    straight = _principal(clouds)
    area = np.count_nonzero(stack.reshape(len(stack), -1), axis=1).astype(np.float32)
    walked = clouds.farthest(clouds.walk, 1) + 1
    # The walk hugs the inner side of a bend: it says too little of a chromosome that is bent and thick.
    stretched = area / _widths(stack)
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
        h, w = shapes[i]
        ends = np.array([[0, h / 2], [w, h / 2]] if w >= h else [[w / 2, 0], [w / 2, h]])
        lines[i] = ends[0] + _EVEN[:, None] * (ends[1] - ends[0])
    return np.asarray(lines)


def _principal(clouds: _Clouds) -> Float32Array:
    """The straight line along each mask's principal axis."""
    weight = clouds.weight / np.maximum(clouds.weight.sum(1), 1)[:, None]
    middle = (weight[:, None] @ clouds.points)[:, 0]
    x, y = (clouds.points[..., axis] - middle[:, axis, None] for axis in (0, 1))
    angle = 0.5 * np.arctan2(2 * (weight * x * y).sum(1), (weight * (x * x - y * y)).sum(1))
    axis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    along = x * axis[:, :1] + y * axis[:, 1:]
    first, last = clouds.farthest(along, -1) - 0.5, clouds.farthest(along, 1) + 0.5
    steps = first[:, None] + _EVEN * (last - first)[:, None]
    return np.asarray(middle[:, None] + steps[..., None] * axis[:, None])


def _smooth(at: Float32Array, points: Float32Array, weight: Float32Array, slenderness: Float32Array) -> Float32Array:
    """The simplest curves through the middles of the distance bands: for each mask the lowest degree that explains it
    nearly as well as the highest, (n, LINE_POINTS, 2). The longer the chromosome, the more bends it may have."""
    count = np.maximum(weight.sum(1), 1)[:, None]
    middle = weight[:, None] @ points / count[..., None]
    basis = _basis(at)
    weighted = basis * weight[:, None]
    # Single floats leave up to 6e-7 a point of less than nothing where all lie in one place.
    ridge = (1e-5 * count[..., None] + 1e-9) * np.eye(basis.shape[1])
    gram = (weighted @ np.swapaxes(basis, 1, 2)).astype(np.float64) + ridge
    # The polynomials are nested, and so are the factors: one serves all degrees.
    factor = np.linalg.cholesky(gram)
    off = points - middle
    part = np.linalg.solve(factor, weighted @ off)
    explained = (part[..., 0] ** 2 + part[..., 1] ** 2).cumsum(1)[:, DEGREES]
    allowed = np.array(DEGREES) <= np.maximum(1.0, slenderness - 1)[:, None]
    spread = (weight * (off[..., 0] ** 2 + off[..., 1] ** 2)).sum(1)[:, None]
    errors = np.where(allowed, spread - explained, np.inf)
    good = errors <= SLACK * errors.min(1, keepdims=True)
    degree = np.array(DEGREES)[good.argmax(1)]
    part[np.arange(basis.shape[1]) > degree[:, None]] = 0
    weights = np.linalg.solve(np.swapaxes(factor, 1, 2), part).astype(np.float32)
    return np.asarray(_basis(_EVEN).T @ weights + middle)


def _basis(at: Float32Array) -> Float32Array:
    """Legendre polynomials on 0..1 up to the highest degree at ``at`` (..., k): (..., degrees + 1, k)."""
    x = 2 * at - 1
    basis = np.ones((*at.shape[:-1], DEGREES[-1] + 1, at.shape[-1]), np.float32)
    basis[..., 1, :] = x
    for n in range(1, DEGREES[-1]):
        basis[..., n + 1, :] = ((2 * n + 1) * x * basis[..., n, :] - n * basis[..., n - 1, :]) / (n + 1)
    return basis


def _project(points: Float32Array, line: Float32Array) -> Float32Array:
    """How far along its line, in pixels, each point's nearest place on it lies, (n, k); the ends go on straight."""
    gaps = line @ np.swapaxes(2 * points, 1, 2)
    nearest = _lowest(np.subtract((line * line).sum(2)[..., None], gaps, out=gaps))
    pieces = np.diff(line, axis=1)
    steps = np.zeros(line.shape[:2], np.float32)
    np.cumsum(np.hypot(pieces[..., 0], pieces[..., 1]), axis=1, out=steps[:, 1:])
    tangent = _directions(np.concatenate([pieces[:, :1], line[:, 2:] - line[:, :-2], pieces[:, -1:]], axis=1))
    off = (points - taken(line, nearest)) * taken(tangent, nearest)
    return np.asarray(taken(steps, nearest) + off[..., 0] + off[..., 1])


def _lowest(values: Float32Array) -> npt.NDArray[np.intp]:
    """``values.argmin(1)`` of (n, m, k), m < 256, by whole rows of k, for a third of the time."""
    m = values.shape[1]
    left = (values == values.min(1, keepdims=True)).view(np.uint8)
    left *= np.arange(m, 0, -1, dtype=np.uint8)[:, None]
    return np.asarray(m - left.max(1).astype(np.intp))


def taken(values: npt.NDArray[T], index: npt.NDArray[np.intp]) -> npt.NDArray[T]:
    """Row by row, of ``values`` (n, m, ...) those at ``index`` (n, k): (n, k, ...)."""
    n, m = values.shape[:2]
    flat = values.reshape(n * m, *values.shape[2:])
    return np.asarray(flat.take(index + m * np.arange(n)[:, None], axis=0))


def _to_ends(line: Float32Array, clouds: _Clouds, along: Float32Array) -> Float32Array:
    """The lines carried on straight to where the masks end; ``along`` as ``_project`` gives it."""
    pieces = np.diff(line, axis=1)
    length = np.hypot(pieces[..., 0], pieces[..., 1]).sum(1)
    before = np.maximum(0.5 - clouds.farthest(along, -1), 0)[:, None]
    after = np.maximum(clouds.farthest(along, 1) + 0.5 - length, 0)[:, None]
    head = line[:, 0] + before * _directions(line[:, 0] - line[:, 2])
    tail = line[:, -1] + after * _directions(line[:, -1] - line[:, -3])
    return np.concatenate([head[:, None], line[:, 1:-1], tail[:, None]], axis=1)


def _directions(vectors: Float32Array) -> Float32Array:
    return np.asarray(vectors / np.maximum(np.hypot(vectors[..., 0], vectors[..., 1]), 1e-6)[..., None])


def evenly(line: npt.NDArray[np.floating]) -> Float32Array:
    """LINE_POINTS points at equal steps along ``line`` (..., n >= 2, 2), one or many."""
    lines = np.asarray(line, np.float32)
    return _evenly(lines.reshape(-1, *lines.shape[-2:])).reshape(*lines.shape[:-2], LINE_POINTS, 2)


def _evenly(lines: Float32Array) -> Float32Array:
    """``evenly`` for lines (m, n, 2); done twice, since cutting corners makes steps there shorter."""
    for _ in range(2):
        pieces = np.diff(lines, axis=1)
        length = np.hypot(pieces[..., 0], pieces[..., 1])
        steps = np.zeros(lines.shape[:2], np.float32)
        np.cumsum(length, axis=1, out=steps[:, 1:])
        at = _EVEN * steps[:, -1:]
        passed = (steps.T[..., None] <= at).sum(0, dtype=np.intp)
        piece = np.clip(passed - 1, 0, length.shape[1] - 1)
        share = np.clip((at - taken(steps, piece)) / np.maximum(taken(length, piece), 1e-9), 0, 1)[..., None]
        lines = taken(lines, piece) * (1 - share) + taken(lines, piece + 1) * share
    return np.asarray(lines, np.float32)
