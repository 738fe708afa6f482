"""Trains the verifier on what the other models find in the train frames: ``trainer fit verifier``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from trainer.data.looks import LookSet, load_lookers, looks_of_frames
from trainer.files import save_network, shipped_models
from trainer.fit.config import FitConfig
from trainer.fit.loop import Batch, train
from trainer.networks.start import widen_weights
from trainer.networks.verifier import build_verifier
from trainer.run.data import frames_for
from trainer.run.folder import Run

CLIP_NORM = 5.0
DOUBTFUL, DOUBTFUL_WEIGHT = 0.98, 3.0
"""An object whose ``chance`` lies between 1 - ``DOUBTFUL`` and ``DOUBTFUL`` is drawn ``DOUBTFUL_WEIGHT`` times as often
as another."""
FRAMED_WEIGHT = 0.5
VAL_SEED = 0
"""The seed for val frames, which decides nothing: they are looked at as they are."""
SPECIMENS = 500
"""So many objects of train and of val stay with the run, for its export."""


@dataclass(frozen=True, slots=True)
class VerifierConfig(FitConfig):
    data: str
    models: str = field(default_factory=lambda: str(shipped_models()))
    """Folder of the locator, separator and classifier whose finds are judged."""
    width: float = 1.0
    """Times as many channels; weights to start from may have fewer."""
    passes: int = 1
    """How often the train frames are looked through, changed anew each time: with ``seed`` and the numbers after it."""


def fit_verifier(config: VerifierConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/verifier.keras``."""
    keras.utils.set_random_seed(config.seed)
    network = build_verifier(config.width)
    if config.start:  # one that does not fit is told before a run is cleared and hours are spent
        widen_weights(network, Path(config.start))
    load_lookers(Path(config.models))  # likewise models that are not there
    run = Run.open(out, asdict(config), resume, frames_for(config.data, "train", "val"))
    known, held = looks_for(config, out.parent)
    for name, looks in (("train", known), ("val", held)):
        looks.some(SPECIMENS).save(out / f"{name}.npz")
    often = drawn_how_often(known)
    train(
        run,
        network,
        config.plan(CLIP_NORM),
        losses,
        lambda rng: make_batch(known, often, rng, config.batch),
        lambda: check(network, held),
    )
    return save_network(network, out / "verifier.keras")


def looks_for(config: VerifierConfig, store: Path) -> tuple[LookSet, LookSet]:
    """Train and val objects, kept in ``store``."""
    data, models = Path(config.data), Path(config.models)
    seeds = range(config.seed, config.seed + config.passes)
    known = LookSet.join([looks_of_frames(data, "train", models, store, seed) for seed in seeds])
    return known, looks_of_frames(data, "val", models, store, VAL_SEED)


def drawn_how_often(looks: LookSet) -> npt.NDArray[np.float64]:
    """Cumulated probabilities, (n,), of drawing each object: the doubtful ones, which teach more, are drawn more
    often."""
    summed = np.where(np.abs(looks.chance - 0.5) < DOUBTFUL - 0.5, DOUBTFUL_WEIGHT, 1.0).cumsum()
    return np.asarray(summed / summed[-1])


def make_batch(looks: LookSet, often: npt.NDArray[np.float64], rng: np.random.Generator, count: int) -> Batch:
    """A batch: look (B, 64, 64, 3), whole (B,), share (B,), in one of the eight ways to lay it, in other light."""
    rows = np.minimum(np.searchsorted(often, rng.random(count)), len(looks) - 1)
    x = looks.pixels[rows].astype(np.float32) / np.float32(255)
    for axis in (1, 2):
        if rng.random() < 0.5:
            x = np.flip(x, axis)
    if rng.random() < 0.5:
        x = x.transpose(0, 2, 1, 3)
    contrast, light = np.exp(rng.normal(0, 0.2, (count, 1, 1))), rng.normal(0, 0.05, (count, 1, 1))
    x[..., 0] = np.clip((x[..., 0] - 0.7) * contrast + 0.7 + light, 0, 1)
    return np.ascontiguousarray(x), looks.whole[rows].astype(np.float32), looks.share[rows]


def losses(network: Any, look: Any, whole: Any, share: Any) -> tuple[Any, dict[str, Any]]:
    """The loss and its parts: the cross entropies of being a mark of a chromosome, and of what the boxes share."""
    said, framed = (out[:, 0, 0, 0] for out in network(look, training=True))
    parts = {
        "whole": tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(whole, said)),
        "framed": tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(share, framed)),
    }
    return parts["whole"] + FRAMED_WEIGHT * parts["framed"], parts


def check(network: Any, held: LookSet) -> dict[str, float]:
    """On val, by the picture alone: the share judged rightly, and the mean cross entropy in nats."""
    call = tf.function(lambda x: network(tf.cast(x, tf.float32) / 255.0, training=False)[0][:, 0, 0, 0])
    said = np.concatenate([call(held.pixels[i : i + 512]).numpy() for i in range(0, len(held), 512)])
    right = np.where(held.whole, said, -said)
    return {"val_right": float((right > 0).mean()), "val_whole": float(np.logaddexp(0, -right).mean())}
