"""A Jetson: TensorRT and CUDA in ONNX Runtime. What stands in for that board is jetson.py."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="pip install 'chromo-edge[onnx]'")

import onnxruntime

from edge.errors import DelegateUnavailable
from edge.runtime.bundle import TASKS, load_bundle
from edge.runtime.delegate import accelerated_network
from edge.runtime.guarded import Accelerator, GuardedNetwork
from edge.runtime.interpreter import Network
from edge.runtime.network import ON_CPU, PictureNetwork, networks_on
from edge.runtime.onnx import OnnxNetwork
from tests.edge.runtime.compiled import with_onnx
from tests.edge.runtime.jetson import CPU, CUDA, TENSORRT, Session, providers_here
from tests.edge.runtime.pictures import pixels

HERE = Path(__file__).parent
MODEL = (HERE / "tiny.onnx").read_bytes()
RETRAINED = MODEL.replace(b"1.17.0", b"1.17.1")
"""Another file with the same names in its graph."""
TFLITE = (HERE / "tiny.tflite").read_bytes()
LONG_S = 60.0
ROLES = [task for task in TASKS if task not in ON_CPU]


@pytest.fixture(autouse=True)
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The user's, where nothing is yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / "cache"))
    monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
    return tmp_path


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is on one."""
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", providers_here)
    monkeypatch.setattr(Session, "builds", [])
    monkeypatch.setattr(Session, "searches", [])


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Accelerator]:
    """The child process is on one."""
    command = (sys.executable, "-m", "tests.edge.runtime.jetson")
    made = Accelerator("gpu", command=command, start_s=LONG_S, answer_s=LONG_S)
    monkeypatch.setattr("edge.runtime.network._accelerator", lambda delegate: made)
    yield made
    made.close()


def opened(model: bytes = MODEL) -> OnnxNetwork:
    network = accelerated_network("gpu", model, ".onnx", 1)
    assert isinstance(network, OnnxNetwork)
    return network


def provider(network: OnnxNetwork) -> str:
    return str(network._session.get_providers()[0])


def settle(accelerator: Accelerator, networks: list[PictureNetwork]) -> None:
    """Until each of them was asked, and answered or refused."""
    deadline_s = time.monotonic() + LONG_S
    while time.monotonic() < deadline_s:
        for network in networks:
            network.run_uint8(np.zeros(network.input_shape, np.uint8))
        child = accelerator._child
        if child is None or (child.ready and child.proven | child.refused.keys() == accelerator.networks.keys()):
            return
        time.sleep(0.01)


# In one process


@pytest.mark.usefixtures("board")
def test_tensorrt_takes_its_options() -> None:
    network = opened()
    assert (provider(network), network.note) == (TENSORRT, "")


@pytest.mark.usefixtures("board")
def test_no_batch_at_work_waits_for_an_engine() -> None:
    network, right = opened(), Network(HERE / "float.tflite", 1)
    assert [built[1:] for built in Session.builds] == [(64, 64), (1, 64)]
    for n in (1, 46, 64, 65, 200, 2):
        np.testing.assert_allclose(network.run_uint8(pixels(n))["map"], right.run_uint8(pixels(n))["map"], atol=1e-4)
    assert len(Session.builds) == 2
    opened()  # the next start
    assert len(Session.builds) == 2


@pytest.mark.usefixtures("board")
def test_another_model_does_not_take_an_engine_that_bears_the_same_names() -> None:
    opened()
    opened(RETRAINED)
    assert len({folder for folder, *_ in Session.builds}) == 2


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(
    ("service", "folder"),
    [(None, "home/cache/chromo-edge/tensorrt"), ("var/cache/chromo-edge", "var/cache/chromo-edge/tensorrt")],
)
def test_engines_are_kept_in_the_services_cache_or_the_users(
    caches: Path, monkeypatch: pytest.MonkeyPatch, service: str | None, folder: str
) -> None:
    if service is not None:
        monkeypatch.setenv("CACHE_DIRECTORY", f"{caches / service}:/var/cache/another")
        monkeypatch.setenv("XDG_CACHE_HOME", str(caches / service))
    network = opened()
    assert provider(network) == TENSORRT
    assert {Path(built[0]).parent for built in Session.builds} == {caches / folder}


@pytest.mark.usefixtures("board")
def test_a_cache_that_cannot_be_made_is_said(caches: Path) -> None:
    (caches / "home").write_text("a file")
    network = opened()
    assert provider(network) == CUDA
    assert network.note.startswith("by CUDA, not by Tensorrt: [Errno 20] Not a directory")


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("JETSON_BROKEN", "lib of TensorrtExecutionProvider: cannot open shared object file"),
        ("JETSON_SILENT", "is installed but does not start here"),
    ],
)
def test_where_tensorrt_does_not_start_cuda_computes_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, how: str, why: str
) -> None:
    monkeypatch.setenv(how, TENSORRT)
    network = opened()
    assert provider(network) == CUDA
    assert network.note == f"by CUDA, not by Tensorrt: {why}"
    assert network.run_uint8(pixels(3))["scores"].shape == (3, 5)
    assert Session.searches == []


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize("how", ["JETSON_BROKEN", "JETSON_SILENT"])
def test_the_cpu_is_no_accelerator(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv(how, f"{TENSORRT} {CUDA}")
    with pytest.raises(DelegateUnavailable, match=r"Tensorrt: .*; CUDA: .*; install an onnxruntime-gpu"):
        opened()
    assert provider(OnnxNetwork(MODEL)) == CPU


@pytest.mark.usefixtures("board")
def test_what_goes_wrong_while_an_engine_is_built_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(session: Session, size: int) -> None:
        raise RuntimeError("TensorRT EP could not build engine")

    monkeypatch.setattr(Session, "_fit", refuse)
    assert opened().note == "by CUDA, not by Tensorrt: TensorRT EP could not build engine"


# In the child process


def test_the_documented_models_are_accelerated(accelerator: Accelerator, tiny_models: Path) -> None:
    """Four .onnx bundles, and the arbiter's .tflite as it is."""
    networks = []
    with networks_on("gpu"):
        for role in TASKS:
            if role in ROLES:
                with_onnx(tiny_models, role, MODEL, (16, 12))
            networks.append(Network.of_bundle(load_bundle(tiny_models / role, role), 1))
    settle(accelerator, networks)
    assert accelerator.networks == dict.fromkeys(sorted(ROLES), True)
    assert accelerator.failures == 0


def test_a_network_without_its_library_stays_on_the_cpu_alone(accelerator: Accelerator) -> None:
    accelerator.join("classifier", (MODEL, ".onnx", 1))
    accelerator.join("verifier", (TFLITE, ".tflite", 1))  # a Jetson has no TFLite delegate
    well = GuardedNetwork("classifier", accelerator, Network(HERE / "float.tflite", 1))
    ill = GuardedNetwork("verifier", accelerator, Network(TFLITE, 1))
    settle(accelerator, [well, ill])
    assert well.status == "classifier on gpu"
    assert "verifier on cpu: gpu does not take it: no gpu: libtensorflowlite_gpu_delegate.so" in ill.status


def test_where_it_takes_no_network_it_gives_up_and_says_a_common_reason_once(accelerator: Accelerator) -> None:
    networks: list[PictureNetwork] = []
    for role in ROLES:
        accelerator.join(role, (TFLITE, ".tflite", 1))
        networks.append(GuardedNetwork(role, accelerator, Network(TFLITE, 1)))
    settle(accelerator, networks)
    why = accelerator.why_not("locator")
    assert why.startswith("gave up: no gpu: ")
    assert why.count("install the board's TFLite GPU delegate") == 1


def test_a_slower_provider_is_said(
    accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("JETSON_BROKEN", TENSORRT)
    accelerator.join("classifier", (MODEL, ".onnx", 1))
    network = GuardedNetwork("classifier", accelerator, Network(HERE / "float.tflite", 1))
    settle(accelerator, [network])
    said = "by CUDA, not by Tensorrt: lib of TensorrtExecutionProvider: cannot open shared object file"
    assert network.status == f"classifier on gpu {said}"
    assert f"classifier: gpu computes {said}" in caplog.text
