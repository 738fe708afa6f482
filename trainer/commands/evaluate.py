"""``trainer evaluate DATA``: the short way to ``evaluate crops`` and ``evaluate frames``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

HELP = ("--help", "-h")


class EvaluateGroup(TyperGroup):
    """Puts in the subcommand that is left out: ``crops`` where ``--model`` names a classifier, else ``frames``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *HELP):
            named = any(word == "--model" or word.startswith("--model=") for word in args)
            args = ["crops" if named else "frames", *args]
        return super().parse_args(ctx, args)
