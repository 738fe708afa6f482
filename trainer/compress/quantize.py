"""Quantization-aware training: ``trainer quantize``. The network learns on with the rounding of int8 in its forward
pass, so that its weights settle where rounding does no harm; on a pruned run with ``--keep-zeros``, zeros stay zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras as keras

from edge.text import first_line
from trainer.compress.layers import annotated, why_not_quantized
from trainer.compress.report import layers_of, write_layers
from trainer.compress.tune import Tuning, lessons_of, opened, tune, weights_sha256
from trainer.errors import ExportError
from trainer.files import save_network
from trainer.networks.stored import QUANT, load_float, quantize_scope
from trainer.networks.tfmot import tfmot
from trainer.run.trained import task_of

RANGES = ("output", "post_activation", "pre_activation")


def quantize(tuning: Tuning, keep_zeros: bool, out: Path, resume: bool) -> Path:
    """Fine-tune a finished run's network for int8.

    Returns the path of the quantization-aware network, ``out/<task>.h5`` (from .keras it would not come back exactly).
    Beside it lies ``<task>.keras``, the float network with the same weights, for the other forms and to go on from.
    """
    source = Path(tuning.run)
    task = task_of(source)
    network = load_float(source)
    run = opened(task, tuning, out, resume, keep_zeros=keep_zeros, weights_sha256=weights_sha256(network))
    lessons = lessons_of(task, tuning, out, network)
    pictures = lessons.pictures(tuning.seed)
    aware = quantization_aware(network, keep_zeros, pictures)
    tune(run, tuning, aware, lessons)
    weights = out / f"{task}.h5"
    save_network(aware, weights)
    plain = copy_weights(aware, network)
    save_network(plain, out / f"{task}.keras")
    write_layers(out, layers_of(plain, aware))
    return weights


def quantization_aware(network: Any, keep_zeros: bool, pictures: Sequence[npt.NDArray[np.float32]]) -> Any:
    """The network with int8 rounding in its forward pass, its ranges measured on ``pictures`` (n, H, W, 1).

    tfmot begins every range at -6..6 and moves it by a thousandth a step: a run of a few hundred steps would end with
    ranges that are mostly this guess, so they are measured first. ``network`` itself stays as it is.
    """
    twin = keras.models.clone_model(network)
    twin.set_weights(network.get_weights())
    scheme = (
        tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
        if keep_zeros
        else tfmot.quantization.keras.default_8bit.Default8BitQuantizeScheme()
    )
    if all(why_not_quantized(layer) for layer in twin.layers):
        raise ExportError(f"{network.name}: tfmot takes none of its layers; see trainer/networks/ for forms it takes")
    try:
        with quantize_scope():
            aware = tfmot.quantization.keras.quantize_apply(annotated(twin), scheme, QUANT)
    except (RuntimeError, ValueError) as error:
        raise ExportError(f"{network.name}: tfmot refuses it: {first_line(error)}") from error
    _set_ranges(aware, network, pictures)
    return aware


def _set_ranges(aware: Any, network: Any, pictures: Sequence[npt.NDArray[np.float32]]) -> None:
    outputs = {layer.name: layer.output for layer in network.layers if not isinstance(layer.output, list)}
    tap = keras.Model(network.input, outputs)
    low: dict[str, list[float]] = {name: [] for name in outputs}
    high: dict[str, list[float]] = {name: [] for name in outputs}
    for batch in pictures:
        for name, value in tap(batch, training=False).items():
            low[name].append(min(0.0, float(np.min(value))))
            high[name].append(max(0.0, float(np.max(value))))
    for layer in aware.layers:
        name = layer.name.removeprefix(QUANT)
        for variable in layer.weights:
            own = variable.name.split("/")[-1].split(":")[0]
            stem, _, end = own.rpartition("_")
            if isinstance(layer, tfmot.quantization.keras.QuantizeWrapper) is False and end in ("min", "max"):
                variable.assign(0.0 if end == "min" else 1.0)  # the input: a camera's byte is the network's byte
            elif stem in RANGES and end in ("min", "max") and name in low:
                variable.assign(np.mean(low[name] if end == "min" else high[name]))


def copy_weights(aware: Any, network: Any) -> Any:
    """``network`` with what ``aware``, made from it, has learned."""
    learned = {variable.name: variable for variable in aware.weights}
    for variable in network.weights:
        variable.assign(learned[variable.name])
    return network
