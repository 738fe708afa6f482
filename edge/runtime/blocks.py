"""A network whose first convolutions halve the picture may read it in blocks of 2 x 2 pixels: the same numbers, sooner.

The runtimes' int8 kernels take four or eight channels of a place at once, and a grey picture has one: most of what they
multiply there is padding. A convolution of stride 2 over pixels is one of stride 1 over blocks, with four times the
channels and about a quarter of the taps. Both add up the same integers, and XNNPACK rounds the sums alike: the results
are the same to the bit.
"""

from __future__ import annotations

import importlib
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

CHANNELS = (1, 2, 4)
"""A picture of so many has blocks that are cheap to make: a row's two pixels move as one number."""
_ALIGNED = 16
_STRIDE_W, _STRIDE_H, _DATA = 6, 8, 4
"""Places in the vtables of the file's Conv2DOptions and Buffer."""


def in_blocks(model: bytes, runtime: str) -> bytes | None:
    """``model``, which the runtime has found sound, made to take ``blocks_of`` its pictures (n, H, W, C). None where
    these are read by anything else than int8 convolutions of stride 2, or where the ``runtime`` (its interpreter's
    module) comes without the file's schema."""
    try:
        schema = importlib.import_module(f"{runtime.rpartition('.')[0]}.schema_py_generated")
    except ImportError:
        return None
    changed = bytearray(model)
    file = schema.Model.GetRootAs(changed)
    graph = file.Subgraphs(0)
    tensors = [graph.Tensors(k) for k in range(graph.TensorsLength())]
    operators = [graph.Operators(k) for k in range(graph.OperatorsLength())]
    picture = tensors[graph.Inputs(0)]
    readers = [o for o in operators if graph.Inputs(0) in np.atleast_1d(o.InputsAsNumpy())]
    if graph.InputsLength() != 1 or picture.ShapeLength() != 4 or not readers:
        return None
    _, height, width, channels = picture.ShapeAsNumpy()
    if height % 2 or width % 2 or channels not in CHANNELS:
        return None
    if not all(_halves(reader, tensors, schema) and _alone(reader, file, tensors, operators) for reader in readers):
        return None
    tail = b""
    for reader in readers:
        options = reader.BuiltinOptions()
        for stride in (_STRIDE_W, _STRIDE_H):
            struct.pack_into("<i", changed, options.Pos + options.Offset(stride), 1)
        weights = tensors[reader.Inputs(1)]
        buffer = file.Buffers(weights.Buffer())
        kernel = _over_blocks(buffer.DataAsNumpy().view(np.int8).reshape(weights.ShapeAsNumpy()))
        weights.ShapeAsNumpy()[:] = kernel.shape
        # Larger than it was: it goes behind all else, its length before it.
        tail += bytes(-(len(model) + len(tail) + 4) % _ALIGNED)
        pointer = buffer._tab.Pos + buffer._tab.Offset(_DATA)
        struct.pack_into("<I", changed, pointer, len(model) + len(tail) - pointer)
        tail += struct.pack("<I", kernel.size) + kernel.tobytes()
    picture.ShapeAsNumpy()[1:] = height // 2, width // 2, 4 * channels
    if not picture.ShapeSignatureIsNone():
        picture.ShapeSignatureAsNumpy()[1:] = height // 2, width // 2, 4 * channels
    return bytes(changed) + tail


def blocks_of(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """8-bit pictures (n, H, W, C), C one of ``CHANNELS``, as (n, H / 2, W / 2, 4 C): each block's upper two pixels,
    then its lower two."""
    n, height, width, channels = pixels.shape
    pairs = pixels.reshape(n, height // 2, 2, width * channels).view(f"u{2 * channels}")
    blocks = np.empty((n, height // 2, width // 2, 2), pairs.dtype)
    blocks[..., 0], blocks[..., 1] = pairs[:, :, 0], pairs[:, :, 1]
    return blocks.view(pixels.dtype)


def _halves(reader: Any, tensors: list[Any], schema: Any) -> bool:
    """Whether the operator is an int8 convolution that halves its input's sides."""
    if reader.BuiltinOptionsType() != schema.BuiltinOptions.Conv2DOptions:
        return False
    picture, kernel = (tensors[reader.Inputs(k)] for k in (0, 1))
    options = schema.Conv2DOptions()
    table = reader.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return bool(
        options.Padding() == schema.Padding.SAME
        and (options.StrideW(), options.StrideH()) == (2, 2)
        and (options.DilationWFactor(), options.DilationHFactor()) == (1, 1)
        and picture.Type() == kernel.Type() == schema.TensorType.INT8
        and picture.Shape(3) == kernel.Shape(3)  # all channels together, not in groups
    )


def _alone(reader: Any, file: Any, tensors: list[Any], operators: list[Any]) -> bool:
    """Whether the operator's kernel is a constant that nothing else reads."""
    kernel = reader.Inputs(1)
    buffer = tensors[kernel].Buffer()
    return bool(
        file.Buffers(buffer).DataLength() > 0
        and sum(np.count_nonzero(o.InputsAsNumpy() == kernel) for o in operators) == 1
        and sum(t.Buffer() == buffer for t in tensors) == 1
    )


def _over_blocks(kernel: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """The kernel (out, h, w, C) of stride 2 over pixels as one of stride 1 over blocks, (out, h', w', 4 C)."""
    padded = np.pad(kernel, ((0, 0), *(_to_whole_blocks(taps) for taps in kernel.shape[1:3]), (0, 0)))
    out, rows, cols, channels = padded.shape
    parted = padded.reshape(out, rows // 2, 2, cols // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return np.ascontiguousarray(parted).reshape(out, rows // 2, cols // 2, 4 * channels)


def _to_whole_blocks(taps: int) -> tuple[int, int]:
    """How many empty taps before and after fill the blocks that ``taps`` reach into, where the padding is SAME and the
    picture's side even. With SAME, those blocks then lie about the middle one as they should."""
    first = -(max(taps - 2, 0) // 2)
    last = first + taps - 1
    return first % 2, 1 - last % 2
