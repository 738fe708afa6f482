"""Scale from a picture of a stage micrometer: the pitch of its ruling in pixels, whichever way and wherever it lies.

The ruling's direction is where the spectrum of the picture is strongest. The pixels are then summed along the lines
into profiles, one at each of several heights, whose autocorrelation repeats every pitch; the last repeat that still
shows gives it most exactly. Where a height shows every fifth or tenth line alone, because only those are so long, the
smallest pitch of all is that of the ruling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import FrameError
from edge.records import Float32Array, UInt8Array

_LEAST_LINES = 3
_LEAST_PITCH_PX = 4.0
_LEAST_REPEAT = 0.8
"""Correlation of the profile with itself one pitch on: drawn rulings reach 0.98, one with chromosomes all over it 0.88,
metaphases 0.43."""
_MOST_ALONG = 0.6
"""A ruling's correlation of a profile along the lines stays below this: it is at most 0.44 on drawn rulings of long and
short lines, but 0.73 and more on sheets of pictures, which repeat both ways."""
_BANDS, _WIDE = 16, 4
"""A band is one of so many parts of the picture's shorter side, thin enough for what little of the short lines may be
in view; a wide strip is so many bands, where the lines are long enough to outweigh what lies upon them."""
_LEAST_DEPTH_PX, _MOST_ROWS = 16, 64
"""The least height of a band, and the most rows of it that are read: of a large picture not every row is needed."""
_LEAST_CONTRAST = 0.1
"""A profile counts if it varies by this share of what the one that varies most does: fainter ones may repeat for other
reasons, as a JPEG's blocks do."""
_LONG_LINES = (1, 5, 10)
"""Every fifth and tenth line may be longer: a profile may show one of these multiples of the ruling's pitch."""
_TIPS = {2: 0.25, 5: 0.1}
"""Where the tips of shorter lines divide the pitch of long ones in two or five, the correlation rises there by 0.3 and
more; between a ruling's own lines by at most 0.19 and -0.2, with chromosomes all over it."""
_FINE = 4
"""The correlation has so many steps a pixel: with one, a pitch between two whole pixels would repeat less than its
double."""
_FLAT = 1.0
"""Mean square of a profile's grey levels: what varies less, as saturated light and a black ground do, repeats by
rounding."""
_SAME_PITCH = 0.02
"""Pitches that differ by at most this share are the same."""
_MOST_DRIFT = 0.1
"""A further repeat's pitch may differ by this share from the first's: one that shrank on would never reach the end."""
_LEAST_REACH = 1 / 3
"""A strip must be this share of the longest one: near the picture's corners they are shorter, and not measured."""


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


class _Seen(NamedTuple):
    """What one profile shows: ``pitch_px``, 0 for none; ``repeat``: its correlation one pitch on; ``tips``: whether
    those of shorter lines show between; ``contrast``: how far it varies, grey levels squared, over all its length."""

    pitch_px: float
    repeat: float
    tips: bool
    contrast: float


def find_ruling(pixels: UInt8Array) -> Ruling:
    """The ruling in a frame uint8 (H, W), bright lines on dark or dark on bright.

    ``FrameError`` when no even ruling of at least three lines is seen, or what repeats along the lines as well, or
    pitches at several heights that are not those of one ruling's long and short lines.
    """
    coarse = _angle(pixels)
    # Across the lines exactly, their edges in the profiles are steepest.
    angles = coarse + np.radians(np.arange(-1.5, 1.6, 0.25))
    angle = float(max(angles, key=lambda a: _steepest(_Bands(pixels, a))))
    bands = _Bands(pixels, angle)
    ruling = _agreed([_seen(profile) for count in (1, _WIDE) for profile in bands.strips(count)])
    across = [_seen(profile) for profile in _Bands(pixels, angle + np.pi / 2).strips(_WIDE)]
    along = max((s.repeat for s in across if s.contrast > _LEAST_CONTRAST * ruling.contrast), default=0.0)
    if along > _MOST_ALONG:
        raise FrameError(
            "expected a picture of a stage micrometer; this one repeats along its lines too, as a grid or a sheet of "
            f"pictures does (repeat {along:.2f}, at most {_MOST_ALONG}); take one of a ruling in one direction"
        )
    degrees = float((np.degrees(angle) + 90) % 180 - 90)
    return Ruling(ruling.pitch_px, degrees, ruling.repeat)


def _agreed(seen: list[_Seen]) -> _Seen:
    """What the profiles at all heights say together. ``FrameError`` where that is no ruling or more than one."""
    even = [s for s in seen if s.repeat >= _LEAST_REPEAT and s.pitch_px >= _LEAST_PITCH_PX]
    clear = [s for s in even if s.contrast >= _LEAST_CONTRAST * max(s.contrast for s in even)]
    least = min((s.pitch_px for s in clear), default=0.0)
    same = [s for s in clear if s.pitch_px <= least * (1 + _SAME_PITCH)]
    if len(clear) < 2:  # by chance one profile is even in 3 of 617 metaphases, two in none
        best = max((s.repeat for s in seen if s.pitch_px >= _LEAST_PITCH_PX), default=0.0)
        why = f"repeat {max(best, 0):.2f}, expected {_LEAST_REPEAT}" if not clear else "even in one strip of it alone"
        raise FrameError(
            "expected a picture of a stage micrometer, sharp, with at least three lines; found no even ruling "
            f"({why}); move the lines to the picture's middle, focus on them and take it again"
        )
    others = [s for s in clear if not any(abs(s.pitch_px / least / n - 1) <= _SAME_PITCH for n in _LONG_LINES)]
    if others or len(same) < 2 or any(s.tips for s in same):
        other = max(others or clear, key=lambda s: s.pitch_px)
        apart = f"and {other.pitch_px:.1f} px in another" if other not in same else "and the tips of others between"
        raise FrameError(
            f"expected the short and long lines of one ruling; found lines {least:.1f} px apart in one strip of the "
            f"picture {apart}; move one ruling, with its short lines, to the picture's middle and take it again"
        )
    return max(same, key=lambda s: s.contrast)


def _angle(pixels: UInt8Array) -> float:
    """The angle of the lines' normal, radians: the direction that holds most of the spectrum's energy, over the whole
    picture."""
    side = min(1024, *pixels.shape)
    window = np.hanning(side).astype(np.float32)
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    radius = np.hypot(fx, fy)
    power = np.zeros(radius.shape, np.float32)
    tops, lefts = (np.linspace(0, n - side, -(-n // side)).astype(int) for n in pixels.shape)
    for y in tops:
        for x in lefts:
            part = pixels[y : y + side, x : x + side].astype(np.float32)
            # At a few pixels a side the slow changes of the light are smoothed a hundred times sooner.
            small = cv2.GaussianBlur(cv2.resize(part, (64, 64), interpolation=cv2.INTER_AREA), (0, 0), 8)
            part -= cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR)
            power += np.abs(np.fft.rfft2(part * window * window[:, None])) ** 2
    power[(radius < 2 / side) | (radius > 0.45)] = 0
    # The orientation tensor's main axis; the fundamental and its harmonics all lie on it.
    strong = power > power.max() * 0.05
    weight = power[strong]
    u, v = np.broadcast_to(fx, power.shape)[strong], np.broadcast_to(fy, power.shape)[strong]
    return float(0.5 * np.arctan2(2 * (weight * u * v).sum(), (weight * (u * u - v * v)).sum()))


class _Bands:
    """The picture in bands across lines whose normal lies at ``angle``, radians: the mean grey of each, one value a
    pixel along the normal."""

    def __init__(self, pixels: UInt8Array, angle: float) -> None:
        height, width = pixels.shape
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        length = int(width * abs(cos) + height * abs(sin))
        depth = max(_LEAST_DEPTH_PX, min(height, width) // _BANDS)
        rows = min(depth, _MOST_ROWS)
        self._count = max(1, int((width * abs(sin) + height * abs(cos)) / depth + 1e-6))
        total = rows * self._count
        normal, along = np.array([cos, sin]), np.array([-sin, cos])
        step = along * depth / rows
        corner = np.array([width - 1, height - 1]) / 2 - normal * (length - 1) / 2 - step * (total - 1) / 2
        turned = cv2.warpAffine(
            pixels,
            np.column_stack([normal, step, corner]),
            (length, total),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        parts = turned.reshape(self._count, rows, length)
        self._means = np.concatenate([cv2.reduce(part, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F) for part in parts])
        # Where the rims between the bands enter and leave the picture; a little of its own rim repeated does no harm.
        rims = (np.arange(self._count + 1) - self._count / 2) * depth
        reach = np.array([[width], [height]]) / 2 + depth / 4
        way = np.array([[cos], [sin]])
        way = np.where(np.abs(way) < 1e-9, 1e-9, way)
        ends = np.stack([-reach - along[:, None] * rims, reach - along[:, None] * rims]) / way
        self._first = np.clip(ends.min(0).max(0) + length / 2, 0, length)
        self._last = np.clip(ends.max(0).min(0) + length / 2, 0, length)

    def strips(self, count: int) -> list[Float32Array]:
        """The profile of every ``count`` bands side by side, as far as they lie within the picture."""
        count = min(count, self._count)
        firsts = [int(np.ceil(self._first[[i, i + count]].max())) for i in range(self._count - count + 1)]
        lasts = [int(self._last[[i, i + count]].min()) for i in range(self._count - count + 1)]
        longest = max(last - first for first, last in zip(firsts, lasts, strict=True))
        return [
            self._means[i : i + count, first:last].mean(0)
            for i, (first, last) in enumerate(zip(firsts, lasts, strict=True))
            if last - first >= max(1, longest * _LEAST_REACH)
        ]


def _steepest(bands: _Bands) -> float:
    """Mean square of a profile's steps, where it is largest; a thin picture has no wide strips across it."""
    profiles = bands.strips(_WIDE) or bands.strips(1)
    return max((float(np.square(np.diff(profile)).sum()) / len(profile) for profile in profiles), default=0.0)


def _seen(profile: Float32Array) -> _Seen:
    """What ``profile`` shows, without slow changes of the light."""
    even = profile - cv2.GaussianBlur(profile[None], (0, 0), max(len(profile) / 10, 1))[0]
    return _Seen(*_measure(even), float(np.square(even).sum()))


def _measure(profile: Float32Array) -> tuple[float, float, bool]:
    """(pitch, correlation one pitch on, whether fainter lines part it) of a profile across the lines; zeros where
    nothing repeats often enough."""
    n = len(profile) * _FINE
    most = n * 2 // 3
    if most < 5 * _FINE:
        return 0.0, 0.0, False
    spectrum = np.abs(np.fft.rfft(profile, 2 * len(profile))) ** 2
    repeats = np.fft.irfft(spectrum, 2 * n)[:n] * _FINE**2 / np.arange(n, 0, -1)
    if repeats[0] < _FLAT:
        return 0.0, 0.0, False
    repeats /= repeats[0]
    least = 3 * _FINE
    before, here, after = repeats[least - 1 : most - 1], repeats[least:most], repeats[least + 1 : most + 1]
    peaks = least + np.flatnonzero((here >= before) & (here > after) & (here > 0.1))
    if not len(peaks):
        return 0.0, 0.0, False
    # Longer lines at every fifth and tenth division make those repeats higher: the first that is nearly as high counts.
    first = int(peaks[repeats[peaks] > 0.6 * repeats[peaks].max()][0])
    pitch, repeat = _vertex(repeats, first), float(repeats[first])
    if n / pitch < _LEAST_LINES:
        return 0.0, 0.0, False
    rough, count = pitch, 2
    while (near := round(count * pitch)) < most - 1:  # each further repeat measures the pitch more exactly
        reach = max(_FINE, round(pitch / 5))
        start = near - reach
        k = start + int(repeats[start : min(near + reach + 1, n - 1)].argmax())
        further = _vertex(repeats, k) / count
        if repeats[k] < 0.3 * repeat or abs(further / rough - 1) > _MOST_DRIFT:
            break
        pitch = further
        count += 1
    return pitch / _FINE, repeat, _tips(repeats, pitch)


def _tips(repeats: npt.NDArray[np.floating], pitch: float) -> bool:
    """Whether the tips of shorter lines show between those that lie a ``pitch`` apart, in steps of ``repeats``."""
    for parts, least in _TIPS.items():
        step = pitch / parts
        before, here, after = (
            repeats[np.rint((np.arange(1, parts) + shift) * step).astype(int)] for shift in (-0.5, 0.0, 0.5)
        )
        if step >= _LEAST_PITCH_PX * _FINE and (here - np.maximum(before, after)).min() > least:
            return True
    return False


def _vertex(values: np.ndarray, k: int) -> float:
    """The vertex of the parabola through the values around ``k``, at most half a step from it."""
    left, middle, right = (float(values[i]) for i in (k - 1, k, k + 1))
    bend = left - 2 * middle + right
    return k + (min(max(0.5 * (left - right) / bend, -0.5), 0.5) if bend < 0 else 0.0)
