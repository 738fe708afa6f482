"""The pitch of drawn rulings, at every angle, with noise, blur, uneven light and long lines among short ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.camera.metaphase import draw_metaphase
from edge.camera.micrometer import find_ruling
from edge.cli import main
from edge.errors import FrameError


def draw_ruling(pitch_px: float, angle_deg: float, seed: int = 0, *, dark: bool = True) -> np.ndarray:
    """Lines 0.2 pitches wide whose normal lies at ``angle_deg``; every tenth is long, every fifth half as long."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:600, 0:800].astype(np.float64)
    turn = np.radians(angle_deg)
    across = (x - 400) * np.cos(turn) + (y - 300) * np.sin(turn) + rng.uniform(0, pitch_px)
    along = -(x - 400) * np.sin(turn) + (y - 300) * np.cos(turn)
    number = np.round(across / pitch_px)
    distance = np.abs(across - number * pitch_px)
    reach = np.where(number % 10 == 0, 260, np.where(number % 5 == 0, 190, 130))
    line = np.clip(0.1 * pitch_px - distance + 0.5, 0, 1) * (np.abs(along) < reach)
    light = 205 + 15 * (x / 800) - 10 * (y / 600)
    grey = light * (1 - 0.7 * line) if dark else 30 + 150 * line
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0) + rng.normal(0, 3, grey.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("angle_deg", [0.0, 3.7, 30.0, 45.0, 88.0, -61.0])
@pytest.mark.parametrize("pitch_px", [11.3, 38.46, 153.85])
def test_pitch_and_angle(pitch_px: float, angle_deg: float) -> None:
    ruling = find_ruling(draw_ruling(pitch_px, angle_deg))
    assert ruling.pitch_px == pytest.approx(pitch_px, rel=0.004)
    off = (ruling.angle_deg - angle_deg + 90) % 180 - 90
    assert abs(off) < 1.5


def test_bright_lines_on_dark() -> None:
    assert find_ruling(draw_ruling(40, 10, dark=False)).pitch_px == pytest.approx(40, rel=0.004)


def test_scale() -> None:
    assert find_ruling(draw_ruling(153.85, 2)).um_per_px(10) == pytest.approx(0.065, rel=0.004)


@pytest.mark.parametrize("seed", range(3))
def test_a_metaphase_is_no_ruling(seed: int) -> None:
    with pytest.raises(FrameError, match="expected a picture of a stage micrometer"):
        find_ruling(draw_metaphase(seed).pixels)


def test_nothing_is_no_ruling() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8)
    for pixels in (noise, np.full((480, 640), 200, np.uint8)):
        with pytest.raises(FrameError):
            find_ruling(pixels)


def draw_sheet(seed: int, tile_px: tuple[int, int]) -> np.ndarray:
    """Ten rows of a dozen dark bars on light tiles of (width, height), as a sheet of chromosomes."""
    rng = np.random.default_rng(seed)
    width, height = tile_px
    sheet = np.full((10 * (height + 20), 12 * (width + 6)), 245, np.uint8)
    for row in range(10):
        for column in range(12):
            x, y = column * (width + 6), row * (height + 20)
            sheet[y : y + height, x : x + width] = 205
            half = int(rng.integers(height // 6, height // 2))
            bands = np.repeat(rng.integers(60, 160, half), 2)[: 2 * half]
            sheet[y + height // 2 - half : y + height // 2 + half, x + width // 3 : x + 2 * width // 3] = bands[:, None]
    return sheet


@pytest.mark.parametrize("tile_px", [(32, 128), (64, 96), (40, 80)])
def test_a_sheet_of_pictures_is_no_ruling(tile_px: tuple[int, int]) -> None:
    for seed in range(3):
        with pytest.raises(FrameError, match="repeats along its lines too"):
            find_ruling(draw_sheet(seed, tile_px))


def test_a_doubtful_repeat_is_refused() -> None:
    rng = np.random.default_rng(1)
    pixels = draw_ruling(40, 3).astype(float)
    cover = cv2.GaussianBlur(rng.normal(0, 1, pixels.shape), (0, 0), 12)
    assert find_ruling(pixels.astype(np.uint8)).repeat > 0.95
    spoilt = np.clip(pixels + 70 * cover / cover.std(), 0, 255).astype(np.uint8)
    with pytest.raises(FrameError, match=r"no even ruling \(repeat 0\.[67]\d, expected 0\.8\)"):
        find_ruling(spoilt)


def test_two_lines_are_too_few() -> None:
    with pytest.raises(FrameError):
        find_ruling(draw_ruling(420, 0))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ruling.png"
    Image.fromarray(draw_ruling(100, 5)).save(path)
    assert main(["calibrate", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["um_per_px"] == pytest.approx(0.1, rel=0.004)
    assert main(["calibrate", str(path), "--pitch-um", "20"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(("--um-per-px 0.19", "--um-per-px 0.20"))
    assert "repeat 0.9" in said or "repeat 1.00" in said
    assert main(["calibrate", str(path), "--pitch-um", "0"]) == 2
