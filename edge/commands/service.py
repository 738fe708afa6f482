"""``chromo-edge install-service``: labels and the live page from power-on."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.options import Debug, camera_settings, check_scale
from edge.commands.outputs import check_apart
from edge.config import default_models_dir, find_config, user_name
from edge.errors import ConfigError
from edge.text import one_line


def install_service(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="What chromo-edge run is given, after --, as in: -- --camera /dev/video0"),
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="User that it runs as (default: you).")] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK", help="Network that may connect, as 192.168.1.0/24; also a GigE camera's. Repeatable."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write the unit without asking.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only show the systemd unit.")] = False,
    debug: Debug = False,
) -> None:
    """Run with its page from power-on: shows the systemd unit, asks, writes it and starts it. Needs root (sudo)."""
    from edge.board.service import UNIT_PATH, Machine, unit_text

    config = find_config(context.find_root().params.get("config"))
    settings = [] if config is None else ["--config", str(config.absolute())]
    run, writes = run_words(context, words or [])
    program = [sys.executable, "-m", "edge.cli", *settings, "run", *run]
    who = user or os.environ.get("SUDO_USER") or user_name()
    if not who:
        raise ConfigError(f"user {os.getuid()} has no name on this system; say who it runs as: --user NAME")
    try:
        pwd.getpwnam(who)
    except (KeyError, ValueError):  # ValueError: a zero byte
        raise ConfigError(f"expected --user NAME of a user of this machine, got {who!r}") from None
    text = unit_text(program, Machine.here(), user=who, listen=listen or [], writes=writes)
    typer.echo(text)
    if show:
        return
    if not yes and not typer.confirm(f"Write this to {UNIT_PATH} and start it?"):
        typer.echo("nothing was written")
        return
    write_unit(UNIT_PATH, text)
    # Restarted, not only started: it may run with the words of an earlier installation.
    for step in (["daemon-reload"], ["enable", UNIT_PATH.name], ["restart", UNIT_PATH.name]):
        done = subprocess.run(["systemctl", *step], capture_output=True, text=True)
        if done.returncode != 0:
            raise ConfigError(f"systemctl {' '.join(step)} failed: {one_line(done.stderr)}")
    typer.echo("started; look with: systemctl status chromo-edge, journalctl -u chromo-edge")


def run_words(context: typer.Context, words: Sequence[str]) -> tuple[list[str], list[Path]]:
    """``words`` for ``chromo-edge run`` as the service, which starts in another folder, needs them: paths absolute; and
    the folders that it will write into. What ``run`` would refuse is refused now, not at every start: ``ChromoError``.
    """
    from edge.camera import is_stored

    run = getattr(context.find_root().command, "commands")["run"]  # noqa: B009  a group, by construction
    asked = run.make_context("run", list(words), parent=context.find_root())
    read = asked.params
    _check(read)
    for name, value in read.items():
        source = asked.get_parameter_source(name)
        stated = source is not None and source.name == "DEFAULT_MAP"
        if stated and isinstance(value, Path) and _absolute(str(value)) != str(value):
            raise ConfigError(
                f"expected for {name} in the settings file a path from / on, got {str(value)!r}; "
                "the service starts in another folder"
            )
    options = {name: option for option in run.params for name in option.opts if name.startswith("-")}
    paths = {name for name, option in options.items() if isinstance(read[option.name], Path)}
    found, before = [], ""
    for word in words:
        name, equals, value = word.partition("=")
        if before:  # word is its value
            found.append(_absolute(word) if before in paths else word)
            before = ""
        elif name in options:
            found.append(f"{name}={_absolute(value)}" if equals and name in paths else word)
            before = "" if equals or options[name].is_flag else name
        else:  # SOURCE: stored frames, or a camera
            found.append(_absolute(word) if is_stored(word) else word)
    return found, list(_written(read))


def _written(read: Mapping[str, Any]) -> Iterator[Path]:
    if read["cases"] is not None:
        yield read["cases"].absolute()
    for file in (read["jsonl"], read["log"]):
        if file is not None and str(file) != "-":
            yield file.absolute().parent


def _check(read: Mapping[str, Any]) -> None:
    """Raises ``ChromoError`` as ``run`` does, short of its camera and its accelerator."""
    from edge.cases.names import checked_name
    from edge.live.web.server import check_host
    from edge.runtime.bundle import TASKS, load_bundle
    from edge.runtime.network import DELEGATES

    check_scale(read["um_per_px"])
    check_apart(read["jsonl"], read["log"])
    if not read["headless"]:
        check_host(read["host"])
    camera_settings(read["um_per_px"], read["exposure_us"], read["gain"], read["size"])
    if read["case"] is not None:
        checked_name(read["case"])
    if read["delegate"] not in DELEGATES:
        raise ConfigError(f"expected --delegate {', '.join(DELEGATES)}, got {read['delegate']!r}")
    models = read["models"] or default_models_dir()
    for task in TASKS:
        load_bundle(models / task, task)


def _absolute(path: str) -> str:
    return path if path == "-" else str(Path(path).absolute())  # "-" is standard output


def write_unit(path: Path, text: str) -> None:
    """``ConfigError`` when it may not be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; run it with sudo") from error
