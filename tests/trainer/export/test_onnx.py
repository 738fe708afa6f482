"""ONNX, float and Q/DQ: what TensorRT asks for, and the same answers in onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")
pytest.importorskip("onnx", reason="the onnx extra is not installed")
pytest.importorskip("tf2onnx", reason="the onnx extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

import onnx

from edge.records import LABELS
from edge.runtime.onnx import OnnxNetwork
from tests.trainer.small import small_classifier
from tests.trainer.tiny import drawn_crops
from trainer.export.bundle import write_bundle
from trainer.export.onnx import OPSET, to_both, write_beside
from trainer.export.prove import prove, trained_outputs
from trainer.export.specimen import Specimen


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    crops = drawn_crops(30)
    return Specimen("classifier", small_classifier(), list(crops[:12]), crops[12:])


@pytest.fixture(scope="module")
def folder(specimen: Specimen, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("onnx")
    models = to_both(specimen)
    proofs = [prove(specimen, form, model) for form, model in models.items()]
    facts = {"preprocessing": {}, "calibration": {}, "data": {}, "command": "tests"}
    write_beside(write_bundle(out, "classifier", models["onnx int8"], labels=LABELS, **facts), models, proofs)
    return out


def test_both_files_answer_as_keras(folder: Path, specimen: Specimen) -> None:
    expected = trained_outputs(specimen.network, specimen.proof)
    said = OnnxNetwork((folder / "classifier.onnx").read_bytes()).run_uint8(specimen.proof)
    for name, value in expected.items():
        np.testing.assert_allclose(said[name], value, atol=1e-4)
    report = json.loads((folder / "onnx.json").read_text())
    assert [entry["form"] for entry in report["parity"]] == ["onnx int8", "onnx float32"]
    assert all(entry["parity_pictures"] == 18 for entry in report["parity"])


def test_every_zero_point_is_zero_and_weights_are_per_channel(folder: Path) -> None:
    (quantized,) = folder.glob("classifier-*.onnx")
    graph = onnx.load(quantized).graph
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in graph.initializer}
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("QuantizeLinear") >= 5
    pairs = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert all((constants[node.input[2]] == 0).all() for node in pairs)
    weights = [constants[node.input[0]] for node in pairs if node.input[0] in constants]
    assert all(w.dtype == np.int8 and w.ndim == 4 for w in weights)  # kernels only: biases stay in float
    scales = [constants[node.input[1]] for node in pairs if node.input[0] in constants]
    assert all(s.shape == (w.shape[0],) for s, w in zip(scales, weights, strict=True))
    assert graph.input[0].name == "image"
    assert not graph.input[0].type.tensor_type.shape.dim[0].dim_value  # all crops of a cell go through at once
    assert onnx.load(folder / "classifier.onnx").opset_import[0].version == OPSET
