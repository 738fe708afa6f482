"""What the arbiter learns from: all that the other models find and say in a frame, and what is true of it.

As for the verifier, train frames are changed first, as another laboratory's would be, for the models know them too well
as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from edge.camera.files import read_frame
from edge.cell.arbiter import SEATS, Judge, Known
from edge.cell.assign import assign
from edge.cell.compare import one_to_one
from edge.cell.keep import Keeper
from edge.classify.classifier import Classifier
from edge.locate.locator import load_locator
from edge.locate.straighten import straighten
from edge.overlap import box_iou
from edge.pipeline import Pipeline
from edge.records import LABELS, BoolArray, Float32Array, UInt8Array
from edge.runtime.bundle import load_bundle
from trainer.data.columns import Columns
from trainer.data.looks import changed
from trainer.data.metaphase import read_frames
from trainer.data.sources import stamp_of
from trainer.errors import DatasetError

NO_LABEL = -1


@dataclass(frozen=True, slots=True, eq=False)
class CellSet(Columns):
    """``table`` uint8 (n, 96, 300), as ``edge.cell.arbiter.Known.table`` makes it; ``whole`` bool (n, 96), which of its
    objects are marks of a chromosome; ``label`` int8 (n, 96), which one, an index of LABELS, or NO_LABEL."""

    table: UInt8Array
    whole: BoolArray
    label: npt.NDArray[np.int8]


class Listener:
    """An arbiter that adds nothing and remembers what it heard."""

    def __init__(self) -> None:
        self.models: dict[str, str] = {}
        self.heard: list[Known] = []

    def hear(self, known: Known) -> tuple[Float32Array, Float32Array]:
        self.heard.append(known)
        return np.zeros(len(known.odds), np.float32), np.zeros(known.scores.shape, np.float32)


def cells_of_frames(source: Path, split: str, models: Path, store: Path, seed: int) -> CellSet:
    """The cells of a split, kept in ``store`` for the next run; train frames are changed before, with ``seed``.
    ``DatasetError`` if nothing is found."""
    listener = Listener()
    pipeline = _pipeline(models, listener)
    hashes = [model.removeprefix("sha256:")[:8] for model in pipeline.models.values()]
    path = store / ("-".join(filter(None, (f"cells{seed}", source.name, stamp_of(source), split, *hashes))) + ".npz")
    if path.exists():
        return CellSet.load(path)
    rows = []
    for number, truth in enumerate(track(read_frames(source, split), f"cells of {split} frames")):
        frame, boxes = read_frame(truth.path, number), truth.boxes_px.astype(np.float32)
        if split == "train":
            frame, boxes = changed(frame, boxes, np.random.default_rng((seed, number)))
        listener.heard.clear()
        pipeline.label(frame)
        if listener.heard:
            rows.append(_row(listener.heard[-1], boxes, [LABELS.index(label) for label in truth.labels]))
    if not rows:
        raise DatasetError(f"{source}: nothing is found in split '{split}' by the models in {models}")
    made = CellSet(*(np.stack(column) for column in zip(*rows, strict=True)))
    made.save(path)
    return made


def _pipeline(models: Path, listener: Listener) -> Pipeline:
    locator, classifier = load_locator(models), Classifier(load_bundle(models / "classifier", "classifier"))
    judge = Judge(Keeper.of(load_bundle(models / "verifier", "verifier")), listener)
    return Pipeline(locator, classifier, straighten, judge, assign)


def _row(known: Known, boxes: Float32Array, labels: list[int]) -> tuple[UInt8Array, BoolArray, npt.NDArray[np.int8]]:
    """One cell of a ``CellSet``; ``boxes`` (m, 4) and ``labels`` are the true ones."""
    seated = known.pick(known.likeliest())
    whole, label = np.zeros(SEATS, np.bool_), np.full(SEATS, NO_LABEL, np.int8)
    mine, theirs = one_to_one(box_iou(seated.boxes, boxes))
    whole[mine] = True
    label[mine] = np.array(labels, np.int8)[theirs]
    return seated.table(), whole, label
