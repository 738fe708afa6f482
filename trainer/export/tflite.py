"""Keras network to TFLite in each of its forms: static shapes, batch 1.

=========  ==========================================================================
int8       integers throughout, inputs and outputs too; what a board runs
int16x8    int16 activations, int8 weights: nearly float's answers in integers
dynamic    int8 weights, float activations quantized on the fly
float16    float16 weights, float32 arithmetic; half the size
float32    the network as it is
=========  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge.records import UInt8Array
from edge.text import first_line
from trainer.errors import ExportError
from trainer.export.slim import slim
from trainer.networks.stored import QUANT, is_quantization_aware

Form = Literal["int8", "float32", "float16", "dynamic", "int16x8"]
FORMS: tuple[Form, ...] = get_args(Form)


def convert(form: Form, network: Any, samples: Iterable[UInt8Array]) -> bytes:
    """The network, whose input must be of a fixed size, in a form, for one picture; ``samples``, uint8 (height,
    width[, channels]), give integer forms their ranges. A quantization-aware network has its own ranges and only one
    form, int8.

    ``ExportError``: the converter refuses the network.
    """
    if form != "int8" and is_quantization_aware(network):
        raise ExportError(f"{network.name} was trained for int8; {form} is made of the float network beside it")
    try:
        if form == "int8":
            return to_int8(network, samples)
        if form == "int16x8":
            return to_int16x8(network, samples)
        converter = _converter(network)
        if form != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if form == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return _converted(converter)
    except (ValueError, RuntimeError) as error:
        raise ExportError(f"{network.name} cannot be converted to {form}: {first_line(error)}") from error


def to_int8(network: Any, samples: Iterable[UInt8Array]) -> bytes:
    """Full-integer int8, inputs and outputs too, ranges taken from ``samples``: uint8 (height, width[, channels]).

    The input's scale comes out as 1/255 with zero point -128, so that a camera's byte is the network's byte: black and
    white are added to the samples to make sure of it. Dense layers stay per tensor, as the Edge TPU wants them. A
    quantization-aware network has learned its ranges, and needs no samples.
    """
    converter = _converter(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if not is_quantization_aware(network):
        converter.representative_dataset = lambda: _feed(network, samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return _converted(converter)


def to_int16x8(network: Any, samples: Iterable[UInt8Array]) -> bytes:
    """The network with int16 activations of zero point 0, inputs and outputs too, and int8 weights."""
    converter = _converter(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _feed(network, samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int16
    return _converted(converter)


def to_tflite(network: Any) -> bytes:
    """The network with float32 weights and arithmetic."""
    return convert("float32", network, ())


def output_names(network: Any) -> Sequence[str]:
    """The outputs' names as the edge knows them; tfmot puts its mark before each."""
    return [name.split(":")[0].removeprefix(QUANT) for name in network.output_names]


def _converted(converter: Any) -> bytes:
    return slim(bytes(converter.convert()))


def _feed(network: Any, samples: Iterable[UInt8Array]) -> Iterable[list[npt.NDArray[np.float32]]]:
    shape = (1, *network.input_shape[1:])
    extremes = [np.full(shape, level, np.uint8) for level in (0, 255)]
    for sample in (*extremes, *samples):
        yield [np.asarray(sample.reshape(shape) / 255, np.float32)]


def _converter(network: Any) -> Any:
    """A converter of a concrete function of batch 1, so that every shape is static."""
    names = output_names(network)

    def serve(image: Any) -> dict[str, Any]:
        return dict(zip(names, tf.nest.flatten(network(image, training=False)), strict=True))

    image = tf.TensorSpec((1, *network.input_shape[1:]), tf.float32, name="image")
    function = tf.function(serve, input_signature=[image]).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function], network)
