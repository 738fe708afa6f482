"""The pitch of drawn rulings, at every angle and place, with noise, blur, uneven light, long lines among short ones."""

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


def draw_ruling(
    pitch_px: float, angle_deg: float, seed: int = 0, *, dark: bool = True, off_px: float = 0, light: float = 205
) -> np.ndarray:
    """Lines 0.2 pitches wide whose normal lies at ``angle_deg``, their middles ``off_px`` along them from the
    picture's: short ones of 260 px, every fifth of 380, every tenth of 520."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:600, 0:800].astype(np.float64)
    turn = np.radians(angle_deg)
    across = (x - 400) * np.cos(turn) + (y - 300) * np.sin(turn) + rng.uniform(0, pitch_px)
    along = -(x - 400) * np.sin(turn) + (y - 300) * np.cos(turn) - off_px
    number = np.round(across / pitch_px)
    distance = np.abs(across - number * pitch_px)
    reach = np.where(number % 10 == 0, 260, np.where(number % 5 == 0, 190, 130))
    line = np.clip(0.1 * pitch_px - distance + 0.5, 0, 1) * (np.abs(along) < reach)
    shade = light + 15 * (x / 800) - 10 * (y / 600)
    grey = shade * (1 - 0.7 * line) if dark else 30 + 150 * line
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0) + rng.normal(0, 3, grey.shape)
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


@pytest.mark.parametrize("angle_deg", [0.0, 3.7, 30.0, 45.0, 88.0, -61.0])
@pytest.mark.parametrize("pitch_px", [11.3, 38.46, 153.85])
def test_pitch_and_angle(pitch_px: float, angle_deg: float) -> None:
    ruling = find_ruling(draw_ruling(pitch_px, angle_deg))
    assert ruling.pitch_px == pytest.approx(pitch_px, rel=0.004)
    off = (ruling.angle_deg - angle_deg + 90) % 180 - 90
    assert abs(off) < 1.5


@pytest.mark.parametrize("off_px", [-330, -250, 160, 250, 330])
@pytest.mark.parametrize(
    ("pitch_px", "angle_deg"), [(15.3, 0.0), (24.0, 4.0), (24.0, 88.0), (38.46, 0.0), (38.46, -30.0)]
)
def test_a_ruling_off_the_middle(pitch_px: float, angle_deg: float, off_px: float) -> None:
    """Only its long lines reach the middle."""
    ruling = find_ruling(draw_ruling(pitch_px, angle_deg, off_px=off_px))
    assert ruling.pitch_px == pytest.approx(pitch_px, rel=0.001)


@pytest.mark.parametrize(("pitch_px", "off_px"), [(24, 400), (24, 450), (24, 480), (30, 410), (30, 420), (48, 415)])
def test_where_hardly_more_than_long_lines_are_in_view_they_are_not_taken(pitch_px: float, off_px: float) -> None:
    """Of the short lines 30 rows to none: enough to know better, too few to measure."""
    with pytest.raises(FrameError, match="to the picture's middle"):
        find_ruling(draw_ruling(pitch_px, 0, off_px=off_px))


def test_a_ruling_in_the_corner_of_a_large_picture() -> None:
    pixels = np.random.default_rng(0).normal(205, 3, (1800, 2400)).astype(np.uint8)
    pixels[-600:, -800:] = draw_ruling(15.3, 30)
    assert find_ruling(pixels).pitch_px == pytest.approx(15.3, rel=0.001)


def test_saturated_light_repeats_nothing() -> None:
    pixels = draw_ruling(24, 0, off_px=300, light=330)
    assert (pixels[:200] == 255).mean() > 0.5
    assert find_ruling(pixels).pitch_px == pytest.approx(24, rel=0.001)


def test_the_blocks_of_a_jpeg_are_no_ruling() -> None:
    _, file = cv2.imencode(".jpg", draw_ruling(38.46, 0, off_px=250), [cv2.IMWRITE_JPEG_QUALITY, 15])
    blocks = np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8)
    assert find_ruling(blocks).pitch_px == pytest.approx(38.46, rel=0.001)


@pytest.mark.parametrize("other_px", [30.0, 38.2, 48.0])
def test_two_rulings_in_one_picture_are_refused(other_px: float) -> None:
    pixels = np.concatenate([draw_ruling(24, 0, off_px=-150)[:300], draw_ruling(other_px, 0, off_px=150)[300:]])
    with pytest.raises(FrameError, match=rf"found lines 24\.0 px apart .* {other_px} px in another; move one ruling"):
        find_ruling(pixels)


@pytest.mark.parametrize(("seed", "top", "left"), [(18, 150, 0), (30, 550, 350)])
def test_a_part_of_a_metaphase_is_told_in_time(seed: int, top: int, left: int) -> None:
    """Where the further repeats lead ever nearer to the profile's start."""
    with pytest.raises(FrameError, match="found no even ruling"):
        find_ruling(draw_metaphase(seed).pixels[top : top + 100, left : left + 350])


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
    said, warned = capsys.readouterr()
    assert json.loads(said)["um_per_px"] == pytest.approx(0.1, rel=0.004)
    assert not warned
    assert main(["calibrate", str(path), "--pitch-um", "20"]) == 0
    said, warned = capsys.readouterr()
    assert said.startswith(("--um-per-px 0.19", "--um-per-px 0.20"))
    assert warned.startswith("warning: the models expect 0.065 µm a pixel within a factor of two and a half; got 0.2")
    assert "repeat 0.9" in said or "repeat 1.00" in said
    assert main(["calibrate", str(path), "--pitch-um", "0"]) == 2
