"""Makes ``edge/data/peak_int8.tflite`` and ``peak_float32.tflite`` (needs the trainer's extras).

Each is four 1x1 convolutions of 128 to 128 channels over 48 x 48 places: plain matrix products of a size that fits
caches, and nothing else. The speed that the runtime reaches on them is what ``chromo-edge bench`` calls its peak.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

SIDE, CHANNELS, LAYERS = 48, 128, 4


def main() -> None:
    keras.utils.set_random_seed(7)
    x = picture = keras.Input((SIDE, SIDE, CHANNELS), batch_size=1)
    for _ in range(LAYERS):
        x = keras.layers.Conv2D(CHANNELS, 1, activation="relu")(x)
    model = keras.Model(picture, x)
    rng = np.random.default_rng(7)

    def samples() -> Iterator[list[Any]]:
        for _ in range(4):
            yield [rng.random((1, SIDE, SIDE, CHANNELS), np.float32)]

    folder = Path(__file__).resolve().parents[1] / "edge" / "data"
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (folder / "peak_float32.tflite").write_bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (folder / "peak_int8.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
