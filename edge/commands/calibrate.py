"""``chromo-edge calibrate``: the scale, from a picture of a stage micrometer."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import NOMINAL_UM_PER_PX, Debug, given_path
from edge.errors import ConfigError


def calibrate(
    picture: Annotated[
        Path,
        typer.Argument(
            metavar="PICTURE", parser=given_path, help="A frame that shows the ruling, its short lines too, in focus."
        ),
    ],
    pitch_um: Annotated[
        float, typer.Option("--pitch-um", help="Distance from line to line in micrometres; most rulings have 10.")
    ] = 10.0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line instead.")] = False,
    debug: Debug = False,
) -> None:
    """Measure micrometres a pixel, for --um-per-px and the settings file, in a picture of a stage micrometer."""
    from edge.camera.files import read_frame
    from edge.camera.micrometer import find_ruling

    if not 0 < pitch_um < 10_000:
        raise ConfigError(f"--pitch-um must be between 0 and 10000 micrometres; got {pitch_um:g}")
    ruling = find_ruling(read_frame(picture, 0).pixels)
    scale = ruling.um_per_px(pitch_um)
    if not 0.4 <= scale / NOMINAL_UM_PER_PX <= 2.5:  # five times too fine where none but the long lines are in view
        typer.echo(
            f"warning: the models expect {NOMINAL_UM_PER_PX:g} µm a pixel within a factor of two and a half; got "
            f"{scale:.4f}; see "
            "that the ruling's short lines are in the picture and that --pitch-um is theirs",
            err=True,
        )
    if json:
        found = {"um_per_px": round(scale, 6), "pitch_px": round(ruling.pitch_px, 3)}
        typer.echo(jsonlib.dumps(found | {"angle_deg": round(ruling.angle_deg, 2), "repeat": round(ruling.repeat, 3)}))
        return
    typer.echo(
        f"--um-per-px {scale:.5f}   ({ruling.pitch_px:.2f} px a line, {ruling.angle_deg:.1f} degrees, "
        f"repeat {min(ruling.repeat, 1):.2f} of 1)"
    )
