"""Tiny real bundles, untrained: what matters is that shapes, scales and arithmetic are the product's.

``python -m tests.trainer.tiny`` (needs the trainer's extras) makes those in ``tests/edge/tiny``, which the edge's own
tests use.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from edge.camera.metaphase import draw_metaphase
from edge.cell.arbiter import COLUMNS, SEATS, TABLE_WIDTH
from edge.cell.verify import OBJECT_PX, looks
from edge.locate.grid import HEADS, LOCATOR_UM_PER_PX
from edge.locate.separate import BOX_PX, make_rois, roi_matrix
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import LABELS, Frame, Region, UInt8Array
from edge.runtime.bundle import Bundle
from tests.trainer.drawn import boxes_of
from trainer.data.cells import CellSet
from trainer.data.cropset import NOTHING
from trainer.data.framecache import SCALE, shrink
from trainer.export.bundle import write_bundle
from trainer.export.tflite import to_int8, to_tflite
from trainer.networks.arbiter import build_arbiter
from trainer.networks.blocks import without_auxiliary
from trainer.networks.enhanced import build_enhanced
from trainer.networks.locator import build_locator
from trainer.networks.separator import OUTPUTS, build_separator
from trainer.networks.verifier import OUTPUTS as VERIFIED
from trainer.networks.verifier import build_verifier

SIDE_PX = 128
CALIBRATION = {"least_score": 0.5, "most_iou": 0.7, "box_shift_x_px": 0.0, "box_shift_y_px": 0.0}


def awaken(network: Any, seed: int) -> Any:
    """Random biases and batch statistics, so that no two outputs of an untrained network are alike."""
    rng = np.random.default_rng(seed)
    weights = []
    for variable in network.weights:
        value = variable.numpy()
        if "gamma" in variable.name or "variance" in variable.name:
            value = rng.uniform(0.7, 1.3, value.shape)
        elif "beta" in variable.name or "mean" in variable.name or "bias" in variable.name:
            value = rng.normal(0, 0.2, value.shape)
        weights.append(value.astype(np.float32))
    network.set_weights(weights)
    return network


def tiny_locator() -> Any:
    keras.utils.set_random_seed(3)
    network = without_auxiliary(awaken(build_locator(SIDE_PX, SIDE_PX, width=0.25), 3), HEADS)
    pictures = np.stack(drawn_windows(8))[..., None].astype(np.float32) / 255
    # So that it finds something: peaks here and there, boxes of a chromosome's size.
    for name, output, (mean, spread) in zip(
        HEADS, network(pictures, training=False), ((-1, 1), (1, 0.25)), strict=True
    ):
        kernel, bias = network.get_layer(name).get_weights()
        values = output.numpy()
        scale = spread / values.std()
        network.get_layer(name).set_weights([kernel * scale, (bias - values.mean()) * scale + mean])
    return network


def tiny_separator() -> Any:
    keras.utils.set_random_seed(5)
    return without_auxiliary(awaken(build_separator(width=0.5), 5), OUTPUTS)


def tiny_classifier(seed: int = 4) -> Any:
    keras.utils.set_random_seed(seed)
    return awaken(build_enhanced(0.0, width=0.5), seed)


def drawn_windows(count: int, side_px: int = SIDE_PX) -> list[UInt8Array]:
    pixels = shrink(draw_metaphase(1, size_px=(500, 500)).pixels)
    rng = np.random.default_rng(0)
    corners = rng.integers(0, len(pixels) - side_px, (count, 2))
    return [np.ascontiguousarray(pixels[y : y + side_px, x : x + side_px]) for y, x in corners]


def drawn_rois(count: int) -> list[UInt8Array]:
    """Drawn chromosomes as the separator sees them, uint8 (64, 64, 2)."""
    drawn = draw_metaphase(2, size_px=(500, 500), crowding=0.3)
    picture, boxes = shrink(drawn.pixels), (boxes_of(drawn)[:count] * SCALE).astype(np.float32)
    return list(make_rois(picture, boxes, roi_matrix(boxes)))


def drawn_crops(count: int) -> UInt8Array:
    """Bright bars of different lengths with bands, as the classifier sees chromosomes."""
    rng = np.random.default_rng(1)
    crops = np.zeros((count, CROP_ROWS, CROP_COLS), np.uint8)
    for crop in crops:
        half = int(rng.integers(15, 60))
        bands = np.repeat(rng.integers(60, 255, half), 2)[: 2 * half]
        crop[CROP_ROWS // 2 - half : CROP_ROWS // 2 + half, 9:23] = bands[:, None]
    return crops


def locator_bundle(folder: Path) -> Bundle:
    model = to_int8(tiny_locator(), drawn_windows(8))
    return _bundle(folder, "locator", model, (), CALIBRATION, {"um_per_px": LOCATOR_UM_PER_PX})


def separator_bundle(folder: Path) -> Bundle:
    model = to_int8(tiny_separator(), drawn_rois(12))
    return _bundle(folder, "separator", model, (), {}, {"um_per_px": LOCATOR_UM_PER_PX, "box_px": BOX_PX})


def classifier_bundle(folder: Path, temperature: float = 1.0, seed: int = 4) -> Bundle:
    model = to_int8(tiny_classifier(seed), drawn_crops(12))
    return _bundle(folder, "classifier", model, LABELS, {"temperature": temperature}, {"median_rows": 60.0})


def tiny_verifier() -> Any:
    keras.utils.set_random_seed(6)
    return without_auxiliary(awaken(build_verifier(width=0.5), 6), VERIFIED)


def drawn_looks(count: int) -> UInt8Array:
    """Drawn chromosomes as the verifier sees them, uint8 (count, 64, 64, 3)."""
    drawn = draw_metaphase(2, size_px=(500, 500), crowding=0.3)
    regions = [Region(c.id, c.box_px, c.mask, c.axis_px, c.overlaps, 1.0) for c in drawn.truth]
    return looks(
        Frame(drawn.pixels, 0, 0.0, "drawn"), regions, np.full(len(regions), 0.9), np.arange(len(regions))[:count]
    )


def verifier_bundle(folder: Path) -> Bundle:
    model = to_int8(tiny_verifier(), list(drawn_looks(12)))
    return _bundle(folder, "verifier", model, (), {}, {"object_px": OBJECT_PX})


def tiny_arbiter() -> Any:
    keras.utils.set_random_seed(7)
    network = awaken(build_arbiter(width=8, depth=1), 7)
    for name in ("keep", "label"):  # a fresh network's add nothing
        kernel, bias = network.get_layer(name).get_weights()
        network.get_layer(name).set_weights([np.random.default_rng(7).normal(0, 0.2, kernel.shape), bias])
    return network


def drawn_cells(count: int, seed: int = 0) -> CellSet:
    """Cells of 46 chromosomes and 4 objects that are none. Every other chromosome is a Y, is taken for something else,
    and shares half of its mask with the next; the others are what they are taken for."""
    rng = np.random.default_rng(seed)
    table = np.zeros((count, SEATS, TABLE_WIDTH), np.uint8)
    label = np.full((count, SEATS), NOTHING, np.int8)
    whole = np.zeros((count, SEATS), np.bool_)
    table[:, :50] = 128
    table[:, :50, 0] = 255
    for name in ("iou", "shared", "scores"):
        table[..., COLUMNS[name]] = 0
    said = rng.integers(0, 23, (count, 46))
    label[:, :46], whole[:, :46] = np.where(np.arange(46) % 2, said, LABELS.index("Y")), True
    cell, seat = np.ogrid[:count, :46]
    table[cell, seat, COLUMNS["scores"].start + said] = 250
    table[cell, seat, COLUMNS["scores"].start + LABELS.index("Y")] = 200
    for k in range(0, 46, 2):
        table[:, k, COLUMNS["shared"].start + k + 1] = 128
    return CellSet(table, whole, label)


def arbiter_bundle(folder: Path) -> Bundle:
    model = to_tflite(tiny_arbiter())
    return _bundle(folder, "arbiter", model, (), {}, {})


def _bundle(folder: Path, task: Any, model: bytes, labels: Any, calibration: Any, preprocessing: Any) -> Bundle:
    write: Callable[..., Bundle] = write_bundle
    return write(
        folder,
        task,
        model,
        labels=labels,
        preprocessing=preprocessing,
        calibration=calibration,
        data={"name": "drawn"},
        command="tests",
    )


if __name__ == "__main__":
    models = Path(__file__).parents[1] / "edge" / "tiny"
    locator_bundle(models / "locator")
    separator_bundle(models / "separator")
    classifier_bundle(models / "classifier")
    verifier_bundle(models / "verifier")
    arbiter_bundle(models / "arbiter")
