"""What tfmot is to do with a network: which layers it takes, and why it leaves the others."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from trainer.networks.stored import OutputQuantizeConfig
from trainer.networks.tfmot import tfmot

L = keras.layers
SPLIT = (L.SeparableConv1D, L.SeparableConv2D)
FOLDS_NORMALIZATION = (L.Conv2D, L.DepthwiseConv2D, L.Dense, *SPLIT)
LEAST_WEIGHTS = 1_000
"""Smaller kernels are not pruned: they are the stem and the heads, where a weight is worth most and saves least."""


def why_not_quantized(layer: Any) -> str:
    """Why quantization-aware training leaves this layer of a network in float, or "" if it takes it."""
    if isinstance(layer, (*SPLIT, L.Multiply)) or _registry().supports(layer):
        return ""
    if isinstance(layer, L.BatchNormalization):
        before = layer.inbound_nodes[0].inbound_layers if layer.inbound_nodes else None
        if isinstance(before, FOLDS_NORMALIZATION):
            return ""
        return "batch normalization folds only into a convolution or dense layer right before it"
    return f"tfmot has no rule for {type(layer).__name__}"


def why_not_pruned(layer: Any) -> str:
    """Why pruning leaves this layer of a network alone, or "" if it takes it."""
    if isinstance(layer, L.DepthwiseConv2D):
        return "depthwise kernels are never pruned"
    kernel = getattr(layer, "kernel", None)
    if not isinstance(layer, L.Conv2D | L.Dense) or kernel is None:
        return "no kernel" if not layer.weights else f"tfmot does not prune {type(layer).__name__}"
    size = int(kernel.shape.num_elements())
    return "" if size >= LEAST_WEIGHTS else f"only {size} weights, fewer than {LEAST_WEIGHTS}"


def annotated(network: Any) -> Any:
    """The network with every layer that tfmot takes marked for quantization; shares its weights."""
    mark = tfmot.quantization.keras.quantize_annotate_layer

    def each(layer: Any) -> Any:
        if why_not_quantized(layer):
            return layer
        return mark(layer, OutputQuantizeConfig() if isinstance(layer, L.Multiply) else None)

    return keras.models.clone_model(network, clone_function=each)


def _registry() -> Any:
    return tfmot.quantization.keras.default_8bit.Default8BitQuantizeRegistry()
