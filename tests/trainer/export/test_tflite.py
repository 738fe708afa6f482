"""Keras to TFLite: the same answers, static shapes, integers throughout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tensorflow as tf

from edge.locate.grid import HEADS
from edge.records import UInt8Array
from edge.runtime.interpreter import Network, _runtime
from tests.trainer.tiny import drawn_crops, drawn_rois, drawn_windows, tiny_classifier, tiny_locator, tiny_separator
from trainer.export.tflite import to_int8
from trainer.networks.separator import OUTPUTS


@dataclass(frozen=True)
class Case:
    keras: Any
    pixels: UInt8Array
    int8: bytes
    names: list[str]

    def keras_says(self) -> dict[str, np.ndarray]:
        pictures = self.pixels.reshape(*self.pixels.shape[:3], -1)
        outputs = tf.nest.flatten(self.keras(pictures.astype(np.float32) / 255, training=False))
        return {name: output.numpy() for name, output in zip(self.names, outputs, strict=True)}


MAKERS: dict[str, tuple[Callable[[], Any], Callable[[], Any], list[str]]] = {
    "locator": (tiny_locator, lambda: drawn_windows(8), list(HEADS)),
    "separator": (tiny_separator, lambda: drawn_rois(12), list(OUTPUTS)),
    "classifier": (tiny_classifier, lambda: drawn_crops(12), ["label", "p_arm_up", "single"]),
}


@pytest.fixture(scope="module", params=MAKERS)
def case(request: pytest.FixtureRequest) -> Case:
    make, draw, names = MAKERS[request.param]
    # None of the samples is bright: the input's scale must not come from them.
    network, pixels = make(), np.stack(draw()) // 2
    return Case(network, pixels, to_int8(network, pixels), names)


def test_int8_answers_nearly_as_keras(case: Case) -> None:
    network = Network(case.int8, threads=1)
    assert network.input_shape[1:] == case.keras.input_shape[1:]
    assert network.input_shape[1:3] == case.pixels.shape[1:3]
    assert network.input_dtype == np.int8
    said = {name: np.concatenate([network.run_uint8(p[None])[name] for p in case.pixels]) for name in case.names}
    for name, expected in case.keras_says().items():
        assert said[name].shape == expected.shape
        assert expected.std() > 0.01
        assert np.abs(said[name] - expected).mean() < 0.1 * np.abs(expected).max(), name
        if expected.size > 100:
            assert np.corrcoef(said[name].ravel(), expected.ravel())[0, 1] > 0.95, name


def test_a_cameras_byte_is_the_networks_byte(case: Case) -> None:
    interpreter = _runtime()[1](model_content=case.int8)
    (given,) = interpreter.get_input_details()
    scale, zero = given["quantization"]
    assert scale == pytest.approx(1 / 255, rel=1e-6)
    assert zero == -128
    assert Network(case.int8, threads=1)._flip_only  # the runtime's fast path


def test_every_shape_is_static_and_every_tensor_an_integer(case: Case) -> None:
    interpreter = _runtime()[1](model_content=case.int8)
    for detail in (*interpreter.get_input_details(), *interpreter.get_output_details()):
        assert detail["dtype"] == np.int8
        assert -1 not in detail["shape_signature"]
        assert detail["shape"][0] == 1
    interpreter.allocate_tensors()
    assert {np.dtype(d["dtype"]).kind for d in interpreter.get_tensor_details() if d["name"]} <= {"i"}
