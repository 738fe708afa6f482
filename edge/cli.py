"""The command line, ``chromo-edge``: its commands, each a module of ``edge.commands``, and what all of them share.

Failures are told as in ``edge.command``. Whatever is slow to import is imported in the command that needs it:
``--help`` must not wait for a network.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

try:
    import typer

    from edge.command import run_app
    from edge.commands.bench import bench
    from edge.commands.calibrate import calibrate
    from edge.commands.case import app as case_app
    from edge.commands.doctor import doctor
    from edge.commands.label import label
    from edge.commands.models import models as models_commands
    from edge.commands.options import given_path
    from edge.commands.run import run
    from edge.commands.service import install_service
    from edge.commands.snap import snap
    from edge.config import find_config, read_config
    from edge.logs import WarningLine
    from edge.text import software
except KeyboardInterrupt:  # Ctrl-C while all this loads
    print("error: interrupted before anything was done", file=sys.stderr)
    sys.exit(130)

app = typer.Typer(
    help="A label on every chromosome of a metaphase: live at the microscope, or over stored frames.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(case_app, name="case")
app.command()(bench)
app.command()(calibrate)
app.command()(doctor)
app.command()(install_service)
app.command()(label)
app.command()(run)
app.command()(snap)
app.add_typer(models_commands, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(software())
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            parser=given_path,
            help="Settings in TOML, a table for each command (default: $CHROMO_CONFIG, else ./chromo-edge.toml, "
            "else /etc/chromo-edge/chromo-edge.toml).",
        ),
    ] = None,
) -> None:
    path = find_config(config)
    if path is not None:
        commands = getattr(context.command, "commands")  # noqa: B009  a group, by construction
        options = {name: _settable(command) for name, command in commands.items()}
        options = {name: known for name, known in options.items() if known}  # a group, such as case, has none
        context.default_map = read_config(path, options, context)


def _settable(command: Any) -> dict[str, Any]:
    """The options of a command by the names that a settings file gives them."""
    # --debug is heard as a word alone: it also tells how reading the settings fails.
    options = {str(p.name): p for p in command.params if p.name != "debug"}
    if "source" in options:  # there --camera is a word that reads well before it
        options["camera"] = options["source"]
    return options


def _spelled_apart(argv: Sequence[str]) -> list[str]:
    """``--camera=sim`` as ``--camera sim``: typer has no option with an optional value."""
    return [part for word in argv for part in (word.split("=", 1) if word.startswith("--camera=") else [word])]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit code; ``argv`` without the program's name."""
    shown = logging.StreamHandler()
    shown.setFormatter(WarningLine())
    logging.basicConfig(handlers=[shown], level=logging.WARNING)
    return run_app(app, "chromo-edge", _spelled_apart(sys.argv[1:] if argv is None else argv))


if __name__ == "__main__":
    sys.exit(main())
