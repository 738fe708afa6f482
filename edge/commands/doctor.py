"""``chromo-edge doctor``: what this board has, what is missing, and the mend."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import Debug, given_path
from edge.text import printable

_COLOURS = {"ok": "green", "warning": "yellow", "fail": "red"}


def doctor(
    camera: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Open this camera too, and take a frame: /dev/video0, csi ...")
    ] = None,
    delegate: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compute a picture on this accelerator too: edgetpu or gpu.")
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(metavar="DIR", parser=given_path, help="Folder that holds the models, locator/ and so on."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead.")] = False,
    debug: Debug = False,
) -> None:
    """Say what this board has, what is missing, and how to put it right. Exit code 1 when something fails."""
    from edge.board.doctor import examine

    checks = examine(models, camera, delegate)
    if json:
        typer.echo(jsonlib.dumps([check.to_json() for check in checks], indent=1))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            state = typer.style(f"{check.state:<7}", fg=_COLOURS[check.state])
            typer.echo(f"{state} {check.name:<{width}}  {printable(check.said)}")
            if check.mend and check.state != "ok":
                typer.echo(f"{'':8}{'':{width}}  -> {printable(check.mend)}")
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)
