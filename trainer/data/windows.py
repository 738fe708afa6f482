"""Training windows for the locator: a piece of a real frame, turned, scaled, and with more chromosomes pasted in.

Pasted cut-outs bring what the boxes cannot: exact masks of touching and crossing chromosomes. Everything is drawn from
one seeded generator per step, so a resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.grid import BOX_UNIT_PX, SHAPES, STRIDE_PX
from edge.records import BoolArray, Float32Array, UInt8Array
from trainer.data.framecache import CachedFrame, CutOut, box_margin, box_offset
from trainer.data.pixels import MAX_CANDIDATES, NOBODY

WINDOW_PX = 448
HEAT_SIGMA_CELLS = 0.9
PEAK_CELLS = 3
"""How many cells a peak reaches to each side."""
EVEN = 0.15
"""A box is neither wide nor tall if the logarithm of its sides' ratio is less than this."""
FREE = 0.95
PIXEL_STRIDE_PX = 2
VOTE_UNIT_PX = 16.0


@dataclass(frozen=True, slots=True)
class Window:
    """``image`` float32 (S, S, 1); ``heat`` (S/4, S/4, 2), of wide and of tall boxes; ``box`` (S/4, S/4, 2, 5): left,
    top, right and bottom in units of ``BOX_UNIT_PX``, and weight; ``dense`` (S/2, S/2, 4): chromosome, crossing,
    crossing known, chromosome known; ``votes`` (S/2, S/2, 6): three candidate vectors."""

    image: Float32Array
    heat: Float32Array
    box: Float32Array
    dense: Float32Array
    votes: Float32Array


def make_window(
    frames: Sequence[CachedFrame], rng: np.random.Generator, paste: float = 0.65, zoom: float = 1.25
) -> Window:
    """One augmented training window; ``paste``: share of windows with chromosomes added; ``zoom``: largest zoom."""
    frame = frames[int(rng.integers(len(frames)))]
    placed = place(frame, rng, zoom)
    image, candidates, boxes = placed.image, placed.candidates, placed.boxes
    crossing = np.zeros(candidates.shape[:2], np.uint8)
    known = ~placed.open
    sure = (candidates[..., 0] == candidates[..., 1]) & known
    if rng.random() < paste:
        boxes = _paste_many(image, candidates, crossing, boxes, frames, frame.density, rng)
        sure |= crossing > 0
        known |= ((candidates >= len(placed.boxes)) & (candidates != NOBODY)).any(-1)
    return _targets(stain(image, rng), candidates, crossing, sure, known, boxes, placed.ignored)


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A piece of a frame: ``image`` float32 (S, S), 0..255; ``candidates`` uint8 (S/2, S/2, 3); ``boxes`` float32
    (n, 4) of its frame's chromosomes, centred, ``proposals`` float32 (m, 4) and ``ignored`` float32 (k, 4), all in the
    window's pixels."""

    image: Float32Array
    candidates: UInt8Array
    boxes: Float32Array
    proposals: Float32Array
    ignored: Float32Array

    @property
    def open(self) -> BoolArray:
        """Where something to be ignored may lie, bool (S/2, S/2): whose a pixel there is, nobody knows."""
        half = WINDOW_PX // PIXEL_STRIDE_PX
        there = np.zeros((half, half), np.bool_)
        for box in self.ignored:
            there[_cells_in(box, PIXEL_STRIDE_PX, half)] = True
        return there


def _cells_in(box: Float32Array, stride_px: int, side: int) -> tuple[slice, slice]:
    """Rows and columns of the cells, ``side`` in each direction, that a box (4,) touches."""
    x0, y0, x1, y1 = box / stride_px
    low, high = np.clip(np.floor([x0, y0]), 0, side).astype(int), np.clip(np.ceil([x1, y1]), 0, side).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def place(frame: CachedFrame, rng: np.random.Generator, most_zoom: float) -> Placed:
    """A window centred near a chromosome, under one of the eight turns and a zoom."""
    zoom = float(np.exp(rng.uniform(-1, 1) * np.log(most_zoom)))
    turn = np.array([[1, 0], [0, 1]], np.float32)
    if rng.random() < 0.5:
        turn = np.array([[0, 1], [1, 0]], np.float32)
    turn = turn * np.where(rng.random(2) < 0.5, -1, 1)[:, None] * zoom
    middle = anchor = np.array(frame.pixels.shape[::-1], np.float32) / 2
    if len(frame.boxes):
        anchor = frame.boxes[int(rng.integers(len(frame.boxes)))].reshape(2, 2).mean(0)
        middle = frame.boxes.reshape(-1, 2).mean(0)
    centre = middle + (anchor - middle) * rng.uniform(0, 1)
    shift = WINDOW_PX / 2 - turn @ centre + rng.uniform(-40, 40, 2)
    matrix = np.concatenate([turn, shift[:, None]], axis=1).astype(np.float64)
    ground = int(np.percentile(frame.pixels[::8, ::8], 80))
    image = cv2.warpAffine(
        frame.pixels,
        _pixel_centres(matrix, 1, 1),
        (WINDOW_PX, WINDOW_PX),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=ground,
    )
    half = WINDOW_PX // PIXEL_STRIDE_PX
    candidates = cv2.warpAffine(
        frame.candidates,
        _pixel_centres(matrix, PIXEL_STRIDE_PX, PIXEL_STRIDE_PX),
        (half, half),
        flags=cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(NOBODY,) * MAX_CANDIDATES,
    )
    offset = np.tile(box_offset(), 2)
    boxes, proposals, ignored = (
        _turned(some, turn, shift) for some in (frame.boxes + offset, frame.proposals, frame.ignored + offset)
    )
    return Placed(image.astype(np.float32), candidates, boxes, proposals, ignored)


def _turned(boxes: Float32Array, turn: npt.NDArray[np.floating], shift: npt.NDArray[np.floating]) -> Float32Array:
    corners = (boxes.reshape(-1, 2) @ turn.T + shift).reshape(-1, 2, 2)
    return np.concatenate([corners.min(1), corners.max(1)], axis=1).astype(np.float32)


def _pixel_centres(matrix: npt.NDArray[np.float64], from_px: int, to_px: int) -> npt.NDArray[np.float64]:
    """The same map for arrays whose cells are ``from_px`` and ``to_px`` wide: index i stands for the middle of a cell,
    i + 0.5 cells."""
    a, t = matrix[:, :2], matrix[:, 2]
    return np.concatenate([a * from_px / to_px, ((a @ np.full(2, from_px / 2) + t) / to_px - 0.5)[:, None]], axis=1)


def _paste_many(
    image: Float32Array,
    candidates: UInt8Array,
    crossing: UInt8Array,
    boxes: Float32Array,
    frames: Sequence[CachedFrame],
    density: float,
    rng: np.random.Generator,
) -> Float32Array:
    """Multiplies 1 to 16 cut-outs into the window, in place; returns the boxes with theirs added."""
    extra: list[Float32Array] = []
    donor = frames[int(rng.integers(len(frames)))]
    mean = boxes.reshape(-1, 2).mean(0) if len(boxes) else np.full(2, WINDOW_PX / 2, np.float32)
    for _ in range(int(rng.integers(1, 17))):
        if not donor.cutouts or rng.random() < 0.2:
            donor = frames[int(rng.integers(len(frames)))]
            continue
        cut = donor.cutouts[int(rng.integers(len(donor.cutouts)))]
        if len(boxes) and rng.random() < 0.5:
            # Beside or across a chromosome that is there: that is where locating is hard.
            target = boxes[int(rng.integers(len(boxes)))].reshape(2, 2).mean(0) + rng.normal(0, 18, 2)
        else:
            target = mean + rng.normal(0, 110, 2)
        index = len(boxes) + len(extra)
        pasted = paste(image, cut, target, density, rng) if index < NOBODY else None
        if pasted is not None:
            _claim(pasted, index, candidates, crossing)
            extra.append(pasted.box)
    return np.concatenate([boxes, np.asarray(extra, np.float32).reshape(-1, 4)])


@dataclass(frozen=True, slots=True, eq=False)
class Pasted:
    """A cut-out in its place: ``mask`` uint8 (side, side), 1 on the chromosome, with its upper left corner (x, y), both
    even; ``box`` float32 (4,), centred, with the usual margin."""

    mask: UInt8Array
    corner: tuple[int, int]
    box: Float32Array


def paste(
    image: Float32Array, cut: CutOut, target: npt.NDArray[np.floating], density: float, rng: np.random.Generator
) -> Pasted | None:
    """Multiplies a cut-out, turned and zoomed, into the window in place, its middle at ``target`` (x, y); None if it
    does not fit whole."""
    angle, zoom = rng.uniform(0, 2 * np.pi), float(np.exp(rng.uniform(np.log(0.85), np.log(1.18))))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    c, s = np.cos(angle) * zoom, np.sin(angle) * zoom
    side = int(np.hypot(*cut.mask.shape) * zoom) + 4
    x, y = (int(v) // 2 * 2 for v in target - side / 2)
    if min(x, y) < 0 or max(x, y) + side > WINDOW_PX:
        return None
    turn = np.array([[c * flip, -s], [s * flip, c]])
    shift = np.full(2, side / 2) - turn @ (np.array(cut.mask.shape[::-1]) / 2)
    matrix = _pixel_centres(np.concatenate([turn, shift[:, None]], axis=1), 1, 1)
    ratio = cv2.warpAffine(cut.ratio, matrix, (side, side), borderValue=255).astype(np.float32) / 255
    mask = cv2.warpAffine(cut.mask.astype(np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST)
    strength = np.clip(density / max(cut.density, 0.02), 0.5, 2.0) * np.exp(rng.normal(0, 0.08))
    image[y : y + side, x : x + side] *= ratio**strength
    rows, cols = np.nonzero(mask)
    if not mask[1::2, 1::2].any():
        return None
    box = np.array([cols.min() + x, rows.min() + y, cols.max() + 1 + x, rows.max() + 1 + y], np.float32)
    return Pasted(
        np.asarray(mask, np.uint8), (x, y), np.asarray(box + np.concatenate([-box_margin(), box_margin()]), np.float32)
    )


def _claim(pasted: Pasted, index: int, candidates: UInt8Array, crossing: UInt8Array) -> None:
    """Marks the pasted chromosome's pixels as its own, in place; where another lay, both are candidates and the pixel
    is a crossing."""
    x, y = pasted.corner
    ys, xs = np.nonzero(pasted.mask[1::2, 1::2])
    ys, xs = ys + y // 2, xs + x // 2
    taken = candidates[ys, xs, 0] != NOBODY
    candidates[ys[~taken], xs[~taken]] = index
    candidates[ys[taken], xs[taken], MAX_CANDIDATES - 1] = index
    crossing[ys[taken], xs[taken]] = 1


def stain(image: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Light, contrast, gamma, blur and noise as scopes differ; float32 (S, S, 1) in 0..1."""
    x = np.clip(image / np.float32(255), 0, 1)
    x = x ** np.float32(np.exp(rng.normal(0, 0.25)))
    contrast, level = np.float32(np.exp(rng.normal(0, 0.18))), np.float32(rng.normal(0, 0.06))
    x = (x - np.float32(0.7)) * contrast + np.float32(0.7) + level
    if rng.random() < 0.3:
        slope = rng.normal(0, 0.06, 2).astype(np.float32)
        ramp = np.linspace(-1, 1, WINDOW_PX, dtype=np.float32)
        x = x + ramp[None, :] * slope[0] + ramp[:, None] * slope[1]
    if rng.random() < 0.3:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.4, 1.4)))
    if rng.random() < 0.4:
        x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(0.003, 0.025))
    return np.asarray(np.clip(x, 0, 1), np.float32)[..., None]


def _targets(
    image: Float32Array,
    candidates: UInt8Array,
    crossing: UInt8Array,
    sure: BoolArray,
    known: BoolArray,
    boxes: Float32Array,
    ignored: Float32Array,
) -> Window:
    heat, box = _centres(boxes, ignored)
    centres = boxes.reshape(-1, 2, 2).mean(1)
    dense = np.stack([candidates[..., 0] != NOBODY, crossing > 0, sure, known], axis=-1).astype(np.float32)
    half = WINDOW_PX // PIXEL_STRIDE_PX
    here = (np.arange(half, dtype=np.float32) + 0.5) * PIXEL_STRIDE_PX
    padded = np.zeros((256, 2), np.float32)
    padded[: len(centres)] = centres
    owner = padded[candidates].reshape(half, half, MAX_CANDIDATES, 2)
    owner[..., 0] -= here[None, :, None]
    owner[..., 1] -= here[:, None, None]
    votes = (owner / np.float32(VOTE_UNIT_PX)).reshape(half, half, 2 * MAX_CANDIDATES)
    return Window(image, heat, box, dense, votes)


def _centres(boxes: Float32Array, ignored: Float32Array) -> tuple[Float32Array, Float32Array]:
    """The maps ``heat`` and ``box``. A box's centre is a peak of 1 in the map of its shape. If it is hard to call wide
    or tall, the other map may show it too: there the peak is just below 1, where the focal loss asks for nothing. So it
    is in both maps all over the box of what is ignored, in which several chromosomes may lie."""
    cells = WINDOW_PX // STRIDE_PX
    heat = np.zeros((cells, cells, SHAPES), np.float32)
    box = np.zeros((cells, cells, SHAPES, 5), np.float32)
    for x0, y0, x1, y1 in boxes:
        centre = np.array([x0 + x1, y0 + y1]) / 2 / STRIDE_PX
        j, i = (int(v) for v in np.floor(centre))
        if not (0 <= i < cells and 0 <= j < cells):
            continue
        rows, cols = (slice(max(k - PEAK_CELLS, 0), min(k + PEAK_CELLS + 1, cells)) for k in (i, j))
        yy, xx = np.mgrid[rows, cols]
        bump = np.exp(-((xx + 0.5 - centre[0]) ** 2 + (yy + 0.5 - centre[1]) ** 2) / (2 * HEAT_SIGMA_CELLS**2))
        bump[i - rows.start, j - cols.start] = 1.0
        px, py = (xx + 0.5) * STRIDE_PX, (yy + 0.5) * STRIDE_PX
        sides = np.stack([px - x0, py - y0, x1 - px, y1 - py], axis=-1) / BOX_UNIT_PX
        own = int(y1 - y0 > x1 - x0)
        even = abs(np.log(max(y1 - y0, 1) / max(x1 - x0, 1))) < EVEN
        for shape in (own, 1 - own) if even else (own,):
            level = bump if shape == own else np.minimum(bump, FREE)
            patch = heat[rows, cols, shape]
            wins = level > patch
            patch[wins] = level[wins]
            near = wins & (bump > 0.3)
            box[rows, cols, shape, :4][near] = sides[near]
            box[rows, cols, shape, 4][near] = bump[near]
    for one in ignored:
        there = _cells_in(one, STRIDE_PX, cells)
        heat[there] = np.maximum(heat[there], FREE)
    return heat, box
