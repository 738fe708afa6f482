"""Trains the separator on chromosomes pasted among others: ``trainer fit separator``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from edge.locate.separate import unfold_mask
from trainer.data.framecache import CachedFrame, load_cache
from trainer.data.metaphase import read_frames
from trainer.data.rois import draw_rois
from trainer.loop import Batch, Plan, train
from trainer.networks.separator import build_separator
from trainer.networks.start import take_weights
from trainer.runs import Run

CLIP_NORM = 5.0
VAL_FRAMES, VAL_ROIS, VAL_SEED = 120, 1500, 7


@dataclass(frozen=True, slots=True)
class SeparatorConfig:
    data: str
    steps: int
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-4
    width: float = 1.0
    seed: int = 1
    start: str = ""
    """Weights (.keras) to go on from; empty: from nothing."""


def fit_separator(config: SeparatorConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/separator.keras``."""
    run = Run.open(out, asdict(config), resume)
    keras.utils.set_random_seed(config.seed)
    frames = train_frames(Path(config.data), out.parent)
    held = draw_rois(val_frames(Path(config.data), out.parent), np.random.default_rng(VAL_SEED), VAL_ROIS)
    network = build_separator(config.width)
    if config.start:
        take_weights(network, Path(config.start))
    plan = Plan(config.steps, config.rate, config.decay, CLIP_NORM, config.seed)
    train(
        run,
        network,
        plan,
        losses,
        lambda rng: stack_rois(frames, rng, config.batch),
        lambda: {"val_iou": mask_iou(network, *held)},
    )
    weights = out / "separator.keras"
    network.save(weights)
    return weights


def train_frames(data: Path, store: Path) -> list[CachedFrame]:
    """All train frames, prepared once and kept in ``store``."""
    return load_cache(read_frames(data, "train"), store / "frames-train.cache")


def val_frames(data: Path, store: Path) -> list[CachedFrame]:
    """The val frames that separators are measured on, prepared once and kept in ``store``."""
    return load_cache(read_frames(data, "val")[:VAL_FRAMES], store / "frames-val.cache")


def stack_rois(frames: Sequence[CachedFrame], rng: np.random.Generator, count: int) -> Batch:
    """A batch: rois (B, 64, 64, 2) in 0..1, masks (B, 64, 64) of 0 and 1."""
    rois, masks = draw_rois(frames, rng, count)
    return rois.astype(np.float32) / np.float32(255), masks.astype(np.float32)


def losses(network: Any, roi: Any, mask: Any) -> tuple[Any, dict[str, Any]]:
    """Cross entropy, which trusts every pixel alike, and Dice (Milletari 2016), which trusts every chromosome alike."""
    logit = tf.nn.depth_to_space(network(roi, training=True), 2)[..., 0]
    entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(mask, logit))
    p = tf.sigmoid(logit)
    both = tf.reduce_sum(p * mask, axis=(1, 2))
    dice = tf.reduce_mean(1 - (2 * both + 1) / (tf.reduce_sum(p, axis=(1, 2)) + tf.reduce_sum(mask, axis=(1, 2)) + 1))
    return 2 * entropy + dice, {"entropy": entropy, "dice": dice}


def mask_iou(network: Any, rois: npt.NDArray[np.uint8], masks: npt.NDArray[np.uint8]) -> float:
    """Mean intersection over union of the predicted masks."""
    call = tf.function(lambda x: network(tf.cast(x, tf.float32) / 255.0, training=False))
    found = np.concatenate([unfold_mask(call(rois[i : i + 128]).numpy()) > 0 for i in range(0, len(rois), 128)])
    return iou_of(found, masks)


def iou_of(found: npt.NDArray[np.bool_], masks: npt.NDArray[np.uint8]) -> float:
    """Mean intersection over union, both (n, H, W)."""
    both, either = (found & (masks > 0)).sum((1, 2)), (found | (masks > 0)).sum((1, 2))
    return float((both / np.maximum(either, 1)).mean())
