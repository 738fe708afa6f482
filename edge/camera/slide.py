"""What lies around the chromosomes on a slide, and the optics that look at it."""

from __future__ import annotations

import cv2
import numpy as np

from edge.records import Float32Array, UInt8Array

Size = tuple[int, int]
"""(height, width) in px."""


def lamp(size: Size, rng: np.random.Generator) -> Float32Array:
    """Grey of the empty field, float32 (H, W): seldom flat, never steep, often a little over-exposed."""
    height, width = size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    centre, tilt = rng.uniform(-0.6, 0.6, 2), rng.normal(0, 4, 2)
    fall = rng.uniform(0, 8) * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2)
    return np.asarray((272 - 52 * rng.beta(1.0, 2.2)) - fall + tilt[0] * x + tilt[1] * y, np.float32)


def haze(size: Size, rng: np.random.Generator) -> Float32Array:
    """Optical density of cytoplasm and stain left on the glass, float32 (H, W)."""
    height, width = size
    out = np.zeros(size, np.float32)
    for cells, strength in ((5, 0.010), (20, 0.006), (90, 0.006)):
        coarse = np.abs(rng.standard_normal((cells + 2, cells + 2), dtype=np.float32))
        out += np.float32(strength * rng.uniform(0.1, 1.2)) * cv2.resize(
            coarse, (width, height), None, 0, 0, cv2.INTER_CUBIC
        )
    return np.maximum(out, 0)


def nucleus(radius_px: float, rng: np.random.Generator) -> Float32Array:
    """Optical density of one interphase nucleus, float32, square: a grained, dark, roughly round body."""
    side = int(radius_px * 2.6)
    y, x = np.mgrid[-1.3 : 1.3 : side * 1j, -1.3 : 1.3 : side * 1j].astype(np.float32)
    angle = np.arctan2(y, x)
    rim = 1 + sum(rng.normal(0, 0.06 / k) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 5, 9))
    stretch = rng.uniform(0.75, 1.0)
    inside = np.clip((rim - np.hypot(x, y / stretch)) * radius_px / rng.uniform(1.5, 5) + 0.5, 0, 1)
    grain = rng.standard_normal((side // 4 + 2, side // 4 + 2), dtype=np.float32)
    grain = cv2.resize(grain, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(rng.uniform(0.25, 0.75) * inside * (1 + rng.uniform(0.05, 0.2) * grain).clip(0.3), np.float32)


def debris(size: Size, count: int, rng: np.random.Generator) -> Float32Array:
    """Optical density of dirt, float32 (H, W): sharp specks and pale smudges out of focus."""
    height, width = size
    specks, smudges = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for _ in range(count):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        if rng.random() < 0.8:
            axes = (int(rng.integers(1, 4)), int(rng.integers(1, 3)))
            cv2.ellipse(
                specks, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.08, 0.8) ** 1.5), -1
            )
        else:
            axes = (int(rng.integers(4, 14)), int(rng.integers(3, 10)))
            cv2.ellipse(smudges, centre, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.02, 0.12)), -1)
    return np.asarray(cv2.GaussianBlur(specks, (0, 0), 0.7) + cv2.GaussianBlur(smudges, (0, 0), 4), np.float32)


def paste(onto: Float32Array, patch: Float32Array, x: int, y: int) -> None:
    """Adds the optical density ``patch`` with its upper left corner at (x, y), cut at the edges, in place."""
    height, width = onto.shape
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + patch.shape[1], width), min(y + patch.shape[0], height)
    if x0 < x1 and y0 < y1:
        onto[y0:y1, x0:x1] += patch[y0 - y : y1 - y, x0 - x : x1 - x]


def look_at(density: Float32Array, light: Float32Array, blur_px: float, edge_gain: float) -> Float32Array:
    """Grey levels, float32 (H, W), of ``light`` through ``density`` (Beer-Lambert), blurred by the optics.

    ``edge_gain`` is the overshoot at edges (diffraction, and the camera's own sharpening): the pale rim around
    chromosomes in real frames.
    """
    grey = light * np.exp(density * np.float32(-np.log(10)))
    grey = cv2.GaussianBlur(grey, (0, 0), blur_px)
    if edge_gain > 0:
        grey = grey + np.float32(edge_gain) * (grey - cv2.GaussianBlur(grey, (0, 0), 2.5))
    return np.asarray(grey, np.float32)


_SHOT = (0.4 + 0.6 * np.sqrt(np.arange(256) / 255)).astype(np.float32)
"""Noise at each grey level over that at full light: photon noise falls with the light."""


def expose(grey: Float32Array, noise: float, rng: np.random.Generator) -> UInt8Array:
    """A camera's uint8 frame of ``grey``; ``noise`` is the sigma of its noise in grey levels at full light."""
    cv2.setRNGSeed(int(rng.integers(2**31)))  # this thread's; NumPy's normal numbers take three times as long
    shot = cv2.randn(np.empty(grey.shape, np.float32), 0, noise)
    cv2.multiply(shot, cv2.LUT(cv2.convertScaleAbs(grey), _SHOT), dst=shot)
    return np.asarray(cv2.add(grey, shot, dtype=cv2.CV_8U), np.uint8)
