"""The networks' shapes, sizes and what they promise about their arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras

from edge.locate.grid import HEADS, STRIDE_PX
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from trainer.networks.enhanced import build_enhanced
from trainer.networks.locator import build_locator

QAT_TAKES = {
    "InputLayer",
    "Conv2D",
    "BatchNormalization",
    "ReLU",
    "Add",
    "UpSampling2D",
    "Concatenate",
    "AveragePooling2D",
    "Dropout",
}


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96)])
def test_the_locator_answers_on_its_grid(height: int, width: int) -> None:
    network = build_locator(width=0.25)
    outputs = network(np.zeros((2, height, width, 1), np.float32), training=False)
    assert [layer.split("/")[0] for layer in network.output_names] == list(HEADS)
    for output, (side, values) in zip(outputs, HEADS.values(), strict=True):
        assert output.shape == (2, height // STRIDE_PX, width // STRIDE_PX, side * side * values)


def test_a_fixed_locator_takes_the_weights_of_an_open_one() -> None:
    """Training is at any size; what ships has one."""
    opened, fixed = build_locator(width=0.25), build_locator(64, 64, width=0.25)
    fixed.set_weights(opened.get_weights())
    picture = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    for a, b in zip(opened(picture, training=False), fixed(picture, training=False), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert fixed.input_shape == (None, 64, 64, 1)


def test_the_classifier_answers_without_a_reshape() -> None:
    network = build_enhanced(width=0.5)
    assert network.input_shape == (None, CROP_ROWS, CROP_COLS, 1)
    assert network.output_names == ["label", "p_arm_up", "single"]
    assert [tuple(s) for s in network.output_shape] == [(None, 1, 1, 24), (None, 1, 1, 1), (None, 1, 1, 1)]


def test_the_classifier_reads_the_whole_length_in_order() -> None:
    network = build_enhanced(width=0.5)
    crop = np.zeros((1, CROP_ROWS, CROP_COLS, 1), np.float32)
    crop[0, 8:20, 8:24] = 1
    up, down = network(crop, training=False), network(crop[:, ::-1], training=False)
    assert np.abs(up[0] - down[0]).max() > 1e-4
    nothing = network(np.zeros_like(crop), training=False)
    for row in range(4, CROP_ROWS, 12):
        mark = np.zeros_like(crop)
        mark[0, row : row + 4, 14:18] = 1
        assert np.abs(network(mark, training=False)[0] - nothing[0]).max() > 1e-6, row


def test_dropout_is_for_training_only() -> None:
    keras.utils.set_random_seed(0)
    network = build_enhanced(dropout=0.5, width=0.5)
    crop = np.random.default_rng(0).random((1, CROP_ROWS, CROP_COLS, 1), np.float32)
    np.testing.assert_array_equal(network(crop, training=False)[0], network(crop, training=False)[0])
    assert np.abs(network(crop, training=True)[0] - network(crop, training=True)[0]).max() > 0


@pytest.mark.parametrize(("build", "most"), [(build_locator, 1_500_000), (build_enhanced, 500_000)])
def test_the_shipped_networks_fit_a_small_board_and_quantization_aware_training(
    build: Callable[..., keras.Model], most: int
) -> None:
    network = build()
    assert {type(layer).__name__ for layer in network.layers} <= QAT_TAKES
    assert network.count_params() < most
    assert build(width=0.5).count_params() < 0.4 * network.count_params()
