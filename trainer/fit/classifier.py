"""Trains the classifier: ``trainer fit classifier``.

Two runs make the shipped one. The first learns from clean upright cut-outs, where the p arm is known to be up. The
second starts from it and adds the frames' own chromosomes, as the locator cuts them: their labels are known, their
polarity is not, so the first net tells it, given the label (label-guided alignment).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from edge.records import LABELS
from trainer.augment import DEFAULT, Strengths, augment, not_single
from trainer.data.cropset import NOTHING, UNKNOWN, UP, CropSet
from trainer.files import save_network, shipped_models
from trainer.fit.align import predict, undecided
from trainer.fit.config import FitConfig
from trainer.fit.crops import load_crops, require_crops
from trainer.fit.distill import distilled, load_teachers
from trainer.fit.loop import Batch, Losses, train
from trainer.fit.mix import Mix, mix_batch
from trainer.networks.enhanced import DEPTH
from trainer.networks.registry import AS_SHIPPED, Architecture, build_classifier
from trainer.networks.start import widen_weights
from trainer.run.folder import Run

CLIP_NORM = 5.0
NOT_SINGLE_SHARE = 0.04
VAL_CROPS = 2500


@dataclass(frozen=True, slots=True)
class ClassifierConfig(FitConfig):
    """``start`` is of this network or a narrower one; it also tells which end of frames' chromosomes is up."""

    data: tuple[str, ...]
    """Sets of cut-outs, folders of metaphase frames; one that is named twice is learned from twice as often."""
    smoothing: float = 0.05
    dropout: float = 0.3
    width: float = 1.0
    cutout_repeats: int = 1
    """How often each cut-out stands in the training set: there are few of them beside the frames' chromosomes, and they
    come from another laboratory."""
    doubtful_repeats: int = 1
    """How often a crop stands in the training set if the network of ``start`` is not sure of its label
    (``trainer.fit.align.DOUBTFUL``), rightly or wrongly: what is easy teaches little."""
    drawn_cells: int = 0
    """Metaphases drawn from the band tables, added as training crops."""
    models: str = field(default_factory=lambda: str(shipped_models()))
    """Folder of the locator and separator that cut frames into crops."""
    network: Architecture = AS_SHIPPED
    depth: int = DEPTH
    """Residual blocks at each size, see ``build_enhanced``."""
    teachers: tuple[str, ...] = ()
    """Weights (.keras) of networks whose mean answer the label is learned from, besides the truth."""
    teacher_weight: float = 0.5
    """The teachers' share of the label's loss."""
    mix: Mix = "none"
    unaugmented: tuple[str, ...] = ()
    """Changes of ``trainer.augment.CHANGES`` to do without."""
    augmented: tuple[str, ...] = ()
    """Other strengths than the usual, each NAME=STRENGTH, see ``Strengths.with_strengths``."""
    laboratory: float = 0.0
    """Share of the crops that are made as if in another laboratory, 0..1, see ``trainer.augment``."""


def fit_classifier(config: ClassifierConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/classifier.keras``."""
    strengths = strengths_of(config)
    keras.utils.set_random_seed(config.seed)
    network = build_classifier(config.network, config.dropout, config.width, config.depth)
    if config.start:  # one that does not fit is told before a run is cleared and hours are spent
        widen_weights(network, Path(config.start))
    losses = pick_losses(config)
    if not resume:
        require_crops(config)
    run = Run.open(out, asdict(config), resume)
    known, val = load_crops(config, out, network if config.start else undecided)
    train(
        run,
        network,
        config.plan(CLIP_NORM),
        losses,
        lambda rng: mixed_batch(known, rng, config, strengths),
        lambda: check(network, val),
    )
    return save_network(network, out / "classifier.keras")


def strengths_of(config: ClassifierConfig) -> Strengths:
    """How strong each change is that the settings ask for. ``ConfigError`` for one that there is not."""
    strengths = replace(DEFAULT, laboratory_share=config.laboratory)
    return strengths.with_strengths(config.augmented).without(config.unaugmented)


def check(network: Any, val: CropSet) -> dict[str, float]:
    """On a fixed sample of ``val``: the accuracy of each crop alone, either end up, and that of its polarity where
    known."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(val.label != NOTHING))[:VAL_CROPS]
    label, polarity = val.label[rows], val.polarity[rows]
    logits, up, _ = predict(network, val.pixels[rows])
    flipped, down, _ = predict(network, val.pixels[rows][:, ::-1])
    gap = (up - down)[:, 0]
    mixed = np.where(gap[:, None] > 0, logits, flipped)
    known = polarity != UNKNOWN
    return {
        "val_accuracy": float((mixed.argmax(1) == label).mean()),
        "val_polarity": float(((gap > 0) == (polarity == UP))[known].mean()) if known.any() else float("nan"),
    }


def make_batch(crops: CropSet, rng: np.random.Generator, count: int, strengths: Strengths = DEFAULT) -> Batch:
    """A batch: image (B, 128, 32, 1); label (B,), polarity (B,) with -1 for unknown, single (B,)."""
    rows = rng.integers(len(crops), size=count)
    flips = rng.random(count) < 0.5
    drawn = rng.random(count) < NOT_SINGLE_SHARE
    single = (crops.label[rows] != NOTHING) & ~drawn
    images = [
        not_single(crops.pixels[row], crops.pixels[int(rng.integers(len(crops)))], rng, strengths)
        if made_up
        else augment(crops.pixels[row], rng, bool(flip), strengths)
        for row, flip, made_up in zip(rows, flips, drawn, strict=True)
    ]
    polarity = crops.polarity[rows].astype(np.float32)
    polarity = np.where(flips & (polarity >= 0), 1 - polarity, polarity)
    polarity = np.where(single, polarity, UNKNOWN)
    return (
        np.stack(images)[..., None],
        crops.label[rows].astype(np.float32),
        polarity.astype(np.float32),
        single.astype(np.float32),
    )


def mixed_batch(crops: CropSet, rng: np.random.Generator, config: ClassifierConfig, strengths: Strengths) -> Batch:
    """The batch of ``make_batch`` after the mix that the settings ask for."""
    batch = make_batch(crops, rng, config.batch, strengths)
    return batch if config.mix == "none" else mix_batch(batch, rng, config.mix)


def pick_losses(config: ClassifierConfig) -> Losses:
    """The losses of ``make_losses``, with those of the teachers if there are any."""
    losses = make_losses(config.smoothing)
    return distilled(losses, load_teachers(config.teachers), config.teacher_weight) if config.teachers else losses


def make_losses(smoothing: float) -> Losses:
    """The classifier's losses; label, (B,) indices or (B, 24) shares, and polarity count only where known."""
    entropy = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction="none")

    def losses(network: Any, image: Any, label: Any, polarity: Any, single: Any) -> tuple[Any, dict[str, Any]]:
        logits, up, whole = (out[:, 0, 0] for out in network(image, training=True))
        hot = label if len(label.shape) == 2 else tf.one_hot(tf.cast(label, tf.int32), len(LABELS))
        weight = single / tf.maximum(tf.reduce_sum(single), 1.0)
        label_loss = tf.reduce_sum(entropy(hot, logits) * weight)
        known = tf.cast(polarity >= 0, tf.float32)
        up_loss = tf.nn.sigmoid_cross_entropy_with_logits(tf.maximum(polarity, 0.0), up[:, 0])
        up_loss = tf.reduce_sum(up_loss * known) / tf.maximum(tf.reduce_sum(known), 1.0)
        single_loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(single, whole[:, 0]))
        right = tf.cast(tf.argmax(logits, axis=1) == tf.argmax(hot, axis=1), tf.float32)
        figures = {
            "label_loss": label_loss,
            "polarity_loss": up_loss,
            "single_loss": single_loss,
            "accuracy": tf.reduce_sum(right * weight),
        }
        return label_loss + 0.3 * up_loss + 0.3 * single_loss, figures

    return losses
