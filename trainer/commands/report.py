"""``trainer report``: one self-contained page about one model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.errors import ConfigError
from trainer.commands.options import MODELS, Cutters, Debug, Split, Threads

if TYPE_CHECKING:
    from trainer.report.page import Judgement


def report(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A bundle, as in models/locator.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page, HTML.")],
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DATA]", help="Cut-outs or frames to judge a classifier on, as for trainer evaluate crops."
        ),
    ] = None,
    split: Split = "test",
    crops: Annotated[
        bool, typer.Option("--crops/--no-crops", help="Whether its worst crops are shown: pictures of the data.")
    ] = True,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="RUNDIR", help="Run folder with the log to draw curves from. [default: MODEL_DIR, if it has one]"
        ),
    ] = None,
    models: Cutters = MODELS,
    threads: Threads = 2,
    debug: Debug = False,
) -> None:
    """The card, figures, learning curves and layers of a model as one HTML page.

    With DATA, of a classifier also figures per class, confusion, calibration and worst crops there.
    """
    from trainer.files import require_place, write_result
    from trainer.report.page import page
    from trainer.run.folder import LOG_FILE

    require_place(out, "--out")
    judgement = None if data is None else _judge(model, data, split, models, threads, crops)
    log = run if run is not None else model if (model / LOG_FILE).is_file() else None
    html = page(model, log, judgement).encode()
    write_result(out, html, "--out")
    judged = "" if judgement is None else f", {len(judgement.judged.truth)} chromosomes"
    print(f"{out}: {len(html)} bytes{judged}")


def _judge(model: Path, data: Path, split: str, models: Path, threads: int, crops: bool) -> Judgement:
    from trainer.commands.progress import tracked
    from trainer.data.labelled import labelled_cells
    from trainer.report.page import Judgement
    from trainer.run.trained import any_bundle
    from trainer.score.evaluate import judge_with

    task = any_bundle(model).task
    if task != "classifier":
        raise ConfigError(
            f"expected a classifier to judge on {data.name}, {model} holds a {task}; leave DATA out, and measure it "
            "with trainer evaluate frames"
        )
    cells = labelled_cells(data, split, models)
    return Judgement(data.name, cells.share, judge_with(model, tracked(cells, "cells"), threads, models), crops)
