"""A picture of an empty field or a stage micrometer, taken with the camera itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.camera.flatfield import read_flat_field
from edge.cli import main


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """Four frames of an empty field, with noise."""
    folder = tmp_path / "field"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(4):
        pixels = np.full((90, 120), 200) + rng.integers(-20, 21, (90, 120))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{k}.png")
    return folder


def test_the_mean_of_its_frames_is_a_white_reference(
    field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    white = tmp_path / "white.png"
    assert main(["snap", str(white), "--camera", str(field), "--frames", "4"]) == 0
    said = capsys.readouterr().out
    assert f"{white}: 120 x 90 px, the mean of 4 frame(s)" in said
    frames = np.stack([np.asarray(Image.open(path)) for path in sorted(field.iterdir())]).astype(np.float64)
    np.testing.assert_allclose(np.asarray(Image.open(white)), frames.mean(0), atol=0.5)
    assert read_flat_field(white)(np.asarray(Image.open(white))).shape == (90, 120)


def test_the_simulated_scope_needs_no_hardware(tmp_path: Path) -> None:
    assert main(["snap", str(tmp_path / "a.png"), "--camera", "sim", "--frames", "1"]) == 0
    assert np.asarray(Image.open(tmp_path / "a.png")).dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "words", "code", "said"),
    [
        ("white.jpg", (), 2, "ends in .png"),
        ("no/such/folder/white.png", (), 7, "cannot write"),
        ("white.png", ("--size", "big"), 2, "WIDTHxHEIGHT"),
        ("white.png", ("--size", "1x1"), 2, "64 to 16384 px"),
    ],
)
def test_what_cannot_be_is_one_line(
    field: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    assert main(["snap", str(tmp_path / name), "--camera", str(field), *words]) == code
    err = capsys.readouterr().err
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_frames_of_several_sizes_have_no_mean(field: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((80, 120), 200, np.uint8)).save(field / "z.png")
    assert main(["snap", str(tmp_path / "white.png"), "--camera", str(field)]) == 2
    assert "all of one size" in capsys.readouterr().err
    assert not (tmp_path / "white.png").exists()
