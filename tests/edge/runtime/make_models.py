"""Makes the small models beside it: ``python tests/edge/runtime/make_models.py`` (needs the trainer's extras).

``tiny.tflite``   int8, input real 0..1, outputs ``scores`` (n, 5) and ``map`` (n, 8, 6, 3); takes any batch.
``fixed.tflite``  int8, the same outputs through a reshape to a constant (1, 5): takes a batch of 1 only.
``float.tflite``  float32, as ``tiny``.
``float16.tflite``, ``int16x8.tflite``  the same, with weights of half the bits, and in 16-bit integers.
``tiny.onnx``     float32, as ``tiny`` (needs tf2onnx).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf2onnx
import tf_keras as keras

HEIGHT, WIDTH = 16, 12


def build(fixed: bool) -> Any:
    keras.utils.set_random_seed(7)
    picture = keras.Input((HEIGHT, WIDTH, 1))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu6", name="stem")(picture)
    field = keras.layers.Conv2D(3, 1, name="map")(x)
    if fixed:
        x = keras.layers.Conv2D(5, 1)(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
        scores = keras.layers.Softmax(name="scores")(keras.layers.Reshape((5,))(x))
    else:
        x = keras.layers.GlobalAveragePooling2D()(x)
        scores = keras.layers.Dense(5, activation="softmax", name="scores")(x)
    return keras.Model(picture, {"scores": scores, "map": field})


def examples() -> Iterator[list[Any]]:
    rng = np.random.default_rng(7)
    for _ in range(20):
        picture = rng.random((1, HEIGHT, WIDTH, 1)).astype(np.float32)
        picture.flat[:2] = 0.0, 1.0
        yield [picture]


def convert(model: Any, form: str) -> bytes:
    call = tf.function(lambda x: model(x, training=False))
    concrete = call.get_concrete_function(tf.TensorSpec((1, HEIGHT, WIDTH, 1), tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form in ("int8", "int16x8"):
        sets = tf.lite.OpsSet
        wide = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [sets.TFLITE_BUILTINS_INT8 if form == "int8" else wide]
        converter.inference_input_type = converter.inference_output_type = tf.int8 if form == "int8" else tf.int16
    return bytes(converter.convert())


if __name__ == "__main__":
    here = Path(__file__).parent
    (here / "tiny.tflite").write_bytes(convert(build(fixed=False), "int8"))
    (here / "fixed.tflite").write_bytes(convert(build(fixed=True), "int8"))
    (here / "float.tflite").write_bytes(convert(build(fixed=False), "float32"))
    for form in ("float16", "int16x8"):
        (here / f"{form}.tflite").write_bytes(convert(build(fixed=False), form))
    picture = [tf.TensorSpec((None, HEIGHT, WIDTH, 1), tf.float32, name="picture")]
    tf2onnx.convert.from_keras(build(fixed=False), picture, opset=17, output_path=str(here / "tiny.onnx"))
