"""The networks' shapes, sizes and what they promise about their arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras

from edge.locate.grid import HEADS, STRIDE_PX
from edge.locate.separate import ROI_PX
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from trainer.networks.blocks import without_auxiliary
from trainer.networks.enhanced import build_enhanced
from trainer.networks.locator import AUXILIARY, build_locator
from trainer.networks.separator import OUTPUTS, build_separator
from trainer.networks.verifier import build_verifier

QAT_TAKES = {
    "InputLayer",
    "Conv2D",
    "BatchNormalization",
    "ReLU",
    "Add",
    "UpSampling2D",
    "Concatenate",
    "AveragePooling2D",
    "MaxPooling2D",
    "Dropout",
}


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96)])
def test_the_locator_answers_on_its_grid(height: int, width: int) -> None:
    network = build_locator(width=0.25)
    outputs = network(np.zeros((2, height, width, 1), np.float32), training=False)
    assert network.output_names == [*HEADS, *AUXILIARY]
    counts = [*HEADS.values(), *(side * side * values for side, values in AUXILIARY.values())]
    for output, count in zip(outputs, counts, strict=True):
        assert output.shape == (2, height // STRIDE_PX, width // STRIDE_PX, count)


@pytest.mark.parametrize("build", [build_locator, build_separator, build_verifier])
def test_a_fresh_network_answers_as_the_shipped_one_does_once_it_has_its_weights(
    build: Callable[[], Any], models_dir: Path
) -> None:
    network = build()
    shipped = keras.models.load_model(models_dir / network.name / "weights.keras", compile=False)
    network.set_weights(shipped.get_weights())
    picture = np.random.default_rng(0).random((1, 64, 64, network.input_shape[-1]), np.float32)
    for a, b in zip(network(picture, training=False), shipped(picture, training=False), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_only_teaches_is_not_shipped() -> None:
    network = build_locator(width=0.25)
    lean = without_auxiliary(network, HEADS)
    assert lean.output_names == list(HEADS)
    assert lean.count_params() < network.count_params()
    picture = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    for a, b in zip(lean(picture, training=False), network(picture, training=False), strict=False):
        np.testing.assert_array_equal(a, b)


def test_a_fixed_locator_takes_the_weights_of_an_open_one() -> None:
    """Training is at any size; what ships has one."""
    opened, fixed = build_locator(width=0.25), build_locator(64, 64, width=0.25)
    fixed.set_weights(opened.get_weights())
    picture = np.random.default_rng(0).random((1, 64, 64, 1), np.float32)
    for a, b in zip(opened(picture, training=False), fixed(picture, training=False), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert fixed.input_shape == (None, 64, 64, 1)


def test_the_separator_answers_with_a_mask_and_the_places_of_four_sides() -> None:
    network = build_separator(width=0.5)
    assert network.input_shape == (None, ROI_PX, ROI_PX, 2)
    assert network.output_names == [*OUTPUTS, "framed"]
    shapes = [(None, 32, 32, 4), (None, 32, 1, 2), (None, 1, 32, 2), (None, 1, 1, 1)]
    assert [tuple(shape) for shape in network.output_shape] == shapes
    assert without_auxiliary(network, OUTPUTS).output_names == list(OUTPUTS)


def test_the_places_of_the_sides_are_told_from_rows_and_columns_apart() -> None:
    keras.utils.set_random_seed(0)
    network = build_separator(width=0.5)
    plain = np.full((1, ROI_PX, ROI_PX, 2), 0.5, np.float32)
    plain[0, 20:30, 5:50, 0] = 0
    _, rows, cols, _ = (o.numpy() for o in network(plain, training=False))
    _, turned_rows, _, _ = (o.numpy() for o in network(plain.transpose(0, 2, 1, 3), training=False))
    assert np.abs(rows - rows.mean(1, keepdims=True)).max() > 1e-3
    assert np.abs(cols - cols.mean(2, keepdims=True)).max() > 1e-3
    assert np.abs(turned_rows - rows).max() > 1e-3


def test_the_separator_looks_at_the_picture_and_at_the_box_all_over() -> None:
    keras.utils.set_random_seed(0)
    network = build_separator(width=0.5)
    plain = np.full((1, ROI_PX, ROI_PX, 2), 0.5, np.float32)
    nothing = network(plain, training=False)[0].numpy()
    for channel in (0, 1):
        for y, x in ((4, 4), (30, 30), (58, 10), (20, 60)):
            marked = plain.copy()
            marked[0, y : y + 3, x : x + 3, channel] = 1
            gap = np.abs(network(marked, training=False)[0].numpy() - nothing)[0].max(-1)
            assert gap[y // 2, x // 2] > 1e-5, (channel, y, x)


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


@pytest.mark.parametrize(
    ("build", "most"), [(build_locator, 1_500_000), (build_separator, 500_000), (build_enhanced, 500_000)]
)
def test_the_shipped_networks_fit_a_small_board_and_quantization_aware_training(
    build: Callable[..., keras.Model], most: int
) -> None:
    network = build()
    assert {type(layer).__name__ for layer in network.layers} <= QAT_TAKES
    assert network.count_params() < most
    assert build(width=0.5).count_params() < 0.4 * network.count_params()
