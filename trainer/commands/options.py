"""Options that several commands share, each the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge.commands.options import Debug as Debug
from edge.commands.options import Threads as Threads
from trainer.files import shipped_models

MODELS = shipped_models()
MOST_SEED = 2**31 - 1

FrameFolder = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="Frames: images.csv and boxes.csv, Pascal VOC, COCO, corrected cells as JSONL, or masks.",
    ),
]
Unlabelled = Annotated[
    Path,
    typer.Argument(
        metavar="FRAMES",
        help="Folder of metaphases that nobody has labelled; folders in it name the cases, else cases.csv (image, "
        "case) or the files' names do.",
    ),
]
Split = Annotated[str, typer.Option(help="train, val or test.")]
Steps = Annotated[int, typer.Option(min=1, help="Optimizer steps in all.")]
Batch = Annotated[int, typer.Option(min=1, help="Samples a step.")]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Decides every random choice.")]
Resume = Annotated[
    bool, typer.Option("--resume/--fresh", help="Go on with what is there, or remove it and start over.")
]
Cutters = Annotated[
    Path,
    typer.Option(
        metavar="DIR", help="Folder of the models that cut frames and weigh a cell.", show_default="the ones shipped"
    ),
]
Models = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the models. [default: the ones shipped]")]
Augment = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=STRENGTH",
        help="Augmentation with another strength: brightness=0.08, defocus=0.2; may be several.",
    ),
]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="The figures as JSON.")]
