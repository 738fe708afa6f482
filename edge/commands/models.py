"""``chromo-edge models``: which are in use, a new one, the one before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.options import Debug, given_path
from edge.config import default_models_dir
from edge.errors import BundleInvalid
from edge.text import printable

if TYPE_CHECKING:
    from edge.board.model_store import Installed

models = typer.Typer(help="The models in use: list them, install others, go back.", no_args_is_help=True)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--models", metavar="DIR", parser=given_path, help="Folder that holds the models, locator/ and so on."
    ),
]


@models.command("list")
def list_(folder: Folder = None, debug: Debug = False) -> None:
    """List the models in use, each verified. Exit code 5 when one cannot be used."""
    from edge.board.model_store import list_models

    found = list_models(folder or default_models_dir())
    for one in found:
        _say(one)
    if any(one.trouble for one in found):
        raise typer.Exit(BundleInvalid.exit_code)


@models.command()
def install(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", parser=given_path, help="A bundle, or a folder with locator/, classifier/ ..."
        ),
    ],
    folder: Folder = None,
    debug: Debug = False,
) -> None:
    """Verify a model, try it in this board's runtime, then use it from the next start."""
    from edge.board.model_store import install as install_models

    for one in install_models(source, folder or default_models_dir()):
        _say(one)


@models.command()
def rollback(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="locator, classifier ...")],
    folder: Folder = None,
    debug: Debug = False,
) -> None:
    """Go back to the model before this one; a second time undoes that."""
    from edge.board.model_store import role_named
    from edge.board.model_store import rollback as roll_back

    _say(roll_back(folder or default_models_dir(), role_named(role)))


def _say(one: Installed) -> None:
    before = f"   before: {one.previous}" if one.previous else ""
    said = f"cannot be used: {one.trouble}" if one.trouble else f"{one.name} {one.model_id[:19]}"
    typer.echo(f"{one.role:<10} {printable(said + before)}")
