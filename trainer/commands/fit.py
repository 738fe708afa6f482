"""``trainer fit``: train a network into a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.commands.bfloat16 import Bfloat16, convolve_in_bfloat16
from trainer.commands.options import MODELS, Augment, Batch, Cutters, Debug, FrameFolder, Resume, Seed, Steps

fit = typer.Typer()

Out = Annotated[Path, typer.Option(metavar="RUNDIR", help="Run folder: config, log, curves, checkpoints.")]
Rate = Annotated[float, typer.Option(min=1e-9, max=1, help="Peak learning rate.")]
Start = Annotated[Path | None, typer.Option(metavar="FILE", help="Weights to go on from.", show_default=False)]
Passes = Annotated[int, typer.Option(min=1, help="How often to look through the frames, changed each time.")]
Width = Annotated[float, typer.Option(min=0.25, help="Times as many channels; weights to start from may have fewer.")]


@fit.callback()
def fit_group(bfloat16: Bfloat16 = False) -> None:
    """Train a network into a run folder; the same command again goes on where it stopped."""
    if bfloat16:
        convolve_in_bfloat16()


@fit.command("locator")
def fit_locator_command(
    data: FrameFolder,
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
    from trainer.fit.locator import LocatorConfig, fit_locator

    config = LocatorConfig(str(data), steps, batch, rate=rate, seed=seed, start=_text(start), paste=paste, zoom=zoom)
    print(f"weights: {fit_locator(config, out, resume)}")


@fit.command("separator")
def fit_separator_command(
    data: FrameFolder,
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
    from trainer.fit.separator import SeparatorConfig, fit_separator

    config = SeparatorConfig(
        str(data), steps, batch, rate=rate, width=width, seed=seed, start=_text(start), models=_text(models)
    )
    print(f"weights: {fit_separator(config, out, resume)}")


@fit.command("verifier")
def fit_verifier_command(
    data: FrameFolder,
    out: Out,
    steps: Steps = 4_000,
    batch: Batch = 128,
    seed: Seed = 1,
    start: Start = None,
    rate: Rate = 2e-3,
    models: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the locator/, separator/ and classifier/ to be judged.")
    ] = MODELS,
    width: Width = 1.0,
    passes: Passes = 1,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Train the verifier on what the other models find in frames."""
    from trainer.fit.verifier import VerifierConfig, fit_verifier

    config = VerifierConfig(
        str(data), steps, batch, rate, seed=seed, start=_text(start), models=str(models), width=width, passes=passes
    )
    print(f"weights: {fit_verifier(config, out, resume)}")


@fit.command("arbiter")
def fit_arbiter_command(
    data: Annotated[
        list[Path], typer.Argument(metavar="DATA...", help="Sets of frames; one named twice is learned twice as often.")
    ],
    out: Out,
    steps: Steps = 6_000,
    batch: Batch = 32,
    seed: Seed = 1,
    start: Start = None,
    blend: Annotated[float, typer.Option(min=0, max=1, help="Share of --start's weights in those kept.")] = 0.0,
    rate: Rate = 1e-3,
    models: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the four other models, whose words are heard.")
    ] = MODELS,
    width: Annotated[int, typer.Option(min=8, help="Numbers that stand for an object.")] = 64,
    depth: Annotated[int, typer.Option(min=1, help="How often the objects exchange what they know.")] = 3,
    passes: Passes = 1,
    weaker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA=DIR",
            help="Hear other models too, on a set whose laboratory their classifier has not seen. Repeatable.",
        ),
    ] = None,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Train the arbiter on what the other models find and say in frames."""
    from trainer.fit.arbiter import ArbiterConfig, fit_arbiter

    config = ArbiterConfig(
        [str(source) for source in data],
        steps,
        batch,
        rate,
        seed=seed,
        models=str(models),
        width=width,
        depth=depth,
        start=_text(start),
        blend=blend,
        passes=passes,
        weaker=weaker or [],
    )
    print(f"weights: {fit_arbiter(config, out, resume)}")


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
    models: Cutters = MODELS,
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
    augment: Augment = None,
    laboratory: Annotated[
        float, typer.Option(min=0, max=1, help="Share of crops made as if in another laboratory.")
    ] = 0.0,
    dropout: Annotated[float, typer.Option(min=0, max=0.9, help="Share of the head's inputs left out.")] = 0.3,
    resume: Resume = True,
    debug: Debug = False,
) -> None:
    """Train the classifier on cut-outs, and on frames as the shipped models cut them."""
    from trainer.fit.classifier import ClassifierConfig, fit_classifier
    from trainer.fit.mix import pick_mix
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
        augmented=tuple(augment or ()),
        laboratory=laboratory,
        dropout=dropout,
    )
    print(f"weights: {fit_classifier(config, out, resume)}")


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)
