"""``trainer compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.bfloat16 import Bfloat16, convolve_in_bfloat16
from trainer.commands.line import command_line
from trainer.commands.options import Batch, Debug, Seed


def compare(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Zip of upright cut-outs with train and test donors.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Gets table.md, table.json and a run folder a row.")],
    crops: Annotated[
        int, typer.Option(min=1, metavar="N", help="Crop-samples that each network learns from.")
    ] = 150_000,
    batch: Batch = 128,
    seed: Seed = 1,
    only: Annotated[list[str] | None, typer.Option(metavar="ROW", help="Only this row; may be several.")] = None,
    teacher: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Adds a student of this network; may be several.")
    ] = None,
    width: Annotated[float, typer.Option(min=0.25, help="Times as many channels, in every network that can.")] = 1.0,
    bfloat16: Bfloat16 = False,
    debug: Debug = False,
) -> None:
    """Train the networks, their ablations, smaller forms and the traditional method on the same crops; goes on where it
    stopped."""
    from trainer.compare.contenders import contenders, pick_rows
    from trainer.compare.run import Comparison, run_comparison

    if bfloat16:
        convolve_in_bfloat16()
    rows = contenders(tuple(map(str, teacher or ())))
    names = pick_rows(rows, only or ())
    run_comparison(Comparison(str(data), crops, batch, seed, width), rows, names, out, command_line())
    print((out / "table.md").read_text(encoding="utf-8"), end="")
