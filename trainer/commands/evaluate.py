"""``trainer evaluate crops`` and ``masks``, and ``evaluate DATA``, the short way to the right subcommand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from trainer.commands.options import MODELS, Cutters, Debug, Json, Models, Split, Threads
from trainer.commands.progress import tracked


class EvaluateGroup(TyperGroup):
    """Puts in the subcommand that is left out: ``crops`` where ``--model`` names a classifier, else ``frames``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            named = any(word == "--model" or word.startswith("--model=") for word in args)
            args = ["crops" if named else "frames", *args]
        return super().parse_args(ctx, args)


def crops(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Cut-outs in any form, or frames: then their true boxes are cut out.")
    ],
    model: Annotated[Path, typer.Option(metavar="DIR", help="The classifier's bundle.")],
    split: Split = "test",
    json: Json = None,
    models: Cutters = MODELS,
    threads: Threads = 2,
    debug: Debug = False,
) -> None:
    """Label accuracy and calibration on single chromosomes."""
    from trainer.data.labelled import labelled_cells
    from trainer.files import require_place, write_figures
    from trainer.score.evaluate import crop_figures, judge_with, warn_of_upside_down

    require_place(json, "--json")
    cells = labelled_cells(data, split, models)
    figures = crop_figures(judge_with(model, tracked(cells, "cells"), threads, models))
    warn_of_upside_down(figures["polarity"], data.name)
    shown = {key: value for key, value in figures.items() if key not in ("per_class", "confusion")}
    print_figures(shown, f"{data.name}, {cells.share}")
    write_figures(json, figures)


def masks(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA", help="Folder of NAME_dapi.png with NAME_mask.png, or COCO with masks as run lengths."
        ),
    ],
    models: Models = None,
    split: Annotated[str, typer.Option(help="train, val or test; all by default.")] = "",
    json: Json = None,
    threads: Threads = 2,
    debug: Debug = False,
) -> None:
    """Located to the pixel, and labelled: the measures over all metaphases with masks.

    As the M-FISH set has them, a chromosome is a connected piece of its class; overlaps are ignored, pieces below
    60 px left out. As trainer simulate writes them, masks are whole, and those that cross others also count alone.
    """
    from edge.pipeline import load_pipeline
    from trainer.data.masked import masked_frames
    from trainer.files import require_place, write_figures
    from trainer.score.masks import mask_figures

    require_place(json, "--json")
    frames = (read() for read in tracked(masked_frames(data, split), "labelling"))
    figures = mask_figures(frames, load_pipeline(models, threads).label)
    print_figures(figures, f"{data.name}: {figures['frames']} frames with masks")
    write_figures(json, figures)


def print_figures(figures: dict[str, Any], title: str) -> None:
    """A table on standard output, a measure a row."""
    from rich.console import Console
    from rich.table import Table

    table = Table("measure", title=title, title_justify="left")
    columns = {"all": figures, **{k: v for k, v in figures.items() if k == "difficult"}}
    for name in columns:
        table.add_column(name, justify="right")
    for measure in figures:
        if measure not in columns:
            table.add_row(measure, *(shown(column.get(measure)) for column in columns.values()))
    Console().print(table)


def shown(value: object) -> str:
    """A figure as tables have it: shares to 4 digits, ``-`` for what is not known."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(v)}" for key, v in value.items())
    if isinstance(value, list):
        return " to ".join(shown(v) for v in value)
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
