"""What a camera can be set to."""

from __future__ import annotations

import pytest

from edge.camera.settings import LEAST_SIDE_PX, MOST_SIDE_PX, CameraSettings, size_of
from edge.errors import ConfigError


@pytest.mark.parametrize("setting", [{"exposure_us": 0}, {"gain": -1.0}, {"gain": float("nan")}])
def test_impossible_light(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="exposure_us > 0"):
        CameraSettings(**setting)  # type: ignore[arg-type]


@pytest.mark.parametrize("size_px", [(0, 960), (1280, LEAST_SIDE_PX - 1), (MOST_SIDE_PX + 1, 960)])
def test_impossible_size(size_px: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=f"got {size_px[0]} x {size_px[1]}"):
        CameraSettings(size_px=size_px)


def test_a_size_as_people_write_it() -> None:
    assert size_of("2028x1520") == size_of("2028X1520") == (2028, 1520)


@pytest.mark.parametrize("text", ["", "2028", "2028x", "x1520", "-1x2", "2028x1520x3", "2028 x 1520", "1e3x9", "²x²"])
def test_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="WIDTHxHEIGHT"):
        size_of(text)
