"""The light behind the chromosomes is read off the frame, uneven as it is."""

from __future__ import annotations

import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.locate.background import absorption_of, background_of
from edge.records import Frame


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (15, 16), (16, 17), (64, 48), (333, 201)])
def test_an_even_frame_is_its_own_background(shape: tuple[int, int]) -> None:
    ground = background_of(np.full(shape, 187, np.uint8))
    assert ground.dtype == np.uint8
    np.testing.assert_array_equal(ground, np.full(shape, 187, np.uint8))


def test_chromosomes_leave_no_trace() -> None:
    frame = np.full((300, 300), 200, np.uint8)
    frame[50:200, 60:78] = 70
    frame[120:138, 30:180] = 90
    frame[230:262, 200:216] = 60
    np.testing.assert_array_equal(background_of(frame), np.full((300, 300), 200, np.uint8))


def test_a_slope_of_light_is_followed() -> None:
    slope = np.linspace(120, 240, 480)
    frame = np.tile(np.rint(slope).astype(np.uint8), (320, 1))
    frame[100:180, 200:216] //= 3
    ground = background_of(frame).astype(float)
    # The neighbourhood's brightest cell is up to two cells of 16 px towards the light, its level its brightest quarter.
    ahead = ground - slope
    assert ahead.min() > -1.5
    assert ahead.max() < 3.5 * 16 * 120 / 480 + 3
    assert (np.diff(ground[160]) >= 0).all()


def test_a_large_nucleus_stays_dark() -> None:
    frame = np.full((400, 400), 210, np.uint8)
    ys, xs = np.mgrid[:400, :400]
    frame[np.hypot(ys - 200, xs - 200) < 100] = 120
    ground = background_of(frame)
    assert ground[200, 200] < 130
    assert ground[20, 20] == 210


def test_dark_pixels_of_a_drawn_cell_are_its_chromosomes() -> None:
    """Divided by its background, the frame tells chromosome from ground."""
    for seed in range(3):
        drawn = draw_metaphase(seed, size_px=(560, 600))
        mask = np.zeros(drawn.pixels.shape, bool)
        for t in drawn.truth:
            x0, y0, x1, y1 = t.box_px
            mask[y0:y1, x0:x1] |= t.mask
        passed = drawn.pixels / np.maximum(background_of(drawn.pixels), 1).astype(float)
        assert np.median(passed[~mask]) > 0.9
        assert np.median(passed[mask]) < 0.8


def test_absorption_is_the_share_of_light_that_is_missing() -> None:
    pixels = np.full((64, 64), 200, np.uint8)
    pixels[20:40, 30:36] = 50
    pixels[50, 50] = 230  # lighter than the ground: nothing is absorbed
    absorbed = absorption_of(Frame(pixels, 0, 0.0, "a.png"))
    expected = np.zeros((64, 64))
    expected[20:40, 30:36] = 0.75
    np.testing.assert_allclose(absorbed, expected, atol=1e-6)


def test_each_frame_has_its_own_absorption_and_nobody_writes_into_it() -> None:
    light, dark = (Frame(np.full((64, 64), level, np.uint8), 0, 0.0, "a.png") for level in (200, 0))
    assert absorption_of(light).max() == 0
    assert absorption_of(dark).min() == 1
    assert absorption_of(light).max() == 0
    with pytest.raises(ValueError, match="read-only"):
        absorption_of(light)[0, 0] = 1
