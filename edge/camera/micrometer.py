"""Scale from a picture of a stage micrometer: the pitch of its ruling in pixels, whichever way it lies.

The ruling's direction is where the spectrum of the picture is strongest. The pixels are then summed along the lines
into a profile, whose autocorrelation repeats every pitch; the last repeat that still shows gives it most exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.errors import FrameError
from edge.records import Float32Array, UInt8Array

_LEAST_LINES = 3
_LEAST_PITCH_PX = 4.0
_LEAST_REPEAT = 0.8
"""Correlation of the profile with itself one pitch on: drawn rulings reach 0.98, one with chromosomes all over it 0.88,
metaphases 0.43."""
_MOST_ALONG = 0.6
"""The same along the lines: of drawn rulings, long lines among short ones, at most 0.44; of sheets of pictures, which
repeat both ways, 0.73 and more."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """``pitch_px``: from line to line; ``angle_deg``: of the lines' normal to the x axis, -90 to 90; ``repeat``: the
    profile's correlation with itself one pitch on, 0..1, how sure it is."""

    pitch_px: float
    angle_deg: float
    repeat: float

    def um_per_px(self, pitch_um: float) -> float:
        """Micrometres a pixel where the lines are ``pitch_um`` apart (often 10)."""
        return pitch_um / self.pitch_px


def find_ruling(pixels: UInt8Array) -> Ruling:
    """The ruling in a frame uint8 (H, W), bright lines on dark or dark on bright.

    ``FrameError`` when no even ruling of at least three lines is seen, or what repeats along the lines as well.
    """
    coarse = _angle(pixels)
    # Across the lines exactly, their edges in the profile are steepest.
    angles = coarse + np.radians(np.arange(-1.5, 1.6, 0.25))
    angle = float(max(angles, key=lambda a: float(np.square(np.diff(_profile(pixels, a))).mean())))
    pitch, repeat = _measure(_profile(pixels, angle))
    if repeat < _LEAST_REPEAT or pitch < _LEAST_PITCH_PX:
        raise FrameError(
            "expected a picture of a stage micrometer, sharp, with at least three lines; found no even ruling "
            f"(repeat {max(repeat, 0):.2f}, expected {_LEAST_REPEAT}); focus on the lines and take it again"
        )
    _, along = _measure(_profile(pixels, angle + np.pi / 2))
    if along > _MOST_ALONG:
        raise FrameError(
            "expected a picture of a stage micrometer; this one repeats along its lines too, as a grid or a sheet of "
            f"pictures does (repeat {along:.2f}, at most {_MOST_ALONG}); take one of a ruling in one direction"
        )
    degrees = float((np.degrees(angle) + 90) % 180 - 90)
    return Ruling(pitch, degrees, repeat)


def _angle(pixels: UInt8Array) -> float:
    """Of the lines' normal, radians: the direction that holds most of the spectrum's energy."""
    side = min(1024, *pixels.shape)
    y, x = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    part = pixels[y : y + side, x : x + side].astype(np.float32)
    part -= cv2.GaussianBlur(part, (0, 0), side / 8)
    window = np.hanning(side).astype(np.float32)
    power = np.abs(np.fft.rfft2(part * window * window[:, None])) ** 2
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    radius = np.hypot(fx, fy)
    power[(radius < 2 / side) | (radius > 0.45)] = 0
    # The orientation tensor's main axis; the fundamental and its harmonics all lie on it.
    strong = power > power.max() * 0.05
    weight = power[strong]
    u, v = np.broadcast_to(fx, power.shape)[strong], np.broadcast_to(fy, power.shape)[strong]
    return float(0.5 * np.arctan2(2 * (weight * u * v).sum(), (weight * (u * u - v * v)).sum()))


def _measure(profile: Float32Array) -> tuple[float, float]:
    """(pitch, correlation one pitch on) of a profile across the lines; zeros where nothing repeats often enough."""
    n = len(profile)
    spectrum = np.abs(np.fft.rfft(profile, 2 * n)) ** 2
    repeats = np.fft.irfft(spectrum)[:n] / np.arange(n, 0, -1)
    repeats /= max(float(repeats[0]), 1e-9)
    most = n * 2 // 3
    peaks = [
        k for k in range(3, most) if repeats[k] >= repeats[k - 1] and repeats[k] > repeats[k + 1] and repeats[k] > 0.1
    ]
    if not peaks:
        return 0.0, 0.0
    # Longer lines at every fifth and tenth division make those repeats higher: the first that is nearly as high counts.
    tallest = max(float(repeats[k]) for k in peaks)
    first = next(k for k in peaks if repeats[k] > 0.6 * tallest)
    pitch, repeat = _vertex(repeats, first), float(repeats[first])
    if n / pitch < _LEAST_LINES:
        return 0.0, 0.0
    count = 2
    while (near := round(count * pitch)) < most - 1:  # each further repeat measures the pitch more exactly
        reach = max(1, round(pitch / 5))
        k = max(range(max(near - reach, 1), min(near + reach + 1, n - 1)), key=lambda i: float(repeats[i]))
        if repeats[k] < 0.3 * repeat:
            break
        pitch = _vertex(repeats, k) / count
        count += 1
    return pitch, repeat


def _profile(pixels: UInt8Array, angle: float) -> Float32Array:
    """The mean grey across the lines, one value a pixel along their normal, without slow changes of the light."""
    height, width = pixels.shape
    length = int(min(width / max(abs(np.cos(angle)), 1e-6), height / max(abs(np.sin(angle)), 1e-6)))
    depth = max(16, min(height, width) // 4)
    normal, along = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    corner = np.array([width, height]) / 2 - normal * length / 2 - along * depth / 2
    back = np.column_stack([normal, along, corner])
    strip = cv2.warpAffine(
        pixels.astype(np.float32),
        back,
        (length, depth),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    profile = strip.mean(axis=0)
    slow = cv2.GaussianBlur(profile[None], (0, 0), max(length / 10, 1))[0]
    return np.asarray(profile - slow, np.float32)


def _vertex(values: np.ndarray, k: int) -> float:
    """Of the parabola through the values around ``k``."""
    left, middle, right = (float(values[i]) for i in (k - 1, k, k + 1))
    bend = left - 2 * middle + right
    return k + (0.5 * (left - right) / bend if bend < 0 else 0.0)
