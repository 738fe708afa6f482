"""Whole metaphase cells, drawn from the band tables, with everything known about every chromosome."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from edge.camera import slide
from edge.camera.ideogram import Bent, Look, bend, draw_ideogram, relative_length
from edge.errors import ConfigError
from edge.overlap import crossings, meet
from edge.records import LABELS, NOMINAL_UM_PER_PX, BoolArray, Box, Float32Array, UInt8Array

CHROMOSOME_1_PX = 165.0
"""Usual length of chromosome 1 at the nominal scale (0.065 um a pixel), as measured on real frames."""

CROWDING, BENDING = (0.1, 0.6), (0.4, 1.15)
"""Cells are drawn with a ``crowding`` and a bending from these ranges. On 275 val frames of the metaphase set 23 % of
the located chromosomes overlap another, in drawn cells 23 %. For one long chromosome in ten the straight way from end
to end is at most 0.73 of the centre line, for drawn ones 0.72."""

_AUTOSOME = re.compile(r"([+-])([1-9]|1\d|2[0-2])")


@dataclass(frozen=True, slots=True, eq=False)
class TrueChromosome:
    """One drawn chromosome: tight ``box_px`` (half-open), ``mask`` bool in the box, ``axis_px`` float32 (n, 2) centre
    line from the end of the p arm to the end of the q arm in the frame's pixels, ids of those that it ``overlaps``."""

    id: int
    label: str
    box_px: Box
    mask: BoolArray
    axis_px: Float32Array
    overlaps: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedMetaphase:
    """A drawn cell. ``grey`` float32 (H, W) is its noiseless image, ``noise`` the sigma to expose it with."""

    pixels: UInt8Array
    truth: tuple[TrueChromosome, ...]
    karyotype: str
    grey: Float32Array
    noise: float


def chromosomes_of(karyotype: str) -> tuple[str, ...]:
    """Labels of the chromosomes that a karyotype stands for, numerical changes only: ``46,XX``, ``47,XY,+21``,
    ``45,X``, ``48,XXY,+18``. Raises ``ConfigError`` for anything else and for a wrong total."""
    total, _, rest = karyotype.replace(" ", "").partition(",")
    sex, *changes = rest.split(",")
    counts = dict.fromkeys(LABELS[:22], 2) | {"X": sex.count("X"), "Y": sex.count("Y")}
    sound = bool(re.fullmatch(r"X+Y*", sex))
    for change in changes:
        match = _AUTOSOME.fullmatch(change)
        if match is None:
            sound = False
        else:
            counts[match[2]] += 1 if match[1] == "+" else -1
    labels = tuple(label for label in LABELS for _ in range(counts[label]))
    if not sound or total != str(len(labels)) or min(counts.values()) < 0:
        raise ConfigError(
            f"expected a karyotype of whole chromosomes with the right total, as 46,XX or 47,XY,+21; got {karyotype!r}"
        )
    return labels


def draw_metaphase(
    rng: np.random.Generator | int,
    karyotype: str = "46,XX",
    *,
    size_px: tuple[int, int] = (700, 700),
    um_per_px: float = NOMINAL_UM_PER_PX,
    crowding: float | None = None,
    look: Look | None = None,
) -> SimulatedMetaphase:
    """One metaphase in a frame of ``size_px`` (height, width), from a generator or a seed.

    Chromosomes have their true size at ``um_per_px``, or less where the frame has no room for that. ``crowding`` from
    0 (all apart, as far as there is room) to 1 (most touch or cross) varies by cell when None, and so does the
    ``look``. Raises ``ConfigError`` for a karyotype that is not one or a frame with no room for a cell.
    """
    rng = np.random.default_rng(rng)
    labels = chromosomes_of(karyotype)
    if min(size_px) < 300:
        raise ConfigError(f"expected a frame of at least 300 x 300 px for a metaphase, got {size_px[1]} x {size_px[0]}")
    look = look or Look.draw(rng)
    crowding = rng.uniform(*CROWDING) if crowding is None else crowding

    scale = min(NOMINAL_UM_PER_PX / um_per_px, min(size_px) / 560)
    contraction = float(np.exp(rng.normal(0, 0.12)))  # early metaphases are long and thin, late ones short and thick
    unit = CHROMOSOME_1_PX * scale * contraction
    width = float(rng.uniform(14.5, 19.0)) * scale / contraction**0.4
    bending = float(rng.uniform(*BENDING))
    drawn = []
    for label in labels:
        length = unit * relative_length(label) * float(np.exp(rng.normal(0, 0.04)))
        straight = draw_ideogram(label, length, width * float(np.exp(rng.normal(0, 0.04))), rng, look)
        drawn.append(bend(straight, rng, bending))
    corners = _spread(drawn, size_px, 0.48 * min(min(size_px), 700 * scale), crowding, rng)
    truth = _truth(labels, drawn, corners)

    depth = float(rng.uniform(0.33, 0.62))
    density = slide.haze(size_px, rng) + slide.debris(size_px, int(rng.integers(5, 60)), rng)
    for bent, (x, y) in zip(drawn, corners, strict=True):
        slide.paste(density, bent.absorbance * np.float32(depth * np.exp(rng.normal(0, 0.06))), x, y)
    _add_nuclei(density, truth, scale, rng)
    grey = slide.look_at(density, slide.lamp(size_px, rng), float(rng.uniform(0.8, 1.7)), float(rng.uniform(0.2, 1.0)))
    noise = float(0.4 + 3 * rng.beta(1, 3))
    return SimulatedMetaphase(slide.expose(grey, noise, rng), truth, karyotype, grey, noise)


def _spread(
    drawn: list[Bent], size_px: tuple[int, int], radius: float, crowding: float, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Upper left corner (x, y) of each patch: a round spread in which some touch and some cross.

    The largest are laid first. Each takes the first of a few random places whose share of already covered pixels is
    what was drawn for it (apart, touching, crossing), else the place that comes nearest.
    """
    height, width = size_px
    # Two layers: where chromosomes are, and where they are or nearly are (a gap that the eye sees).
    taken, near = np.zeros(size_px, np.uint8), np.zeros(size_px, np.uint8)
    radius *= rng.uniform(0.86 - 0.1 * crowding, 1.0)
    centre = np.array([width, height]) / 2 + rng.uniform(-0.5, 0.5, 2) * (np.array([width, height]) - 2 * radius) * 0.8
    corners: list[tuple[int, int]] = [(0, 0)] * len(drawn)
    for i in sorted(range(len(drawn)), key=lambda i: -int(drawn[i].mask.sum())):
        mask = drawn[i].mask
        ys, xs = np.nonzero(mask)
        thin = slice(None, None, 5)
        crossing = rng.random() < 0.4 * crowding
        low, high = (0.03, 0.3) if crossing else (0.0, 0.012)
        layer = taken if crossing or rng.random() < 0.8 * crowding else near
        best, best_miss = (0, 0), np.inf
        for _ in range(60):
            reach, angle = radius * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
            x = int(np.clip(centre[0] + reach * np.cos(angle) - mask.shape[1] / 2, 2, width - mask.shape[1] - 2))
            y = int(np.clip(centre[1] + reach * np.sin(angle) - mask.shape[0] / 2, 2, height - mask.shape[0] - 2))
            share = float(layer[ys[thin] + y, xs[thin] + x].mean())
            miss = max(low - share, share - high, 0.0)
            if miss < best_miss:
                best, best_miss = (x, y), miss
            if miss == 0:
                break
        x, y = corners[i] = best
        taken[ys + y, xs + x] = 1
        for dx, dy in ((-4, 0), (4, 0), (0, -4), (0, 4), (-3, -3), (3, 3), (-3, 3), (3, -3)):
            near[np.clip(ys + y + dy, 0, height - 1), np.clip(xs + x + dx, 0, width - 1)] = 1
    return corners


def _truth(labels: tuple[str, ...], drawn: list[Bent], corners: list[tuple[int, int]]) -> tuple[TrueChromosome, ...]:
    boxes: list[Box] = []
    masks: list[BoolArray] = []
    for bent, (x, y) in zip(drawn, corners, strict=True):
        rows, cols = np.flatnonzero(bent.mask.any(axis=1)), np.flatnonzero(bent.mask.any(axis=0))
        y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1
        boxes.append((x + x0, y + y0, x + x1, y + y1))
        masks.append(bent.mask[y0:y1, x0:x1].copy())
    crossed = crossings(boxes, masks)
    return tuple(
        TrueChromosome(i, label, boxes[i], masks[i], drawn[i].axis_px + np.array(corners[i], np.float32), crossed[i])
        for i, label in enumerate(labels)
    )


def _add_nuclei(
    density: Float32Array, truth: tuple[TrueChromosome, ...], scale: float, rng: np.random.Generator
) -> None:
    """Up to three interphase nuclei where no chromosome lies, most of them cut by the frame's edge."""
    height, width = density.shape
    for _ in range(int(rng.integers(0, 4))):
        patch = slide.nucleus(float(rng.uniform(30, 85)) * scale, rng)
        side = patch.shape[0]
        for _ in range(8):
            x, y = int(rng.integers(-side // 2, width - side // 2)), int(rng.integers(-side // 2, height - side // 2))
            if not meet([(x, y, x + side, y + side)], [t.box_px for t in truth]).any():
                slide.paste(density, patch, x, y)
                break
