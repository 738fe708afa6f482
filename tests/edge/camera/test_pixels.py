"""Grey levels of 8 bits: the range of deep ones, and the channel of colour that holds the signal."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.camera.opencv import grey_of
from edge.camera.pixels import only_channel, to_8_bit

RED, GREEN, BLUE = range(3)


def spread(ground: int, chromosomes: int, height: int = 160, width: int = 200) -> np.ndarray:
    """Bars on an even ground, a tenth of the frame."""
    levels = np.full((height, width), ground, np.uint8)
    for left in range(10, width - 10, 20):
        levels[20 : height - 20, left : left + 3] = np.linspace(chromosomes, ground, height - 40)[:, None]
    return levels


def test_one_hot_pixel_does_not_darken_a_deep_frame() -> None:
    levels = np.full((80, 96), 3000, np.uint16)
    levels[3, 3] = 65535
    assert to_8_bit(levels)[0, 0] == 255


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_read_noise_of_a_deep_dark_frame_is_not_blown_up(dtype: type) -> None:
    noise = np.random.default_rng(0).integers(0, 30, (80, 96)).astype(dtype)
    np.testing.assert_array_equal(to_8_bit(noise), noise)


@pytest.mark.parametrize("white", [0.01, 0.98, 1.0, 1.002, 1.1, 3.3, 254.7, 4095.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fractions_fill_eight_bits_wherever_their_white_is(white: float, dtype: type) -> None:
    ratios = (np.linspace(0, 1, 80 * 96).reshape(80, 96) * white).astype(dtype)
    pixels = to_8_bit(ratios)
    assert len(np.unique(pixels)) == 256
    assert pixels[40, 0] / 255 == pytest.approx(ratios[40, 0] / white, abs=0.005)


def test_an_empty_field_divided_by_itself_is_white() -> None:
    assert (to_8_bit(np.ones((80, 96), np.float32)) == 255).all()


@pytest.mark.filterwarnings("error")
def test_what_is_hardly_above_zero_is_black() -> None:
    assert not to_8_bit(np.linspace(0, 1e-44, 80 * 96, dtype=np.float32).reshape(80, 96)).any()


def test_what_a_division_by_zero_left_does_not_move_white() -> None:
    ratios = np.tile(np.linspace(0, 1.05, 96, dtype=np.float32), (80, 1))
    sound = to_8_bit(ratios)
    ratios[0, :3] = np.inf, -np.inf, np.nan
    pixels = to_8_bit(ratios)
    assert not pixels[0, :3].any()
    np.testing.assert_array_equal(pixels[1:], sound[1:])


@pytest.mark.parametrize("channel", [RED, GREEN, BLUE])
@pytest.mark.parametrize("exposure", [1.0, 0.5])
def test_pseudo_colour_keeps_its_levels_from_a_camera(channel: int, exposure: float) -> None:
    signal = (spread(4, 250) * exposure).astype(np.uint8)
    bgr = np.zeros((*signal.shape, 3), np.uint8)
    bgr[:, :, 2 - channel] = signal
    np.testing.assert_array_equal(grey_of(bgr), signal)
    bgra = np.dstack([bgr, np.full_like(signal, 255)])
    np.testing.assert_array_equal(grey_of(bgra), signal)


def test_dots_of_a_probe_do_not_count_as_signal() -> None:
    rgb = np.zeros((160, 200, 3), np.uint8)
    rgb[:, :, BLUE] = spread(4, 250)
    rgb[50:53, 50:53, RED] = 255
    rgb[90:93, 50:53, GREEN] = 255
    assert only_channel(rgb) == BLUE


@pytest.mark.parametrize("lamp", [(1, 1, 1), (1, 0.7, 0.3), (0.3, 0.6, 1), (0.3, 1, 0.3)])
def test_a_bright_field_of_a_coloured_lamp_keeps_its_luma(lamp: tuple[float, float, float]) -> None:
    bgr = (spread(230, 60)[:, :, None] * np.array(lamp)).astype(np.uint8)
    assert only_channel(bgr) is None
    np.testing.assert_array_equal(grey_of(bgr), cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY))


@pytest.mark.parametrize("level", [0, 255])
def test_a_flat_frame_has_no_channel_of_its_own(level: int) -> None:
    bgr = np.full((80, 96, 3), level, np.uint8)
    assert only_channel(bgr) is None
    assert (grey_of(bgr) == level).all()


def test_one_and_two_channels_are_grey_already() -> None:
    grey = spread(230, 60)
    for image in (grey, grey[:, :, None], np.dstack([grey, 255 - grey])):
        np.testing.assert_array_equal(grey_of(image), grey)
