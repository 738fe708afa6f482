"""The command line, ``trainer``: fit, export, evaluate. TensorFlow is imported by the commands that need it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edge.command import run_app
from trainer.commands import compress, export
from trainer.commands.bfloat16 import Bfloat16, convolve_in_bfloat16
from trainer.commands.compare import compare
from trainer.commands.data import data as data_commands
from trainer.commands.evaluate import EvaluateGroup, masks, print_figures
from trainer.commands.frames import frames
from trainer.commands.progress import tracked
from trainer.commands.report import report
from trainer.commands.search import search
from trainer.commands.simulate import simulate

DEFAULT_MODELS = Path("models")

app = typer.Typer(
    name="trainer",
    help="Train, export and evaluate the networks that chromo-edge runs.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
fit = typer.Typer()
evaluate = typer.Typer(
    cls=EvaluateGroup,
    help="Measure bundles on labelled data, with the device's own pipeline. "
    "`evaluate DATA --model DIR` is `evaluate crops`, `evaluate DATA` is `evaluate frames`.",
)
app.add_typer(fit, name="fit")
app.add_typer(evaluate, name="evaluate")
evaluate.command("frames")(frames)
evaluate.command("masks")(masks)
app.add_typer(data_commands, name="data")
app.command("simulate")(simulate)
app.command("search")(search)
app.command("report")(report)
app.command("compare")(compare)
compress.register(app)
export.register(app)

Out = Annotated[Path, typer.Option(metavar="RUNDIR", help="Run folder: config, log, curves, checkpoints.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimizer steps in all.")]
Batch = Annotated[int, typer.Option(min=1, help="Samples a step.")]
Rate = Annotated[float, typer.Option(help="Peak learning rate.")]
Seed = Annotated[int, typer.Option(help="Decides every random choice.")]
Resume = Annotated[
    bool, typer.Option("--resume/--fresh", help="Go on with the run there, or remove it and start over.")
]
Start = Annotated[Path | None, typer.Option(metavar="FILE", help="Weights to go on from.", show_default=False)]
Cutters = Annotated[Path, typer.Option(metavar="DIR", help="Folder of the locator/ and separator/ that cut frames.")]
Split = Annotated[str, typer.Option(help="train, val or test.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="The figures as JSON.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads that each network may use.")]
Width = Annotated[float, typer.Option(min=0.25, help="Times as many channels; weights to start from may have fewer.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]


@fit.callback()
def fit_group(
    bfloat16: Bfloat16 = False,
) -> None:
    """Train a network into a run folder; the same command again goes on where it stopped."""
    if bfloat16:
        convolve_in_bfloat16()


@fit.command("locator")
def fit_locator_command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder with images.csv, boxes.csv and images/.")],
    out: Out,
    steps: Steps = 12_000,
    batch: Batch = 8,
    seed: Seed = 1,
    start: Start = None,
    rate: Rate = 2e-3,
    paste: Annotated[float, typer.Option(min=0, max=1, help="Share of windows with chromosomes pasted in.")] = 0.65,
    zoom: Annotated[float, typer.Option(min=1, max=2, help="Largest zoom of a window, in or out.")] = 1.25,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Train the locator on frames with boxes."""
    from trainer.fit_locator import LocatorConfig, fit_locator

    config = LocatorConfig(str(data), steps, batch, rate=rate, seed=seed, start=_text(start), paste=paste, zoom=zoom)
    print(f"weights: {fit_locator(config, out, resume)}")


@fit.command("separator")
def fit_separator_command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder with images.csv, boxes.csv and images/.")],
    out: Out,
    steps: Steps = 8_000,
    batch: Batch = 64,
    seed: Seed = 1,
    start: Start = None,
    rate: Rate = 3e-3,
    models: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of a locator/ and separator/ whose boxes to mend.", show_default=False
        ),
    ] = None,
    width: Width = 1.0,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Train the separator on chromosomes of real frames and on ones pasted among them."""
    from trainer.fit_separator import SeparatorConfig, fit_separator

    config = SeparatorConfig(
        str(data), steps, batch, rate=rate, width=width, seed=seed, start=_text(start), models=_text(models)
    )
    print(f"weights: {fit_separator(config, out, resume)}")


@fit.command("verifier")
def fit_verifier_command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder with images.csv, boxes.csv and images/.")],
    out: Out,
    steps: Steps = 4_000,
    batch: Batch = 128,
    seed: Seed = 1,
    start: Start = None,
    rate: Rate = 2e-3,
    models: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the locator/, separator/ and classifier/ to be judged.")
    ] = DEFAULT_MODELS,
    width: Width = 1.0,
    passes: Annotated[int, typer.Option(min=1, help="How often to look through the frames, changed each time.")] = 1,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Train the verifier on what the other models find in frames."""
    from trainer.fit_verifier import VerifierConfig, fit_verifier

    config = VerifierConfig(
        str(data), steps, batch, rate, seed=seed, start=_text(start), models=str(models), width=width, passes=passes
    )
    print(f"weights: {fit_verifier(config, out, resume)}")


@fit.command("classifier")
def fit_classifier_command(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...",
            help="Cut-outs (dark on white: p arm up), folders of frames; twice: learned twice as often.",
        ),
    ],
    out: Out,
    steps: Steps = 8_000,
    batch: Batch = 128,
    seed: Seed = 1,
    start: Start = None,
    rate: Rate = 2e-3,
    cutout_repeats: Annotated[int, typer.Option(min=1, help="How often each cut-out stands in the training set.")] = 1,
    doubtful_repeats: Annotated[
        int, typer.Option(min=1, help="How often a crop stands in it that the network of --start is not sure of.")
    ] = 1,
    drawn_cells: Annotated[int, typer.Option(min=0, help="Cells drawn from the band tables to add.")] = 0,
    models: Cutters = DEFAULT_MODELS,
    network: Annotated[
        str, typer.Option(metavar="NAME", help="enhanced, vgg, resnet, mobilenetv2 or efficientnetb0.")
    ] = "enhanced",
    without: Annotated[
        list[str] | None, typer.Option(metavar="INGREDIENT", help="Leave one out of enhanced: filters, residual, ...")
    ] = None,
    adding: Annotated[
        list[str] | None, typer.Option("--with", metavar="INGREDIENT", help="Add one to enhanced: attention.")
    ] = None,
    width: Annotated[float, typer.Option(min=0.25, help="Times as many channels; a teacher's may be 2.")] = 1.0,
    depth: Annotated[int, typer.Option(min=1, help="Residual blocks at each size of enhanced.")] = 2,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="ImageNet weights without the top, for mobilenetv2 and the like."),
    ] = None,
    teacher: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Learn from this network's answers too; may be several.")
    ] = None,
    teacher_weight: Annotated[float, typer.Option(min=0, max=1, help="The teachers' share of the label's loss.")] = 0.5,
    mix: Annotated[str, typer.Option(help="Extra crops made of two: none, mixup or cutmix.")] = "none",
    unaugmented: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANGE", help="Augmentation to do without, as trainer data preview names it."),
    ] = None,
    laboratory: Annotated[
        float, typer.Option(min=0, max=1, help="Share of crops made as if in another laboratory.")
    ] = 0.0,
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="Share of the head's inputs left out.")] = 0.3,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Train the classifier on cut-outs, and on frames as the shipped models cut them."""
    from trainer.fit_classifier import ClassifierConfig, fit_classifier
    from trainer.mix import pick_mix
    from trainer.networks.registry import Architecture, mixed

    config = ClassifierConfig(
        tuple(map(str, data)),
        steps,
        batch,
        rate=rate,
        seed=seed,
        start=_text(start),
        cutout_repeats=cutout_repeats,
        doubtful_repeats=doubtful_repeats,
        drawn_cells=drawn_cells,
        models=str(models),
        width=width,
        depth=depth,
        network=Architecture(network, mixed(without or (), adding or ()), _text(weights)),
        teachers=tuple(map(str, teacher or ())),
        teacher_weight=teacher_weight,
        mix=pick_mix(mix),
        unaugmented=tuple(unaugmented or ()),
        laboratory=laboratory,
        dropout=dropout,
    )
    print(f"weights: {fit_classifier(config, out, resume)}")


@evaluate.command("crops")
def evaluate_crops_command(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Cut-outs in any form, or frames: then their true boxes are cut out.")
    ],
    model: Annotated[Path, typer.Option(metavar="DIR", help="The classifier's bundle.")],
    split: Split = "test",
    json: Json = None,
    models: Cutters = DEFAULT_MODELS,
    threads: Threads = 2,
    debug: Debug = False,
) -> None:
    """Label accuracy and calibration on single chromosomes."""
    from trainer.evaluate import crop_figures, judge_with, write_figures
    from trainer.labelled import labelled_cells

    cells = labelled_cells(data, split, models)
    figures = crop_figures(judge_with(model, tracked(cells, "cells"), threads))
    if json is not None:
        write_figures(json, figures)
    shown = {key: figures[key] for key in ("n", "accuracy", "accuracy_assigned", "macro_f1", "ece", "polarity")}
    print_figures(shown, f"{data.name}, {split}")


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code; ``argv`` without the program's name."""
    return run_app(app, "trainer", argv)


if __name__ == "__main__":
    sys.exit(main())
