"""``trainer quantize`` and ``trainer prune``: smaller networks by further training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.options import Debug, Resume, Seed, Steps

Run = Annotated[
    Path, typer.Argument(metavar="RUNDIR", help="Run folder of a finished fit or of a pruned run, or a bundle.")
]
Data = Annotated[Path, typer.Argument(metavar="DATA", help="What it was trained on.")]
Out = Annotated[Path, typer.Option(metavar="RUNDIR2", help="New run folder: config, log, curves, layers.json.")]
Batch = Annotated[int, typer.Option(min=1, help="Samples a step; a locator wants about 8.")]
Rate = Annotated[float, typer.Option(min=1e-9, max=1, help="Peak learning rate; a tenth of the fit's.")]


def quantize_command(
    run: Run,
    data: Data,
    out: Out,
    keep_zeros: Annotated[bool, typer.Option("--keep-zeros", help="What pruning made zero stays zero.")] = False,
    steps: Steps = 400,
    batch: Batch = 128,
    rate: Rate = 2e-4,
    seed: Seed = 1,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Fine-tune a run's network with int8 rounding in its forward pass (quantization-aware training)."""
    from trainer.compress.quantize import quantize
    from trainer.compress.tune import Tuning

    weights = quantize(Tuning(str(run), str(data), steps, batch, rate, seed=seed), keep_zeros, out, resume)
    _tell(out, f"{out.name}: int8 by quantization-aware training", weights)


def prune_command(
    run: Run,
    data: Data,
    out: Out,
    sparsity: Annotated[float, typer.Option(help="Share of each large kernel to make zero, 0 to 1.")] = 0.5,
    steps: Steps = 400,
    batch: Batch = 128,
    rate: Rate = 2e-4,
    seed: Seed = 1,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Make the smallest weights of a run's network zero, little by little, while it learns on."""
    from trainer.compress.prune import prune
    from trainer.compress.tune import Tuning

    weights = prune(Tuning(str(run), str(data), steps, batch, rate, seed=seed), sparsity, out, resume)
    _tell(out, f"{out.name}: pruned to {sparsity:.0%} zeros in each large kernel", weights)


def register(app: typer.Typer) -> None:
    app.command("quantize")(quantize_command)
    app.command("prune")(prune_command)


def _tell(out: Path, title: str, weights: Path) -> None:
    from trainer.compress.report import print_layers, read_layers

    print_layers(read_layers(out), title)
    print(f"weights: {weights}")
