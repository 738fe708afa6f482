"""Runs the edge's own pipeline over labelled data, so that what is measured is what the device does."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.locate.ways import Way
from edge.records import LABELS, Cell, Crop, Frame, Prediction
from trainer.data.crops import TURNED_SHARE
from trainer.data.labelled import LabelledCell
from trainer.data.metaphase import FrameTruth
from trainer.errors import DatasetError
from trainer.score.crops import score_crops
from trainer.score.frames import score
from trainer.score.judged import JudgedCrops, judge
from trainer.score.worst import with_outlines


class UpsideDownWarning(UserWarning):
    """Cut-outs in a form in which they must be upright are not."""


BoxLabeller = Callable[[Frame, npt.NDArray[np.int64]], tuple[list[str], list[str]]]
"""A frame and its boxes to one label a box, twice: from the crops alone, and after the decision over the whole cell."""


def sample_frames(truths: Sequence[FrameTruth], limit: int | None, seed: int) -> list[FrameTruth]:
    """All frames, or ``limit`` of them drawn with ``seed``, in the table's order."""
    if limit is None or limit >= len(truths):
        return list(truths)
    return [truths[i] for i in sorted(random.Random(seed).sample(range(len(truths)), limit))]


def label_frames(
    truths: Iterable[FrameTruth],
    models: Path | None,
    threads: int,
    jsonl: Path | None,
    *,
    looks: int = 0,
    outlines: bool = False,
) -> list[dict[str, Any]]:
    """One JSON line a frame, as ``chromo-edge label --jsonl`` gives it, or as the live page shows it after so many
    ``looks`` at a stage that stands still; also written to ``jsonl``, if named.

    With ``outlines`` those returned, not those written, also hold the outlines that ``trainer.score.worst`` draws."""
    from edge.camera.files import read_frame
    from edge.pipeline import load_pipeline
    from edge.sinks.jsonl import JsonlSink, cell_to_json

    pipeline = load_pipeline(models, threads)
    label = _after(looks, pipeline.label_live) if looks else pipeline.label
    sink = JsonlSink(jsonl) if jsonl is not None else None
    lines = []
    try:
        for index, truth in enumerate(truths):
            frame = replace(read_frame(truth.path, index), source=truth.image)
            cell = label(frame)
            if sink is not None:
                sink.put(frame, cell)
            line = cell_to_json(cell)
            lines.append(with_outlines(line, cell) if outlines else line)
    finally:
        if sink is not None:
            sink.close()
    return lines


def _after(looks: int, label_live: Callable[[Frame, Way], Cell]) -> Callable[[Frame], Cell]:
    """Labels a frame as the live page shows it after so many ``looks``."""
    from edge.live.track import Steady

    steady = Steady(label_live, scene_of=lambda index: index + 1)

    def label(frame: Frame) -> Cell:
        return [steady(frame) for _ in range(looks)][-1]

    return label


def frame_figures(lines: Sequence[dict[str, Any]], truths: Sequence[FrameTruth]) -> dict[str, Any]:
    """The measures over all of ``truths``, and under ``difficult`` those of the difficult frames alone, if any.

    ``DatasetError`` where no line is of any of ``truths``."""
    figures = score(lines, truths).to_json()
    if not figures["frames"]:
        got = f"{len(lines)} line(s), first of {lines[0]['frame']}" if lines else "no line"
        raise DatasetError(
            f"expected lines of {len(truths)} frame(s), first {truths[0].image}, got {got}; give those of this set and "
            "split"
        )
    difficult = [truth for truth in truths if truth.difficult]
    if difficult:
        figures["difficult"] = score(lines, difficult).to_json()
    return figures


def box_labeller(models: Path | None, threads: int) -> BoxLabeller:
    """Labels given boxes with the shipped models, so that the classifier is measured without the locator's misses."""
    from edge.cell.arbiter import load_arbiter
    from edge.cell.assign import assign
    from edge.cell.keep import load_keeper
    from edge.classify.classifier import load_classifier
    from edge.config import default_models_dir
    from edge.locate.locator import load_locator
    from edge.locate.straighten import straighten

    folder = models if models is not None else default_models_dir()
    locator = load_locator(folder, threads)
    classifier = load_classifier(folder, threads)
    keep, arbiter = load_keeper(folder, threads), load_arbiter(folder)

    def label(frame: Frame, boxes: npt.NDArray[np.int64]) -> tuple[list[str], list[str]]:
        frame = locator.prepared(frame)
        regions = locator.regions_for_boxes(frame, boxes)
        crops = straighten(frame, regions)
        predictions = classifier.classify(crops)
        beside = arbiter(regions, crops, predictions, keep(frame, regions, crops, predictions)).predictions
        return _alone(predictions), [assigned.label for assigned in assign(beside)]

    return label


def box_figures(truths: Iterable[FrameTruth], label: BoxLabeller) -> dict[str, float]:
    """Label accuracy on the ground-truth boxes: ``accuracy_boxes_alone`` and ``accuracy_boxes_assigned``."""
    from edge.camera.files import read_frame

    right = np.zeros(2, np.int64)
    total = 0
    for truth in truths:
        if not truth.labels:
            continue
        for way, said in enumerate(label(read_frame(truth.path), truth.boxes_px)):
            right[way] += sum(s == t for s, t in zip(said, truth.labels, strict=True))
        total += len(truth.labels)
    alone, assigned = right / max(total, 1)
    return {
        "accuracy_boxes_alone": round(float(alone), 4),
        "accuracy_boxes_assigned": round(float(assigned), 4),
    }


def judge_with(model: Path, cells: Iterable[LabelledCell], threads: int, models: Path) -> JudgedCrops:
    """``judge`` with the classifier bundle in ``model``, the arbiter in the folder ``models`` if it has one, and the
    product's assignment."""
    from edge.cell.arbiter import load_arbiter
    from edge.cell.assign import Assigned, assign
    from edge.cell.cutouts import beside_one_another
    from edge.classify.classifier import Classifier
    from edge.runtime.bundle import load_bundle

    classifier = Classifier(load_bundle(model, "classifier"), threads)
    if not models.is_dir():
        raise ModelError(f"{models}: expected a folder of models, found none; name it with --models")
    arbiter = load_arbiter(models) if (models / "arbiter").is_dir() else None

    def label(crops: Sequence[Crop], predictions: Sequence[Prediction]) -> Sequence[Assigned]:
        return assign(predictions if arbiter is None else beside_one_another(arbiter, crops, predictions))

    def classify(cuts: Sequence[Sequence[Crop]]) -> Sequence[Prediction]:
        return classifier.classify(cuts[0]) if len(cuts) == 1 else classifier.classify_cuts(cuts)

    return judge(cells, classify, label)


def crop_figures(judged: JudgedCrops) -> dict[str, Any]:
    """The measures of single crops: n, accuracy, macro_f1, per_class, confusion, ece; accuracy_assigned and
    ece_assigned, None where cells are not known; polarity, the share of crops known to be upright whose p arm is said
    to be up, None without any."""
    figures = score_crops(judged.truth, judged.scores, judged.assigned or None)
    polarity = judged.polarity_accuracy
    return figures | {"polarity": None if polarity is None else round(polarity, 4)}


def warn_of_upside_down(polarity: float | None, named: str) -> None:
    """One ``UpsideDownWarning`` if most upright crops are seen the other way up. Their labels are read either way, but
    a classifier that learned from them would unlearn which end is which."""
    if polarity is not None and polarity <= 1 - TURNED_SHARE:
        warnings.warn(
            f"{named}: expected upright cut-outs, p arm on top, got {1 - polarity:.0%} the other way up; turn them by "
            "180 degrees before anything learns from them",
            UpsideDownWarning,
            stacklevel=2,
        )


def _alone(predictions: Sequence[Prediction]) -> list[str]:
    return [LABELS[int(prediction.scores.argmax())] for prediction in predictions]
