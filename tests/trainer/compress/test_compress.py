"""Pruning and quantization-aware training on drawn crops: zeros, ranges, resuming, and what is left out."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras  # noqa: E402

from edge.errors import ConfigError  # noqa: E402
from edge.runtime.bundle import Task  # noqa: E402
from tests.trainer.drawn import cutouts_zip, frames_folder  # noqa: E402
from tests.trainer.small import small_classifier  # noqa: E402
from tests.trainer.tiny import drawn_crops  # noqa: E402
from trainer import compress  # noqa: E402
from trainer.compress.layers import LEAST_WEIGHTS, why_not_quantized  # noqa: E402
from trainer.compress.prune import prune  # noqa: E402
from trainer.compress.quantize import quantization_aware, quantize  # noqa: E402
from trainer.compress.report import layers_of, print_layers, read_layers, zero_share  # noqa: E402
from trainer.compress.tune import TuneWarning, Tuning, lessons_of, opened, weights_sha256  # noqa: E402
from trainer.data.cropset import CropSet, crops_of_cutouts  # noqa: E402
from trainer.data.framecache import train_frames  # noqa: E402
from trainer.errors import DatasetError, ExportError  # noqa: E402
from trainer.export.prove import trained_outputs  # noqa: E402
from trainer.export.tflite import convert  # noqa: E402
from trainer.fit import loop  # noqa: E402
from trainer.fit import separator as fit_separator  # noqa: E402
from trainer.fit.classifier import ClassifierConfig, mixed_batch, strengths_of  # noqa: E402
from trainer.fit.locator import LocatorConfig, stack_windows  # noqa: E402
from trainer.fit.separator import SeparatorConfig  # noqa: E402
from trainer.networks.stored import load_float, load_for_int8  # noqa: E402
from trainer.run.trained import settings_of  # noqa: E402

L = keras.layers
STEPS = 3
FITTED = {"laboratory": 0.5, "unaugmented": ("mirror", "noise"), "augmented": ("defocus=0.5",), "mix": "cutmix"}
TINY = Path(__file__).parents[2] / "edge" / "tiny"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished fit: a network and the crops that it learned from."""
    root = tmp_path_factory.mktemp("runs")
    (root / "base").mkdir()
    crops = crops_of_cutouts(cutouts_zip(root / "crops.zip", donors=2), "train", TINY)
    crops.pick(crops.cell == 0).save(root / "base" / "train.npz")
    crops.pick(crops.cell == 1).save(root / "base" / "val.npz")
    network = small_classifier()
    # A resumed run starts TensorFlow's generator anew, so what it draws must not matter.
    assert all(layer.rate == 0 for layer in network.layers if isinstance(layer, L.Dropout))
    network.save(root / "base" / "classifier.keras")
    fitted = replace(ClassifierConfig((str(root / "crops.zip"),), STEPS), **FITTED)
    (root / "base" / "config.json").write_text(json.dumps(asdict(fitted)))
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


def test_ranges_are_measured_wherever_a_layer_keeps_one() -> None:
    """After an addition, and before an activation that is a layer's own."""
    image = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, padding="same", activation="softmax", name="shares")(image)
    x = L.Add(name="both")([x, L.Conv2D(4, 1, activation="relu", name="gated")(image)])
    network = keras.Model(image, L.Conv2D(2, 1, name="label")(x))
    pictures = [np.random.default_rng(0).random((4, 8, 8, 1), np.float32)]
    aware = quantization_aware(network, False, pictures)
    limits = {v.name: float(v) for v in aware.weights if v.shape.rank == 0 and v.name.endswith(("min:0", "max:0"))}
    for name in ("shares", "both", "gated"):
        most = float(keras.Model(image, network.get_layer(name).output)(pictures[0]).numpy().max())
        found = [value for key, value in limits.items() if key.startswith(f"quant_{name}/") and key.endswith("max:0")]
        assert found == pytest.approx([most] * len(found), rel=1e-4), name
        assert found, name
    assert any("pre_activation" in key for key in limits)


def test_a_bundle_is_pruned_as_a_run_is(base: Path, tmp_path: Path) -> None:
    shutil.copytree(TINY / "classifier", tmp_path / "bundle")
    shutil.copy(base / "classifier.keras", tmp_path / "bundle" / "weights.keras")
    (tmp_path / "bundle" / "report.json").write_text("{}")
    source = Tuning(str(tmp_path / "bundle"), str(base.parent / "crops.zip"), STEPS, batch=4)
    with pytest.warns(TuneWarning, match=r"bundle: no config\.json says how .* goes on with the usual settings"):
        weights = prune(source, 0.6, tmp_path / "pruned", resume=True)
    assert weights == tmp_path / "pruned" / "classifier.keras"
    assert all(zero.mean() > 0.5 for zero in zeros_of(load_float(weights.parent)).values())
    assert len(CropSet.load(tmp_path / "pruned" / "val.npz")) > 0  # cut from the data, so that it can be exported


def drawn_by(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("run", ["base", "pruned"])
def test_a_classifier_is_tuned_with_the_batches_that_it_was_fitted_by(base: Path, pruned: Path, run: str) -> None:
    source = base.parent / run
    lessons = lessons_of("classifier", tuning(source), source, None)
    fitted = ClassifierConfig(("",), STEPS, batch=4, **FITTED)
    crops = CropSet.load(base / "train.npz")
    for seed in range(3):
        expected = mixed_batch(crops, drawn_by(seed), fitted, strengths_of(fitted))
        assert expected[1].shape == (4, 24)  # mixed
        for one, other in zip(lessons.make(drawn_by(seed)), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_classifier_is_tuned_with_its_teachers(base: Path, tmp_path: Path) -> None:
    small_classifier().save(tmp_path / "teacher.keras")
    source = Path(shutil.copytree(base, tmp_path / "taught"))
    stored = json.loads((base / "config.json").read_text()) | {"teachers": [str(tmp_path / "teacher.keras")]}
    (source / "config.json").write_text(json.dumps(stored))
    lessons = lessons_of("classifier", tuning(source), source, None)
    _, parts = lessons.losses(load_float(source), *lessons.make(drawn_by(0)))
    assert "teacher_loss" in parts


def test_a_locator_and_a_separator_are_tuned_as_they_were_fitted(
    tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_separator, "VAL_ROIS", 4)
    frames = frames_folder(tmp_path / "frames", ("train", "val"), side_px=400)
    run = tmp_path / "runs" / "fitted"
    run.mkdir(parents=True)
    source = Tuning(str(run), str(frames), STEPS, batch=1)
    fitted = LocatorConfig(str(frames), 9, 8, paste=0.0, zoom=1.0)
    (run / "config.json").write_text(json.dumps(asdict(fitted)))
    lessons = lessons_of("locator", source, tmp_path / "runs" / "out", None)
    cached = train_frames(frames, tmp_path / "runs")
    for seed in range(3):
        expected = stack_windows(cached, drawn_by(seed), replace(fitted, batch=1))
        np.testing.assert_array_equal(lessons.make(drawn_by(seed))[0], expected[0])

    shown = []
    monkeypatch.setattr(fit_separator, "stack_rois", lambda frames, rng, count: shown.append((frames, count)))
    (run / "config.json").write_text(json.dumps(asdict(SeparatorConfig(str(frames), 9, models=str(tiny_models)))))
    lessons_of("separator", source, tmp_path / "runs" / "out", None).make(drawn_by(0))
    ((asked, count),) = shown
    assert count == 1
    assert len(asked[0].proposals)  # the locator's own boxes are mended too


def test_settings_are_those_of_the_fit_however_often_it_was_tuned(tmp_path: Path) -> None:
    for name, stored in (
        ("fit", {"mix": "cutmix"}),
        ("a", {"run": "fit"}),
        ("b", {"run": "a"}),
        ("c", {"run": "gone"}),
    ):
        (tmp_path / name).mkdir()
        stored = {k: str(tmp_path / v) if k == "run" else v for k, v in stored.items()}
        (tmp_path / name / "config.json").write_text(json.dumps(stored))
    assert settings_of(tmp_path / "b") == {"mix": "cutmix"}
    assert settings_of(tmp_path / "c") == {}
    (tmp_path / "fit" / "config.json").write_text(json.dumps({"run": str(tmp_path / "b")}))  # made anew of its own heir
    assert settings_of(tmp_path / "b") == {}
    for damaged in ("{", "3", '{"run": 3}'):
        (tmp_path / "fit" / "config.json").write_text(damaged)
        with pytest.raises(ConfigError, match="expected a run's settings as JSON"):
            settings_of(tmp_path / "b")


def test_a_run_that_was_fitted_again_is_not_taken_for_the_one_before(base: Path, pruned: Path, tmp_path: Path) -> None:
    source = shutil.copytree(base, tmp_path / "source")
    out = shutil.copytree(pruned, tmp_path / "pruned")
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps({**config, "run": str(source)}))
    again = replace(tuning(base), run=str(source))
    prune(again, 0.6, out, resume=True)
    assert weights_sha256(load_float(out)) == weights_sha256(load_float(pruned))  # what goes on from it may go on
    network = load_float(source)
    network.set_weights([1.01 * weights for weights in network.get_weights()])
    network.save(source / "classifier.keras")
    with pytest.raises(ConfigError, match="weights_sha256"):
        prune(again, 0.6, out, resume=True)


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


def test_a_verifiers_run_is_refused_before_one_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="of the kind verifier; quantize and prune take"):
        opened("verifier", Tuning("runs/verifier", "DATA", 10, 4), tmp_path, False)
    assert (tmp_path / "config.json").exists()


@pytest.mark.parametrize("task", ["locator", "separator", "classifier"])
def test_a_finished_run_outlives_data_that_are_misspelled(task: Task, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DatasetError, match="misspelled"):
        opened(task, Tuning("runs/any", "misspelled", 10, 4), tmp_path, False)
    assert (tmp_path / "config.json").exists()


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
        convert("float16", load_for_int8(quantized), ())


def test_the_export_needs_compression_and_not_the_other_way_round() -> None:
    for path in Path(compress.__path__[0]).glob("*.py"):
        assert "from trainer.export" not in path.read_text(encoding="utf-8"), path.name
