"""Makes ``tiny.onnx``, the float32 network of ``make_models.py``: ``python -m tests.edge.runtime.make_onnx``."""

from pathlib import Path

import tensorflow as tf
import tf2onnx

from tests.edge.runtime.make_models import HEIGHT, WIDTH, build

if __name__ == "__main__":
    picture = [tf.TensorSpec((None, HEIGHT, WIDTH, 1), tf.float32, name="picture")]
    target = Path(__file__).parent / "tiny.onnx"
    tf2onnx.convert.from_keras(build(fixed=False), picture, opset=17, output_path=str(target))
