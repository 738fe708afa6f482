"""Trains the locator on real frames with pasted chromosomes: ``trainer fit locator``."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from rich.progress import Progress

from trainer.batches import Prefetcher
from trainer.data.framecache import CachedFrame, load_cache
from trainer.data.metaphase import read_frames
from trainer.data.windows import Window, make_window
from trainer.losses import box_loss, dense_loss, heat_loss, unfold, vote_loss
from trainer.networks.locator import build_locator
from trainer.optimise import Averages, cosine_rate
from trainer.runs import Run

LOG_EVERY = 50
SAVE_EVERY = 250


@dataclass(frozen=True, slots=True)
class LocatorConfig:
    data: str
    steps: int
    batch: int = 8
    rate: float = 2e-3
    decay: float = 1e-4
    width: float = 1.0
    paste: float = 0.65
    """Share of windows with more chromosomes pasted in."""
    zoom: float = 1.25
    """Windows are zoomed by up to this much, in or out."""
    seed: int = 1
    start: str = ""
    """Weights (.keras) to go on from; empty: from nothing."""


def fit_locator(config: LocatorConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/locator.keras``."""
    run = Run.open(out, asdict(config), resume)
    keras.utils.set_random_seed(config.seed)
    frames = load_cache(read_frames(Path(config.data), "train"), out.parent / "frames-train.cache")
    network = build_locator(width=config.width)
    if config.start:
        network.set_weights(keras.models.load_model(config.start, compile=False).get_weights())
    optimiser = keras.optimizers.AdamW(config.rate, weight_decay=config.decay, clipnorm=10.0)
    optimiser.build(network.trainable_variables)
    averages = Averages(network)
    keep = {"network": network, "optimiser": optimiser, "averages": averages}
    first = run.restore(**keep)
    train = _make_step(network, optimiser)

    def make(step: int) -> tuple[np.ndarray, ...]:
        return stack_windows(frames, np.random.default_rng((config.seed, step)), config)

    totals: list[np.ndarray] = []
    with Progress() as progress, Prefetcher(make, first, config.steps) as batches:
        bar = progress.add_task("locator", total=config.steps, completed=first)
        started = time.monotonic()
        for step, batch in batches:
            optimiser.learning_rate.assign(cosine_rate(step, config.steps, config.rate))
            totals.append(train(*batch).numpy())
            averages.update(network, step)
            progress.advance(bar)
            if (step + 1) % LOG_EVERY == 0:
                names = ("heat", "box", "chromosome", "crossing", "votes")
                values = dict(zip(names, (float(v) for v in np.mean(totals, axis=0)), strict=True))
                run.log(step + 1, rate=float(optimiser.learning_rate), seconds=time.monotonic() - started, **values)
                totals.clear()
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
                run.save(step + 1, **keep)
    averages.copy_to(network)
    weights = out / "locator.keras"
    network.save(weights)
    run.draw_curves()
    return weights


def stack_windows(frames: list[CachedFrame], rng: np.random.Generator, config: LocatorConfig) -> tuple[np.ndarray, ...]:
    """A batch: image, heat, box, dense, votes."""
    windows: list[Window] = [make_window(frames, rng, config.paste, config.zoom) for _ in range(config.batch)]
    return tuple(np.stack([getattr(w, name) for w in windows]) for name in ("image", "heat", "box", "dense", "votes"))


def _make_step(network: Any, optimiser: Any) -> Any:
    def step(image: Any, heat: Any, box: Any, dense: Any, votes: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = network(image, training=True)
            got = {n: unfold(o, n) for n, o in zip(("heat", "box", "dense", "votes"), outputs, strict=True)}
            solid, cross = dense_loss(got["dense"], dense)
            parts = [
                heat_loss(got["heat"], heat),
                box_loss(got["box"], box),
                solid,
                cross,
                vote_loss(got["votes"], votes, dense),
            ]
            total = parts[0] + 3.0 * parts[1] + 4.0 * parts[2] + parts[3] + parts[4]
        gradients = tape.gradient(total, network.trainable_variables)
        optimiser.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return tf.stack(parts)

    return tf.function(step)
