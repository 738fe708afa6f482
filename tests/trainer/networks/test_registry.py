"""Every classifier by name: its outputs, its cost, its ingredients; and the shipped one is what it was."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras  # noqa: E402

from edge.errors import ConfigError  # noqa: E402
from edge.locate.straighten import CROP_COLS, CROP_ROWS  # noqa: E402
from edge.runtime.interpreter import Network  # noqa: E402
from trainer.export.tflite import to_int8  # noqa: E402
from trainer.networks.baselines import build_mobilenetv2  # noqa: E402
from trainer.networks.registry import (  # noqa: E402
    BUILDERS,
    INGREDIENTS,
    Architecture,
    build_classifier,
    count_macs,
    mixed,
)

L = keras.layers


def kinds(network: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def crops(count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).random((count, CROP_ROWS, CROP_COLS, 1), np.float32)


def test_the_shipped_weights_fit_the_default_and_mean_the_same(models_dir: Path) -> None:
    shipped = keras.models.load_model(models_dir / "classifier" / "weights.keras", compile=False)
    network = build_classifier(Architecture())
    assert kinds(network) == kinds(shipped)
    network.set_weights(shipped.get_weights())
    for a, b in zip(network(crops(), training=False), shipped(crops(), training=False), strict=True):
        np.testing.assert_array_equal(a, b)
    assert round(count_macs(network) / 1e6, 1) == 11.9  # as its card says


@pytest.mark.parametrize("name", BUILDERS)
def test_all_networks_answer_alike_and_the_enhanced_one_costs_least(name: str) -> None:
    network = build_classifier(Architecture(name))
    assert network.input_shape == (None, CROP_ROWS, CROP_COLS, 1)
    assert network.output_names == ["label", "p_arm_up", "single"]
    assert [tuple(s) for s in network.output_shape] == [(None, 1, 1, 24), (None, 1, 1, 1), (None, 1, 1, 1)]
    assert name == "enhanced" or count_macs(network) > 2 * 11_900_000
    assert {layer.momentum for layer in network.layers if isinstance(layer, L.BatchNormalization)} == {0.95}


def test_macs_of_each_kind_of_layer() -> None:
    image = keras.Input((8, 4, 2))
    x = L.Conv2D(6, 3, 2, padding="same")(image)  # 4 x 2 places, 6 filters of 3 x 3 x 2
    x = L.DepthwiseConv2D(3, padding="same")(x)
    x = L.Conv2D(4, 1, groups=2)(x)
    x = L.Dense(5)(L.Flatten()(L.ReLU()(x)))
    assert count_macs(keras.Model(image, x)) == 4 * 2 * (6 * 18 + 6 * 9 + 4 * 3) + 32 * 5


@pytest.mark.parametrize(
    ("ingredient", "gone"),
    [("normalization", "BatchNormalization"), ("residual", "Add"), ("filters", "Concatenate")],
)
def test_an_ingredient_can_be_left_out(ingredient: str, gone: str) -> None:
    with_it, without = (build_classifier(Architecture(ingredients=mixed(w))) for w in ([], [ingredient]))
    assert gone in kinds(with_it)
    assert gone not in kinds(without)
    assert count_macs(without) == pytest.approx(count_macs(with_it), rel=0.03)


def test_without_dropout_training_is_steady() -> None:
    network = build_classifier(Architecture(ingredients=mixed(["dropout"])), dropout=0.5, width=0.5)
    assert {layer.rate for layer in network.layers if isinstance(layer, L.Dropout)} == {0.0}


def test_without_heads_polarity_stays_undecided_in_int8_too() -> None:
    network = build_classifier(Architecture(ingredients=mixed(["heads"])), width=0.5)
    with tf.GradientTape() as tape:
        _, up, single = network(crops(), training=True)
        loss = tf.reduce_sum(up) + tf.reduce_sum(single)
    assert not np.any(up)
    assert not np.any(single)
    taught = [g for g in tape.gradient(loss, network.trainable_variables) if g is not None]
    assert not any(np.any(g) for g in taught)
    pictures = np.rint(crops(4)[..., 0] * 255).astype(np.uint8)
    said = Network(to_int8(network, pictures), threads=1).run_uint8(pictures)
    assert not said["p_arm_up"].any()
    assert not said["single"].any()
    assert said["label"].any()


def test_attention_starts_as_nothing_then_acts_and_needs_no_multiplication() -> None:
    network = build_classifier(Architecture(ingredients=mixed(adding=["attention"])), width=0.5)
    assert "Multiply" not in kinds(network)
    plain = build_classifier(Architecture(), width=0.5)
    assert count_macs(network) < 1.01 * count_macs(plain)
    before = network(crops(), training=False)[0]
    gates = [layer for layer in network.layers if isinstance(layer, L.Conv2D) and not np.any(layer.get_weights()[0])]
    assert len(gates) == 5
    for layer in gates:
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, bias - 100.0])  # closes every channel that passes it
    assert np.abs(network(crops(), training=False)[0] - before).max() > 1e-4


def test_quantization_aware_training_takes_the_attention() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it still uses distutils
        import tensorflow_model_optimization as tfmot
    from trainer.networks.blocks import conv, gate

    image = keras.Input((16, 8, 1))
    x = conv(image, 8, 3, relu=False)
    network = keras.Model(image, L.ReLU()(L.Add()([x, gate(x)])))
    quantized = tfmot.quantization.keras.quantize_model(network)
    assert quantized(np.ones((2, 16, 8, 1), np.float32)).shape == (2, 16, 8, 8)


def test_local_imagenet_weights_are_taken_and_others_refused(tmp_path: Path) -> None:
    trunk = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None)
    trunk.save_weights(tmp_path / "net.weights.h5")
    network = build_mobilenetv2(width=0.35, weights=str(tmp_path / "net.weights.h5"))
    first = next(layer for layer in network.layers if layer.name == "Conv1")
    np.testing.assert_array_equal(first.get_weights()[0], trunk.get_layer("Conv1").get_weights()[0])
    with pytest.raises(ConfigError, match="not the weights of"):
        build_mobilenetv2(width=0.5, weights=str(tmp_path / "net.weights.h5"))
    with pytest.raises(ConfigError, match="nothing is downloaded"):
        Architecture("efficientnetb0", imagenet="absent.h5") and build_classifier(
            Architecture("efficientnetb0", imagenet="absent.h5")
        )


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(ConfigError, match="got 'alexnet'"):
        Architecture("alexnet")
    with pytest.raises(ConfigError, match="leave them out for vgg"):
        Architecture("vgg", mixed(["residual"]))
    with pytest.raises(ConfigError, match="not for vgg"):
        Architecture("vgg", imagenet="a.h5")
    with pytest.raises(ConfigError, match="got 'skip'"):
        mixed(["skip"])
    with pytest.raises(ConfigError, match="both left out and added"):
        mixed(["residual"], ["residual"])
    with pytest.raises(ConfigError, match="has one width"):
        build_classifier(Architecture("efficientnetb0"), width=0.5)
    with pytest.raises(ConfigError, match="--depth is a setting of 'enhanced'"):
        build_classifier(Architecture("vgg"), depth=3)
    assert len(INGREDIENTS) == 6
