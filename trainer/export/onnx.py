"""ONNX for an NVIDIA Jetson, where TFLite has no GPU: float, and int8 as Q/DQ pairs, from which TensorRT builds its
engine on the board itself.

TensorRT takes int8 only with every zero point at 0 and biases in float: so activations are symmetric too, which costs
what lies below zero after a ReLU half its range. Both files are checked in onnxruntime against the Keras network.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge.records import UInt8Array
from trainer.errors import ExportError, first_line
from trainer.export.parity import Parity, measure, require
from trainer.export.prove import batches, joined, real, trained_outputs
from trainer.export.specimen import Specimen
from trainer.export.tflite import output_names
from trainer.files import write_atomic

OPSET = 17
INPUT = "image"
QUANTIZED = ["Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "AveragePool", "GlobalAveragePool", "MaxPool", "Resize"]
"""Their inputs carry Q/DQ, their outputs do not: a pair between a convolution and its ReLU would keep TensorRT from
making one kernel of them."""
REPORT_FILE = "onnx.json"


def ship_onnx(it: Specimen, out: Path) -> tuple[Parity, Parity]:
    """Write ``<task>.onnx``, ``<task>-qdq.onnx`` and ``onnx.json``; returns the parity of both.

    The input is ``image`` (n, height, width, channels) float32 in 0..1; n is 1 for a locator, else open.
    ``ExportError``: the network cannot be converted, or an answer is out of bounds; nothing is written then.
    """
    exact = to_onnx(it.network, *it.size_px, batch=1 if it.task == "locator" else None)
    quantized = to_qdq(exact, it.samples)
    trained = trained_outputs(it.network, it.proof)
    parities = [
        require(measure(it.task, form, trained, joined([run_onnx(model, part) for part in _fed(it)])))
        for form, model in (("onnx float32", exact), ("onnx int8", quantized))
    ]
    files = {f"{it.task}.onnx": exact, f"{it.task}-qdq.onnx": quantized}
    report = {
        "opset": OPSET,
        "files": {name: {"bytes": len(model)} for name, model in files.items()},
        "parity": [parity.figures() for parity in parities],
        "operators": operators(quantized),
    }
    try:
        for name, model in files.items():
            write_atomic(out / name, model)
        write_atomic(out / REPORT_FILE, (json.dumps(report, indent=2) + "\n").encode())
    except OSError as error:
        raise ExportError(f"{out}: cannot write the ONNX files: {error.strerror}") from error
    return parities[0], parities[1]


def to_onnx(network: Any, height_px: int, width_px: int, batch: int | None) -> bytes:
    """Float32, outputs named as the edge names them."""
    tf2onnx = _imported("tf2onnx")
    names = output_names(network)
    signature = [tf.TensorSpec((batch, height_px, width_px, network.input_shape[-1]), tf.float32, name=INPUT)]
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
    """int8 with Q/DQ pairs: weights per channel, activations per tensor, every zero point 0, biases in float."""
    quantization = _imported("onnxruntime.quantization")
    shape_inference = _imported("onnxruntime.quantization.shape_inference")
    pictures = iter(samples)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
            picture = next(pictures, None)
            return None if picture is None else {INPUT: real(picture[None])}

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
    """onnxruntime advises, on the root logger, to do what has just been done."""
    return "pre-processing before quantization" not in record.getMessage()


def run_onnx(model: bytes, pixels: UInt8Array) -> dict[str, npt.NDArray[np.float32]]:
    """Outputs by name for uint8 (n, height, width[, channels]), on the processor."""
    onnxruntime = _imported("onnxruntime")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {INPUT: real(pixels)}), strict=True))


def operators(model: bytes) -> dict[str, int]:
    """How often each operator stands in the graph."""
    onnx = _imported("onnx")
    kinds = [node.op_type for node in onnx.load_from_string(model).graph.node]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def _fed(it: Specimen) -> list[UInt8Array]:
    return [it.proof[i : i + 1] for i in range(len(it.proof))] if it.task == "locator" else batches(it.proof)


def _imported(module: str) -> Any:
    from importlib import import_module

    try:
        if module == "tf2onnx":
            import_module("tf2onnx.convert")
        return import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        raise ExportError(f"ONNX needs {package}, which is not installed; pip install 'chromo-edge[onnx]'") from error
