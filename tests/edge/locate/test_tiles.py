"""Tiles: each place answered once, chromosomes whole in some tile, no more of them than needed."""

from __future__ import annotations

import numpy as np
import pytest

from edge.locate.grid import STRIDE_PX
from edge.locate.tiles import LEAST_OVERLAP_PX, _starts, put, tiles
from edge.records import Float32Array


@pytest.mark.parametrize("side", [(512, 512), (128, 128), (96, 160)])
def test_tiles_answer_for_every_place_exactly_once(side: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    sizes = {(max(side[0], h * STRIDE_PX), max(side[1], w * STRIDE_PX)) for h, w in rng.integers(1, 230, (60, 2))}
    sizes |= {side, (side[0] + 8, side[1]), (side[0], side[1] + 8), (side[0] * 2, side[1] * 3)}
    for shape in sizes:
        answered = np.zeros((shape[0] // STRIDE_PX, shape[1] // STRIDE_PX), int)
        for (y, x), (y0, x0, y1, x1) in tiles(shape, side):
            assert 0 <= y <= y0 < y1 <= y + side[0] <= shape[0]
            assert 0 <= x <= x0 < x1 <= x + side[1] <= shape[1]
            assert all(v % STRIDE_PX == 0 for v in (y, x, y0, x0, y1, x1))
            answered[y0 // STRIDE_PX : y1 // STRIDE_PX, x0 // STRIDE_PX : x1 // STRIDE_PX] += 1
        assert (answered == 1).all(), shape


def test_a_network_that_answers_its_own_place_gives_the_place() -> None:
    shape, side = (1040, 712), (512, 512)
    rows, cols = np.mgrid[: shape[0] // STRIDE_PX, : shape[1] // STRIDE_PX].astype(np.float32)
    place = np.stack([rows, cols], axis=-1)
    outputs: dict[str, Float32Array] = {}
    for (y, x), inner in tiles(shape, side):
        top, left = y // STRIDE_PX, x // STRIDE_PX
        put(outputs, "heat", place[top : top + 512 // STRIDE_PX, left : left + 512 // STRIDE_PX], (y, x), inner, shape)
    np.testing.assert_array_equal(outputs["heat"], place)


def test_neighbouring_tiles_share_a_chromosomes_length_and_are_no_more_than_needed() -> None:
    for length in range(520, 3000, STRIDE_PX):
        starts = _starts(length, 512)
        shared = 512 - np.diff(starts)
        assert (shared >= LEAST_OVERLAP_PX - STRIDE_PX).all()  # starts lie on the grid
        assert starts[0] == 0
        assert starts[-1] == length - 512
        fewer = len(starts) - 1
        assert fewer == 1 or 512 * fewer - LEAST_OVERLAP_PX * (fewer - 1) < length
    assert _starts(512, 512) == [0]
