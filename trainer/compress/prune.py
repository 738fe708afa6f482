"""Magnitude pruning: ``trainer prune``. The smallest weights of each kernel go to zero, a few more each step.

The share of zeros follows the cubic curve of Zhu & Gupta (2017), "To prune, or not to prune", through the first part of
the run; what is left then learns to do without. Zeros do not make the board faster, they make the file smaller once it
is compressed, and ``trainer quantize --keep-zeros`` keeps them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tf_keras as keras

from edge.errors import ConfigError
from trainer.compress.layers import why_not_pruned
from trainer.compress.report import layers_of, write_layers
from trainer.compress.tune import Tuning, lessons_of, opened, tune, weights_sha256
from trainer.files import save_network
from trainer.networks.stored import load_float
from trainer.networks.tfmot import tfmot
from trainer.run.trained import task_of

RAMP = 0.7
"""Share of the run in which weights still become zero; in the rest the zeros stay where they are."""
UPDATES = 50
"""How often in the ramp the masks are drawn anew."""


def prune(tuning: Tuning, sparsity: float, out: Path, resume: bool) -> Path:
    """Prune a finished run's network until ``sparsity`` (0..1) of each large kernel is zero.

    Returns the path of the weights, ``out/<task>.keras``, a plain network.
    """
    if not 0 < sparsity < 1:
        raise ConfigError(f"expected a sparsity between 0 and 1, got {sparsity:g}")
    source = Path(tuning.run)
    task = task_of(source)
    network = load_float(source)
    run = opened(task, tuning, out, resume, sparsity=sparsity, weights_sha256=weights_sha256(network))
    lessons = lessons_of(task, tuning, out, network)
    masked = with_masks(network, sparsity, tuning.steps)
    tune(run, tuning, masked, lessons)
    for layer in _masked_layers(masked):  # in the averaged weights what was pruned late is small, not zero
        layer.pruning_obj.weight_mask_op()
    plain = tfmot.sparsity.keras.strip_pruning(masked)
    weights = out / f"{task}.keras"
    save_network(plain, weights)
    write_layers(out, layers_of(plain))
    return weights


def with_masks(network: Any, sparsity: float, steps: int) -> Any:
    """The network with a mask over each large kernel, which grows to ``sparsity`` during training; shares its
    weights."""
    last = max(1, int(RAMP * steps))
    schedule = tfmot.sparsity.keras.PolynomialDecay(0.0, sparsity, 0, last, frequency=max(1, last // UPDATES))

    def each(layer: Any) -> Any:
        return layer if why_not_pruned(layer) else tfmot.sparsity.keras.prune_low_magnitude(layer, schedule)

    masked = keras.models.clone_model(network, clone_function=each)
    for layer in _masked_layers(masked):
        layer.pruning_step.assign(0)  # as tfmot's callback does in model.fit; a checkpoint then brings its own step
    return masked


def _masked_layers(network: Any) -> list[Any]:
    return [layer for layer in network.layers if hasattr(layer, "pruning_obj")]
