"""Runs the trained and the exported network over the same pictures, as the edge will, and compares them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge.records import UInt8Array
from edge.runtime.network import cpu_network
from trainer.export.bundle import suffix_of
from trainer.export.flat import read_flat
from trainer.export.parity import Outputs, Parity, measure, require
from trainer.export.specimen import Specimen
from trainer.export.tflite import output_names

AT_ONCE_PX = 4 << 20


def prove(it: Specimen, form: str, model: bytes) -> dict[str, Any]:
    """Figures of the exported model: its parity with the trained network, and its size. ``form`` is one of
    ``parity.BOUNDS``.

    ``ExportError`` if parity is out of bounds.
    """
    figures = require(compare(it, form, model)).figures() | {"bytes": len(model)}
    if suffix_of(model) == ".tflite":
        flat = read_flat(model)
        figures |= {"gzip_bytes": flat.gzip_bytes, "zero_share": flat.zero_share}
    return figures


def compare(it: Specimen, form: str, model: bytes) -> Parity:
    """How an exported model's answers differ from its network's, whatever the bounds."""
    exported = cpu_network(model, suffix_of(model), threads=2)
    parts = [exported.run_uint8(part) for part in batches(it.proof)]
    return measure(it.task, form, trained_outputs(it.network, it.proof), joined(parts))


def trained_outputs(network: Any, pixels: UInt8Array) -> Outputs:
    """The Keras network's outputs by name."""
    names = output_names(network)
    call = tf.function(lambda x: tf.nest.flatten(network(x, training=False)))
    parts = [{n: o.numpy() for n, o in zip(names, call(real(part)), strict=True)} for part in batches(pixels)]
    return joined(parts)


def real(pixels: UInt8Array) -> npt.NDArray[np.float32]:
    """Pictures uint8 (n, height, width[, channels]) as a network takes them: (n, height, width, channels) in 0..1."""
    return np.asarray(pixels.reshape(*pixels.shape[:3], -1) / np.float32(255), np.float32)


def batches(pixels: UInt8Array) -> list[UInt8Array]:
    """The pictures in parts that fit into memory; all parts but the last are of one length."""
    step = max(1, AT_ONCE_PX // (pixels.shape[1] * pixels.shape[2]) // 4)
    return [pixels[i : i + step] for i in range(0, len(pixels), step)]


def joined(parts: Sequence[Outputs]) -> Outputs:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
