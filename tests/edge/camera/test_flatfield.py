"""A shaded, dusty field becomes even, and references that cannot be used are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.camera.flatfield import FlatField, FlatFieldCamera, read_flat_field
from edge.camera.simulated import SimulatedCamera
from edge.errors import ConfigError


def shading(height: int = 120, width: int = 160) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    white = 220 - 60 * (x**2 + y**2) / 2
    white[50:60, 70:80] -= 40  # dust on the sensor
    return white


def test_what_the_lamp_does_is_divided_out() -> None:
    rng = np.random.default_rng(0)
    white = shading()
    stain = np.ones_like(white)
    stain[20:40, 30:35] = 0.4
    seen = np.clip(white * stain + rng.normal(0, 1, white.shape), 0, 255).astype(np.uint8)
    flat = FlatField(white.astype(np.uint8))
    even = flat(seen)
    empty = even[60:, :60].astype(float)
    assert empty.std() < 2 < 5 < seen[60:, :60].std()
    assert even[25:35, 31:34].mean() / empty.mean() == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("level", [10, 255])
def test_a_reference_too_dark_or_saturated(level: int) -> None:
    with pytest.raises(ConfigError, match="expected a white reference between 40 and 252"):
        FlatField(np.full((50, 60), level, np.uint8))


def test_another_size_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected frames of 160 x 120 px.*got 10 x 20"):
        FlatField(shading().astype(np.uint8))(np.zeros((20, 10), np.uint8))


def test_a_camera_is_corrected(tmp_path: Path) -> None:
    scope = SimulatedCamera(fps=0, size_px=(300, 320))
    Image.fromarray(shading(300, 320).astype(np.uint8)).save(tmp_path / "white.png")
    flat = read_flat_field(tmp_path / "white.png")
    camera = FlatFieldCamera(scope, flat)
    frame = next(iter(camera.frames()))
    camera.close()
    np.testing.assert_array_equal(frame.pixels, flat(scope.frame(0).pixels))
    assert camera.name == "sim"


def written(path: Path, levels: np.ndarray) -> Path:
    Image.fromarray(levels).save(path)
    return path


@pytest.mark.parametrize("white", [3000, 60000])
def test_a_reference_of_over_8_bits(tmp_path: Path, white: int) -> None:
    """The mean of many pictures, which has hardly any noise, and a hot pixel, corrects as one of 8 bits does."""
    levels = shading() * white / 220
    levels[20, 20] = 65535
    flat = read_flat_field(written(tmp_path / "white.tif", levels.astype(np.uint16)))
    seen = shading().astype(np.uint8)
    far = np.hypot(*(np.mgrid[:120, :160] - 20)) > 8
    assert np.abs(flat(seen).astype(int) - FlatField(seen)(seen))[far].max() <= 1


@pytest.mark.parametrize("levels", [np.minimum(shading() * 20, 4095), shading() * 0, shading() * np.nan])
def test_a_reference_of_over_8_bits_that_is_saturated_dark_or_none(tmp_path: Path, levels: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="expected a white reference between 40 and 252"):
        read_flat_field(written(tmp_path / "white.tif", levels.astype(np.float32)))
