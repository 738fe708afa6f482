"""A trained network, plain or quantization-aware, from the file of a run or a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tf_keras as keras

from edge.text import first_line
from trainer.errors import ExportError
from trainer.networks import arbiter as _arbiter  # noqa: F401  a file's own layers must be known before it is read
from trainer.networks.tfmot import tfmot
from trainer.run.trained import task_of, weights_of

QUANT = "quant_"
"""What tfmot puts before the name of a quantized layer."""


class OutputQuantizeConfig(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
    """Quantizes the output of a layer without weights. tfmot has no rule for Multiply (attention, squeeze-excite)."""

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        return []

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: Any) -> None:
        pass

    def set_quantize_activations(self, layer: Any, quantize_activations: Any) -> None:
        pass

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        quantizers = tfmot.quantization.keras.quantizers
        return [
            quantizers.MovingAverageQuantizer(num_bits=8, per_axis=False, symmetric=False, narrow_range=False),
        ]

    def get_config(self) -> dict[str, Any]:
        return {}


def quantize_scope() -> Any:
    """A scope in which quantization-aware networks can be cloned and loaded."""
    return tfmot.quantization.keras.quantize_scope({"OutputQuantizeConfig": OutputQuantizeConfig})


def is_quantization_aware(network: Any) -> bool:
    return any(isinstance(layer, tfmot.quantization.keras.QuantizeWrapper) for layer in network.layers)


def load_float(folder: Path) -> Any:
    """The float network; for a quantization-aware run, the one with the same weights and no rounding."""
    return _load(weights_of(folder))


def load_for_int8(folder: Path) -> Any:
    """The quantization-aware network where the run made one, else the float network, to be quantized afterwards."""
    aware = folder / f"{task_of(folder)}.h5"
    return _load(aware) if aware.exists() else load_float(folder)


def _load(path: Path) -> Any:
    try:
        with quantize_scope():
            return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ExportError(f"{path}: not a network that this version can load: {first_line(error)}") from error
