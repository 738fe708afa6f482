"""What the arbiter learns from: all that the other models find and say in a frame, and what is true of it.

As for the verifier, train frames are changed first, as if another laboratory had taken them: the models know them too
well as they are.

A cell in doubt is read up to five times (``edge.locate.ways``). Here each is read once, as its frame lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from edge.camera.files import read_frame
from edge.cell.arbiter import COLUMNS, SEATS, Judged, Known
from edge.cell.assign import assign
from edge.cell.compare import one_to_one
from edge.cell.cutouts import beside_one_another
from edge.cell.keep import Kept, load_keeper
from edge.classify.classifier import load_classifier
from edge.locate.locator import load_locator
from edge.locate.straighten import straighten
from edge.overlap import box_iou
from edge.pipeline import Pipeline
from edge.records import LABELS, BoolArray, Crop, Float32Array, Prediction, Region, UInt8Array
from trainer.data.columns import Columns
from trainer.data.cropset import NOTHING
from trainer.data.excluded import teaches_nothing
from trainer.data.labelled import labelled_cells
from trainer.data.looks import changed
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.sources import holds_cutouts, kept_at
from trainer.errors import DatasetError

THOROUGH = 0.7
"""Share of the train frames that are read thoroughly; val frames all are."""
STRENGTH = (0.5, 2.0)
"""Limits of how strong the changes are, drawn for each frame: some cells should be easy for the models, and some
strange to them."""


@dataclass(frozen=True, slots=True, eq=False)
class CellSet(Columns):
    """``table`` uint8 (n, 96, 300), as ``edge.cell.arbiter.Known.table`` makes it; ``whole`` bool (n, 96), which of its
    objects are marks of a chromosome; ``label`` int8 (n, 96), which one, an index of LABELS, or NOTHING."""

    table: UInt8Array
    whole: BoolArray
    label: npt.NDArray[np.int8]


class Listener:
    """An arbiter that changes nothing and remembers what it heard."""

    def __init__(self) -> None:
        self.models: dict[str, str] = {}
        self.heard: list[Known] = []

    def __call__(
        self, regions: Sequence[Region], crops: Sequence[Crop], predictions: Sequence[Prediction], kept: Kept
    ) -> Judged:
        if len(kept.rows):
            self.heard.append(Known.of(regions, crops, predictions, kept))
        return Judged(tuple(predictions), kept.odds)


@dataclass(frozen=True, slots=True)
class Hearing:
    """A pipeline of the four models in the folder ``models``, with a ``listener`` in the arbiter's place."""

    models: Path
    pipeline: Pipeline
    listener: Listener


def load_hearing(models: Path) -> Hearing:
    """A hearing with the bundles ``locator``, ``separator``, ``classifier`` and ``verifier`` in ``models``."""
    listener = Listener()
    locator, classifier, keep = load_locator(models), load_classifier(models), load_keeper(models)
    return Hearing(models, Pipeline(locator, classifier, straighten, keep, listener, assign), listener)


def cells_of(source: Path, split: str, models: Path, store: Path, seed: int) -> CellSet:
    """The cells of a split. Cells of frames are kept in ``store`` for the next run; train frames are changed before,
    with ``seed``. Cut-outs are used as they are. ``DatasetError`` if nothing is found."""
    if holds_cutouts(source):
        return cells_of_cutouts(source, split, models)
    hearing = load_hearing(models)
    path = kept_at(store, source, split, hearing.pipeline.models.values(), f"cells{seed}")
    return CellSet.kept(path, lambda: cells_at(read_frames(source, split), split, hearing, seed))


@lru_cache(maxsize=8)  # a set that is learned from several times is looked at once
def cells_of_cutouts(source: Path, split: str, models: Path) -> CellSet:
    """The cells of a set of cut-outs, each chromosome known for sure; those of unknown cells are left out."""
    hearing, rows = load_hearing(models), []
    for cell in labelled_cells(source, split, models):
        if cell.cell and len(cell.crops) <= SEATS:
            hearing.listener.heard.clear()
            beside_one_another(hearing.listener, cell.crops, hearing.pipeline.classify(cell.crops))
            count = len(cell.crops)
            label = np.full(SEATS, NOTHING, np.int8)
            label[:count] = [LABELS.index(name) for name in cell.labels]
            rows.append((hearing.listener.heard[-1].table(), np.arange(SEATS) < count, label))
    if not rows:
        raise DatasetError(f"{source}: expected cut-outs of known cells in split '{split}', found none")
    return CellSet(*(np.stack(column) for column in zip(*rows, strict=True)))


def cells_at(truths: Sequence[FrameTruth], split: str, hearing: Hearing, seed: int) -> CellSet:
    """The cells of these frames of a split, as ``cells_of`` makes them."""
    rows = []
    for number, truth in enumerate(track(truths, f"cells of {split} frames")):
        frame = read_frame(truth.path, number)
        boxes = np.concatenate([truth.boxes_px, truth.ignored_px]).astype(np.float32)
        thorough = True
        if split == "train":
            rng = np.random.default_rng((seed, number))
            frame, boxes = changed(frame, boxes, rng, strength=float(rng.uniform(*STRENGTH)))
            thorough = float(rng.random()) < THOROUGH
        hearing.listener.heard.clear()
        hearing.pipeline.read_once(frame, thorough=thorough)
        if hearing.listener.heard:
            rows.append(_row(hearing.listener.heard[-1], boxes, [LABELS.index(label) for label in truth.labels]))
    if not rows:
        raise DatasetError(
            f"nothing is found in {len(truths)} frame(s) of split '{split}' by the models in {hearing.models}"
        )
    return CellSet(*(np.stack(column) for column in zip(*rows, strict=True)))


def _row(known: Known, boxes: Float32Array, labels: list[int]) -> tuple[UInt8Array, BoolArray, npt.NDArray[np.int8]]:
    """One cell of a ``CellSet``. ``boxes`` (m, 4) are first the true ones, with these ``labels``, then those of objects
    to be ignored, which are taken out of the table."""
    whole, label, gone = np.zeros(SEATS, np.bool_), np.full(SEATS, NOTHING, np.int8), np.zeros(SEATS, np.bool_)
    true, ignored = np.split(boxes, [len(labels)])
    mine, theirs = one_to_one(box_iou(known.boxes, true))
    whole[mine] = True
    label[mine] = np.array(labels, np.int8)[theirs]
    gone[: len(known.boxes)] = teaches_nothing(known.boxes, ignored)
    table = known.table()
    leave(table, gone & ~whole)
    return table, whole, label


def leave(table: UInt8Array, gone: BoolArray) -> None:
    """Takes the objects ``gone`` (96,) out of the table (96, 300), and what others share with them, in place."""
    table[gone] = 0
    for name in ("iou", "shared"):
        table[:, COLUMNS[name]][:, gone] = 0
