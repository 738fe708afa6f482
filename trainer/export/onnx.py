"""ONNX for an NVIDIA Jetson, where TFLite has no GPU: float, and int8 as Q/DQ pairs, from which TensorRT builds its
engine on the board itself. The int8 model makes the bundle; the float one lies beside it.

TensorRT takes int8 only with every zero point at 0 and biases in float. So activations are symmetric too, and those
after a ReLU lose the half of their range that lies below zero.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge.records import UInt8Array
from edge.runtime.bundle import Bundle
from edge.text import first_line
from trainer.errors import ExportError
from trainer.export.prove import real
from trainer.export.specimen import Specimen
from trainer.export.tflite import output_names
from trainer.files import write_atomic

OPSET = 17
INPUT = "image"
QUANTIZED = ["Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "AveragePool", "GlobalAveragePool", "MaxPool", "Resize"]
"""Operators whose inputs carry Q/DQ and whose outputs do not: a pair between a convolution and its ReLU would keep
TensorRT from making one kernel of them."""
REPORT_FILE = "onnx.json"


def to_both(it: Specimen) -> dict[str, bytes]:
    """The int8 model and the float one, by their names in ``parity.BOUNDS``.

    The input is ``image`` (n, height, width, channels) float32 in 0..1; n is 1 for a locator, else open.
    ``ExportError``: the network cannot be converted.
    """
    exact = to_onnx(it.network, batch=1 if it.task == "locator" else None)
    return {"onnx int8": to_qdq(exact, it.samples), "onnx float32": exact}


def write_beside(bundle: Bundle, models: Mapping[str, bytes], proofs: Sequence[Mapping[str, Any]]) -> None:
    """Writes into the folder of the int8 model's bundle ``<task>.onnx``, the float model, and ``onnx.json`` about both,
    with the ``proofs`` of each. ``ExportError`` if it cannot be written."""
    folder, name = bundle.model_path.parent, f"{bundle.task}.onnx"
    files = {bundle.model_path.name: bundle.model_bytes, name: models["onnx float32"]}
    report = {
        "opset": OPSET,
        "files": {file: {"bytes": len(model)} for file, model in files.items()},
        "parity": list(proofs),
        "operators": operators(bundle.model_bytes),
    }
    try:
        write_atomic(folder / name, models["onnx float32"])
        write_atomic(folder / REPORT_FILE, (json.dumps(report, indent=2) + "\n").encode())
    except OSError as error:
        raise ExportError(f"{folder}: cannot write the ONNX files: {error.strerror}; name another --out") from error


def remove_beside(bundle: Bundle) -> None:
    """Removes what an earlier export left beside the model in the bundle's folder."""
    for name in (f"{bundle.task}.onnx", REPORT_FILE):
        (bundle.model_path.parent / name).unlink(missing_ok=True)


def to_onnx(network: Any, batch: int | None) -> bytes:
    """The network as float32 ONNX, its outputs named as the edge names them."""
    tf2onnx = _imported("tf2onnx")
    names = output_names(network)
    signature = [tf.TensorSpec((batch, *network.input_shape[1:]), tf.float32, name=INPUT)]
    function = tf.function(lambda image: network(image, training=False), input_signature=signature)
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    try:
        model, _ = tf2onnx.convert.from_function(function, signature, opset=OPSET)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise ExportError(f"{network.name} cannot be converted to ONNX: {first_line(error)}") from error
    for output, name in zip(model.graph.output, names, strict=True):
        _rename(model.graph, output.name, name)
    return bytes(model.SerializeToString())


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for output in graph.output:
        output.name = new if output.name == old else output.name


def to_qdq(model: bytes, samples: Sequence[UInt8Array]) -> bytes:
    """The model as int8 with Q/DQ pairs: weights per channel, activations per tensor, every zero point 0, biases in
    float."""
    quantization = _imported("onnxruntime.quantization")
    shape_inference = _imported("onnxruntime.quantization.shape_inference")
    pictures = iter(samples)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
            picture = next(pictures, None)
            return None if picture is None else {INPUT: real(picture[None])}

    _imported("onnxruntime").set_default_logger_severity(3)  # it warns of tf2onnx's Resize, which is right as it is
    logging.getLogger().addFilter(_no_advice)
    try:
        with tempfile.TemporaryDirectory() as folder:
            exact, prepared, done = (Path(folder) / name for name in ("a.onnx", "b.onnx", "c.onnx"))
            exact.write_bytes(model)
            shape_inference.quant_pre_process(exact, prepared, skip_symbolic_shape=True)
            quantization.quantize_static(
                prepared,
                done,
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                activation_type=quantization.QuantType.QInt8,
                weight_type=quantization.QuantType.QInt8,
                op_types_to_quantize=QUANTIZED,
                extra_options={
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    "OpTypesToExcludeOutputQuantization": QUANTIZED,
                },
            )
            return done.read_bytes()
    finally:
        logging.getLogger().removeFilter(_no_advice)


def _no_advice(record: logging.LogRecord) -> bool:
    """Drops onnxruntime's advice, on the root logger, to do what has just been done."""
    return "pre-processing before quantization" not in record.getMessage()


def operators(model: bytes) -> dict[str, int]:
    """How often each operator stands in the graph."""
    onnx = _imported("onnx")
    kinds = [node.op_type for node in onnx.load_from_string(model).graph.node]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def _imported(module: str) -> Any:
    from importlib import import_module

    try:
        if module == "tf2onnx":
            import_module("tf2onnx.convert")
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise ExportError(
            f"ONNX needs {package}, which is not installed; in the project's folder: pip install -e '.[onnx]'"
        ) from error
