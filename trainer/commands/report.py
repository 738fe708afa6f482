"""``trainer report``: one self-contained page about one classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import MODELS, Cutters, Debug, Split, Threads


def report(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="The classifier's bundle.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Cut-outs or frames, as for trainer evaluate.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page, HTML; holds pictures of the data.")],
    split: Split = "test",
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
    """Figures per class, confusion, calibration, worst crops, learning curves and the card, as one HTML page."""
    from trainer.commands.progress import tracked
    from trainer.evaluate import judge_with
    from trainer.files import write_result
    from trainer.labelled import labelled_cells
    from trainer.report import Subject, page

    judged = judge_with(model, tracked(labelled_cells(data, split, models), "cells"), threads)
    log = run if run is not None else model if (model / "log.csv").is_file() else None
    html = page(Subject(model, data.name, split, log), judged).encode()
    write_result(out, html, "--out")
    print(f"{out}: {len(html)} bytes, {len(judged.truth)} chromosomes")
