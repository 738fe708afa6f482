"""Where the chromosomes of a composite lie: a round spread in which most lie alone, some touch and some cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.geometry import centre_lines
from edge.overlap import CROSSING_PX
from edge.records import BoolArray, Float32Array, UInt8Array

EDGE_PX = 9
"""Masks keep this far from the frame's edges: more than a box's margin."""
GAP_PX = 5
"""Chromosomes farther apart than this lie alone for the eye."""
TRIES = 250
MOST_SHARED = 0.4
"""Two that cross share at most this share of the smaller one: with more they would lie on top of each other."""

Corner = tuple[int, int]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spread:
    """An ellipse with its axes along the frame's: ``centre_px`` (x, y), ``half_px`` (x, y)."""

    centre_px: tuple[float, float]
    half_px: tuple[float, float]

    @classmethod
    def of(cls, boxes: npt.NDArray[np.int64]) -> Spread:
        """The spread around boxes int (n, 4)."""
        low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        (x, y), (a, b) = ((low + high) / 2).tolist(), ((high - low) / 2).tolist()
        return cls((x, y), (a, b))


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """``mask`` bool (h, w), which its chromosome fills; ``line`` float32 (n, 2), its centre line in it."""

    mask: BoolArray
    line: Float32Array

    def somewhere(self, rng: np.random.Generator) -> Points:
        """A point (x, y) of the line, not near its ends."""
        tenth = len(self.line) // 10
        return np.asarray(self.line[int(rng.integers(tenth, len(self.line) - tenth))], np.float64)


class Layout:
    """Places shapes one after another in a frame of ``blocked`` bool (H, W), where nothing may lie."""

    def __init__(self, blocked: BoolArray, spread: Spread, rng: np.random.Generator) -> None:
        self._rng, self._spread = rng, spread
        self._height, self._width = blocked.shape
        self._blocked = blocked
        self._covered: UInt8Array = np.zeros(blocked.shape, np.uint8)
        self._near: BoolArray = blocked.copy()
        self._disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * GAP_PX + 1, 2 * GAP_PX + 1))
        self._laid: list[tuple[Shape, Corner]] = []

    def lay_alone(self, shape: Shape) -> Corner:
        """A place away from all others, if there is room; else one that hides least of them."""
        mask = shape.mask
        ys, xs = np.nonzero(mask)
        best: Corner = (EDGE_PX, EDGE_PX)
        least = 5 * mask.size
        for k in range(TRIES):
            reach = np.sqrt(self._rng.random()) * (0.85 + 0.5 * k / TRIES)
            angle = self._rng.uniform(0, 2 * np.pi)
            at = np.array(self._spread.centre_px) + reach * np.array(self._spread.half_px) * (
                np.cos(angle),
                np.sin(angle),
            )
            x, y = self._within(mask, at - np.array(mask.shape[::-1]) / 2)
            hidden = int(np.count_nonzero(self._near[ys + y, xs + x])) + 4 * int(self._covered[ys + y, xs + x].sum())
            if hidden < least:
                best, least = (x, y), hidden
            if not hidden:
                break
        return self._put(shape, best)

    def lay_touching(self, shape: Shape) -> Corner:
        """A place from a walk towards another chromosome until they touch."""
        mask = shape.mask
        ys, xs = np.nonzero(mask)
        for _ in range(TRIES if self._laid else 0):
            other, (x, y) = self._laid[int(self._rng.integers(len(self._laid)))]
            angle = self._rng.uniform(0, 2 * np.pi)
            way = np.array([np.cos(angle), np.sin(angle)])
            start = (
                np.array([x, y]) + (np.array(other.mask.shape[::-1]) - mask.shape[::-1]) / 2 + self._rng.normal(0, 6, 2)
            )
            last: Corner | None = None
            for step in range(int(np.hypot(*other.mask.shape) + np.hypot(*mask.shape)) // 2 + 2, 0, -1):
                corner = self._inside(mask, start + step * way)
                if corner is None:
                    continue
                if self._shared(ys, xs, corner) >= CROSSING_PX:
                    break
                last = corner
            # The last place before they cross; there is none if the walk began in a crowd or met nobody.
            if last is not None and self._touches(ys, xs, last):
                return self._put(shape, last)
        return self.lay_alone(shape)

    def lay_across(self, shape: Shape) -> Corner:
        """A place across another, at some point along both."""
        mask = shape.mask
        ys, xs = np.nonzero(mask)
        area = len(ys)
        for _ in range(TRIES if self._laid else 0):
            other, (x, y) = self._laid[int(self._rng.integers(len(self._laid)))]
            at = np.array([x, y]) + other.somewhere(self._rng) - shape.somewhere(self._rng)
            corner = self._inside(mask, at)
            if corner is None:
                continue
            total = self._shared(ys, xs, corner)
            if CROSSING_PX <= total <= MOST_SHARED * min(area, int(np.count_nonzero(other.mask))) and not self._hits(
                ys, xs, corner
            ):
                return self._put(shape, corner)
        return self.lay_alone(shape)

    def _within(self, mask: BoolArray, corner: Points) -> Corner:
        height, width = mask.shape
        x = int(np.clip(corner[0], EDGE_PX, max(self._width - width - EDGE_PX, EDGE_PX)))
        return x, int(np.clip(corner[1], EDGE_PX, max(self._height - height - EDGE_PX, EDGE_PX)))

    def _inside(self, mask: BoolArray, corner: Points) -> Corner | None:
        x, y = (round(float(v)) for v in corner)
        return (x, y) if self._within(mask, np.array([x, y])) == (x, y) else None

    def _shared(self, ys: npt.NDArray[np.intp], xs: npt.NDArray[np.intp], corner: Corner) -> int:
        return int(self._covered[ys + corner[1], xs + corner[0]].sum())

    def _hits(self, ys: npt.NDArray[np.intp], xs: npt.NDArray[np.intp], corner: Corner) -> bool:
        """Whether a shape there would lie on what is blocked, or on two others at once."""
        y, x = ys + corner[1], xs + corner[0]
        return bool(self._blocked[y, x].any() or self._covered[y, x].max() > 1)

    def _touches(self, ys: npt.NDArray[np.intp], xs: npt.NDArray[np.intp], corner: Corner) -> bool:
        """Whether a shape there would be at most a pixel from another, and share too little to cross it."""
        if self._hits(ys, xs, corner) or self._shared(ys, xs, corner) >= CROSSING_PX:
            return False
        steps = ((-1, 0), (1, 0), (0, -1), (0, 1))
        return any(self._shared(ys, xs, (corner[0] + dx, corner[1] + dy)) for dx, dy in steps)

    def _put(self, shape: Shape, corner: Corner) -> Corner:
        mask = shape.mask
        (x, y), (height, width) = corner, mask.shape
        self._covered[y : y + height, x : x + width] += mask
        x0, y0 = max(x - GAP_PX, 0), max(y - GAP_PX, 0)
        part = np.s_[y0 : y + height + GAP_PX, x0 : x + width + GAP_PX]
        self._near[part] |= cv2.dilate(np.minimum(self._covered[part], 1), self._disc) > 0
        self._laid.append((shape, corner))
        return corner


def lay_out(
    masks: Sequence[BoolArray], blocked: BoolArray, spread: Spread, crossing: float, rng: np.random.Generator
) -> list[Corner]:
    """The upper left corner (x, y) of each mask bool (h, w), which its chromosome fills, in a frame of ``blocked`` bool
    (H, W). The share ``crossing`` of them is laid across another, and as many touch one, as far as there are any;
    frames with little room have more of both."""
    shapes = [Shape(mask, line) for mask, line in zip(masks, centre_lines(masks), strict=True)]
    layout = Layout(blocked, spread, rng)
    count = round(crossing * len(masks))
    order = rng.permutation(len(masks)).tolist()
    across, touching = order[:count], order[count : 2 * count]
    corners: dict[int, Corner] = {}
    for i in sorted(order[2 * count :], key=lambda i: -int(np.count_nonzero(masks[i]))):
        corners[i] = layout.lay_alone(shapes[i])
    for i in touching:
        corners[i] = layout.lay_touching(shapes[i])
    for i in across:
        corners[i] = layout.lay_across(shapes[i])
    return [corners[i] for i in range(len(masks))]
