"""What a ``.tflite`` file holds: its operators, its tensors, its weights. Reads the flatbuffer, runs nothing."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.runtime.macs import macs_of
from edge.runtime.model_file import TFLITE_MARK
from trainer.errors import ExportError


@dataclass(frozen=True, slots=True)
class Tensor:
    """``signature`` is the shape with -1 where it is open; ``scales`` counts the quantization scales (0: real values,
    1: per tensor, more: per channel); ``values`` and ``zeros`` count a constant's elements, and those whose real value
    is zero (0 and 0 for what is computed)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    scales: int
    values: int
    zeros: int


@dataclass(frozen=True, slots=True)
class Operator:
    name: str
    version: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def macs(self) -> int:
        """The multiply-accumulates that it costs for one picture."""
        return macs_of(self.name, [t.shape for t in self.inputs], self.outputs[0].shape)


@dataclass(frozen=True, slots=True)
class FlatModel:
    """The first subgraph of a model, and how many it has. ``gzip_bytes``: the file's size when it is sent or
    updated."""

    operators: tuple[Operator, ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    subgraphs: int
    bytes: int
    gzip_bytes: int

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """Kernels: the constants of two and more dimensions that are not shapes or indices."""
        return tuple(t for t in self.tensors if t.values and len(t.shape) > 1 and t.dtype not in ("INT32", "INT64"))

    @property
    def zero_share(self) -> float:
        """Share of the kernels' weights that is zero."""
        return sum(t.zeros for t in self.weights) / max(1, sum(t.values for t in self.weights))


def read_flat(tflite: bytes) -> FlatModel:
    """What is in a model; ``ExportError`` if ``tflite`` is none."""
    from ai_edge_litert import schema_py_generated as schema

    if tflite[4:8] != TFLITE_MARK:
        raise ExportError("expected a TFLite model, got other bytes; export it again")
    types = {code: name for name, code in vars(schema.TensorType).items() if isinstance(code, int)}
    codes = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    graph = model.subgraphs[0]
    tensors = tuple(_tensor(t, model.buffers[t.buffer].data, types) for t in graph.tensors)

    def some(indices: Any) -> tuple[Tensor, ...]:
        return tuple(tensors[i] for i in indices if i >= 0)

    def operator(op: Any) -> Operator:
        code = model.operatorCodes[op.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)  # old files say it in a byte, new ones in a word
        name = code.customCode.decode() if code.customCode else codes[number]
        return Operator(name, code.version, some(op.inputs), some(op.outputs))

    return FlatModel(
        tuple(operator(op) for op in graph.operators or ()),
        tensors,
        some(graph.inputs),
        some(graph.outputs),
        len(model.subgraphs),
        len(tflite),
        len(gzip.compress(tflite, 9, mtime=0)),
    )


def _tensor(tensor: Any, data: Any, types: dict[int, str]) -> Tensor:
    shape = tuple(int(v) for v in (tensor.shape if tensor.shape is not None else ()))
    open_shape = tensor.shapeSignature
    scaling = tensor.quantization
    has_scale = scaling is not None and scaling.scale is not None and len(scaling.scale) > 0
    zero_point = int(scaling.zeroPoint[0]) if has_scale and len(scaling.zeroPoint) else 0
    values = np.zeros(0)
    kinds = {"INT8": np.int8, "INT16": np.int16, "FLOAT16": np.float16, "FLOAT32": np.float32, "INT32": np.int32}
    dtype = types[tensor.type]
    if data is not None and len(data) and dtype in kinds:
        values = np.frombuffer(np.asarray(data, np.uint8).tobytes(), kinds[dtype])
    return Tensor(
        tensor.name.decode(),
        dtype,
        shape,
        shape if open_shape is None else tuple(int(v) for v in open_shape),
        len(scaling.scale) if has_scale else 0,
        values.size,
        int((values == zero_point).sum()),
    )
