"""Which frames are fluorescence, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.locate.field import GROUND_LEVEL, STAIN_DEPTH, dark_on_bright, is_fluorescent
from edge.records import Frame, UInt8Array

Change = Callable[[UInt8Array], UInt8Array]
SEEDS = range(4)


def frame_of(pixels: UInt8Array) -> Frame:
    return Frame(pixels, 3, 1.5, "drawn.png", 0.05)


def bright_field(seed: int) -> UInt8Array:
    return draw_metaphase(seed).pixels


def glowing(seed: int, ground: int = 12, gain: float = 0.8) -> UInt8Array:
    """The same cell as DAPI would show it: what absorbed light now gives some."""
    stain = 255 - bright_field(seed).astype(np.float32)
    return np.asarray(np.clip(ground + gain * (stain - np.median(stain)), 0, 255), np.uint8)


def vignetted(pixels: UInt8Array) -> UInt8Array:
    height, width = pixels.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.asarray(pixels * (1 - 0.35 * (x**2 + y**2)), np.uint8)


def with_nuclei(level: int) -> Change:
    """Round nuclei with a texture over a fifth of the frame."""

    def change(pixels: UInt8Array) -> UInt8Array:
        rng = np.random.default_rng(0)
        where = np.zeros(pixels.shape, np.uint8)
        while where.mean() < 0.2:
            centre = tuple(int(v) for v in rng.integers(0, min(pixels.shape), 2))
            cv2.circle(where, centre, int(rng.integers(40, 90)), 1, -1)
        texture = cv2.GaussianBlur(rng.normal(level, 160, pixels.shape).astype(np.float32), (0, 0), 5)
        return np.where(where > 0, np.clip(texture, 0, 255), pixels).astype(np.uint8)

    return change


def in_eyepiece(pixels: UInt8Array) -> UInt8Array:
    seen = np.zeros_like(pixels)
    cv2.circle(seen, (pixels.shape[1] // 2, pixels.shape[0] // 2), min(pixels.shape) // 2, 1, -1)
    return pixels * seen


def noisy(pixels: UInt8Array) -> UInt8Array:
    noise = np.random.default_rng(0).normal(0, 8, pixels.shape)
    return np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)


def dim(pixels: UInt8Array) -> UInt8Array:
    return np.asarray(pixels * 0.3, np.uint8)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", [np.array, vignetted, with_nuclei(110), in_eyepiece, noisy])
def test_a_usual_bright_field_frame_is_left_as_it_is(seed: int, change: Change) -> None:
    frame = frame_of(change(bright_field(seed)))
    assert dark_on_bright(frame) is frame


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", [np.array, vignetted, with_nuclei(190), in_eyepiece, noisy, dim])
def test_a_fluorescent_frame_turns_dark_on_bright(seed: int, change: Change) -> None:
    frame = frame_of(change(glowing(seed)))
    taken = frame.pixels.copy()
    turned = dark_on_bright(frame)
    np.testing.assert_array_equal(frame.pixels, taken)
    assert np.median(turned.pixels) > 200
    assert dark_on_bright(turned) is turned
    assert turned.pixels.shape == taken.shape
    assert replace(turned, pixels=taken).um_per_px == frame.um_per_px
    assert (turned.index, turned.source, turned.captured_s) == (frame.index, frame.source, frame.captured_s)


@pytest.mark.parametrize("gain", [0.2, 0.5, 1.0])
def test_ground_and_stain_come_to_the_usual_levels_however_bright(gain: float) -> None:
    frame = frame_of(glowing(1, ground=20, gain=gain))
    stained = bright_field(1) < 0.6 * np.median(bright_field(1))
    turned = dark_on_bright(frame).pixels
    assert abs(float(np.median(turned)) - GROUND_LEVEL) < 8
    assert abs(GROUND_LEVEL - float(np.percentile(turned[stained], 25)) - STAIN_DEPTH) < 40


def pale(pixels: UInt8Array) -> UInt8Array:
    ground = float(np.median(pixels))
    return np.asarray(ground + 0.3 * (pixels - ground), np.uint8)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("change", [dim, pale, lambda p: dim(vignetted(p)), lambda p: dim(in_eyepiece(p))])
def test_a_dim_or_pale_bright_field_comes_to_the_usual_levels(seed: int, change: Change) -> None:
    cell = draw_metaphase(seed)
    usual = cell.pixels
    stained = np.zeros(usual.shape, np.bool_)
    for chromosome in cell.truth:
        x0, y0, x1, y1 = chromosome.box_px
        stained[y0:y1, x0:x1] |= chromosome.mask
    changed = frame_of(change(usual))
    came = dark_on_bright(changed)
    lit = changed.pixels > 0.5 * np.median(changed.pixels[changed.pixels > 20])
    assert abs(float(np.percentile(came.pixels[lit & ~stained], 80)) - GROUND_LEVEL) < 15
    assert abs(GROUND_LEVEL - float(np.percentile(came.pixels[stained], 25)) - STAIN_DEPTH) < 50
    assert dark_on_bright(came) is came


@pytest.mark.parametrize("level", [0, 8, 128, 255])
@pytest.mark.parametrize("noise", [0, 3])
def test_a_frame_that_shows_nothing_is_left_as_it_is(level: int, noise: int) -> None:
    pixels = np.clip(np.random.default_rng(0).normal(level, noise, (240, 320)), 0, 255).astype(np.uint8)
    frame = frame_of(pixels)
    assert dark_on_bright(frame) is frame


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (64, 64)])
def test_frames_of_any_size_are_judged(shape: tuple[int, int]) -> None:
    for pixels in (np.full(shape, 9, np.uint8), np.random.default_rng(0).integers(0, 255, shape, np.uint8)):
        assert dark_on_bright(frame_of(pixels)).pixels.shape == shape


@pytest.mark.parametrize("seed", range(4))
def test_a_bright_field_in_the_middle_of_a_black_picture_is_no_fluorescence(seed: int) -> None:
    """As a phone at the eyepiece shows it."""
    pixels = draw_metaphase(seed).pixels
    m = max(pixels.shape) // 2
    frame = Frame(cv2.copyMakeBorder(pixels, m, m, m, m, cv2.BORDER_CONSTANT, value=0), 0, 0.0, "eyepiece.png")
    assert not is_fluorescent(frame)
    assert np.median(dark_on_bright(frame).pixels[m:-m, m:-m]) > 190
