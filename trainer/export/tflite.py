"""Keras network to TFLite: full-integer int8 or float32, static shapes, batch 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge.records import UInt8Array


def to_tflite(network: Any, height_px: int, width_px: int) -> bytes:
    """Float32 weights and arithmetic."""
    return bytes(_converter(network, height_px, width_px).convert())


def to_int8(network: Any, samples: Iterable[UInt8Array], height_px: int, width_px: int) -> bytes:
    """Full-integer int8, inputs and outputs too, ranges taken from ``samples``: uint8 (height, width[, channels]).

    The input's scale comes out as 1/255 with zero point -128, so that a camera's byte is the network's byte: black and
    white are added to the samples to make sure of it. Dense layers stay per tensor, as the Edge TPU wants them.
    """
    shape = (1, height_px, width_px, network.input_shape[-1])
    extremes = [np.full(shape, level, np.uint8) for level in (0, 255)]

    def feed() -> Iterable[list[npt.NDArray[np.float32]]]:
        for sample in (*extremes, *samples):
            yield [np.asarray(sample.reshape(shape) / 255, np.float32)]

    converter = _converter(network, height_px, width_px)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = feed
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return bytes(converter.convert())


def _converter(network: Any, height_px: int, width_px: int) -> Any:
    """From a concrete function of batch 1, so that every shape is static."""
    names = [name.split(":")[0] for name in network.output_names]

    def serve(image: Any) -> dict[str, Any]:
        return dict(zip(names, tf.nest.flatten(network(image, training=False)), strict=True))

    image = tf.TensorSpec((1, height_px, width_px, network.input_shape[-1]), tf.float32, name="image")
    function = tf.function(serve, input_signature=[image]).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function], network)
