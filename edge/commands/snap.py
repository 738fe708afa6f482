"""``chromo-edge snap``: one picture from the camera, of an empty field or a stage micrometer."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import (
    NOMINAL_UM_PER_PX,
    USUAL_SIZE,
    Debug,
    Exposure,
    Gain,
    Size,
    Source,
    camera_settings,
    given_path,
)
from edge.errors import ConfigError

SETTLING_FRAMES = 10
"""So many frames are passed over first, while a camera still finds its exposure."""


def snap(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", parser=given_path, help="PNG file to write; replaced if it is there.")
    ],
    source: Source = None,
    camera: Annotated[
        bool, typer.Option("--camera", show_default=False, help="May stand before SOURCE, as in: --camera /dev/video0.")
    ] = True,
    frames: Annotated[int, typer.Option(min=1, max=200, metavar="N", help="Frames whose mean is taken.")] = 8,
    exposure_us: Exposure = None,
    gain: Gain = None,
    size: Size = USUAL_SIZE,
    debug: Debug = False,
) -> None:
    """Take one picture from the camera: of an empty field for run --white, of a stage micrometer for calibrate."""
    import cv2
    import numpy as np

    from edge.camera import is_device, open_camera
    from edge.sinks.files import write_bytes

    if picture.suffix.lower() != ".png":
        raise ConfigError(f"expected a file name that ends in .png, which loses nothing; got {picture.name!r}")
    device = open_camera(source, camera_settings(NOMINAL_UM_PER_PX, exposure_us, gain, size))
    first = SETTLING_FRAMES if is_device(source) else 0
    try:
        seen = [frame.pixels for frame in islice(device.frames(), first, first + frames)]
    finally:
        device.close()
    if len({pixels.shape for pixels in seen}) != 1:
        raise ConfigError(f"{device.name}: expected frames, all of one size, got {len(seen)}; name another SOURCE")
    mean = np.rint(np.mean(seen, axis=0, dtype=np.float32)).astype(np.uint8)
    write_bytes(picture, cv2.imencode(".png", mean)[1].tobytes())
    height, width = mean.shape
    low, high = np.percentile(mean, (1, 99))
    typer.echo(
        f"{picture}: {width} x {height} px, the mean of {len(seen)} frame(s) of {device.name}, "
        f"grey levels {low:.0f} to {high:.0f}"
    )
