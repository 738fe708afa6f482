"""Trains the separator on real chromosomes and on pasted ones: ``trainer fit separator``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from edge.locate.locator import load_locator
from edge.locate.separate import BIN_PX, ROI_PX, Answers
from edge.overlap import paired_iou
from trainer.data.framecache import CachedFrame, load_cache, train_frames
from trainer.data.metaphase import read_frames
from trainer.data.proposals import asked
from trainer.data.rois import OPEN, Rois, draw_rois
from trainer.files import save_network
from trainer.fit.config import FitConfig
from trainer.fit.loop import Batch, train
from trainer.networks.separator import OUTPUTS, build_separator
from trainer.networks.start import widen_weights
from trainer.run.data import frames_for
from trainer.run.folder import Run

CLIP_NORM = 5.0
VAL_FRAMES, VAL_ROIS, VAL_SEED = 120, 1500, 7
LEAST_SHARE = 0.3
"""A box that shares less than this with every chromosome's box frames no chromosome."""
WEIGHTS = {"entropy": 2.0, "dice": 1.0, "side": 0.3, "apart": 1.0, "framed": 0.3}


@dataclass(frozen=True, slots=True)
class SeparatorConfig(FitConfig):
    data: str
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-4
    width: float = 1.0
    models: str = ""
    """Folder of a locator and separator whose own boxes are mended too; empty: drawn ones only."""


def fit_separator(config: SeparatorConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/separator.keras``."""
    keras.utils.set_random_seed(config.seed)
    network = build_separator(config.width)
    if config.start:  # one that does not fit is told before a run is cleared and hours are spent
        widen_weights(network, Path(config.start))
    if config.models:
        load_locator(Path(config.models))
    run = Run.open(out, asdict(config), resume, frames_for(config.data, "train", "val"))
    frames = train_frames(Path(config.data), out.parent)
    if config.models:
        frames = asked(frames, Path(config.models))
    held = held_rois(Path(config.data), out.parent, VAL_ROIS)
    train(
        run,
        network,
        config.plan(CLIP_NORM),
        losses,
        lambda rng: stack_rois(frames, rng, config.batch),
        lambda: figures(network, held),
    )
    return save_network(network, out / "separator.keras")


def val_frames(data: Path, store: Path) -> list[CachedFrame]:
    """The val frames that separators are measured on, prepared once and kept in ``store``."""
    return load_cache(read_frames(data, "val")[:VAL_FRAMES], store / "frames-val.cache")


@dataclass(frozen=True, slots=True)
class Held:
    """What a separator is measured on: chromosomes ``pasted`` into val frames, with exact masks, and ``real`` ones."""

    pasted: Rois
    real: Rois


def held_rois(data: Path, store: Path, count: int) -> Held:
    """``count`` samples of each kind, always the same."""
    frames = val_frames(data, store)
    pasted, real = (draw_rois(frames, np.random.default_rng(VAL_SEED), count, share) for share in (0.0, 1.0))
    return Held(pasted, real)


def stack_rois(frames: Sequence[CachedFrame], rng: np.random.Generator, count: int) -> Batch:
    """A batch: rois (B, 64, 64, 2) in 0..1; masks (B, 64, 64) of 0, 1 and ``OPEN``; sides (B, 4) in roi pixels; shares
    (B,)."""
    rois = draw_rois(frames, rng, count)
    return rois.inputs.astype(np.float32) / np.float32(255), rois.masks.astype(np.float32), rois.sides, rois.shares


def losses(network: Any, roi: Any, mask: Any, sides: Any, share: Any) -> tuple[Any, dict[str, Any]]:
    """The loss and its parts. For the mask: cross entropy, which weighs every pixel alike, and Dice (Milletari 2016),
    which weighs every chromosome alike. For each side: cross entropy over its place, and what the boxes then share. For
    ``framed``: cross entropy. A box that frames no chromosome teaches only ``framed``."""
    cells, rows, cols, framed = network(roi, training=True)
    one = tf.cast(share >= LEAST_SHARE, tf.float32)
    many = tf.maximum(tf.reduce_sum(one), 1.0)
    logit = tf.nn.depth_to_space(cells, 2)[..., 0]
    known = tf.cast(mask < OPEN, tf.float32) * one[:, None, None]
    target = mask * known
    entropy = tf.reduce_sum(known * tf.nn.sigmoid_cross_entropy_with_logits(target, logit))
    entropy /= tf.maximum(tf.reduce_sum(known), 1.0)
    p = tf.sigmoid(logit) * known
    both = tf.reduce_sum(p * target, axis=(1, 2))
    dice = 1 - (2 * both + 1) / (tf.reduce_sum(p, axis=(1, 2)) + tf.reduce_sum(target, axis=(1, 2)) + 1)
    dice = tf.reduce_sum(one * dice) / many
    places = tf.stack([cols[:, 0, :, 0], rows[:, :, 0, 0], cols[:, 0, :, 1], rows[:, :, 0, 1]], axis=1)
    wrong, iou = _side_loss(places, sides)
    parts = {
        "entropy": entropy,
        "dice": dice,
        "side": tf.reduce_sum(one * wrong) / many,
        "apart": tf.reduce_sum(one * (1 - iou)) / many,
        "framed": tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(share, framed[:, 0, 0, 0])),
    }
    return sum(WEIGHTS[name] * part for name, part in parts.items()), parts


def _side_loss(places: Any, sides: Any) -> tuple[Any, Any]:
    """From ``places`` (B, 4, 32) logits and ``sides`` (B, 4) in roi pixels: the cross entropy (B,) against the two
    nearest bins, and the intersection over union (B,) of the expected box with the true one."""
    bins = places.shape[-1]
    middles = (tf.range(bins, dtype=tf.float32) + 0.5) * BIN_PX
    within = tf.clip_by_value(sides, middles[0], middles[-1])
    near = tf.maximum(1 - tf.abs(middles - within[..., None]) / BIN_PX, 0.0)
    wrong = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(near, places), axis=-1)
    got = tf.reduce_sum(tf.nn.softmax(places) * middles, axis=-1)
    low, high = tf.maximum(got[:, :2], within[:, :2]), tf.minimum(got[:, 2:], within[:, 2:])
    both = tf.reduce_prod(tf.maximum(high - low, 0.0), axis=-1)
    sizes = [tf.reduce_prod(tf.maximum(b[:, 2:] - b[:, :2], 1.0), axis=-1) for b in (got, within)]
    return wrong, both / tf.maximum(sizes[0] + sizes[1] - both, 1.0)


def figures(network: Any, held: Held) -> dict[str, float]:
    """The figures of ``judge`` for a Keras network."""
    call = tf.function(lambda x: network(tf.cast(x, tf.float32) / 255.0, training=False))

    def answer(rois: npt.NDArray[np.uint8]) -> Answers:
        parts = [[o.numpy() for o in call(rois[i : i + 128])] for i in range(0, len(rois), 128)]
        joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return Answers.of(dict(zip(OUTPUTS, joined, strict=False)))

    return judge(answer, held)


def judge(answer: Callable[[npt.NDArray[np.uint8]], Answers], held: Held) -> dict[str, float]:
    """The figures on val. ``val_iou``: mean intersection over union of the masks of pasted chromosomes. For real ones,
    ``val_box_iou``: the mean for their boxes; ``val_boxed``: the share of these of at least 0.5; ``val_given``: that
    share for the boxes given."""
    pasted = held.pasted
    found = answer(pasted.inputs).masks > 0
    real = answer(held.real.inputs)
    ious = paired_iou(real.sides, np.clip(held.real.sides, 0, ROI_PX))
    return {
        "val_iou": iou_of(found, pasted.masks),
        "val_box_iou": float(ious.mean()),
        "val_boxed": float((ious >= 0.5).mean()),
        "val_given": float((held.real.shares >= 0.5).mean()),
    }


def iou_of(found: npt.NDArray[np.bool_], masks: npt.NDArray[np.uint8]) -> float:
    """The mean intersection over union of masks, both (n, H, W)."""
    both, either = (found & (masks > 0)).sum((1, 2)), (found | (masks > 0)).sum((1, 2))
    return float((both / np.maximum(either, 1)).mean())
