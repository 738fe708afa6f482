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


def test_two_lines_are_too_few() -> None:
    with pytest.raises(FrameError):
        find_ruling(draw_ruling(420, 0))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ruling.png"
    Image.fromarray(draw_ruling(100, 5)).save(path)
    assert main(["calibrate", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["um_per_px"] == pytest.approx(0.1, rel=0.004)
    assert main(["calibrate", str(path), "--pitch-um", "20"]) == 0
    assert capsys.readouterr().out.startswith(("--um-per-px 0.19", "--um-per-px 0.20"))
    assert main(["calibrate", str(path), "--pitch-um", "0"]) == 2
