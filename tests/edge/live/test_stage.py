"""Movement is told from noise, and each rest of the stage is a scene of its own."""

from __future__ import annotations

import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.camera.simulated import SimulatedCamera
from edge.live.stage import MOVING, Stage
from edge.records import Frame, UInt8Array
from tests.builders import make_frame


def blobs(shift_px: int = 0, *, index: int = 0, noise: float = 2.0) -> Frame:
    pixels = np.full((240, 320), 210, np.uint8)
    for x in range(20, 300, 40):
        pixels[60:120, (x + shift_px) % 300 : (x + shift_px) % 300 + 12] = 60
    return noisy(pixels, index, noise)


def noisy(pixels: UInt8Array, index: int, sigma: float = 2.0) -> Frame:
    noise = np.random.default_rng(index).normal(0, sigma, pixels.shape)
    return Frame(np.clip(pixels + noise, 0, 255).astype(np.uint8), index, float(index), "blobs")


def test_a_still_stage_is_one_scene() -> None:
    stage = Stage()
    assert [stage.seen(blobs(index=k)) for k in range(5)] == [MOVING, 1, 1, 1, 1]


def test_a_jump_ends_the_scene_and_rest_begins_the_next() -> None:
    stage = Stage()
    shifts = [0, 0, 0, 15, 30, 30, 30]
    assert [stage.seen(blobs(s, index=k)) for k, s in enumerate(shifts)] == [MOVING, 1, 1, MOVING, MOVING, 2, 2]
    assert [stage.scene_of(k) for k in range(7)] == [MOVING, 1, 1, MOVING, MOVING, 2, 2]
    assert stage.scene == 2


def test_a_slow_drift_does_not_pass_as_standing_still() -> None:
    stage = Stage()
    scenes = [stage.seen(blobs(k // 3, index=k)) for k in range(45)]
    assert len(set(scenes)) > 2


def test_a_cell_that_moves_in_a_large_clear_field() -> None:
    """Of the whole frame it changes as little as the lamp and the focus do."""
    cell = draw_metaphase(5, crowding=0.2).pixels
    stage, scenes = Stage(), []
    for index, shift in enumerate((0, 0, 0, 8, 8)):
        field = np.full((1520, 2028), np.median(cell), np.uint8)
        field[400:1100, 700 + shift : 1400 + shift] = cell
        scenes.append(stage.seen(noisy(field, index)))
    assert scenes == [MOVING, 1, 1, MOVING, 2]


def test_the_noise_of_dim_fluorescence_is_no_movement() -> None:
    cell = draw_metaphase(5, crowding=0.2).pixels
    glow = 2 + 0.3 * np.clip(np.median(cell) - cell.astype(np.float32), 0, None)
    stage = Stage()
    shown = (noisy(np.roll(glow, shift, 1), k, 3.0) for k, shift in enumerate((0, 0, 0, 8, 8)))
    assert [stage.seen(frame) for frame in shown] == [MOVING, 1, 1, MOVING, 2]


def test_neither_the_lamp_nor_noise_is_movement() -> None:
    stage = Stage()
    pixels = blobs(noise=0).pixels
    dimmed = [(pixels * (1 - 0.02 * k)).astype(np.uint8) for k in range(4)]
    assert [stage.seen(noisy(p, k, 4.0)) for k, p in enumerate(dimmed)][1:] == [1, 1, 1]


def test_after_an_interruption_nothing_is_taken_for_the_same() -> None:
    stage = Stage()
    for k in range(3):
        stage.seen(blobs(index=k))
    stage.interrupted()
    assert stage.scene == MOVING
    assert [stage.seen(blobs(index=k)) for k in (3, 4)] == [MOVING, 2]


def test_a_frame_of_another_size_is_movement() -> None:
    stage = Stage()
    for k in range(3):
        stage.seen(make_frame(index=k))
    assert stage.seen(make_frame(480, 640, index=3)) == MOVING


def test_an_unknown_frame_has_no_scene() -> None:
    assert Stage().scene_of(7) == MOVING


def test_a_frame_long_gone_is_forgotten_and_no_other() -> None:
    stage = Stage()
    for k in range(1000):
        stage.seen(make_frame(16, 16, index=k))
    assert [stage.scene_of(k) for k in (1, 500, 900, 999)] == [MOVING, MOVING, 1, 1]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_simulated_scope(seed: int) -> None:
    """Every frame but the first of each rest is told right; the first looks like the end of the movement."""
    camera = SimulatedCamera(seed=seed, fps=0, hold_s=1.0, move_s=0.4, size_px=(400, 400))
    stage = Stage()
    told, truth = [], []
    for index in range(28):
        told.append(stage.seen(camera.frame(index)) != MOVING)
        truth.append(camera.cell_of(index) is not None)
    for k in range(1, 28):
        expected = truth[k] and truth[k - 1]
        assert told[k] == expected, k
