"""How much arithmetic a network is: multiply-accumulates, counted from its operators' own shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edge.runtime.interpreter import undelegated

Sizes = tuple[int, ...]

_BY_OUTPUT = {"CONV_2D", "DEPTHWISE_CONV_2D"}
"""Each output place meets each weight once; a weight's own output channel is the output's last axis."""


def count_macs(model: bytes) -> int:
    """Multiply-accumulates of one picture through a .tflite ``model``: convolutions, dense layers, matrix products.

    Additions, pooling and activations are not counted, as is usual (Howard et al. 2017, MobileNets).
    ``BundleInvalid``: the runtime refuses the model.
    """
    interpreter = undelegated(model)
    tensors = {d["index"]: tuple(int(v) for v in d["shape"]) for d in interpreter.get_tensor_details()}
    batch = max(1, int(interpreter.get_input_details()[0]["shape"][0]))
    # Not public, yet there in every version of the three runtimes; the file's own schema would need a parser.
    return sum(_macs(operator, tensors) for operator in interpreter._get_ops_details()) // batch


def _macs(operator: dict[str, Any], tensors: dict[int, Sizes]) -> int:
    inputs = [tensors.get(int(i), ()) for i in operator["inputs"]]
    return macs_of(operator["op_name"], inputs, tensors.get(int(operator["outputs"][0]), ()))


def macs_of(name: str, inputs: Sequence[Sizes], output: Sizes) -> int:
    """Multiply-accumulates of one operator, by the shapes of its inputs and of its output."""
    if name in _BY_OUTPUT:
        return math.prod(output[:3]) * math.prod(inputs[1])
    if name == "TRANSPOSE_CONV":  # output shape, weights, input
        return math.prod(inputs[2][:3]) * math.prod(inputs[1])
    if name == "FULLY_CONNECTED":
        return math.prod(output[:-1]) * math.prod(inputs[1])
    if name == "BATCH_MATMUL":
        return math.prod(output) * inputs[0][-1]
    return 0
