"""What a frame is good for, in one glance: is there a metaphase, is it sharp, can it be counted, is it worth it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from edge.locate.background import absorption_of
from edge.locate.field import dark_on_bright
from edge.records import NOMINAL_UM_PER_PX, Cell, Frame, Region, UInt8Array

FEWEST_IN_METAPHASE = 12
"""Chromosomes from which a field counts as a metaphase; fewer are scattered debris or the edge of another cell."""
SHARP_FROM = 0.05
"""Banding contrast from which bands can be called (see ``sharpness_of``): all 275 val frames have as much; of
35 blurred to 0.04 a cell needs 2.1 corrections instead of 1.8, blurred to 0.033 2.6, to 0.02 8.7."""
EASY_CROSSING, COUNTABLE_CROSSING = 20, 30
"""Chromosomes that touch or cross, up to which a cell needs hardly a correction, and up to which it is worth having: of
the val frames 208 have no more than 20 and leave 0.9 corrections each, none at the median; 58 have up to 30 and leave
2.0, two at the median; the nine others leave 6.8."""
USUAL_COUNT = 46
"""Where another number is found it is seldom true: of 60 val frames with 45 found 54 have 46, of seven with 47 found
six."""

_BAND_UM = 0.13
"""Half of what separates neighbouring bands at 550 bands: finer detail than this is what defocus takes first."""

_CROSS = np.ones((3, 3), np.uint8)

Verdict = Literal["no metaphase", "focus", "crowded", "count", "capture"]


@dataclass(frozen=True, slots=True)
class Guidance:
    """``sharpness`` is the banding contrast, about 0.08 where sharp and 0.04 at a blur of 2 px; ``crossing`` counts
    chromosomes that touch a neighbour; ``advice`` is the sentence for the technician, ``verdict`` the same
    for a program."""

    verdict: Verdict
    advice: str
    count: int
    crossing: int
    sharpness: float


def guide(frame: Frame, cell: Cell) -> Guidance:
    """What to tell the technician of ``cell``, which was found in ``frame``."""
    crossing = crossing_in(cell)
    if cell.count < FEWEST_IN_METAPHASE:
        return Guidance("no metaphase", "No metaphase: move on", cell.count, crossing, 0.0)
    sharpness = sharpness_of(frame, cell)
    verdict: Verdict
    if sharpness < SHARP_FROM:
        verdict, advice = "focus", "Not sharp: focus"
    elif crossing > COUNTABLE_CROSSING:
        verdict, advice = "crowded", f"{crossing} touch or cross: better look for another"
    elif cell.count != USUAL_COUNT:
        verdict, advice = "count", f"{cell.count} found, {_off(cell.count)}: look before you capture"
    elif crossing > EASY_CROSSING:
        verdict, advice = "capture", "Sharp and countable: capture; where they touch expect corrections"
    else:
        verdict, advice = "capture", "Sharp and countable: capture"
    return Guidance(verdict, advice, cell.count, crossing, sharpness)


def _off(count: int) -> str:
    """What a ``count`` that is not the usual one looks like."""
    off = abs(count - USUAL_COUNT)
    many = "one" if off == 1 else str(off)
    return f"{many} {'seems' if off == 1 else 'seem'} missing" if count < USUAL_COUNT else f"{many} more than usual"


def crossing_in(cell: Cell) -> int:
    """How many chromosomes touch or cross another: the masks share a pixel or are neighbours."""
    covered = np.zeros((cell.height_px, cell.width_px), np.uint8)
    grown = [_grown(c.region) for c in cell.chromosomes]
    for mask, spot in grown:
        covered[spot] += mask
    return sum(bool((covered[spot][mask > 0] > 1).any()) for mask, spot in grown)


def _grown(region: Region) -> tuple[UInt8Array, tuple[slice, slice]]:
    x0, y0, x1, y1 = region.box_px
    return cv2.dilate(region.mask.astype(np.uint8), _CROSS), (slice(y0, y1), slice(x0, x1))


def sharpness_of(frame: Frame, cell: Cell) -> float:
    """Contrast of detail at the scale of bands inside the chromosomes, relative to how much they absorb.

    The standard deviation of what a blur of ``_BAND_UM`` takes away, over the mean absorption: neither lamp nor stain
    changes it, defocus does. 0 for a cell without chromosomes.
    """
    inside = np.zeros(frame.pixels.shape, np.bool_)
    for chromosome in cell.chromosomes:
        x0, y0, x1, y1 = chromosome.region.box_px
        inside[y0:y1, x0:x1] |= chromosome.region.mask
    if not inside.any():
        return 0.0
    absorbed = absorption_of(dark_on_bright(frame))
    sigma_px = _BAND_UM / cell.um_per_px
    # A pixel of blur first: the camera's noise is finer than any detail that the lens can give.
    seen = cv2.GaussianBlur(absorbed, (0, 0), 0.5 * NOMINAL_UM_PER_PX / cell.um_per_px)
    detail = seen - cv2.GaussianBlur(absorbed, (0, 0), sigma_px)
    return float(detail[inside].std() / max(float(absorbed[inside].mean()), 0.02))
