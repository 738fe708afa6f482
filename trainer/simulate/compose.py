"""A whole metaphase of real lone chromosomes on a real ground, with everything known about every one of them.

Each composite has a *base* frame, which gives the ground, the stain and as many chromosomes as it has lone ones; the
rest come from frames that are most like it, and are brought to its stain and size. All come from one split, and a
composite belongs to its base's case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from edge.camera.metaphase import chromosomes_of
from edge.locate.geometry import centre_lines
from edge.overlap import as_people_draw, crossings
from edge.records import BoolArray, Box, Float32Array, UInt8Array
from trainer.data.metaphase import FrameTruth
from trainer.errors import DatasetError
from trainer.simulate.donors import Donor, LoneChromosome, donor_of, opened, with_units
from trainer.simulate.ground import ground_of
from trainer.simulate.layout import Corner, Spread, lay_out

MOST_DONORS = 300
"""At most so many frames give chromosomes; more would only fill the memory."""
LEAST_SIDE_PX = 300
"""A frame with a shorter side has no room for a cell."""
MOST_ZOOM = 1.15
"""A chromosome of another cell is enlarged or shrunk to the base's size by at most this factor."""
STRENGTH = (0.5, 2.0)
"""Limits of the factor by which its stain is brought to the base's."""
ALIKE = 4
"""One chromosome of each class is drawn from so many whose frames are most like the base."""
OTHER_CASE = 0.2
"""How much another case makes a frame unlike the base: as much as a difference of 20 % in stain."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedChromosome:
    """One chromosome of a composite, in its frame's pixels: ``mask_box_px`` is filled by ``mask`` bool (h, w), its
    whole mask including shared pixels; ``box_px`` is drawn around it as people draw boxes; ``centre_line_px`` float32
    (n, 2) end to end; ``overlaps``: the places in the composite of those with which it shares ``CROSSING_PX`` or more;
    ``source``: the image that it was cut out of."""

    label: str
    mask_box_px: Box
    mask: BoolArray
    box_px: Box
    centre_line_px: Float32Array
    overlaps: tuple[int, ...]
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """``pixels`` uint8 (H, W); ``base``: the image that gave its ground, from ``case``."""

    pixels: UInt8Array
    chromosomes: tuple[PlacedChromosome, ...]
    karyotype: str
    base: str
    case: str


@dataclass(frozen=True, slots=True, eq=False)
class _Picked:
    """A chromosome and how it is to be changed: stain (an exponent) and size (a factor)."""

    lone: LoneChromosome
    strength: float
    zoom: float


@dataclass(frozen=True, slots=True, eq=False)
class _Turned:
    """A cut-out as it will lie: ``ratio`` float32 (h, w), ``mask`` bool (h, w) in it, and the part of both that the
    mask fills."""

    ratio: Float32Array
    mask: BoolArray
    filled: tuple[slice, slice]


def gather(truths: Sequence[FrameTruth], seed: int) -> list[Donor]:
    """The donors among ``truths``, in their order, at most ``MOST_DONORS`` drawn with ``seed``. ``DatasetError`` if
    none has a lone chromosome."""
    if len(truths) > MOST_DONORS:
        drawn = np.random.default_rng(seed).choice(len(truths), MOST_DONORS, replace=False)
        truths = [truths[i] for i in sorted(drawn.tolist())]
    with ThreadPoolExecutor(2) as pool:
        donors = [donor for donor in with_units(list(pool.map(donor_of, truths))) if donor.lone]
    if not donors:
        raise DatasetError(
            f"expected frames with chromosomes that lie alone, found none in {len(truths)} frame(s); give more frames "
            "or another split"
        )
    return donors


def bases_of(donors: Sequence[Donor], count: int, seed: int) -> list[Donor]:
    """``count`` donors to lay cells on, none twice while there are others. ``DatasetError``: none is large enough."""
    large = [d for d in donors if min(d.truth.width_px, d.truth.height_px) >= LEAST_SIDE_PX]
    if not large:
        raise DatasetError(
            f"expected frames of at least {LEAST_SIDE_PX} px a side to lay a cell on, found none; give whole frames"
        )
    order = np.random.default_rng(seed).permutation(len(large)).tolist()
    return [large[order[number % len(order)]] for number in range(count)]


def composites(
    bases: Iterable[Donor], donors: Sequence[Donor], crossing: float, seed: int, karyotypes: Sequence[str] = ()
) -> Iterator[Composite]:
    """One composite on each of ``bases``, of ``karyotypes`` in turn; without any, 46,XY where the base has a Y and else
    46,XX. The same seed makes the same ones. ``DatasetError``: a class has no lone chromosome in any of ``donors``."""
    for number, base in enumerate(bases):
        own = "46,XY" if "Y" in base.truth.labels else "46,XX"
        karyotype = karyotypes[number % len(karyotypes)] if karyotypes else own
        yield compose(base, donors, karyotype, crossing, np.random.default_rng([seed, number]))


def compose(
    base: Donor, donors: Sequence[Donor], karyotype: str, crossing: float, rng: np.random.Generator
) -> Composite:
    """One composite on the ground of ``base``; ``karyotype`` as ``edge.camera.metaphase.chromosomes_of`` takes it."""
    picked = _pick(chromosomes_of(karyotype), base, donors, rng)
    turned = [_turn(one, rng) for one in picked]
    pixels, known = opened(base.truth)
    ground = ground_of(pixels, known, base.truth.boxes_px, rng)
    spread = Spread.of(base.truth.boxes_px)
    corners = lay_out([one.mask[one.filled] for one in turned], ground.blocked, spread, crossing, rng)
    grey = _lit(ground.light, ground.grain, turned, corners)
    chromosomes = _truth(picked, turned, corners, pixels.shape)
    return Composite(
        np.clip(np.rint(grey), 0, 255).astype(np.uint8), chromosomes, karyotype, base.truth.image, base.truth.case
    )


def _pick(labels: Sequence[str], base: Donor, donors: Sequence[Donor], rng: np.random.Generator) -> list[_Picked]:
    picked: list[_Picked] = []
    used: set[int] = set()
    for label in labels:
        ranked = _ranked(label, base, donors)
        if not ranked:
            raise DatasetError(
                f"expected a chromosome {label} that lies alone, found none in {len(donors)} frame(s); give more frames"
            )
        # A cut-out is laid twice only where its class has no other.
        fresh = [one for one in ranked if id(one[1]) not in used] or ranked
        own = [one for one in fresh if one[2] is base]
        nearest = own or fresh[:ALIKE]
        _, lone, donor = nearest[int(rng.integers(len(nearest)))]
        used.add(id(lone))
        strength, zoom = base.density / donor.density, base.unit / donor.unit
        picked.append(
            _Picked(lone, float(np.clip(strength, *STRENGTH)), float(np.clip(zoom, 1 / MOST_ZOOM, MOST_ZOOM)))
        )
    return picked


def _ranked(label: str, base: Donor, donors: Sequence[Donor]) -> list[tuple[float, LoneChromosome, Donor]]:
    """All lone chromosomes of the class, each with how unlike the base its frame is, the most alike first."""
    found = []
    for donor in donors:
        unlike = (
            abs(np.log(base.density / donor.density))
            + 2 * abs(np.log(base.unit / donor.unit))
            + abs(np.log(base.crispness / donor.crispness))
            + OTHER_CASE * (donor.truth.case != base.truth.case)
        )
        found += [(float(unlike), lone, donor) for lone in donor.lone if lone.label == label]
    return sorted(found, key=lambda one: one[0])


def _turn(picked: _Picked, rng: np.random.Generator) -> _Turned:
    """The cut-out in its new stain and size, turned by any angle, and flipped half of the time."""
    angle, flip = rng.uniform(0, 2 * np.pi), -1.0 if rng.random() < 0.5 else 1.0
    c, s = np.cos(angle) * picked.zoom, np.sin(angle) * picked.zoom
    height, width = picked.lone.mask.shape
    side = int(np.hypot(height, width) * picked.zoom) + 4
    turn = np.array([[c * flip, -s], [s * flip, c]])
    shift = np.full(2, (side - 1) / 2) - turn @ (np.array([width - 1, height - 1]) / 2)
    matrix = np.concatenate([turn, shift[:, None]], axis=1)
    ratio = picked.lone.ratio.astype(np.float32)
    ratio = cv2.warpAffine(ratio, matrix, (side, side), flags=cv2.INTER_CUBIC, borderValue=1)
    mask = cv2.warpAffine(picked.lone.mask.astype(np.float32), matrix, (side, side)) > 0.5
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    filled = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
    return _Turned(np.maximum(ratio, 0.01) ** np.float32(picked.strength), mask, filled)


def _lit(
    light: Float32Array, grain: Float32Array, turned: Sequence[_Turned], corners: Sequence[Corner]
) -> Float32Array:
    """The light that passes through all chromosomes. Under one the ground's grain is left out, as it has its own."""
    height, width = light.shape
    passed, bare = np.ones_like(light), np.ones_like(light)
    for one, corner in zip(turned, corners, strict=True):
        x, y = corner[0] - one.filled[1].start, corner[1] - one.filled[0].start
        side = len(one.mask)
        rows, cols = slice(max(y, 0), min(y + side, height)), slice(max(x, 0), min(x + side, width))
        own = slice(rows.start - y, rows.stop - y), slice(cols.start - x, cols.stop - x)
        passed[rows, cols] *= one.ratio[own]
        covered = cv2.GaussianBlur(one.mask.astype(np.float32), (0, 0), 1.5)
        bare[rows, cols] *= 1 - covered[own]
    return np.asarray((light + grain * bare) * passed, np.float32)


def _truth(
    picked: Sequence[_Picked], turned: Sequence[_Turned], corners: Sequence[Corner], shape: tuple[int, ...]
) -> tuple[PlacedChromosome, ...]:
    masks = [one.mask[one.filled] for one in turned]
    tight: list[Box] = [
        (x, y, x + mask.shape[1], y + mask.shape[0]) for mask, (x, y) in zip(masks, corners, strict=True)
    ]
    overlaps = crossings(tight, masks)
    lines = centre_lines(masks)
    return tuple(
        PlacedChromosome(
            picked[i].lone.label,
            tight[i],
            masks[i],
            as_people_draw(tight[i], *shape),
            lines[i] + np.array(corners[i], np.float32),
            overlaps[i],
            picked[i].lone.image,
        )
        for i in range(len(masks))
    )
