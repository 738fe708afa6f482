"""A fully convolutional network for pictures of another size than it was exported for: weights and arithmetic stay.

Only two things in such a file depend on the size: its input's shape, and the sizes that nearest-neighbour resizes bring
their maps to, which are constants. The runtimes find all other shapes anew. Half of the val frames fill between a half
and nine tenths of the locator's 512 x 512 px, or need two to six tiles of that to be covered; read in their own size
they cost half as much.
"""

from __future__ import annotations

import importlib

import numpy as np

ANY_SIZE = ("CONV_2D", "ADD", "RESIZE_NEAREST_NEIGHBOR")
"""Operators that do the same at every place of a picture, as the locator's all do."""


def for_size(model: bytes, runtime: str, height: int, width: int) -> bytes | None:
    """``model``, which the runtime has found sound, for inputs (n, height, width, C). None where it takes no other size
    than it has: another operator looks at the whole picture, or a map would have half a place; or where the
    ``runtime`` (its interpreter's module) comes without the file's schema."""
    try:
        schema = importlib.import_module(f"{runtime.rpartition('.')[0]}.schema_py_generated")
    except ImportError:
        return None
    kinds = {getattr(schema.BuiltinOperator, name): name for name in ANY_SIZE}
    changed = bytearray(model)
    file = schema.Model.GetRootAs(changed)
    graph = file.Subgraphs(0)
    picture = graph.Tensors(graph.Inputs(0))
    had, asked = picture.ShapeAsNumpy()[1:3].astype(np.int64), np.array([height, width])
    sizes = set()
    for k in range(graph.OperatorsLength()):
        operator = graph.Operators(k)
        kind = kinds.get(file.OperatorCodes(operator.OpcodeIndex()).BuiltinCode())
        if kind is None:
            return None
        if kind == "RESIZE_NEAREST_NEIGHBOR":
            if (graph.Tensors(operator.Inputs(0)).ShapeAsNumpy()[1:3] * asked % had).any():
                return None
            sizes.add(graph.Tensors(operator.Inputs(1)).Buffer())
    for buffer in sizes:
        size = file.Buffers(buffer).DataAsNumpy().view(np.int32)
        size[:] = size * asked // had
    picture.ShapeAsNumpy()[1:3] = asked
    if not picture.ShapeSignatureIsNone():
        picture.ShapeSignatureAsNumpy()[1:3] = asked
    return bytes(changed)
