"""A laboratory's own cells, reviewed by nobody, teach the classifier: whole cells are named, learned from, named anew.

Where the classifier is new to a laboratory the assignment over the cell still names most chromosomes. Learned from,
these labels make the classifier see more of each crop alone, and then the next labels are better. Figures:
``models/classifier/card.md``.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigError
from edge.pipeline import load_pipeline
from edge.runtime.bundle import TASKS
from edge.sinks.files import reason, writable_folder
from trainer.data.foreign import ForeignSet
from trainer.data.names import split_of_case
from trainer.data.unreviewed import LINES, PICTURES, Labelled, label_unreviewed, labelled_in, pictures_in
from trainer.data_note import DATA_NOTE, require_noted, write_note
from trainer.errors import DatasetError
from trainer.export.ship import ship
from trainer.export.shipment import Shipment
from trainer.fit.classifier import ClassifierConfig, fit_classifier
from trainer.run.trained import FIGURES_FILE, WEIGHTS_FILE

CELLS = "cells"
STAMP = 8
RATE = 5e-4
"""A low learning rate: the network knows chromosomes already."""

_WORK = re.compile(rf"round[1-9]\d*|models|{PICTURES}|{re.escape(DATA_NOTE)}")
"""Names of what lies in a work's folder."""

Watch = Callable[[Sequence[Path], str], Iterable[Path]]
"""Takes pictures and a word for what is done with them; yields the same pictures one by one while it shows progress."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """``frames`` to learn from, ``models`` to start with, ``out`` for the work; ``rounds`` of ``steps`` of ``batch``
    crops; the ``command`` that the bundles are to remember."""

    frames: Path
    models: Path
    out: Path
    rounds: int
    steps: int
    batch: int
    seed: int
    threads: int
    command: str
    resume: bool = True
    """Whether it goes on with the work in ``out``, or takes it away and starts over."""


def adaptation(it: Adaptation, watch: Watch) -> Iterator[Labelled]:
    """Makes ``out/models``: the given ones with a classifier that has learned from the pictures. Yields what the models
    make of these before each round, and after the last. A killed one goes on when it is called anew.

    ``ConfigError`` where the folder is of another work, or of none, or the models lack the weights to go on from;
    ``DatasetError``, ``ModelError`` and ``SinkError`` as what it calls raises them.
    """
    pictures, models = pictures_in(it.frames, it.out), it.models
    _begin(it, pictures)
    for number in range(1, it.rounds + 1):
        yield _name_cells(it, pictures, models, number, watch)
        models = _learn(it, models, number)
    yield _name_cells(it, pictures, models, it.rounds + 1, watch)
    shutil.rmtree(it.out / "models", ignore_errors=True)  # those of a work with fewer rounds
    shutil.copytree(models, it.out / "models")


def _begin(it: Adaptation, pictures: Sequence[Path]) -> None:
    """Notes in the folder which work it holds, or checks that it is this one. First, before anything is written or
    taken away and any cell is named, comes all that would fail later."""
    ids = load_pipeline(it.models, it.threads).models
    weights = it.models / "classifier" / WEIGHTS_FILE
    if not weights.is_file():
        raise ConfigError(
            f"{weights}: expected the classifier's weights, to go on from; name the --models of a trainer"
        )
    foreign = ForeignSet.of(it.frames)
    _require_cases({foreign.case(picture) for picture in pictures}, it.frames)
    digest = hashlib.sha256()
    for picture in pictures:
        size = picture.stat().st_size if picture.is_file() else 0
        digest.update(f"{picture.relative_to(it.frames)} {size}\n".encode("utf-8", "surrogateescape"))
    stamps = [
        (it.frames.resolve().name, digest.hexdigest()[:STAMP]),
        *ids.items(),
        ("--steps, --batch, --seed", f"{it.steps}, {it.batch}, {it.seed}"),
    ]
    if not it.resume:
        _clear(it)
    if (it.out / DATA_NOTE).is_file():
        require_noted(it.out, stamps, f"the work in {it.out} began with", "name another --out, or give --fresh")
    elif any(writable_folder(it.out).iterdir()):
        raise ConfigError(
            f"{it.out}: expected a new --out, or one that trainer adapt has begun, got a folder of other things, which "
            "it might replace; name another"
        )
    else:
        write_note(it.out, stamps)


def _clear(it: Adaptation) -> None:
    """Takes the work in the folder away. ``ConfigError`` where other things are there, or what the new one is to start
    from."""
    if not (it.out / DATA_NOTE).is_file():
        return
    work = sorted(it.out.iterdir())
    strange = next((path.name for path in work if not _WORK.fullmatch(path.name)), None)
    if strange is not None:
        raise ConfigError(f"{it.out}: expected the work of trainer adapt alone, got {strange} too; name another --out")
    for needed in (it.frames, it.models):
        if needed.resolve().is_relative_to(it.out.resolve()):
            raise ConfigError(f"{needed} is to be learned from, and --fresh would remove it; name another --out")
    try:
        for path in sorted(work, key=lambda path: path.name == DATA_NOTE):  # last: without it the rest is nobody's work
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as error:
        raise ConfigError(f"{it.out} cannot be cleared: {reason(error)}; name another --out") from error


def _require_cases(cases: Collection[str], frames: Path) -> None:
    """``DatasetError`` unless there is a case to learn from and one to hold back."""
    splits = [split_of_case(case) for case in sorted(cases)]
    train, val = (splits.count(split) for split in ("train", "val"))
    if len(cases) < 2:
        raise DatasetError(
            f"{frames}: expected frames of two cases or more, to hold one back, got {min(cases)} alone; give each "
            "case a folder in it"
        )
    if not train or train + val < 2:
        raise DatasetError(
            f"{frames}: expected two cases or more that are not for testing, one of them to learn from, got {train} to "
            f"learn from, {val} to choose by and {splits.count('test')} to test on, as each case's name has it; add "
            "frames of another case"
        )


def _name_cells(it: Adaptation, pictures: Sequence[Path], models: Path, number: int, watch: Watch) -> Labelled:
    cells = it.out / f"round{number}" / CELLS
    if not (cells / LINES).exists():
        pipeline = load_pipeline(models, it.threads)
        label_unreviewed(it.frames, watch(pictures, "cells"), pipeline, cells, it.out / PICTURES)
    return labelled_in(cells)


def _learn(it: Adaptation, models: Path, number: int) -> Path:
    """The folder of the models after the round: those given, with a classifier that has learned from the round's
    cells."""
    cells, run, learned = (it.out / f"round{number}" / name for name in (CELLS, "run", "models"))
    if (learned / "classifier" / FIGURES_FILE).exists():  # written last
        return learned
    start = models / "classifier" / WEIGHTS_FILE
    config = ClassifierConfig(
        (str(cells),),
        it.steps,
        it.batch,
        rate=RATE,
        dropout=0.0,
        seed=it.seed + number,
        start=str(start),
        models=str(models),
    )
    fit_classifier(config, run, resume=True)
    for task in TASKS:
        if task != "classifier":
            shutil.copytree(models / task, learned / task, dirs_exist_ok=True)
    ship(Shipment(run, cells, learned / "classifier", "int8", it.command, models))
    return learned
