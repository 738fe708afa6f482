"""What an export works on: the network at its shipped size, pictures that give it its ranges and that prove it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tf_keras as keras

from edge.camera.files import read_frame
from edge.locate.field import dark_on_bright
from edge.locate.grid import HEADS
from edge.records import UInt8Array
from edge.runtime.bundle import Task
from trainer.compress.layers import quantize_scope
from trainer.data.cells import CellSet
from trainer.data.cropset import NOTHING
from trainer.data.framecache import shrink, train_frames
from trainer.data.looks import LookSet
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.rois import draw_rois
from trainer.errors import ExportError
from trainer.export.networks import task_of
from trainer.networks.blocks import without_teachers
from trainer.networks.separator import OUTPUTS
from trainer.networks.verifier import OUTPUTS as VERIFIED

SAMPLES = 96
ROI_SAMPLES = 400
PROOF_FRAMES, PROOF_ROIS, PROOF_CROPS = 8, 400, 2000


@dataclass(frozen=True, slots=True, eq=False)
class Specimen:
    """``samples`` are train pictures uint8 (height, width[, channels]), ``proof`` val ones, (n, height, width[,
    channels])."""

    task: Task
    network: Any
    samples: Sequence[UInt8Array]
    proof: UInt8Array

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width of the input."""
        return self.proof.shape[1], self.proof.shape[2]


def specimen_of(run: Path, data: Path, network: Any, locator_side_px: int) -> Specimen:
    """``ExportError`` if there is no val picture to prove the export on."""
    task = task_of(run)
    if task == "classifier":
        return _classifier(run, network)
    if task == "verifier":
        return _verifier(run, network)
    if task == "arbiter":
        return _arbiter(run, network)
    return _locator(data, network, locator_side_px) if task == "locator" else _separator(run, data, network)


def _locator(data: Path, network: Any, side_px: int) -> Specimen:
    lean = without_teachers(network, HEADS)
    with quantize_scope():
        fixed = keras.models.clone_model(lean, keras.Input((side_px, side_px, 1), name="image"))
    fixed.set_weights(lean.get_weights())
    train, val = (read_frames(data, split) for split in ("train", "val"))
    samples = [_window(t, side_px) for t in train[:: max(1, len(train) // SAMPLES)]]
    picked = val[:: max(1, len(val) // PROOF_FRAMES)][:PROOF_FRAMES]
    return Specimen("locator", fixed, samples, np.stack([_window(t, side_px) for t in picked]))


def _window(truth: FrameTruth, side_px: int) -> UInt8Array:
    pixels = shrink(dark_on_bright(read_frame(truth.path)).pixels)[:side_px, :side_px]
    ground = int(np.percentile(pixels[::8, ::8], 80))
    right, below = side_px - pixels.shape[1], side_px - pixels.shape[0]
    return np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=ground), np.uint8)


def _separator(run: Path, data: Path, network: Any) -> Specimen:
    from trainer.fit_separator import VAL_SEED, val_frames

    samples = draw_rois(train_frames(data, run.parent), np.random.default_rng(0), ROI_SAMPLES)
    proof = draw_rois(val_frames(data, run.parent), np.random.default_rng(VAL_SEED), PROOF_ROIS)
    return Specimen("separator", without_teachers(network, OUTPUTS), list(samples.inputs), proof.inputs)


def _verifier(run: Path, network: Any) -> Specimen:
    train, val = (LookSet.load(run / f"{name}.npz") for name in ("train", "val"))
    return Specimen("verifier", without_teachers(network, VERIFIED), list(train.pixels), val.pixels)


def _arbiter(run: Path, network: Any) -> Specimen:
    train, val = (CellSet.load(run / f"{name}.npz") for name in ("train", "val"))
    return Specimen("arbiter", network, list(train.table), val.table)


def _classifier(run: Path, network: Any) -> Specimen:
    from trainer.fit_classifier import stored_crops

    train, val = (crops.pick(crops.label != NOTHING) for crops in stored_crops(run))
    if len(val) == 0:
        raise ExportError(f"{run}: expected val crops to prove the export on, val.npz holds none; fit on more cells")
    rows = np.random.default_rng(0).permutation(len(train))[: 4 * SAMPLES]
    samples = [p if k % 2 else np.ascontiguousarray(p[::-1]) for k, p in enumerate(train.pixels[rows])]
    proven = np.sort(np.random.default_rng(1).permutation(len(val))[:PROOF_CROPS])
    return Specimen("classifier", network, samples, val.pixels[proven])
