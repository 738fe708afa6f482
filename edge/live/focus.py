"""What a frame is good for, in one glance: is there a metaphase, is it sharp, can it be counted, is it worth it.

Focus and banding are two things: defocus softens outlines as well as bands, a poor stain only bands. Technicians can
turn the knob against the one, against the other only look for another cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from edge.locate.background import absorption_of
from edge.locate.field import dark_on_bright, is_fluorescent
from edge.records import USUAL_COUNT, Cell, Crop, Float32Array, Frame, Region, UInt8Array

FEWEST_IN_METAPHASE = 12
"""Chromosomes from which a field counts as a metaphase; fewer are scattered debris or the edge of another cell."""
SHARP_FROM, GLOWING_SHARP_FROM = 2.85, 2.5
"""Steepness of outlines, per um, from which a frame is in focus (see ``sharpness_of``): in bright field, and in
fluorescence, which glows beyond the outlines. In bright field all 275 val frames are in focus; of 55 of them blurred by
1 px 51 are, by 1.5 px 25, by 2 or 3 px none. These 55 need 1.2 corrections a cell as they are, 1.3 when blurred by
1.5 px, 1.7 by 2 px and 3.2 by 3 px. Of 28 frames enlarged by 1.7 all are in focus, of 28 shrunk to 0.6 all but two. In
fluorescence 14 of the 19 DAPI train frames are, and one of them when blurred by 2 px."""
WHITE, WHITE_SHARE, FAINTEST_STAIN, UNSURE = 250, 0.6, 160, 0.05
"""Too much light burns out the ground, then the bands. A frame has too much when all three hold: more than
``WHITE_SHARE`` of its pixels are ``WHITE`` or more; half of the stained ones are paler than ``FAINTEST_STAIN`` (both in
grey levels); labels are wrong with a probability of more than ``UNSURE`` on average. None of 69 val frames is so; of
the same made 40 and 60 levels brighter 8 and 29 are, whose labels are wrong with a probability of 0.15 and 0.2 on
average. A white ground alone tells nothing: half of the val frames have one."""
BANDED_FROM = 0.06
"""Contrast along the axes from which a cell counts as well banded (see ``banding_of``). All 275 val frames do,
and all 220 blurred ones. With the bands of 55 frames brought to half, a third and a fifth of their contrast, outlines
as they were, 52, 45 and 22 do; those below need 2.3 corrections a cell, the others 1.5. Among frames as they are
banding tells nothing of the corrections."""
EASY_CROSSING, COUNTABLE_CROSSING = 20, 30
"""With up to the first number of chromosomes that touch or cross, a cell needs hardly a correction; up to the second
it is worth having. Of the val frames 208 have no more than 20 and need 0.9 corrections each, none at the median; 58
have up to 30 and need 2.0, two at the median; the nine others need 6.8."""

_LENS_UM = 0.052
"""Details finer than this are the camera's noise: no lens gives them."""
_EDGE_UM = 0.26
"""The way from an outline to where ground and stain are reached in a sharp frame; a blur of 2 px needs more."""
_BESIDE_PX = 3
"""So many frame pixels more are taken around a region, as slopes and blur look beyond its rim."""
LOOKED_AT = 3
"""One chromosome in so many is looked at for sharpness. On 28 val frames, as they are and blurred by 1.5 and 2 px, it
is within 2.6 % of what all of them say, 0.6 % on average, no verdict differs, and it takes half of the time."""
_FLATTEST_EDGE = 0.05
"""Outlines count as rising by at least this much absorption: what rises less is noise."""
_BAND_ROWS, _SHADE_ROWS = 1.5, 8.0
"""Bands are coarser than the first number of crop rows and finer than the second; a usual chromosome has 60 rows. A
defocus of 2 px takes hardly anything that is coarser than the first."""
_END_ROWS, _LEAST_COLS, _LEAST_STAIN = 4, 4, 20
"""The first is how many rows at either end are rounded tips, and left out. A row counts when it has at least as many
stained pixels as the second says; stained are those above the third, in grey levels of a crop."""

_CROSS = np.ones((3, 3), np.uint8)

Verdict = Literal["no metaphase", "light", "focus", "crowded", "banding", "count", "capture"]


@dataclass(frozen=True, slots=True)
class Guidance:
    """``sharpness`` is how steep the outlines are, per um, about 3.4 where sharp and 2.6 at a blur of 2 px, and
    ``sharp_from`` what is enough in this light; ``banding`` the contrast along the chromosomes, about 0.1; ``crossing``
    counts chromosomes that touch a neighbour; ``advice`` is the sentence for the technician, ``verdict`` the same for a
    program."""

    verdict: Verdict
    advice: str
    count: int
    crossing: int
    sharpness: float
    banding: float
    sharp_from: float


def guide(frame: Frame, cell: Cell) -> Guidance:
    """What to tell the technician of ``cell``, which was found in ``frame``."""
    crossing = crossing_in(cell)
    sharp_from = GLOWING_SHARP_FROM if is_fluorescent(frame) else SHARP_FROM
    if cell.count < FEWEST_IN_METAPHASE:
        return Guidance("no metaphase", "No metaphase: move on", cell.count, crossing, 0.0, 0.0, sharp_from)
    sharpness, banding = sharpness_of(frame, cell), banding_of(cell)
    verdict: Verdict
    if is_overexposed(frame, cell):
        verdict, advice = "light", "Too bright, bands are lost: shorten the exposure or dim the lamp"
    elif sharpness < sharp_from:
        verdict, advice = "focus", "Not sharp: focus"
    elif crossing > COUNTABLE_CROSSING:
        verdict, advice = "crowded", f"{crossing} touch or cross: better look for another"
    elif banding < BANDED_FROM:
        verdict, advice = "banding", "Weakly banded: expect corrections, or look for another"
    elif cell.count != USUAL_COUNT:
        verdict, advice = "count", f"{cell.count} found, {_off(cell.count)}: look before you capture"
    elif crossing > EASY_CROSSING:
        verdict, advice = "capture", "Sharp and countable: capture; where they touch expect corrections"
    else:
        verdict, advice = "capture", "Sharp and countable: capture"
    return Guidance(verdict, advice, cell.count, crossing, sharpness, banding, sharp_from)


def _off(count: int) -> str:
    """What a ``count`` that is not the usual one looks like."""
    off = abs(count - USUAL_COUNT)
    many = "one" if off == 1 else str(off)
    return f"{many} {'seems' if off == 1 else 'seem'} missing" if count < USUAL_COUNT else f"{many} more than usual"


def is_overexposed(frame: Frame, cell: Cell) -> bool:
    """Whether the bands of ``cell``, of one chromosome or more, fade into a white ground. Fluorescence has none."""
    unsure = 1 - np.mean([chromosome.confidence for chromosome in cell.chromosomes])
    if unsure <= UNSURE or is_fluorescent(frame) or (frame.pixels >= WHITE).mean() <= WHITE_SHARE:
        return False
    stained = [_stained(frame, chromosome.region) for chromosome in cell.chromosomes[::LOOKED_AT]]
    return bool(np.median(np.concatenate(stained)) > FAINTEST_STAIN)


def _stained(frame: Frame, region: Region) -> UInt8Array:
    x0, y0, x1, y1 = region.box_px
    return frame.pixels[y0:y1, x0:x1][region.mask]


def crossing_in(cell: Cell) -> int:
    """How many chromosomes touch or cross another: the masks share a pixel or have at most one between them."""
    covered = np.zeros((cell.height_px, cell.width_px), np.uint8)
    grown = [_grown(c.region) for c in cell.chromosomes]
    for mask, spot in grown:
        covered[spot] += mask
    return sum(bool((covered[spot][mask > 0] > 1).any()) for mask, spot in grown)


def _grown(region: Region) -> tuple[UInt8Array, tuple[slice, slice]]:
    x0, y0, x1, y1 = region.box_px
    return cv2.dilate(region.mask.astype(np.uint8), _CROSS), (slice(y0, y1), slice(x0, x1))


def sharpness_of(frame: Frame, cell: Cell) -> float:
    """How steep the chromosomes' outlines are, per um: the median of the slope along them, as a share of its rise.

    Neither lamp, stain, bands nor magnification change it, defocus does: an edge blurred by a Gaussian of s um has
    0.4 / s. 0 for a cell without chromosomes.
    """
    absorbed, reach = absorption_of(dark_on_bright(frame)), max(1, round(_EDGE_UM / cell.um_per_px))
    looked_at = cell.chromosomes[::LOOKED_AT]
    found = [_steepness(absorbed, chromosome.region, _LENS_UM / cell.um_per_px, reach) for chromosome in looked_at]
    steepness = np.concatenate([*found, np.zeros(0, np.float32)])
    return float(np.median(steepness)) / cell.um_per_px if len(steepness) else 0.0


def _steepness(absorbed: Float32Array, region: Region, lens_px: float, reach_px: int) -> Float32Array:
    """For each pixel of a region's rim, float32 (n,): the steepest slope nearby, per px, as a share of the rise."""
    x0, y0, x1, y1 = region.box_px
    margin = reach_px + _BESIDE_PX
    left, top = max(x0 - margin, 0), max(y0 - margin, 0)
    seen = cv2.GaussianBlur(absorbed[top : y1 + margin, left : x1 + margin], (0, 0), lens_px)
    across, down = (cv2.Sobel(seen, cv2.CV_32F, *way, ksize=3, scale=1 / 8) for way in ((1, 0), (0, 1)))
    near = np.ones((1 + 2 * reach_px,) * 2, np.uint8)
    mask = region.mask.view(np.uint8)
    rim = mask > cv2.erode(mask, _CROSS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    steepest, highest, lowest = (
        each[y0 - top : y1 - top, x0 - left : x1 - left][rim]
        for each in (cv2.dilate(cv2.magnitude(across, down), near), cv2.dilate(seen, near), cv2.erode(seen, near))
    )
    return np.asarray(steepest / np.maximum(highest - lowest, _FLATTEST_EDGE))


def banding_of(cell: Cell) -> float:
    """Contrast of bands along the chromosomes' axes: the standard deviation of what is neither finer nor coarser than
    bands, over the mean stain. 0 for a cell without a chromosome long enough to tell."""
    bands, levels = [], []
    for chromosome in cell.chromosomes:
        profile = _profile(chromosome.crop)
        if len(profile) > 3 * _END_ROWS:
            fine, coarse = (cv2.GaussianBlur(profile, (0, 0), rows) for rows in (_BAND_ROWS, _SHADE_ROWS))
            bands.append((fine - coarse)[_END_ROWS:-_END_ROWS])
            levels.append(profile)
    return float(np.concatenate(bands).std() / np.concatenate(levels).mean()) if bands else 0.0


def _profile(crop: Crop) -> Float32Array:
    """Mean stain of each row that shows enough of it, float32 (n, 1), from end to end."""
    stained = crop.pixels > _LEAST_STAIN
    cols = stained.sum(1, keepdims=True)
    means = np.where(stained, crop.pixels, 0).sum(1, keepdims=True, dtype=np.float32) / np.maximum(cols, 1)
    return np.asarray(means[cols[:, 0] >= _LEAST_COLS], np.float32)
