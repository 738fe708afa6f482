"""From a finished run to ``models/<name>``: convert, prove parity, calibrate on val, write bundle and report. Or from a
bundle to the same network in another form, which keeps its calibration."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track

from edge.camera.files import read_frame
from edge.cell.compare import one_to_one
from edge.classify.classifier import Classifier
from edge.errors import ModelError
from edge.locate.boxes import BoxFinder
from edge.locate.decode import find_boxes
from edge.locate.field import dark_on_bright
from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.locate.locator import at_scale
from edge.locate.straighten import MEDIAN_ROWS
from edge.overlap import box_iou
from edge.records import LABELS, Crop, Float32Array
from edge.runtime.bundle import BUNDLE_FILE, TASKS, Bundle, Task
from trainer.compress.report import LAYERS_FILE
from trainer.data.cropset import NOTHING, CropSet
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.errors import ExportError
from trainer.export.arbiter import ship_arbiter
from trainer.export.bundle import provisional_bundle, write_bundle
from trainer.export.edgetpu import keep_compiled, require_ready
from trainer.export.onnx import remove_beside, to_both, write_beside
from trainer.export.prove import prove
from trainer.export.separator import ship_separator
from trainer.export.shipment import Shipment
from trainer.export.specimen import Specimen, specimen_of
from trainer.export.tflite import Form, convert
from trainer.export.verifier import ship_verifier
from trainer.files import copy_file, write_atomic
from trainer.networks.stored import load_float, load_for_int8
from trainer.run.folder import LOG_FILE
from trainer.run.trained import FIGURES_FILE, WEIGHTS_FILE, any_bundle, is_run, task_of, weights_of

LEAST_SCORES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
MOST_IOUS = (0.5, 0.6, 0.7, 0.8)
PROPOSED_SCORE, PROPOSED_IOU = 0.1, 0.7
"""The locator proposes from this score on, and up to this overlap: generously, for the classifier's second look and the
assignment over the cell decide. On 40 val frames that gave 87.1 % end to end against 86.6 % from a score of 0.3."""
TEMPERATURE_SPREAD = 0.3
"""Standard deviation of the temperature's logarithm, a normal around 0, before any crop is seen; a thousand crops
outweigh it."""
ARBITERS: tuple[Form, ...] = ("float32", "float16", "dynamic")
"""The forms that an arbiter is exported in: TFLite's runtime takes no int8 one, and has no square root in int16."""
PAGES = ("card.md", "report.html", "comparison.md")
"""Pages that describe the model in a bundle's folder; they go when another takes its place."""
FIRST_GUESS = {"least_score": 0.3, "most_iou": 0.7, "box_shift_x_px": 0.0, "box_shift_y_px": 0.0}


def ship(shipment: Shipment) -> Bundle:
    """Write the bundle; returns it as the edge reads it back. ``ExportError``, and nothing is written: it does not say
    what the network says, is not in a form for its task, is not ready for the Edge TPU where that is asked for, or the
    model of another network lies there."""
    _require_form(shipment)
    _require_place(shipment)
    it = specimen_of(shipment, (load_for_int8 if shipment.form == "int8" else load_float)(shipment.run))
    models = _converted(it, shipment)
    proofs = [prove(it, form, model) for form, model in models.items()]
    model = next(iter(models.values()))
    verdict = require_ready(model, shipment.out) if shipment.edgetpu else None
    weights = weights_of(shipment.run)
    (shipment.out / FIGURES_FILE).unlink(missing_ok=True)
    bundle, figures = _way(it, shipment)(it.network, model, shipment)
    if verdict:
        keep_compiled(verdict, bundle.model_path)
    if shipment.form == "onnx":
        write_beside(bundle, models, proofs)
    else:
        remove_beside(bundle)
    _keep(weights, shipment.out / WEIGHTS_FILE)
    for name in (LAYERS_FILE, LOG_FILE):
        _keep(shipment.run / name, shipment.out / name)
    for name in PAGES if is_run(shipment.run) else ():
        (shipment.out / name).unlink(missing_ok=True)
    write_atomic(shipment.out / FIGURES_FILE, (json.dumps(figures | proofs[0], indent=2) + "\n").encode())
    return bundle


def _require_form(shipment: Shipment) -> None:
    """``ExportError`` for a form that the task has not; called before any picture is looked at."""
    if task_of(shipment.run) == "arbiter" and shipment.form not in ARBITERS:
        raise ExportError(
            f"{shipment.run}: expected an arbiter's export as {', '.join(f'--{form}' for form in ARBITERS)}, got "
            f"{shipment.form}; give --float32: it stays on the processor, whatever the others are exported as"
        )


def _require_place(shipment: Shipment) -> None:
    """``ExportError`` if what lies in the bundle's folder is not to be replaced by this one."""
    task, out = task_of(shipment.run), shipment.out
    if any((out / other).is_dir() for other in TASKS):
        raise ExportError(f"{out}: expected the folder of one model, got one of several; give --out {out / task}")
    try:
        there = any_bundle(out).task if (out / BUNDLE_FILE).exists() else task
    except ModelError:  # a damaged one is made anew
        return
    if there != task:
        raise ExportError(
            f"{out}: expected a {task} there or nothing, got a {there}, which would be lost; name another"
        )


def _converted(it: Specimen, shipment: Shipment) -> dict[str, bytes]:
    """The model that makes the bundle, and those that come with it, by their names in ``parity.BOUNDS``."""
    if shipment.form == "onnx":
        return to_both(it)
    return {shipment.form: convert(shipment.form, it.network, it.samples)}


Way = Callable[[Any, bytes, Shipment], tuple[Bundle, dict[str, Any]]]
"""Writes the bundle of a network and its exported model; returns it with what was measured on val."""


def _way(it: Specimen, shipment: Shipment) -> Way:
    if not is_run(shipment.run):
        return _ship_as_calibrated
    ways: dict[Task, Way] = {
        "locator": _ship_locator,
        "separator": ship_separator,
        "classifier": _ship_classifier,
        "verifier": ship_verifier,
        "arbiter": ship_arbiter,
    }
    return ways[it.task]


def _ship_as_calibrated(_: Any, model: bytes, shipment: Shipment) -> tuple[Bundle, dict[str, Any]]:
    """Ships a bundle's network in another form: parity says how little its answers changed, so the calibration still
    holds."""
    was = any_bundle(shipment.run)
    bundle = write_bundle(
        shipment.out,
        was.task,
        model,
        labels=was.labels,
        preprocessing=was.preprocessing,
        calibration=was.calibration,
        data=was.data,
        command=shipment.command,
    )
    return bundle, {}


def _keep(source: Path, target: Path) -> None:
    """Copies ``source`` to ``target``; removes ``target`` if there is no ``source``: an older export's file would be
    taken for this one's."""
    if source.resolve() == target.resolve():
        return
    if source.exists():
        copy_file(source, target)
    else:
        target.unlink(missing_ok=True)


def _ship_locator(_: Any, model: bytes, shipment: Shipment) -> tuple[Bundle, dict[str, Any]]:
    preprocessing = {"um_per_px": LOCATOR_UM_PER_PX, "input": "grey / 255"}
    facts = {"labels": [], "preprocessing": preprocessing, **shipment.facts()}
    finder = BoxFinder(provisional_bundle("locator", model, FIRST_GUESS, **facts))
    best, figures = _calibrate_locator(finder, read_frames(shipment.data, "val")[: shipment.limit])
    return write_bundle(shipment.out, "locator", model, calibration=best, **facts), figures


def _calibrate_locator(finder: BoxFinder, truths: Sequence[FrameTruth]) -> tuple[dict[str, float], dict[str, Any]]:
    """The calibration: how far people's boxes lie off the network's, and the limits for what to propose to the
    classifier.

    The figures say what the locator would do alone, at the limits that leave the fewest missed and spurious boxes.
    """
    stated, found = [], []
    for index, truth in enumerate(track(truths, "calibrating on val")):
        picture, scale = at_scale(dark_on_bright(read_frame(truth.path, index)))
        maps = finder.maps(picture)
        stated.append(truth.boxes_px.astype(np.float32) * np.float32(scale))
        found.append({most: find_boxes(maps, LEAST_SCORES[0], most) for most in MOST_IOUS})
    each = (_gaps(f[MOST_IOUS[0]].boxes, s) for f, s in zip(found, stated, strict=True))
    gaps = np.concatenate([np.zeros((0, 2), np.float32), *each])
    shift = np.median(gaps, axis=0) if len(gaps) else np.zeros(2)
    total = sum(len(s) for s in stated)
    tried = {}
    for least in LEAST_SCORES:
        for most in MOST_IOUS:
            kept = [f[most].boxes[f[most].scores >= least] + np.tile(shift, 2) for f in found]
            tried[least, most] = sum(_hits(k, s) for k, s in zip(kept, stated, strict=True)), sum(map(len, kept))
    least, most = min(tried, key=lambda key: total + tried[key][1] - 2 * tried[key][0])
    hit, boxes = tried[least, most]
    figures = {
        "val_frames": len(truths),
        "val_located_alone": hit / max(total, 1),
        "val_precision_alone": hit / max(boxes, 1),
        "val_located_proposals": tried[PROPOSED_SCORE, PROPOSED_IOU][0] / max(total, 1),
        "val_proposals_per_chromosome": tried[PROPOSED_SCORE, PROPOSED_IOU][1] / max(total, 1),
    }
    limits = {"least_score": PROPOSED_SCORE, "most_iou": PROPOSED_IOU}
    return limits | {"box_shift_x_px": float(shift[0]), "box_shift_y_px": float(shift[1])}, figures


def _pairs(found: Float32Array, stated: Float32Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    return one_to_one(box_iou(found, stated))


def _gaps(found: Float32Array, stated: Float32Array) -> Float32Array:
    """The way from the middle of each found box to that of its true one, (n, 2)."""
    rows, cols = _pairs(found, stated)
    return np.asarray((stated[cols] - found[rows]).reshape(-1, 2, 2).mean(1))


def _hits(found: npt.NDArray[np.floating], stated: Float32Array) -> int:
    return len(_pairs(found.astype(np.float32), stated)[0])


def _ship_classifier(network: Any, model: bytes, shipment: Shipment) -> tuple[Bundle, dict[str, Any]]:
    from trainer.fit.align import predict
    from trainer.fit.crops import stored_crops

    _, val = (crops.pick(crops.label != NOTHING) for crops in stored_crops(shipment.run))
    rng = np.random.default_rng(0)
    preprocessing = {"median_rows": MEDIAN_ROWS, "input": "absorption, straightened"}
    facts = {"labels": LABELS, "preprocessing": preprocessing, **shipment.facts()}
    bundle = provisional_bundle("classifier", model, {"temperature": 1.0}, **facts)
    rows = rng.permutation(len(val))[: shipment.limit or 12_000]
    some = val.pick(np.isin(np.arange(len(val)), rows))
    predictions = Classifier(bundle).classify([Crop(k, p) for k, p in enumerate(some.pixels)])
    scores = np.stack([p.scores for p in predictions]).astype(np.float64)
    temperature = fit_temperature(np.log(np.maximum(scores, 1e-12)), some.label)
    keras_says = predict(network, some.pixels)[0].argmax(1)
    exported_says = _one_way(bundle, some)
    figures = {
        "val_crops": len(some),
        "val_accuracy": float((scores.argmax(1) == some.label).mean()),
        "keras_tflite_agreement": float((keras_says == exported_says).mean()),
        "temperature": temperature,
    }
    calibration = {"temperature": temperature}
    return write_bundle(shipment.out, "classifier", model, calibration=calibration, **facts), figures


def _one_way(bundle: Bundle, crops: CropSet) -> npt.NDArray[np.intp]:
    from edge.runtime.interpreter import Network

    network = Network.of_bundle(bundle)
    parts = [
        network.run_uint8(crops.pixels[i : i + 256])["label"].reshape(-1, len(LABELS)).argmax(1)
        for i in range(0, len(crops), 256)
    ]
    return np.asarray(np.concatenate(parts))


def fit_temperature(log_scores: npt.NDArray[np.float64], label: npt.NDArray[np.int64]) -> float:
    """The temperature at which the probabilities of ``log_scores`` (n, 24) are most likely right (Guo 2017), with a
    normal prior on its logarithm: a few dozen crops without a mistake would otherwise ask for certainty."""
    from scipy.optimize import minimize_scalar

    def loss(log_t: float) -> float:
        z = log_scores / np.exp(log_t)
        likely = float((np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), label]).mean())
        return likely + (log_t / TEMPERATURE_SPREAD) ** 2 / (2 * len(z))

    return float(np.exp(minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded").x))
