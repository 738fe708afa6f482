"""The one training loop: batches made ahead, AdamW on a cosine, averaged weights, log, checkpoints, resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras
from rich.progress import Progress

from trainer.errors import Diverged
from trainer.fit.optimise import Averages, cosine_rate
from trainer.fit.prefetch import Prefetcher
from trainer.run.folder import Run

Batch = tuple[npt.NDArray[np.float32], ...]
Losses = Callable[..., tuple[Any, Mapping[str, Any]]]
"""(network, *batch) to the loss to be lowered and the figures to log, all scalar tensors."""

LOG_EVERY = 50
SAVE_EVERY = 250
CHECK_EVERY = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard to train; ``rate`` is the peak, ``clip_norm`` bounds each weight's gradient."""

    steps: int
    rate: float
    decay: float
    clip_norm: float
    seed: int


def train(
    run: Run,
    network: Any,
    plan: Plan,
    losses: Losses,
    make: Callable[[np.random.Generator], Batch],
    check: Callable[[], Mapping[str, float]],
) -> None:
    """Trains ``network`` from the run's last checkpoint to the end of the plan; leaves the averaged weights in it.

    ``make`` draws a batch from a generator that depends on the seed and the step alone, so a resumed run sees the same
    batches as an uninterrupted one. Dropout draws from TensorFlow's own generator, which a resumed run starts anew, so
    the results are alike but not the same. ``check`` measures the network, in its averaged weights, now and then.
    ``Diverged`` if the loss is no longer a number; the checkpoints before that stay.
    """
    optimiser = keras.optimizers.AdamW(plan.rate, weight_decay=plan.decay, clipnorm=plan.clip_norm)
    optimiser.build(network.trainable_variables)
    averages = Averages(network)
    kept = {"network": network, "optimiser": optimiser, "averages": averages}
    first = run.restore(**kept)
    take = _step(network, optimiser, losses)
    sums: dict[str, list[float]] = {}

    def batch_of(step: int) -> Batch:
        return make(np.random.default_rng((plan.seed, step)))

    with Progress() as progress, Prefetcher(batch_of, first, plan.steps) as batches:
        bar = progress.add_task(run.folder.name, total=plan.steps, completed=first)
        started_s = time.monotonic()
        for step, batch in batches:
            optimiser.learning_rate.assign(cosine_rate(step, plan.steps, plan.rate))
            loss, figures = take(*batch)
            for name, value in figures.items():
                sums.setdefault(name, []).append(float(value))
            averages.update(network, step)
            progress.advance(bar)
            done, last = step + 1, step + 1 == plan.steps
            if done % LOG_EVERY == 0 or last:
                _require_number(float(loss), run, done)
                means = {name: float(np.mean(values)) for name, values in sums.items()}
                rate, seconds = float(optimiser.learning_rate), time.monotonic() - started_s
                run.log(done, rate=rate, seconds=seconds, **means)
                sums.clear()
            if done % CHECK_EVERY == 0 or last:
                with averages.worn_by(network):
                    found = check()
                if found:
                    run.log(done, **found)
            if done % SAVE_EVERY == 0 or last:
                run.save(done, **kept)
    averages.copy_to(network)
    run.draw_curves()


def _require_number(loss: float, run: Run, done: int) -> None:
    """``Diverged`` if the loss is no number, as it will not be one again: sound checkpoints must not make way for
    such."""
    if not np.isfinite(loss):
        raise Diverged(
            f"{run.folder}: the loss is {loss} at step {done}, nothing is learned any more; start over with a smaller "
            "--rate and --fresh"
        )


def _step(network: Any, optimiser: Any, losses: Losses) -> Any:
    def step(*batch: Any) -> tuple[Any, dict[str, Any]]:
        with tf.GradientTape() as tape:
            total, figures = losses(network, *batch)
        gradients = tape.gradient(total, network.trainable_variables)
        optimiser.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return total, dict(figures)

    return tf.function(step)
