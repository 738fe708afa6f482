"""A picture larger than a network's input, in overlapping tiles of that size: where two overlap, each answers for the
half that is nearer to its middle.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge.locate.grid import STRIDE_PX
from edge.records import Float32Array

LEAST_OVERLAP_PX = 160
"""A chromosome's reach at the locator's scale: each is whole in some tile."""
Shape = tuple[int, int]
"""Height and width."""


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin: evenly spread, on the output grid, overlapping enough."""
    if length <= side:
        return [0]
    count = 1 + -(-(length - side) // (side - _overlap(side)))
    return [round(k * (length - side) / (count - 1) / STRIDE_PX) * STRIDE_PX for k in range(count)]


def held(length: int, side: int) -> int:
    """The most that as many tiles hold as are needed for ``length``."""
    return side + (len(_starts(length, side)) - 1) * (side - _overlap(side))


def tile_count(shape: Shape, side: Shape) -> int:
    """How many tiles a picture of ``shape`` (H, W) has."""
    return len(_starts(shape[0], side[0])) * len(_starts(shape[1], side[1]))


def tiles(shape: Shape, side: Shape) -> Iterator[tuple[tuple[int, int], tuple[int, int, int, int]]]:
    """Each tile's corner (y, x) and the part of the canvas that it answers for (y0, x0, y1, x1)."""
    ys, xs = _starts(shape[0], side[0]), _starts(shape[1], side[1])
    for i, y in enumerate(ys):
        for j, x in enumerate(xs):
            y0 = 0 if i == 0 else _seam(ys[i - 1] + side[0], y)
            x0 = 0 if j == 0 else _seam(xs[j - 1] + side[1], x)
            y1 = shape[0] if i == len(ys) - 1 else _seam(y + side[0], ys[i + 1])
            x1 = shape[1] if j == len(xs) - 1 else _seam(x + side[1], xs[j + 1])
            yield (y, x), (y0, x0, y1, x1)


def _overlap(side: int) -> int:
    return min(LEAST_OVERLAP_PX, side // 2)


def _seam(end: int, start: int) -> int:
    return (start + end) // 2 // STRIDE_PX * STRIDE_PX


def put(
    outputs: dict[str, Float32Array],
    name: str,
    cells: Float32Array,
    corner: Shape,
    inner: tuple[int, int, int, int],
    shape: Shape,
) -> None:
    """A tile's answer ``cells``, for the part ``inner`` of a canvas of ``shape``, into the output ``name``."""
    if name not in outputs:
        outputs[name] = np.zeros((shape[0] // STRIDE_PX, shape[1] // STRIDE_PX, cells.shape[-1]), np.float32)
    y0, x0, y1, x1 = (v // STRIDE_PX for v in inner)
    y, x = corner[0] // STRIDE_PX, corner[1] // STRIDE_PX
    outputs[name][y0:y1, x0:x1] = cells[y0 - y : y1 - y, x0 - x : x1 - x]
