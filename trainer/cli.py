"""The command line, ``trainer``. TensorFlow is imported only by the commands that need it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import typer
from typer.core import TyperGroup

from edge.command import run_app
from edge.errors import ConfigError
from trainer.commands import compress, export
from trainer.commands.adapt import adapt
from trainer.commands.compare import compare
from trainer.commands.data import data as data_commands
from trainer.commands.evaluate import EvaluateGroup, crops, masks
from trainer.commands.fit import fit
from trainer.commands.frames import frames
from trainer.commands.report import report
from trainer.commands.search import search
from trainer.commands.simulate import simulate

ALL = "--split"
"""The one option for which an empty word stands for something: every split."""


class TrainerGroup(TyperGroup):
    """Refuses empty words, which ``Path`` takes for the current folder, and turns TensorFlow's error for lack of memory
    into ``MemoryError``, so that it is told in the same way, and that of a package of the trainer's, which an edge does
    not have, into ``ConfigError``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for option, word in pairwise(("", *args)):
            if option != ALL and (not word or (word.startswith("--") and word.endswith("=") and word != f"{ALL}=")):
                raise typer.BadParameter(
                    f"expected a word after '{(word or option).rstrip('=')}', got an empty one; a folder's is '.'"
                )
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if type(error).__name__ == "ResourceExhaustedError":  # by name: TensorFlow may not be imported here
                raise MemoryError from error
            package = str(error.name).partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
            if package not in ("", "edge", "trainer"):
                raise ConfigError(
                    f"this command needs {package}, which is not installed; in the project's folder: "
                    "pip install -e '.[trainer]'"
                ) from error
            raise


app = typer.Typer(
    cls=TrainerGroup,
    name="trainer",
    help="Train, export and evaluate the networks that chromo-edge runs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
evaluate = typer.Typer(
    cls=EvaluateGroup,
    help="Measure bundles on labelled data, with the device's own pipeline. "
    "`evaluate DATA --model DIR` is `evaluate crops`, `evaluate DATA` is `evaluate frames`.",
)
app.add_typer(fit, name="fit")
app.add_typer(evaluate, name="evaluate")
evaluate.command("frames")(frames)
evaluate.command("masks")(masks)
evaluate.command("crops")(crops)
app.add_typer(data_commands, name="data")
app.command("simulate")(simulate)
app.command("search")(search)
app.command("report")(report)
app.command("compare")(compare)
app.command("adapt")(adapt)
compress.register(app)
export.register(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code; ``argv`` without the program's name."""
    return run_app(app, "trainer", argv)


if __name__ == "__main__":
    sys.exit(main())
