"""Chromosomes drawn alone: upright, banded by the table, bent without losing their measure."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bands import centromere, load_bands
from edge.camera.ideogram import SHAPE_LEVEL, Look, bend, draw_ideogram, relative_length
from edge.records import LABELS

PLAIN = Look(resolution=400, sharpness_px=0.5, grain=0.0, chromatid_gap=0.0, waist=0.3)


@pytest.mark.parametrize("label", LABELS)
def test_shape_and_range(label: str) -> None:
    picture = draw_ideogram(label, 140 * relative_length(label), 17, np.random.default_rng(0))
    assert picture.dtype == np.float32
    assert picture.shape == (round(140 * relative_length(label)), 17)
    assert picture.min() == 0
    assert 0.3 < picture.max() <= 1
    assert (picture[:, 8] > SHAPE_LEVEL).all()


@pytest.mark.parametrize("label", ["1", "4", "7", "11", "13", "18", "X"])
def test_bands_are_where_the_table_says(label: str) -> None:
    length = 400
    picture = draw_ideogram(label, length, 31, np.random.default_rng(0), PLAIN)
    rows = picture[:, 13:18].mean(axis=1)
    bands = load_bands(400)[label]

    def level(stain: str, density: int) -> list[float]:
        scale = length / bands[-1].stop
        wide = [b for b in bands if (b.stain, b.density) == (stain, density) and (b.stop - b.start) * scale > 10]
        return [float(rows[round((b.start + b.stop) / 2 * scale)]) for b in wide]

    assert min(level("gpos", 100)) > max(level("gneg", 0)) + 0.2


def test_p_arm_is_up() -> None:
    bands = load_bands(400)["18"]  # short arm 28 % of the length
    picture = draw_ideogram("18", 200, 41, np.random.default_rng(0), PLAIN)
    width = (picture > SHAPE_LEVEL).sum(axis=1)
    waist = 20 + int(np.argmin(width[20:-20]))
    assert waist == pytest.approx(200 * centromere(bands) / bands[-1].stop, abs=4)


def test_same_seed_same_drawing() -> None:
    one, same, other = (draw_ideogram("7", 90, 16, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_unbent_and_unturned_is_the_drawing_itself() -> None:
    straight = draw_ideogram("7", 90, 16, np.random.default_rng(0))
    down = bend(straight, np.random.default_rng(0), amount=0.0, turn_rad=np.pi / 2)
    assert down.axis_px[0, 1] < down.axis_px[-1, 1]
    x, y = down.axis_px[:, 0].mean(), down.axis_px[:, 1]
    row = np.rint(y[45]).astype(int)
    np.testing.assert_allclose(down.absorbance[row, round(float(x))], straight[45, 7:9].mean(), atol=0.15)
    assert abs(down.absorbance.sum() / straight.sum() - 1) < 0.02


def test_a_chromosome_of_more_pixels_than_opencv_remaps_at_once() -> None:
    bent = bend(np.ones((700, 60), np.float32), np.random.default_rng(0), amount=0.0, turn_rad=np.pi / 2)
    assert bent.absorbance.sum() == pytest.approx(700 * 60, rel=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_bending_keeps_length_and_stain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    straight = draw_ideogram("2", 134, 17, rng)
    bent = bend(straight, rng, amount=1.3)
    length = np.linalg.norm(np.diff(bent.axis_px, axis=0), axis=1).sum()
    assert length == pytest.approx(133, rel=0.03)
    assert bent.absorbance.sum() == pytest.approx(float(straight.sum()), rel=0.12)
    x, y = np.rint(bent.axis_px[3:-3]).astype(int).T
    assert bent.mask[y, x].all()
    assert not any(side.any() for side in (bent.mask[0], bent.mask[-1], bent.mask[:, 0], bent.mask[:, -1]))


def test_axis_begins_at_the_p_end() -> None:
    ramp = np.repeat(np.linspace(0.2, 1.0, 120, dtype=np.float32)[:, None], 15, axis=1)  # pale top, dark foot
    bent = bend(ramp, np.random.default_rng(2))
    x, y = np.rint(bent.axis_px).astype(int).T
    assert bent.absorbance[y[5], x[5]] < 0.35 < 0.85 < bent.absorbance[y[-6], x[-6]]


@pytest.mark.parametrize("turn", [0.0, 1.0, -2.5])
def test_turn_is_the_direction_of_the_q_end(turn: float) -> None:
    bent = bend(draw_ideogram("3", 110, 16, np.random.default_rng(1)), np.random.default_rng(1), 1.0, turn)
    dx, dy = bent.axis_px[-1] - bent.axis_px[0]
    assert np.arctan2(dy, dx) == pytest.approx(turn, abs=1e-3)
