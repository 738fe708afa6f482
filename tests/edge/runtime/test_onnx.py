"""ONNX Runtime behind the same seam: the same network gives what LiteRT gives, and what is missing is said."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.errors import BundleInvalid, DelegateUnavailable, ModelError
from edge.runtime.bundle import load_bundle
from edge.runtime.delegate import accelerated_network
from edge.runtime.interpreter import Network
from edge.runtime.onnx import OnnxNetwork
from tests.edge.runtime.pictures import pixels

HERE = Path(__file__).parent
MODEL = (HERE / "tiny.onnx").read_bytes()


@pytest.fixture(autouse=True)
def _runtime() -> None:
    pytest.importorskip("onnxruntime", reason="pip install 'chromo-edge[onnx]'")


@pytest.mark.parametrize("n", [1, 3, 46, 130])
def test_it_says_what_litert_says(n: int) -> None:
    network, right = OnnxNetwork(MODEL, 1), Network(HERE / "float.tflite", 1)
    assert network.input_shape == right.input_shape == (1, 16, 12, 1)
    found, expected = network.run_uint8(pixels(n)), right.run_uint8(pixels(n))
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], values, atol=1e-4)
    real = network.run(pixels(n)[..., None] / 255.0)
    np.testing.assert_allclose(real["map"], found["map"], atol=1e-5)


def test_wrong_batches_are_bugs() -> None:
    network = OnnxNetwork(MODEL, 1)
    with pytest.raises(ValueError, match="expected a batch"):
        network.run(np.zeros((0, 16, 12), np.float32))
    with pytest.raises(ValueError, match="expects uint8"):
        network.run_uint8(np.zeros((1, 16, 12), np.float32))  # type: ignore[arg-type]


def test_a_foreign_model_is_refused_in_one_line() -> None:
    with pytest.raises(BundleInvalid, match="onnxruntime refuses the model") as caught:
        OnnxNetwork(b"\x08 nothing")
    assert "\n" not in str(caught.value)


def test_a_picture_of_any_size_is_refused_in_one_line() -> None:
    onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
    model = onnx.load_model_from_string(MODEL)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "width"
    with pytest.raises(BundleInvalid, match=r"expected a model of one float input .*, 16, 'width', 1\]"):
        OnnxNetwork(model.SerializeToString())


def test_an_accelerator_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(DelegateUnavailable, match="expected ONNX Runtime with TensorrtExecutionProvider or CUDA"):
        accelerated_network("gpu", MODEL, ".onnx", 1)
    with pytest.raises(DelegateUnavailable, match="use --delegate gpu"):
        accelerated_network("edgetpu", MODEL, ".onnx", 1)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="pip install onnxruntime"):
        OnnxNetwork(MODEL)


def test_a_bundle_with_an_onnx_file(tiny_models: Path) -> None:
    folder = tiny_models / "classifier"
    path = folder / "bundle.json"
    fields = json.loads(path.read_text()) | {"model": "tiny.onnx", "sha256": hashlib.sha256(MODEL).hexdigest()}
    fields["input"] = {"height_px": 16, "width_px": 12}
    path.write_text(json.dumps(fields))
    (folder / "tiny.onnx").write_bytes(MODEL)
    network = Network.of_bundle(load_bundle(folder, "classifier"))
    assert isinstance(network, OnnxNetwork)
    assert network.run_uint8(pixels(2))["scores"].shape == (2, 5)
    (folder / "tiny.onnx").write_bytes(b"TFL3")
    path.write_text(json.dumps(fields | {"sha256": hashlib.sha256(b"TFL3").hexdigest()}))
    with pytest.raises(BundleInvalid, match="not an ONNX model"):
        load_bundle(folder, "classifier")
