"""Whatever a network says, its maps give sound boxes in bounded time."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.locate.decode import MOST_PEAKS, Found, Maps, find_boxes
from edge.locate.grid import BOX_UNIT_PX, SHAPES, STRIDE_PX
from edge.overlap import box_iou

LARGEST_GRID = (507, 676)
"""Of a frame of 4056 x 3040 px at the nominal scale."""
LONGEST_S = 5.0
LEAST_SCORE, MOST_IOU = 0.2, 0.6


def check(found: Found) -> None:
    assert found.boxes.shape == (len(found.scores), 4)
    assert len(found.scores) <= MOST_PEAKS
    assert found.boxes.dtype == found.scores.dtype == np.float32
    assert np.isfinite(found.boxes).all()
    assert (found.boxes[:, :2] < found.boxes[:, 2:]).all()
    assert ((found.scores >= LEAST_SCORE) & (found.scores <= 1)).all()
    assert (np.diff(found.scores) <= 0).all()
    assert (np.triu(box_iou(found.boxes, found.boxes), 1) <= MOST_IOU).all()


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.1, 1.0, 5.0, 300.0]),
    st.sampled_from([-6.0, 0.0, 6.0]),
    st.sampled_from([0.0, 0.1, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_random_maps(grid: tuple[int, int], seed: int, spread: float, level: float, step: float) -> None:
    """``step``: int8 networks answer in steps, so that neighbours are often even."""
    rng = np.random.default_rng(seed)
    heat = rng.normal(level, spread, (*grid, SHAPES))
    heat = np.rint(heat / step) * step if step else heat
    box = rng.normal(1, spread, (*grid, SHAPES, 4))
    check(find_boxes(Maps(heat.astype(np.float32), box.astype(np.float32)), LEAST_SCORE, MOST_IOU))


@pytest.mark.parametrize("side", [-5.0, 0.1, 1.0, 500.0])
@pytest.mark.parametrize("level", [-9.0, 0.0, 9.0])
def test_all_off_and_all_on(level: float, side: float) -> None:
    heat = np.full((*LARGEST_GRID, SHAPES), level, np.float32)
    start = time.process_time()
    found = find_boxes(Maps(heat, np.full((*LARGEST_GRID, SHAPES, 4), side, np.float32)), LEAST_SCORE, MOST_IOU)
    assert time.process_time() - start < LONGEST_S
    check(found)
    assert (len(found.scores) > 0) == (level >= 0)


def test_noise_all_over_the_largest_grid() -> None:
    rng = np.random.default_rng(0)
    heat = rng.normal(2, 3, (*LARGEST_GRID, SHAPES)).astype(np.float32)
    start = time.process_time()
    check(find_boxes(Maps(heat, np.ones((*LARGEST_GRID, SHAPES, 4), np.float32)), LEAST_SCORE, MOST_IOU))
    assert time.process_time() - start < LONGEST_S


@given(st.integers(0, 500), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_every_object_is_found_once(count: int, seed: int) -> None:
    """``count`` boxes of random sizes, none wider than the three cells between their centres."""
    rng = np.random.default_rng(seed)
    places: npt.NDArray[np.intp] = np.stack(np.mgrid[1:100:3, 1:100:3], axis=-1).reshape(-1, 2)
    places = places[rng.permutation(len(places))[:count]]
    shapes = rng.integers(0, SHAPES, count)
    heat = np.full((100, 100, SHAPES), -9, np.float32)
    box = np.zeros((100, 100, SHAPES, 4), np.float32)
    heat[places[:, 0], places[:, 1], shapes] = rng.uniform(0, 9, count)
    sides = rng.uniform(2, 6, (count, 4)) / BOX_UNIT_PX
    box[places[:, 0], places[:, 1], shapes] = sides
    found = find_boxes(Maps(heat, box), LEAST_SCORE, MOST_IOU)
    check(found)
    middles = (places[:, ::-1] + 0.5) * STRIDE_PX
    true = np.concatenate([middles - sides[:, :2] * BOX_UNIT_PX, middles + sides[:, 2:] * BOX_UNIT_PX], axis=1)
    assert len(found.boxes) == count
    np.testing.assert_allclose(np.sort(found.boxes, axis=0), np.sort(true, axis=0), atol=1e-3)
