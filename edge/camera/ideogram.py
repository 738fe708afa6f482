"""Single chromosomes drawn from the band tables: straight and upright, then laid along a curved centre line.

Everything is absorbance relative to the darkest band, float32 in 0..1 (0 = nothing in the light's way), because that
is what adds where chromosomes cross. Lengths are pixels; p arm up.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from edge.bands import Band, Resolution, centromere, load_bands
from edge.records import BoolArray, Float32Array

SHAPE_LEVEL = 0.08
"""Absorbance from which a pixel belongs to the chromosome; the palest band stays above it."""

_STAIN_LEVEL = {"gneg": 0.36, "acen": 0.62, "gvar": 0.66, "stalk": 0.22}
_MEAN_LEVEL = np.float32(0.58)
_MARGIN_PX = 3
_MOST_ROWS = 30_000
"""OpenCV remaps to no picture of 32,767 rows; a chromosome at 0.02 um a pixel has as many pixels."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the chromosomes of one cell look; a cell's chromosomes share it, cells differ.

    ``sharpness_px``: blur of band edges along the axis (sigma); ``contrast``: 1 keeps pale and dark bands as far apart
    as the table says, 0 makes them alike; ``chromatid_gap``: depth of the pale line between sister chromatids;
    ``waist``: how much the centromere narrows; ``grain``: unevenness of the stain (relative sigma).
    """

    resolution: Resolution = 550
    sharpness_px: float = 1.0
    contrast: float = 1.0
    chromatid_gap: float = 0.1
    waist: float = 0.12
    grain: float = 0.08

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Look:
        """A look like those of real cells: long early to short late metaphases, well or poorly banded."""
        resolutions: tuple[Resolution, ...] = (400, 400, 550, 550, 550, 850)
        return cls(
            resolution=resolutions[rng.integers(len(resolutions))],
            sharpness_px=float(rng.uniform(0.7, 2.0)),
            contrast=float(rng.uniform(0.8, 1.25)),
            chromatid_gap=float(rng.uniform(0.0, 0.28) if rng.random() < 0.5 else 0.0),
            waist=float(0.02 + 0.3 * rng.beta(1.2, 3)),
            grain=float(rng.uniform(0.05, 0.15)),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Bent:
    """A chromosome as it lies: ``absorbance`` float32 (h, w), ``mask`` bool (h, w), ``axis_px`` float32 (n, 2), its
    centre line as (x, y) in this patch from the end of the p arm to the end of the q arm."""

    absorbance: Float32Array
    mask: BoolArray
    axis_px: Float32Array


def relative_length(label: str) -> float:
    """Length of a chromosome as a share of chromosome 1's."""
    table = load_bands(550)
    return table[label][-1].stop / table["1"][-1].stop


def draw_ideogram(
    label: str, length_px: float, width_px: float, rng: np.random.Generator, look: Look | None = None
) -> Float32Array:
    """One straight chromosome, p arm up: absorbance float32 (about length_px, about width_px), 0 outside its shape.

    Bands follow the table, with levels, edges and stain that vary as they do from one chromosome to the next.
    """
    look = look or Look()
    bands = load_bands(look.resolution)[label]
    height, width = max(8, round(length_px)), max(5, round(width_px))
    level = _levels(bands, height, rng, look)
    half = _half_widths(bands, height, width / 2, look)[:, None] * _wobble(height, width, rng)

    across = np.abs(np.arange(width, dtype=np.float32) - (width - 1) / 2)
    inside = np.clip(half - across[None, :] + 0.5, 0, 1)
    rim = 1 - 0.3 * np.clip(across / (width / 2), 0, 1) ** 4  # a rod is thinner at its flanks
    gap = 1 - look.chromatid_gap * np.exp(-((across / (0.13 * width)) ** 2))

    picture = cv2.remap(level[:, None], *_band_shear(height, width, rng), cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    stain = picture * rim * gap * (1 + look.grain * _grain(height, width, rng))
    return np.asarray(np.clip(stain, 1.5 * SHAPE_LEVEL, 1) * inside, np.float32)


def _levels(bands: tuple[Band, ...], height: int, rng: np.random.Generator, look: Look) -> Float32Array:
    """Stain of each row, float32 (height,): the bands, four samples a row so that thin ones count for their share."""
    fine = np.full(height * 4, _STAIN_LEVEL["gneg"], np.float32)
    scale = len(fine) / bands[-1].stop
    for band in bands:
        level = 0.36 + 0.64 * band.density / 100 if band.density else _STAIN_LEVEL[band.stain]
        spread = 0.14 if band.stain == "gvar" else 0.06
        fine[round(band.start * scale) : round(band.stop * scale)] = level + rng.normal(0, spread)
    fine = _MEAN_LEVEL + (fine - _MEAN_LEVEL) * np.float32(look.contrast)
    fine = cv2.GaussianBlur(fine[:, None], (1, 0), 0.1, None, 4 * look.sharpness_px)[:, 0]
    return np.asarray(np.clip(fine.reshape(height, 4).mean(axis=1), 0.1, 1), np.float32)


def _half_widths(bands: tuple[Band, ...], height: int, half: float, look: Look) -> Float32Array:
    """Half width of each row: rounded ends, the waist at the centromere, thin stalks."""
    row = np.arange(height, dtype=np.float32) + 0.5
    scale = height / bands[-1].stop
    share = 1 - look.waist * np.exp(-(((row - centromere(bands) * scale) / (0.3 * half + 1)) ** 2))
    for band in bands:
        if band.stain == "stalk":
            middle, reach = (band.start + band.stop) / 2 * scale, (band.stop - band.start) / 2 * scale
            share *= 1 - 0.3 * np.exp(-(((row - middle) / (reach + 0.5)) ** 2))
    cap = 0.85 * half  # ends are blunt: rounded over less than half the width
    from_end = np.minimum(np.minimum(row, height - row) / cap, 1)
    return np.asarray(half * share * (0.3 + 0.7 * np.sqrt(1 - (1 - from_end) ** 2)), np.float32)


def _wobble(height: int, width: int, rng: np.random.Generator) -> Float32Array:
    """Factor on the half width, float32 (height, width): no flank is quite smooth, and the two differ."""
    flanks = rng.normal(0.96, 0.05, (height // 5 + 2, 2)).astype(np.float32)
    smooth = np.minimum(cv2.resize(flanks, (2, height), interpolation=cv2.INTER_CUBIC), 1)
    return np.repeat(smooth, [width // 2, width - width // 2], axis=1)


def _band_shear(height: int, width: int, rng: np.random.Generator) -> tuple[Float32Array, Float32Array]:
    """Sampling maps that let bands tilt and bow a little, each stretch of the chromosome in its own way."""
    knots = np.linspace(0, height, 5)
    rows = np.arange(height)
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    tilt = np.interp(rows, knots, rng.normal(0, 0.05 * width, 5))[:, None]
    bow = np.interp(rows, knots, rng.normal(0, 0.05 * width, 5))[:, None]
    along = rows[:, None] + tilt * across + bow * (across**2 - 0.33)
    return np.zeros((height, width), np.float32), along.astype(np.float32)


def _grain(height: int, width: int, rng: np.random.Generator) -> Float32Array:
    coarse = rng.standard_normal((height // 3 + 2, width // 3 + 2), dtype=np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def bend(straight: Float32Array, rng: np.random.Generator, amount: float = 1.0, turn_rad: float | None = None) -> Bent:
    """Lays a straight drawing along a smooth random curve.

    ``amount`` scales how far it bends (0 = straight, 1 = as in a usual spread); ``turn_rad`` is the direction of its
    q end as seen from the p end (0 = to the right, pi / 2 = down), at random when None.
    """
    height, width = straight.shape
    turn = rng.uniform(0, 2 * np.pi) if turn_rad is None else turn_rad
    axis = _centre_line(height, width, rng, amount)
    chord = axis[-1] - axis[0]
    axis = axis @ _rotation(turn - np.arctan2(chord[1], chord[0])).T
    reach = width / 2 + _MARGIN_PX
    axis -= np.floor(axis.min(axis=0) - reach)
    cols, rows = (np.ceil(axis.max(axis=0) + reach)).astype(int) + 1

    near = np.zeros((rows, cols), np.uint8)
    thick = round(2 * reach)
    cv2.polylines(near, [np.rint(axis).astype(np.int32).reshape(-1, 1, 2)], False, 1, thick)
    ys, xs = np.nonzero(near)
    points = np.stack([xs, ys], axis=1).astype(np.float32)
    along, aside = _axis_coordinates(points, axis.astype(np.float32))

    padded = cv2.copyMakeBorder(straight, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, _MARGIN_PX, cv2.BORDER_CONSTANT, value=0)
    map_x, map_y = (aside + (width - 1) / 2 + _MARGIN_PX)[:, None], (along + _MARGIN_PX)[:, None]
    parts = [slice(first, first + _MOST_ROWS) for first in range(0, len(points), _MOST_ROWS)]
    read = [cv2.remap(padded, map_x[p], map_y[p], cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, 0)[:, 0] for p in parts]
    absorbance = np.zeros((rows, cols), np.float32)
    absorbance[ys, xs] = np.concatenate(read)
    return Bent(absorbance, absorbance > SHAPE_LEVEL, axis.astype(np.float32))


def _centre_line(height: int, width: int, rng: np.random.Generator, amount: float) -> np.ndarray:
    """Points (height, 2), one a row of the straight drawing: a slow sway and, in long chromosomes, up to two bends."""
    along = np.arange(height) / max(1, height - 1)
    slenderness = height / width
    curvature = rng.normal(0, 0.10) * slenderness * np.cos(np.pi * along + rng.uniform(0, np.pi)) * amount
    for _ in range(rng.binomial(2, min(0.75, 0.09 * slenderness))):
        spread = rng.uniform(0.06, 0.2)
        angle = amount * rng.normal(0, 0.16) * slenderness
        curvature += angle / (spread * 2.5) * np.exp(-(((along - rng.uniform(0.2, 0.8)) / spread) ** 2) / 2)
    tightest = slenderness / 0.85  # a bend no tighter than about its own width
    heading = np.cumsum(np.clip(curvature, -tightest, tightest)) / height
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return np.concatenate([[[0.0, 0.0]], np.cumsum((steps[1:] + steps[:-1]) / 2, axis=0)])


def _rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _axis_coordinates(points: Float32Array, axis: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Distance along the axis and signed distance aside of it, of each point, by its nearest axis point."""
    nearest = cKDTree(axis).query(points)[1]
    tangents = np.gradient(axis, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    offset, tangent = points - axis[nearest], tangents[nearest]
    along = nearest + (offset * tangent).sum(1)
    aside = offset[:, 1] * tangent[:, 0] - offset[:, 0] * tangent[:, 1]
    return along.astype(np.float32), aside.astype(np.float32)
