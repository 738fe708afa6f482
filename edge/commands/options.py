"""Options that several commands have, each the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import ConfigError

if TYPE_CHECKING:
    from edge.camera.settings import CameraSettings

NOMINAL_UM_PER_PX = 0.065
"""The same as in ``edge.records``, which would import numpy."""
MOST_THREADS = 256
"""More than any board has; a runtime that is given thousands fails at the model."""


def given_path(word: str) -> Path:
    """``word`` as a path. An empty one, as of an unset variable, is refused: ``Path`` takes it for this folder."""
    if "\0" in word:  # as a settings file may have
        raise typer.BadParameter("expected a path, got one with a zero byte, which no file has")
    if not word:
        raise typer.BadParameter("expected a path, got an empty word; the current folder is '.'")
    return Path(word)


def check_scale(um_per_px: float) -> None:
    # A frame's bounds, less what lies beyond them where it is read larger or smaller, too (``edge.locate.ways``).
    if not 0.002 <= um_per_px <= 9:
        raise ConfigError(f"--um-per-px must be between 0.002 and 9 micrometres a pixel; got {um_per_px}")


def camera_settings(um_per_px: float, exposure_us: int | None, gain: float | None, size: str) -> CameraSettings:
    """``ConfigError`` for what no camera can have."""
    from edge.camera.settings import CameraSettings, size_of

    try:
        return CameraSettings(um_per_px, exposure_us, gain, size_of(size))
    except ValueError as error:
        raise ConfigError(f"--size: {error}") from None


Models = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        parser=given_path,
        help="Folder that holds the models, locator/ and so on (default: the models shipped).",
    ),
]
UmPerPx = Annotated[
    float,
    typer.Option(
        "--um-per-px", help="Scale of the frames, micrometres a pixel. 0.065 counts as not known, any other is trusted."
    ),
]
Source = Annotated[
    str | None,
    typer.Argument(
        metavar="SOURCE",
        help="sim, picamera2, csi, genicam (picamera2:1 is the second), /dev/video0, a folder, a video (default: the "
        "first that answers).",
        show_default=False,
    ),
]
Exposure = Annotated[int | None, typer.Option("--exposure-us", min=1, help="Exposure time in microseconds.")]
Gain = Annotated[float | None, typer.Option("--gain", help="Analogue gain of the sensor.")]
Size = Annotated[
    str,
    typer.Option(
        "--size", metavar="WIDTHxHEIGHT", help="Size of the camera's pictures, in pixels; it takes its nearest."
    ),
]
USUAL_SIZE = "1280x960"
"""The same as in ``edge.camera.settings``, which would import numpy."""
Threads = Annotated[int, typer.Option(min=1, max=MOST_THREADS, help="Threads that a network may use.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]
