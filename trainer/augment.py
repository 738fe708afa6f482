"""Changes to a crop that a laboratory could have made: turn, zoom, shear, bend, stain, blur, noise, dirt, cuts.

Each takes and gives float32 (128, 32) in 0..1, background 0, and draws from the generator that it is given. A
``Strengths`` says how strong each is; zero switches it off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from edge.errors import ConfigError
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import Float32Array, UInt8Array

SIZE = (CROP_COLS, CROP_ROWS)


@dataclass(frozen=True, slots=True)
class Strengths:
    """How much each change changes, as it is drawn for every crop anew. ``*_share`` is the share of crops, 0..1, that
    get it; the others are standard deviations of normal distributions. To switch one off may change what the others
    draw in one crop of three.

    The defaults are what the shipped models learned with, draw for draw.
    """

    mirror_share: float = 0.5
    """Left and right are swapped; which end is up is not changed here."""
    shift_cols_px: float = 1.2
    shift_rows_px: float = 2.5
    turn_rad: float = 0.05
    shear: float = 0.04
    zoom_long: float = 0.07
    """The deviation of the logarithm of the zoom along the axis, as for the other ratios below."""
    zoom_wide: float = 0.12
    bend_share: float = 0.33
    bend_px: float = 2.0
    occlude_share: float = 0.12
    cut_share: float = 0.10
    gamma: float = 0.3
    contrast: float = 0.2
    brightness: float = 0.0
    """Added to the chromosome's pixels; off unless asked for, as crops are scaled by their cell's stain."""
    gradient_share: float = 0.3
    gradient: float = 0.15
    blur_share: float = 0.25
    sharpen_share: float = 0.15
    defocus_share: float = 0.0
    """Blurred by an even disc, as out of focus, instead of a Gaussian; off unless asked for."""
    noise_share: float = 0.4
    laboratory_share: float = 0.0
    """Changed as if made in another laboratory, see ``another_laboratory``; off unless asked for."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= (1 if field.name.endswith("_share") else np.inf):
                raise ConfigError(f"{field.name} must be 0 (off) or more, a share at most 1; got {value}")

    def with_strengths(self, stated: Iterable[str]) -> Strengths:
        """These strengths with some replaced, each stated as NAME=STRENGTH: ``brightness=0.08``, ``defocus=0.2``. NAME
        is one of ``CHANGES``, or a strength's own name where a change has several. ``ConfigError`` for what cannot be
        read or be."""
        return replace(self, **dict(_strength(text) for text in stated))

    def only(self, name: str) -> Strengths:
        """These strengths of one change of ``CHANGES``, with every other change off."""
        return self.without(other for other in CHANGES if other != name)

    def without(self, names: Iterable[str]) -> Strengths:
        """These strengths with some changes of ``CHANGES`` off. ``ConfigError`` for a name that is none."""
        names = list(names)
        strange = [name for name in names if name not in CHANGES]
        if strange:
            raise ConfigError(f"no augmentation is called '{strange[0]}'; there are {', '.join(CHANGES)}")
        return replace(self, **{field: 0.0 for name in names for field in CHANGES[name]})


CHANGES: dict[str, tuple[str, ...]] = {
    "mirror": ("mirror_share",),
    "shift": ("shift_cols_px", "shift_rows_px"),
    "turn": ("turn_rad",),
    "shear": ("shear",),
    "zoom": ("zoom_long", "zoom_wide"),
    "bend": ("bend_share",),
    "occlude": ("occlude_share",),
    "cut": ("cut_share",),
    "gamma": ("gamma",),
    "contrast": ("contrast",),
    "brightness": ("brightness",),
    "gradient": ("gradient_share",),
    "blur": ("blur_share",),
    "sharpen": ("sharpen_share",),
    "defocus": ("defocus_share",),
    "noise": ("noise_share",),
    "laboratory": ("laboratory_share",),
}
"""Each change by the name that switches it, and the strengths that make it."""
DEFAULT = Strengths()


def _strength(stated: str) -> tuple[str, float]:
    """The field of ``Strengths`` and the value that ``stated``, NAME=STRENGTH, gives it."""
    name, _, number = stated.partition("=")
    named = CHANGES.get(name, (name,))
    if named[0] not in {field.name for field in fields(Strengths)}:
        raise ConfigError(f"no augmentation is called '{name}'; there are {', '.join(CHANGES)}")
    if len(named) > 1:
        raise ConfigError(f"'{name}' has more than one strength; say {' or '.join(f'{field}=...' for field in named)}")
    try:
        return named[0], float(number)
    except ValueError:
        raise ConfigError(f"expected an augmentation as NAME=STRENGTH, such as defocus=0.2, got '{stated}'") from None


def augment(pixels: UInt8Array, rng: np.random.Generator, flip: bool, strengths: Strengths = DEFAULT) -> Float32Array:
    """A changed copy of a crop, float32 (128, 32); ``flip`` puts its other end up."""
    source = pixels[::-1] if flip else pixels
    if rng.random() < strengths.mirror_share:
        source = source[:, ::-1]
    x = warp(np.ascontiguousarray(source), rng, strengths)
    if rng.random() < strengths.occlude_share:
        x = occlude(x, rng)
    if rng.random() < strengths.cut_share:
        x = cut_end(x, rng)
    if strengths.laboratory_share and rng.random() < strengths.laboratory_share:
        x = another_laboratory(x, rng)
    return stain(x, rng, strengths)


def another_laboratory(x: Float32Array, rng: np.random.Generator) -> Float32Array:
    """A crop as a laboratory with other slides, stain and optics would have made it.

    More or less contracted: crops have the length that their cell's median tells, so contraction shows as width, 0.8
    to 1.7 times. Coarser: up to 3 px of the crop in one of the camera. Blurred, up to 2.2 px. Bands paler or stronger
    than the body that they lie on. Widths, steepness of the bands and blur of four sets (G-banded cut-outs and frames,
    Q-banded cut-outs, DAPI) lie within these ranges.
    """
    wide = float(np.exp(rng.uniform(-0.2, 0.55)))
    middle = (CROP_COLS - 1) / 2
    x = cv2.warpAffine(x, np.array([[wide, 0, middle * (1 - wide)], [0, 1, 0]]), SIZE)
    body = cv2.GaussianBlur(x, (0, 0), 6.0)
    bands = np.float32(np.exp(rng.uniform(-0.8, 0.4)))
    x = np.where(x > 0.05, np.clip(body + bands * (x - body), 0, 1), x).astype(np.float32)
    if rng.random() < 0.5:
        coarse = rng.uniform(1.5, 3.0)
        small = (max(4, round(CROP_COLS / coarse)), round(CROP_ROWS / coarse))
        x = cv2.resize(cv2.resize(x, small, interpolation=cv2.INTER_AREA), SIZE, interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.8, 2.2)))
    return np.asarray(np.clip(x, 0, 1), np.float32)


def warp(source: UInt8Array, rng: np.random.Generator, s: Strengths = DEFAULT) -> Float32Array:
    """The crop shifted, turned, zoomed along and across, sheared and, in a share of cases, bent."""
    angle, shear = rng.normal(0, s.turn_rad), rng.normal(0, s.shear)
    long, wide = np.exp(rng.normal(0, s.zoom_long)), np.exp(rng.normal(0, s.zoom_wide))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]]) @ np.array([[wide, shear], [0, long]])
    middle = np.array([CROP_COLS / 2, CROP_ROWS / 2])
    shift = middle - turn @ middle + np.array([rng.normal(0, s.shift_cols_px), rng.normal(0, s.shift_rows_px)])
    matrix = np.concatenate([turn, shift[:, None]], axis=1)
    if rng.random() >= s.bend_share:
        return np.asarray(cv2.warpAffine(source, matrix, SIZE), np.float32) / np.float32(255)
    back = cv2.invertAffineTransform(matrix)
    rows, cols = np.mgrid[:CROP_ROWS, :CROP_COLS].astype(np.float32)
    wave = rng.normal(0, s.bend_px) * np.sin(rows / CROP_ROWS * np.pi * rng.uniform(1, 4) + rng.uniform(0, 2 * np.pi))
    cols = cols + wave.astype(np.float32)
    map_x = (back[0, 0] * cols + back[0, 1] * rows + back[0, 2]).astype(np.float32)
    map_y = (back[1, 0] * cols + back[1, 1] * rows + back[1, 2]).astype(np.float32)
    return np.asarray(cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR), np.float32) / np.float32(255)


def stain(x: Float32Array, rng: np.random.Generator, s: Strengths = DEFAULT) -> Float32Array:
    """The crop with another gamma, contrast and brightness, a gradient along the axis, blur, sharpening or defocus,
    noise."""
    x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.normal(0, s.gamma)))
    x = x * np.float32(np.exp(rng.normal(0, s.contrast)))
    if s.brightness:  # draws nothing where it is off, or every later draw would be another
        x = x + np.float32(rng.normal(0, s.brightness)) * (x > 0.05).astype(np.float32)
    if rng.random() < s.gradient_share:
        ramp = np.linspace(-1, 1, CROP_ROWS, dtype=np.float32)[:, None]
        x = x * (1 + np.float32(rng.normal(0, s.gradient)) * ramp)
    kind = rng.random()
    if kind < s.blur_share:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.4, 1.6)))
    elif kind < s.blur_share + s.sharpen_share:
        x = x + np.float32(rng.uniform(0.3, 1.0)) * (x - cv2.GaussianBlur(x, (0, 0), 2.0))
    elif kind < s.blur_share + s.sharpen_share + s.defocus_share:
        x = cv2.filter2D(x, -1, _disc(rng.uniform(0.8, 2.2)))
    if rng.random() < s.noise_share:
        x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(0.005, 0.05))
    return np.asarray(np.clip(x, 0, 1), np.float32)


def _disc(radius_px: float) -> Float32Array:
    """What a point becomes out of focus: an even disc, sum 1."""
    reach = int(np.ceil(radius_px))
    ys, xs = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius_px + 0.5 - np.hypot(xs, ys), 0, 1).astype(np.float32)
    return np.asarray(disc / disc.sum(), np.float32)


def occlude(x: Float32Array, rng: np.random.Generator) -> Float32Array:
    """The crop with a neighbour that lies across the chromosome, or took a bite out of it."""
    row, thick = rng.uniform(20, CROP_ROWS - 20), rng.uniform(5, 14)
    slope = rng.normal(0, 0.6)
    rows, cols = np.mgrid[:CROP_ROWS, :CROP_COLS]
    band = np.abs(rows - row - slope * (cols - CROP_COLS / 2)) < thick / 2
    if rng.random() < 0.5:
        band &= (cols > rng.uniform(0.3, 0.8) * CROP_COLS) ^ (rng.random() < 0.5)
    level = 0.0 if rng.random() < 0.5 else rng.uniform(0.3, 0.8)
    return np.where(band, np.float32(level) if level == 0 else np.maximum(x, np.float32(level)), x)


def cut_end(x: Float32Array, rng: np.random.Generator) -> Float32Array:
    """The crop without up to a tenth of the chromosome at one end."""
    rows = np.flatnonzero(x.max(1) > 0.1)
    if len(rows) < 20:
        return x
    gone = int(rng.uniform(0.02, 0.10) * len(rows))
    x = x.copy()
    if rng.random() < 0.5:
        x[: rows[0] + gone] = 0
    else:
        x[rows[-1] - gone + 1 :] = 0
    return x


def not_single(pixels: UInt8Array, other: UInt8Array, rng: np.random.Generator, s: Strengths = DEFAULT) -> Float32Array:
    """A crop of what is not one whole chromosome: a piece of one, or two that lie on, beside or behind each other."""
    if rng.random() < 0.5:
        rows = np.flatnonzero(pixels.max(1) > 25)
        if len(rows) > 12:
            keep = int(len(rows) * rng.uniform(0.25, 0.6))
            first = int(rows[0]) if rng.random() < 0.5 else int(rows[-1]) - keep + 1
            piece = np.zeros_like(pixels)
            top = (CROP_ROWS - keep) // 2
            piece[top : top + keep] = pixels[first : first + keep]
            return stain(warp(piece, rng, s), rng, s)
    a = warp(pixels, rng, s)
    angle = rng.uniform(15, 90) * (1 if rng.random() < 0.5 else -1)
    matrix = cv2.getRotationMatrix2D((CROP_COLS / 2, CROP_ROWS / 2), float(angle), 1.0)
    matrix[:, 2] += rng.normal(0, [4.0, 16.0])
    b = cv2.warpAffine(other, matrix, SIZE).astype(np.float32) / np.float32(255)
    return stain(1 - (1 - a) * (1 - b), rng, s)
