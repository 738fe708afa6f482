"""How a camera is set when it is opened."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edge.errors import ConfigError
from edge.records import NOMINAL_UM_PER_PX

USUAL_SIZE_PX = (1280, 960)
LEAST_SIDE_PX, MOST_SIDE_PX = 64, 16_384


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """``um_per_px``: the scale of its frames. ``exposure_us`` and ``gain`` (in the driver's own units): None leaves
    them to the camera. ``size_px`` (width, height) is a wish: drivers take their nearest.

    ``ConfigError`` for what no camera can have.
    """

    um_per_px: float = NOMINAL_UM_PER_PX
    exposure_us: int | None = None
    gain: float | None = None
    size_px: tuple[int, int] = USUAL_SIZE_PX

    def __post_init__(self) -> None:
        exposure_us, gain = self.exposure_us, self.gain
        if (exposure_us is not None and exposure_us <= 0) or (gain is not None and not 0 <= gain < math.inf):
            raise ConfigError(f"expected exposure_us > 0 and gain >= 0, got exposure_us {exposure_us} and gain {gain}")
        if not all(LEAST_SIDE_PX <= side <= MOST_SIDE_PX for side in self.size_px):
            width, height = self.size_px
            raise ConfigError(
                f"expected pictures of {LEAST_SIDE_PX} to {MOST_SIDE_PX} px a side, got {width} x {height}; ask for "
                "one of the camera's own sizes"
            )


def size_of(text: str) -> tuple[int, int]:
    """(width, height) of ``2028x1520``. ``ValueError`` for anything else."""
    width, between, height = text.lower().partition("x")
    if not (between and width.isascii() and width.isdecimal() and height.isascii() and height.isdecimal()):
        raise ValueError(f"expected WIDTHxHEIGHT in pixels, as in 2028x1520; got {text!r}")
    return int(width), int(height)


USUAL = CameraSettings()
