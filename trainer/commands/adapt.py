"""``trainer adapt``: models that have learned a laboratory from its own frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.bfloat16 import Bfloat16, convolve_in_bfloat16
from trainer.commands.line import command_line
from trainer.commands.options import MODELS, Batch, Debug, Resume, Seed, Steps, Threads, Unlabelled
from trainer.commands.progress import tracked


def adapt(
    frames: Unlabelled,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the work; DIR/models are the models made.")],
    rounds: Annotated[int, typer.Option(min=1, max=9, help="Label all cells and learn from that, so often.")] = 3,
    steps: Steps = 800,
    batch: Batch = 64,
    seed: Seed = 1,
    models: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the models to start from.", show_default="the ones shipped")
    ] = MODELS,
    threads: Threads = 2,
    resume: Resume = True,
    bfloat16: Bfloat16 = False,
    debug: Debug = False,
) -> None:
    """Learn a laboratory from its own frames, which nobody has labelled: the classifier learns from what the models
    make of whole cells.

    For laboratories whose chromosomes are often named wrong; measure on some cells that people have reviewed.
    """
    from trainer.adapt import Adaptation, adaptation

    if bfloat16:
        convolve_in_bfloat16()
    it = Adaptation(frames, models, out, rounds, steps, batch, seed, threads, command_line(), resume)
    for number, labelled in enumerate(adaptation(it, tracked)):
        print(f"{f'after round {number}' if number else 'before'}: {labelled}")
    print(f"{out / 'models'}: for chromo-edge run --models")
