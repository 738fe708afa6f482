"""The real interpreter on small real models; see make_models.py for what they are."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.errors import BundleInvalid, ModelError
from edge.runtime import interpreter
from edge.runtime.interpreter import Network, runtime_name
from tests.edge.runtime.pictures import pixels

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MODELS = ["tiny", "fixed", "float", "float16", "int16x8"]
FLOATS = ("float", "float16")


@pytest.fixture
def forget_runtime() -> Iterator[None]:
    interpreter._runtime.cache_clear()
    yield
    interpreter._runtime.cache_clear()


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_gives_what_single_pictures_give(model: str) -> None:
    network = Network(HERE / f"{model}.tflite", threads=1)
    for n in (1, 7, 3, 46, 300, 1):
        batch = network.run_uint8(pixels(n))
        single = [network.run_uint8(pixels(n)[i : i + 1]) for i in range(n)]
        assert batch["scores"].shape == (n, 5)
        assert batch["map"].shape == (n, 8, 6, 3)
        for name, values in batch.items():
            assert values.dtype == np.float32
            # Float kernels may sum a batch in another order; integers may not differ at all.
            allowed = 1e-6 if model in FLOATS else 0.0
            np.testing.assert_allclose(values, np.concatenate([s[name] for s in single]), rtol=0, atol=allowed)


@pytest.mark.parametrize("model", MODELS)
def test_pixels_are_the_same_as_real_values(model: str) -> None:
    network = Network((HERE / f"{model}.tflite").read_bytes(), threads=1)
    by_pixel = network.run_uint8(pixels(5))
    by_value = network.run(pixels(5)[..., None] / 255.0)
    for name in ("scores", "map"):
        np.testing.assert_array_equal(by_pixel[name], by_value[name])


def test_int8_is_close_to_float() -> None:
    exact = Network(HERE / "float.tflite").run_uint8(pixels(9))
    quick = Network(HERE / "tiny.tflite").run_uint8(pixels(9))
    np.testing.assert_allclose(quick["scores"], exact["scores"], atol=0.02)
    np.testing.assert_allclose(quick["map"], exact["map"], atol=0.05)
    np.testing.assert_allclose(quick["scores"].sum(1), 1.0, atol=0.02)


@pytest.mark.parametrize(
    ("model", "dtype", "most"),
    [("float16", np.float32, 1e-3), ("int16x8", np.int16, 0.05)],
)
def test_the_other_forms_are_close_to_float(model: str, dtype: type, most: float) -> None:
    network = Network(HERE / f"{model}.tflite")
    assert network.input_dtype == dtype
    assert not network._flip_only
    exact, quick = (n.run_uint8(pixels(9)) for n in (Network(HERE / "float.tflite"), network))
    for name in ("scores", "map"):
        np.testing.assert_allclose(quick[name], exact[name], atol=most)


def test_shape_dtype_and_the_single_flipped_bit() -> None:
    network = Network(HERE / "tiny.tflite")
    assert network.input_shape == (1, 16, 12, 1)
    assert network.input_dtype == np.int8
    assert network._flip_only
    assert not Network(HERE / "float.tflite")._flip_only


def test_real_values_outside_the_range_are_clipped() -> None:
    network = Network(HERE / "tiny.tflite")
    wild = network.run(np.array([-3.0, 7.0], np.float32)[:, None, None, None] * np.ones((2, 16, 12, 1), np.float32))
    tame = network.run(np.array([0.0, 1.0], np.float32)[:, None, None, None] * np.ones((2, 16, 12, 1), np.float32))
    np.testing.assert_array_equal(wild["scores"], tame["scores"])


@pytest.mark.parametrize("shape", [(0, 16, 12), (2, 16, 13), (16, 12)])
def test_wrong_batches_are_bugs(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected a batch"):
        Network(HERE / "tiny.tflite").run_uint8(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("content", [b"", b"not a model at all, but longer than eight bytes", b"\x00" * 4096])
def test_foreign_bytes_are_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(BundleInvalid) as caught:
        Network(content)
    assert "\n" not in str(caught.value)


def test_truncated_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="cannot be read"):
        Network(tmp_path / "absent.tflite")


def test_a_model_is_loaded_where_no_disk_takes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    Network(HERE / f"{MODELS[0]}.tflite")


def test_runtime_is_named() -> None:
    assert runtime_name().split()[0] in ("ai-edge-litert", "tflite-runtime", "tensorflow")


@pytest.mark.usefixtures("forget_runtime")
def test_second_choice_with_numpy_2_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "__init__.py").write_text("")
    (tmp_path / "tflite_runtime" / "interpreter.py").write_text("class Interpreter: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("tflite_runtime", "tflite_runtime.interpreter"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setattr(interpreter.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(interpreter.np, "__version__", "2.4.6")
    with pytest.raises(ModelError, match=r"needs numpy<2, numpy 2\.4\.6 is here.*pip install ai-edge-litert"):
        runtime_name()


@pytest.mark.usefixtures("forget_runtime")
def test_no_runtime_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    monkeypatch.setattr(interpreter.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"no TFLite runtime is usable .* pip install ai-edge-litert"):
        Network(HERE / "tiny.tflite")


def test_tensorflow_stays_out_where_a_small_runtime_is() -> None:
    if runtime_name().startswith("tensorflow"):
        pytest.skip("only TensorFlow's own interpreter is installed")
    code = (
        "import sys; from pathlib import Path; from edge.runtime.interpreter import Network; "
        f"Network(Path({str(HERE / 'tiny.tflite')!r})); "
        "print([m for m in ('tensorflow', 'tf_keras', 'keras', 'trainer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_tensorflow_is_the_last_resort() -> None:
    pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")
    code = (
        "import sys; sys.modules['ai_edge_litert.interpreter'] = sys.modules['tflite_runtime.interpreter'] = None; "
        "import numpy as np; from pathlib import Path; from edge.runtime.interpreter import Network, runtime_name; "
        f"network = Network(Path({str(HERE / 'tiny.tflite')!r})); "
        "print(runtime_name().split()[0], network.run_uint8(np.zeros((3, 16, 12), np.uint8))['scores'].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "tensorflow (3, 5)\n"
