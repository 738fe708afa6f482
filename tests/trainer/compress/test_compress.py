"""Pruning and quantization-aware training on drawn crops: zeros, ranges, resuming, and what is left out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras  # noqa: E402

from edge.errors import ConfigError  # noqa: E402
from tests.trainer.drawn import cutouts_zip  # noqa: E402
from tests.trainer.small import small_classifier  # noqa: E402
from tests.trainer.tiny import drawn_crops  # noqa: E402
from trainer import loop  # noqa: E402
from trainer.compress.layers import LEAST_WEIGHTS, why_not_quantized  # noqa: E402
from trainer.compress.prune import prune  # noqa: E402
from trainer.compress.quantize import quantization_aware, quantize  # noqa: E402
from trainer.compress.report import layers_of, print_layers, read_layers, zero_share  # noqa: E402
from trainer.compress.tune import Tuning, lessons_of  # noqa: E402
from trainer.data.cropset import crops_of_cutouts  # noqa: E402
from trainer.errors import ExportError  # noqa: E402
from trainer.export.networks import load_float, load_for_int8  # noqa: E402
from trainer.export.prove import trained_outputs  # noqa: E402
from trainer.export.tflite import convert  # noqa: E402

L = keras.layers
STEPS = 3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished fit: a network and the crops that it learned from."""
    root = tmp_path_factory.mktemp("runs")
    (root / "base").mkdir()
    crops = crops_of_cutouts(cutouts_zip(root / "crops.zip", donors=2), "train")
    crops.pick(crops.cell == 0).save(root / "base" / "train.npz")
    crops.pick(crops.cell == 1).save(root / "base" / "val.npz")
    network = small_classifier()
    # A resumed run starts TensorFlow's generator anew, so what it draws must not matter.
    assert all(layer.rate == 0 for layer in network.layers if isinstance(layer, L.Dropout))
    network.save(root / "base" / "classifier.keras")
    return root / "base"


def tuning(run: Path) -> Tuning:
    return Tuning(str(run), str(run.parent / "crops.zip"), STEPS, batch=4)


@pytest.fixture(scope="module")
def pruned(base: Path) -> Path:
    return prune(tuning(base), 0.6, base.parent / "pruned", resume=True).parent


@pytest.fixture(scope="module")
def quantized(pruned: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "SAVE_EVERY", 1)
        return quantize(tuning(pruned), True, pruned.parent / "quantized", resume=True).parent


def zeros_of(network: Any) -> dict[str, np.ndarray]:
    """Where the large kernels are zero, by layer."""
    kernels = {layer.name: layer.kernel.numpy() for layer in network.layers if isinstance(layer, L.Conv2D)}
    return {name: kernel == 0 for name, kernel in kernels.items() if kernel.size >= LEAST_WEIGHTS}


def test_pruning_makes_the_share_asked_for_zero_and_leaves_a_plain_network(base: Path, pruned: Path) -> None:
    network = load_float(pruned)
    assert {type(layer) for layer in network.layers} <= {type(layer) for layer in load_float(base).layers}
    zeros = zeros_of(network)
    assert len(zeros) == 3
    for name, zero in zeros.items():
        assert zero.mean() == pytest.approx(0.6, abs=1 / zero.size + 1e-6), name
    untouched = zeros_of(load_float(base))
    assert max(zero.mean() for zero in untouched.values()) < 0.01
    kept = np.concatenate([layer.kernel.numpy()[~zeros[layer.name]] for layer in map(network.get_layer, zeros)], None)
    assert (kept != 0).all()


def test_pruned_layers_are_told_with_what_was_left_and_why(pruned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers = {layer.name: layer for layer in read_layers(pruned)}
    assert layers["reader"].pruned
    assert layers["p_arm_up"].not_pruned == f"only 40 weights, fewer than {LEAST_WEIGHTS}"
    assert {layer.not_pruned for layer in layers.values() if layer.kind == "Add"} == {"no kernel"}
    assert 0.4 < zero_share(list(layers.values())) < 0.6
    print_layers(read_layers(pruned), "pruned")
    shown = capsys.readouterr().out
    assert "reader" in shown
    assert "60.0%" in shown


def test_zeros_stay_zero_through_quantization_aware_training(pruned: Path, quantized: Path) -> None:
    before, after = load_float(pruned), load_float(quantized)
    for name, zero in zeros_of(before).items():
        kernel = after.get_layer(name).kernel.numpy()
        assert (kernel[zero] == 0).all()
        assert np.abs(kernel - before.get_layer(name).kernel.numpy()).max() > 1e-6  # the others went on learning
    assert zero_share(read_layers(quantized)) == pytest.approx(zero_share(read_layers(pruned)))
    layers = {layer.name: layer for layer in read_layers(quantized)}
    assert layers["label"].quantized == "weights per channel, output"
    assert [layer.quantized for layer in layers.values() if layer.kind == "Concatenate"] == ["output"]
    assert all(layer.quantized and not layer.not_quantized for layer in layers.values())


def test_without_keeping_zeros_training_fills_them(pruned: Path, tmp_path: Path) -> None:
    quantize(tuning(pruned), False, tmp_path / "filled", resume=True)
    assert zero_share(read_layers(tmp_path / "filled")) < 0.1


def test_the_float_twin_says_nearly_what_the_quantized_network_says(quantized: Path) -> None:
    said = trained_outputs(load_for_int8(quantized), drawn_crops(24))
    plain = trained_outputs(load_float(quantized), drawn_crops(24))
    assert set(said) == set(plain) == {"label", "p_arm_up", "single"}
    for name, expected in plain.items():
        assert 0 < np.abs(said[name] - expected).mean() < 0.5 * expected.std(), name  # of unrelated networks above 1


def test_a_quantized_run_resumes_and_its_weights_come_back_exactly(pruned: Path, quantized: Path) -> None:
    uninterrupted = load_for_int8(quantized).get_weights()
    again = quantized.parent / "again"
    shutil.copytree(quantized, again)
    shutil.rmtree(again / "checkpoints" / f"{STEPS:08d}")  # as if the power had gone before the last step
    (again / "classifier.h5").unlink()
    quantize(tuning(pruned), True, again, resume=True)
    for one, other in zip(load_for_int8(again).get_weights(), uninterrupted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    with pytest.raises(ConfigError, match="keep_zeros"):
        quantize(tuning(pruned), False, again, resume=True)


def test_ranges_are_measured_and_a_cameras_byte_stays_a_byte(base: Path) -> None:
    network = load_float(base)
    pictures = [drawn_crops(6)[..., None].astype(np.float32) / 255]
    aware = quantization_aware(network, False, pictures)
    ranges = {
        v.name: float(v.numpy()) for v in aware.weights if v.shape.rank == 0 and v.name.endswith(("min:0", "max:0"))
    }
    assert [value for name, value in ranges.items() if name.startswith("quantize_layer")] == [0, 1]
    label = network(pictures[0], training=False)[0].numpy()
    measured = [value for name, value in ranges.items() if name.startswith("quant_label/")]
    assert sorted(measured) == pytest.approx([label.min(), label.max()], rel=1e-4)


def test_a_sparsity_that_cannot_be(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"between 0 and 1, got 1\.5"):
        prune(tuning(base), 1.5, tmp_path / "x", resume=True)


def attention() -> Any:
    """Squeeze-excite in the form that quantizes, and a normalization that does not fold."""
    image = keras.Input((16, 16, 1))
    x = L.Conv2D(8, 3, padding="same", activation="relu", name="stem")(image)
    gate = L.Conv2D(8, 1, activation="sigmoid", name="gate")(L.GlobalAveragePooling2D(keepdims=True)(x))
    x = L.Multiply(name="attend")([x, gate])
    x = L.LayerNormalization(name="norm")(x)
    return keras.Model(image, L.Conv2D(2, 1, name="label")(x), name="attention")


def test_a_verifiers_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of the kind verifier; quantize and prune take"):
        lessons_of("verifier", Tuning("runs/verifier", "DATA", 10, 4), tmp_path, None)


def test_multiply_is_quantized_and_what_is_not_says_why() -> None:
    network = attention()
    pictures = [np.random.default_rng(0).random((4, 16, 16, 1), np.float32)]
    aware = quantization_aware(network, False, pictures)
    layers = {layer.name: layer for layer in layers_of(network, aware)}
    assert layers["attend"].quantized == "output"
    assert layers["norm"].quantized == ""
    assert layers["norm"].not_quantized == "tfmot has no rule for LayerNormalization"
    assert np.isfinite(aware(pictures[0], training=True).numpy()).all()


def test_a_normalization_without_a_convolution_before_it_is_left_in_float() -> None:
    image = keras.Input((8, 8, 3))
    alone = keras.Model(image, L.BatchNormalization(name="alone")(L.ReLU()(image)))
    folded = keras.Model(image, L.BatchNormalization(name="folded")(L.Conv2D(2, 1)(image)))
    assert "right before it" in why_not_quantized(alone.get_layer("alone"))
    assert why_not_quantized(folded.get_layer("folded")) == ""


def test_a_quantization_aware_network_has_one_form(quantized: Path) -> None:
    with pytest.raises(ExportError, match="float16 is made of the float network"):
        convert("float16", load_for_int8(quantized), (), 128, 32)
