#!/usr/bin/env python3
"""Makes a YOLOv8n detector with random weights, to race against: ``tools/make_yolo.py FOLDER``.

It needs the extras ``trainer`` and ``onnx``. The architecture is that of ultralytics/cfg/models/v8/yolov8.yaml at
scale n (depth 1/3, width 1/4, at most 1024 channels), 24 classes, 640 x 640 px, without the suppression of doubles
that follows it. Batch norms are folded into the convolutions as its exporters do. Held against the published count:
3,157,200 parameters with 80 classes before folding. Writes yolov8n_float32.tflite, yolov8n_float32.onnx and
yolov8n_int8.tflite. Only the time that they take means anything.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf2onnx
import tf_keras as keras

SIDE_PX, CLASSES, BINS = 640, 24, 16
LAYERS = keras.layers


def conv(x: Any, channels: int, size: int = 1, stride: int = 1) -> Any:
    pad = "same" if stride == 1 else "valid"
    x = x if stride == 1 else LAYERS.ZeroPadding2D(size // 2)(x)
    x = LAYERS.Conv2D(channels, size, stride, pad)(x)
    return LAYERS.Multiply()([x, LAYERS.Activation("sigmoid")(x)])


def c2f(x: Any, channels: int, repeats: int, shortcut: bool) -> Any:
    half = channels // 2
    parts = [*tf.split(conv(x, 2 * half), 2, axis=-1)]
    for _ in range(repeats):
        y = conv(conv(parts[-1], half, 3), half, 3)
        parts.append(LAYERS.Add()([parts[-1], y]) if shortcut else y)
    return conv(LAYERS.Concatenate()(parts), channels)


def sppf(x: Any, channels: int) -> Any:
    parts = [conv(x, channels // 2)]
    for _ in range(3):
        parts.append(LAYERS.MaxPooling2D(5, 1, "same")(parts[-1]))
    return conv(LAYERS.Concatenate()(parts), channels)


def head(x: Any, classes: int, narrowest: int) -> Any:
    boxes, scores = max(16, narrowest // 4, BINS * 4), max(narrowest, min(classes, 100))
    box = LAYERS.Conv2D(4 * BINS, 1)(conv(conv(x, boxes, 3), boxes, 3))
    score = LAYERS.Conv2D(classes, 1)(conv(conv(x, scores, 3), scores, 3))
    cells = int(x.shape[1]) ** 2
    box = LAYERS.Softmax()(LAYERS.Reshape((cells, 4, BINS))(box))
    sides = tf.reduce_sum(box * tf.range(BINS, dtype=tf.float32), axis=-1)  # expectation over the bins
    return tf.concat([sides, tf.sigmoid(LAYERS.Reshape((cells, classes))(score))], axis=-1)


def yolov8n(classes: int = CLASSES) -> Any:
    picture = keras.Input((SIDE_PX, SIDE_PX, 3), batch_size=1)
    x = c2f(conv(conv(picture, 16, 3, 2), 32, 3, 2), 32, 1, True)
    p3 = c2f(conv(x, 64, 3, 2), 64, 2, True)
    p4 = c2f(conv(p3, 128, 3, 2), 128, 2, True)
    p5 = sppf(c2f(conv(p4, 256, 3, 2), 256, 1, True), 256)
    up = LAYERS.UpSampling2D(2)
    n4 = c2f(LAYERS.Concatenate()([up(p5), p4]), 128, 1, False)
    n3 = c2f(LAYERS.Concatenate()([up(n4), p3]), 64, 1, False)
    m4 = c2f(LAYERS.Concatenate()([conv(n3, 64, 3, 2), n4]), 128, 1, False)
    m5 = c2f(LAYERS.Concatenate()([conv(m4, 128, 3, 2), p5]), 256, 1, False)
    outputs = [head(level, classes, 64) for level in (n3, m4, m5)]
    return keras.Model(picture, tf.concat(outputs, axis=1))


def parameters_before_folding(model: Any) -> int:
    """The model's number of parameters before batch norms were folded: a folded convolution has one bias a channel
    where a batch norm has two weights; plain output convolutions keep theirs."""
    convolutions = [layer for layer in model.layers if isinstance(layer, LAYERS.Conv2D)]
    plain = {4 * BINS, 80, CLASSES}
    normed = sum(int(c.filters) for c in convolutions if not (c.kernel_size == (1, 1) and _is_output(c, plain)))
    return int(model.count_params()) + normed + BINS  # the published count has the bins' fixed weights, too


def _is_output(layer: Any, sizes: set[int]) -> bool:
    after = {node.layer.__class__.__name__ for node in layer.outbound_nodes}
    return layer.filters in sizes and after == {"Reshape"}


def main(folder: Path) -> None:
    keras.utils.set_random_seed(7)
    count = parameters_before_folding(yolov8n(80))
    assert count == 3_157_200, f"expected YOLOv8n's 3,157,200 parameters, built {count:,}"
    model = yolov8n()
    rng = np.random.default_rng(7)

    def samples() -> Iterator[list[Any]]:
        for _ in range(2):
            yield [rng.random((1, SIDE_PX, SIDE_PX, 3), np.float32)]

    folder.mkdir(parents=True, exist_ok=True)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (folder / "yolov8n_float32.tflite").write_bytes(converter.convert())
    signature = [tf.TensorSpec((1, SIDE_PX, SIDE_PX, 3), tf.float32, name="picture")]
    tf2onnx.convert.from_keras(model, signature, opset=17, output_path=str(folder / "yolov8n_float32.onnx"))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    (folder / "yolov8n_int8.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    main(parser.parse_args().folder)
