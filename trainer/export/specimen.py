"""What an export works on: the network at its shipped size, and pictures that give it its ranges and that prove it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import tf_keras as keras

from edge.camera.files import read_frame
from edge.locate.field import dark_on_bright
from edge.locate.grid import HEADS
from edge.locate.locator import load_locator
from edge.records import UInt8Array
from edge.runtime.bundle import Task
from trainer.data.cells import CellSet, cells_at, load_hearing
from trainer.data.cropset import NOTHING, CropSet, crops_of
from trainer.data.framecache import CachedFrame, prepared, shrink, train_frames
from trainer.data.looks import LookSet, load_lookers, looks_at
from trainer.data.metaphase import FrameTruth, read_frames, some_frames
from trainer.data.rois import draw_rois
from trainer.data.sources import holds_cutouts
from trainer.errors import ExportError
from trainer.export.shipment import Shipment
from trainer.networks.blocks import without_auxiliary
from trainer.networks.separator import OUTPUTS
from trainer.networks.stored import quantize_scope
from trainer.networks.verifier import OUTPUTS as VERIFIED
from trainer.run.trained import is_run, task_of

LOCATOR_SIDE_PX = 512
SAMPLES = 96
ROI_SAMPLES = 400
PROOF_FRAMES, PROOF_ROIS, PROOF_CROPS = 8, 400, 2000
FRAMES = {"train": 24, "val": 40}
"""Split to how many frames a bundle's export takes its pictures from; a run's export takes those of all frames, or what
the run kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Specimen:
    """``samples`` are train pictures uint8 (height, width[, channels]), ``proof`` val ones, (n, height, width[,
    channels])."""

    task: Task
    network: Any
    samples: Sequence[UInt8Array]
    proof: UInt8Array


def specimen_of(shipment: Shipment, network: Any) -> Specimen:
    """Pictures that the run kept; for a bundle, which keeps none, pictures of the data.

    ``ExportError`` if there is no val picture to prove the export on.
    """
    task = task_of(shipment.run)
    ways = {
        "locator": _locator,
        "separator": _separator,
        "classifier": _classifier,
        "verifier": _verifier,
        "arbiter": _arbiter,
    }
    return ways[task](shipment, network)


def _locator(shipment: Shipment, network: Any) -> Specimen:
    lean = without_auxiliary(network, HEADS)
    with quantize_scope():
        fixed = keras.models.clone_model(lean, keras.Input((LOCATOR_SIDE_PX, LOCATOR_SIDE_PX, 1), name="image"))
    fixed.set_weights(lean.get_weights())
    train, val = (read_frames(shipment.data, split) for split in FRAMES)
    samples = [_window(t) for t in train[:: max(1, len(train) // SAMPLES)]]
    picked = val[:: max(1, len(val) // PROOF_FRAMES)][:PROOF_FRAMES]
    return Specimen("locator", fixed, samples, np.stack([_window(t) for t in picked]))


def _window(truth: FrameTruth) -> UInt8Array:
    pixels = shrink(dark_on_bright(read_frame(truth.path)).pixels)[:LOCATOR_SIDE_PX, :LOCATOR_SIDE_PX]
    ground = int(np.percentile(pixels[::8, ::8], 80))
    right, below = LOCATOR_SIDE_PX - pixels.shape[1], LOCATOR_SIDE_PX - pixels.shape[0]
    return np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=ground), np.uint8)


def _separator(shipment: Shipment, network: Any) -> Specimen:
    from trainer.fit.separator import VAL_SEED

    train, val = _prepared_frames(shipment)
    samples = draw_rois(train, np.random.default_rng(0), ROI_SAMPLES)
    proof = draw_rois(val, np.random.default_rng(VAL_SEED), PROOF_ROIS)
    return Specimen("separator", without_auxiliary(network, OUTPUTS), list(samples.inputs), proof.inputs)


def _prepared_frames(shipment: Shipment) -> tuple[list[CachedFrame], list[CachedFrame]]:
    from trainer.fit.separator import val_frames

    if is_run(shipment.run):
        store = shipment.run.parent
        return train_frames(shipment.data, store), val_frames(shipment.data, store)
    train, val = (prepared(some_frames(shipment.data, split, count)) for split, count in FRAMES.items())
    return train, val


def _verifier(shipment: Shipment, network: Any) -> Specimen:
    if is_run(shipment.run):
        train, val = (LookSet.load(shipment.run / f"{split}.npz") for split in FRAMES)
    else:
        lookers = load_lookers(shipment.models)
        train, val = (
            looks_at(some_frames(shipment.data, split, count), split, lookers, seed=0)
            for split, count in FRAMES.items()
        )
    return Specimen("verifier", without_auxiliary(network, VERIFIED), list(train.pixels), val.pixels)


def _arbiter(shipment: Shipment, network: Any) -> Specimen:
    if is_run(shipment.run):
        train, val = (CellSet.load(shipment.run / f"{split}.npz") for split in FRAMES)
    else:
        hearing = load_hearing(shipment.models)
        train, val = (
            cells_at(some_frames(shipment.data, split, count), split, hearing, seed=0)
            for split, count in FRAMES.items()
        )
    return Specimen("arbiter", network, list(train.table), val.table)


def _classifier(shipment: Shipment, network: Any) -> Specimen:
    train, val = (crops.pick(crops.label != NOTHING) for crops in _train_and_val_crops(shipment))
    if len(val) == 0:
        raise ExportError(
            f"{shipment.run}: expected val crops to prove the export on, found none; fit on more cells, or for a "
            "bundle name data with a val split"
        )
    rows = np.random.default_rng(0).permutation(len(train))[: 4 * SAMPLES]
    samples = [p if k % 2 else np.ascontiguousarray(p[::-1]) for k, p in enumerate(train.pixels[rows])]
    proven = np.sort(np.random.default_rng(1).permutation(len(val))[:PROOF_CROPS])
    return Specimen("classifier", network, samples, val.pixels[proven])


def _train_and_val_crops(shipment: Shipment) -> tuple[CropSet, CropSet]:
    from trainer.fit.crops import cut_out, stored_crops

    if is_run(shipment.run):
        return stored_crops(shipment.run)
    if holds_cutouts(shipment.data):
        return cut_out(shipment.data, shipment.models)
    locator = load_locator(shipment.models)
    train, val = (
        crops_of(some_frames(shipment.data, split, count), locator, f"crops of {split} frames")
        for split, count in FRAMES.items()
    )
    return train, val
