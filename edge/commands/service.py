"""``chromo-edge install-service``: labels and the live page from power-on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import Debug
from edge.config import user_name
from edge.errors import ConfigError


def install_service(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="Words for chromo-edge run, after --: -- --camera /dev/video0"),
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Who it runs as (default: you).")] = None,
    listen: Annotated[
        list[str] | None, typer.Option(metavar="NETWORK", help="Who else may connect, as 192.168.1.0/24. Repeatable.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it without asking.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only show the unit.")] = False,
    debug: Debug = False,
) -> None:
    """Run with its page from power-on: shows the systemd unit, asks, writes it and starts it. Needs root (sudo)."""
    from edge.board.service import UNIT_PATH, unit_text

    program = [sys.executable, "-m", "edge.cli", "run", *(words or [])]
    who = user or os.environ.get("SUDO_USER") or user_name()
    if not who:
        raise ConfigError(f"user {os.getuid()} has no name on this system; say who it runs as: --user NAME")
    text = unit_text(program, user=who, listen=listen or [])
    typer.echo(text)
    if show:
        return
    if not yes and not typer.confirm(f"Write this to {UNIT_PATH} and start it?"):
        typer.echo("nothing was written")
        return
    write_unit(UNIT_PATH, text)
    for step in (["daemon-reload"], ["enable", "--now", UNIT_PATH.name]):
        done = subprocess.run(["systemctl", *step], capture_output=True, text=True)
        if done.returncode != 0:
            raise ConfigError(f"systemctl {' '.join(step)} failed: {' '.join(done.stderr.split())}")
    typer.echo("started; look with: systemctl status chromo-edge, journalctl -u chromo-edge")


def write_unit(path: Path, text: str) -> None:
    """``ConfigError`` when it may not be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; run it with sudo") from error
