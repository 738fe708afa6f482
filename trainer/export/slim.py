"""A TFLite file without its repetitions: the same network, the same numbers, fewer bytes.

The converter writes eight bytes of zero point for every channel of every kernel and bias, all of them zero. Runtimes
refuse one zero point for many scales, but a flatbuffer's tables may point at one and the same list: of the locator's
file that saves a twentieth.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.runtime.model_file import TFLITE_MARK


def slim(tflite: bytes) -> bytes:
    """``tflite`` with each list of zero points written once; a file that this would not shorten comes back itself."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))
    builder = _Sharing(len(tflite))
    builder.Finish(model.Pack(builder), TFLITE_MARK)
    slimmed = bytes(builder.Output())
    return min(tflite, slimmed, key=len)


class _Sharing(flatbuffers.Builder):  # type: ignore[misc]
    """Points to a list of 64-bit numbers that was written before instead of writing it again. Other lists, shapes among
    them, stay apart: the edge changes some in place (``edge/runtime/blocks.py``)."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[bytes, int] = {}

    def CreateNumpyVector(self, x: Any) -> int:
        if x.dtype != np.int64:
            return int(super().CreateNumpyVector(x))
        numbers = x.tobytes()
        if numbers not in self._written:
            self._written[numbers] = int(super().CreateNumpyVector(x))
        return self._written[numbers]
