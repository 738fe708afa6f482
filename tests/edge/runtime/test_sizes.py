"""A fully convolutional network brought to another size: the same weights, at as many places as there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.runtime import interpreter
from edge.runtime.interpreter import Network, interpreter_class
from edge.runtime.onnx import OnnxNetwork
from edge.runtime.sizes import for_size

HERE = Path(__file__).parent
MODELS = HERE.parents[2] / "models"
LOCATOR = next((MODELS / "locator").glob("*.tflite"))
RUNTIME = interpreter_class().__module__
TO_THE_EDGE_PX = 64
"""From the middle of a picture of 192 px: beyond, what lies outside would be seen."""


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(LOCATOR, threads=1)


def pictures(*sides: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *sides), np.uint8)


def assert_same(found: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    assert found.keys() == right.keys()
    for name, values in right.items():
        np.testing.assert_array_equal(found[name], values)


@pytest.mark.parametrize("sides", [(32, 32), (96, 224), (544, 64)])
def test_outputs_have_the_size_that_was_asked(network: Network, sides: tuple[int, int]) -> None:
    other = network.fitted(*sides)
    assert other.input_shape == (1, *sides, 1)
    assert network.input_shape == (1, 512, 512, 1)
    found = other.run_uint8(pictures(*sides))
    assert found["heat"].shape == (2, sides[0] // 4, sides[1] // 4, 2)
    assert found["box"].shape == (2, sides[0] // 4, sides[1] // 4, 8)


def test_there_and_back_it_says_the_same(network: Network) -> None:
    pixels = pictures(512, 512, count=1)
    there = network.fitted(96, 160)
    there.run_uint8(pictures(96, 160))
    assert_same(there.fitted(512, 512).run_uint8(pixels), network.run_uint8(pixels))
    assert network.fitted(512, 512) is network


def test_it_says_the_same_in_blocks_and_as_it_is(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = pictures(160, 96)
    quick = network.fitted(160, 96)
    monkeypatch.setattr(interpreter, "in_blocks", lambda model, runtime: None)
    plain = Network(LOCATOR, threads=1).fitted(160, 96)
    assert (quick._in_blocks, plain._in_blocks) == (True, False)
    assert_same(quick.run_uint8(pixels), plain.run_uint8(pixels))


def test_a_place_is_answered_alike_in_pictures_of_any_size(network: Network) -> None:
    """What lies far away, and whether the picture goes on, changes little of what is said of its middle."""
    wide = np.full((1, 512, 512), 235, np.uint8)
    wide[0, 220:292, 250:262] = 90
    narrow = np.ascontiguousarray(wide[:, 160:352, 160:352])
    answers = [n.run_uint8(p)["heat"][0] for n, p in ((network, wide), (network.fitted(192, 192), narrow))]
    reach = TO_THE_EDGE_PX // 4
    middles = [a[a.shape[0] // 2 - reach :, a.shape[1] // 2 - reach :][: 2 * reach, : 2 * reach] for a in answers]
    y, x, shape = np.unravel_index(middles[0].argmax(), middles[0].shape)
    assert abs(int(y) - reach) <= 1
    assert abs(int(x) - reach) <= 1
    assert shape == 1  # tall
    told, again = (1 / (1 + np.exp(-m)) for m in middles)
    assert np.abs(told - again).max() < 0.1


@pytest.mark.parametrize("sides", [(100, 128), (128, 48)])
def test_a_size_in_which_a_map_would_have_half_a_place_is_not_taken(network: Network, sides: tuple[int, int]) -> None:
    assert network.fitted(*sides) is network


@pytest.mark.parametrize("task", ["classifier", "separator", "arbiter"])
def test_who_looks_at_the_whole_picture_keeps_the_size(task: str) -> None:
    network = Network(next((MODELS / task).glob("*.tflite")), threads=1)
    _, height, width, _ = network.input_shape
    assert network.fitted(2 * height, 2 * width) is network


def test_what_is_compiled_keeps_the_size() -> None:
    network = OnnxNetwork((HERE / "tiny.onnx").read_bytes(), 1)
    assert network.fitted(64, 64) is network


def test_a_runtime_without_the_files_schema_keeps_the_size() -> None:
    assert for_size(LOCATOR.read_bytes(), "nowhere.interpreter", 256, 256) is None
