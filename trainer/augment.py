"""Changes to a crop that a laboratory could have made: turn, zoom, shear, bend, stain, blur, noise, dirt, cuts.

Each takes and gives float32 (128, 32) in 0..1, background 0, and draws from the generator that it is given.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import Float32Array, UInt8Array

SIZE = (CROP_COLS, CROP_ROWS)


def augment(pixels: UInt8Array, rng: np.random.Generator, flip: bool) -> Float32Array:
    """A changed copy of a crop, float32 (128, 32); ``flip`` puts its other end up."""
    source = pixels[::-1] if flip else pixels
    if rng.random() < 0.5:
        source = source[:, ::-1]
    x = warp(np.ascontiguousarray(source), rng)
    if rng.random() < 0.12:
        x = occlude(x, rng)
    if rng.random() < 0.10:
        x = cut_end(x, rng)
    return stain(x, rng)


def warp(source: UInt8Array, rng: np.random.Generator) -> Float32Array:
    """Shift, turn, zoom along and across, shear, and, one time in three, a bend."""
    angle, shear = rng.normal(0, 0.05), rng.normal(0, 0.04)
    long, wide = np.exp(rng.normal(0, 0.07)), np.exp(rng.normal(0, 0.12))
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]]) @ np.array([[wide, shear], [0, long]])
    middle = np.array([CROP_COLS / 2, CROP_ROWS / 2])
    shift = middle - turn @ middle + np.array([rng.normal(0, 1.2), rng.normal(0, 2.5)])
    matrix = np.concatenate([turn, shift[:, None]], axis=1)
    if rng.random() >= 0.33:
        return np.asarray(cv2.warpAffine(source, matrix, SIZE), np.float32) / np.float32(255)
    back = cv2.invertAffineTransform(matrix)
    rows, cols = np.mgrid[:CROP_ROWS, :CROP_COLS].astype(np.float32)
    wave = rng.normal(0, 2.0) * np.sin(rows / CROP_ROWS * np.pi * rng.uniform(1, 4) + rng.uniform(0, 2 * np.pi))
    cols = cols + wave.astype(np.float32)
    map_x = (back[0, 0] * cols + back[0, 1] * rows + back[0, 2]).astype(np.float32)
    map_y = (back[1, 0] * cols + back[1, 1] * rows + back[1, 2]).astype(np.float32)
    return np.asarray(cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR), np.float32) / np.float32(255)


def stain(x: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Contrast, gamma, a gradient along the axis, blur or defocus, noise."""
    x = np.clip(x, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.3)))
    x = x * np.float32(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.3:
        ramp = np.linspace(-1, 1, CROP_ROWS, dtype=np.float32)[:, None]
        x = x * (1 + np.float32(rng.normal(0, 0.15)) * ramp)
    kind = rng.random()
    if kind < 0.25:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.4, 1.6)))
    elif kind < 0.40:
        x = x + np.float32(rng.uniform(0.3, 1.0)) * (x - cv2.GaussianBlur(x, (0, 0), 2.0))
    if rng.random() < 0.4:
        x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(0.005, 0.05))
    return np.asarray(np.clip(x, 0, 1), np.float32)


def occlude(x: Float32Array, rng: np.random.Generator) -> Float32Array:
    """A neighbour lies across, or took a bite out of, the chromosome."""
    row, thick = rng.uniform(20, CROP_ROWS - 20), rng.uniform(5, 14)
    slope = rng.normal(0, 0.6)
    rows, cols = np.mgrid[:CROP_ROWS, :CROP_COLS]
    band = np.abs(rows - row - slope * (cols - CROP_COLS / 2)) < thick / 2
    if rng.random() < 0.5:
        band &= (cols > rng.uniform(0.3, 0.8) * CROP_COLS) ^ (rng.random() < 0.5)
    level = 0.0 if rng.random() < 0.5 else rng.uniform(0.3, 0.8)
    return np.where(band, np.float32(level) if level == 0 else np.maximum(x, np.float32(level)), x)


def cut_end(x: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Up to a tenth of the chromosome is missing at one end."""
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


def not_single(pixels: UInt8Array, other: UInt8Array, rng: np.random.Generator) -> Float32Array:
    """What is not one whole chromosome: a piece of one, or two that lie on, beside or behind each other."""
    if rng.random() < 0.5:
        rows = np.flatnonzero(pixels.max(1) > 25)
        if len(rows) > 12:
            keep = int(len(rows) * rng.uniform(0.25, 0.6))
            first = int(rows[0]) if rng.random() < 0.5 else int(rows[-1]) - keep + 1
            piece = np.zeros_like(pixels)
            top = (CROP_ROWS - keep) // 2
            piece[top : top + keep] = pixels[first : first + keep]
            return stain(warp(piece, rng), rng)
    a = warp(pixels, rng)
    angle = rng.uniform(15, 90) * (1 if rng.random() < 0.5 else -1)
    matrix = cv2.getRotationMatrix2D((CROP_COLS / 2, CROP_ROWS / 2), float(angle), 1.0)
    matrix[:, 2] += rng.normal(0, [4.0, 16.0])
    b = cv2.warpAffine(other, matrix, SIZE).astype(np.float32) / np.float32(255)
    return stain(1 - (1 - a) * (1 - b), rng)
