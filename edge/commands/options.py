"""Options that several commands have, each the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.errors import ConfigError

NOMINAL_UM_PER_PX = 0.065
"""As in ``edge.records``, which would import numpy."""
MOST_THREADS = 256
"""More than any board has; a runtime that is given thousands fails at the model."""


def check_scale(um_per_px: float) -> None:
    if not 0.001 < um_per_px < 10:
        raise ConfigError(f"--um-per-px must be between 0.001 and 10 micrometres a pixel; got {um_per_px}")


Models = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder that holds the models, locator/ and so on (default: the models shipped)."),
]
UmPerPx = Annotated[
    float, typer.Option("--um-per-px", help="Scale of the frames, micrometres a pixel; other than 0.065 it is trusted.")
]
Threads = Annotated[int, typer.Option(min=1, max=MOST_THREADS, help="Threads that a network may use.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]
