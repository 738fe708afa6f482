"""Where weights come from: a trunk goes on in a network that grew a new end, and nothing else does."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tensorflow as tf
import tf_keras as keras

from edge.errors import ConfigError
from trainer.networks.blocks import bottleneck, conv
from trainer.networks.start import take_all_weights, take_weights, widen_weights

L = keras.layers
MODELS = Path(__file__).parents[3] / "models"


def small(first: int = 8, ends: tuple[str, ...] = ("a",), values: int = 3) -> Any:
    """Two blocks, four layers with weights, and one end or more."""
    image = keras.Input((8, 8, 1))
    x = conv(conv(image, first, 3), 6, 3)
    return keras.Model(image, [L.Conv2D(values, 1, name=end)(x) for end in ends], name="small")


def stored(path: Path, network: Any) -> list[np.ndarray]:
    network.save(path)
    return list(network.get_weights())


def assert_holds(network: Any, weights: list[np.ndarray]) -> None:
    for own, theirs in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(own, theirs)


def test_the_same_network_takes_everything(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    theirs = stored(tmp_path / "old.keras", small())
    own = small()
    assert take_weights(own, tmp_path / "old.keras") == 5
    assert_holds(own, theirs)


@pytest.mark.parametrize("grown", [{"values": 5}, {"ends": ("a", "b")}])
def test_a_network_that_grew_a_new_end_takes_the_trunk(tmp_path: Path, grown: dict[str, Any]) -> None:
    keras.utils.set_random_seed(1)
    stored(tmp_path / "old.keras", small())
    own = small(**grown)
    before = own.get_weights()
    taken = take_weights(own, tmp_path / "old.keras")
    assert taken == (4 if "values" in grown else 5)
    old = keras.models.load_model(tmp_path / "old.keras", compile=False)
    picture = np.random.default_rng(0).random((1, 8, 8, 1), np.float32)
    trunks = [keras.Model(n.inputs, n.get_layer(index=6).output)(picture, training=False) for n in (own, old)]
    np.testing.assert_array_equal(*trunks)
    np.testing.assert_array_equal(own.get_weights()[-2], before[-2])  # the new end starts from where it was


def test_a_foreign_network_is_refused_in_one_line(tmp_path: Path) -> None:
    stored(tmp_path / "old.keras", small(first=16))
    with pytest.raises(ConfigError, match="the first layer of this network 'small' does not fit 'small'") as caught:
        take_weights(small(), tmp_path / "old.keras")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("grown", [{"values": 5}, {"ends": ("a", "b")}])
def test_where_all_is_to_be_taken_a_network_that_grew_is_refused(tmp_path: Path, grown: dict[str, Any]) -> None:
    keras.utils.set_random_seed(1)
    theirs = stored(tmp_path / "old.keras", small())
    own = small()
    take_all_weights(own, tmp_path / "old.keras")
    assert_holds(own, theirs)
    layers = r"4 of\s5" if "values" in grown else r"5 of\s6"
    with pytest.raises(ConfigError, match=f"of the same size, got one of which only {layers} layers fit"):
        take_all_weights(small(**grown), tmp_path / "old.keras")


@pytest.mark.parametrize("take", [take_weights, widen_weights])
def test_an_arbiters_weights_are_read_and_refused_as_what_they_are(take: Any) -> None:
    with pytest.raises(ConfigError, match=r"models/arbiter/weights\.keras: .*network 'arbiter' does not fit"):
        take(small(), MODELS / "arbiter" / "weights.keras")


def test_layers_that_nobody_here_knows_are_one_line(tmp_path: Path) -> None:
    class Foreign(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    image = keras.Input((8, 8, 1))
    keras.Model(image, L.Conv2D(1, 1)(Foreign()(image))).save(tmp_path / "foreign.keras")
    with pytest.raises(ConfigError, match=r"expected Keras weights \(\.keras\), cannot read it") as caught:
        take_weights(small(), tmp_path / "foreign.keras")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["absent", "text", "zip", "empty", "folder"])
def test_a_file_that_is_not_keras_weights_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "old.keras"
    if content == "text":
        path.write_text("a,b\n1,2\n")
    elif content == "empty":
        path.write_bytes(b"")
    elif content == "folder":
        path.mkdir()
    elif content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("crops.csv", "file\n")
    with pytest.raises(ConfigError, match=r"expected Keras weights \(\.keras\)") as caught:
        take_weights(small(), path)
    assert "\n" not in str(caught.value)


def wide(times: int = 1, ends: int = 1) -> Any:
    """Blocks of every kind that a separator has, with ``times`` as many channels."""
    image = keras.Input((8, 8, 1))
    x = bottleneck(conv(image, 8 * times, 3), 4 * times)
    return keras.Model(image, [L.Conv2D(2, 1, name=f"end{k}")(x) for k in range(ends)], name="wide")


def test_a_wider_network_answers_as_the_stored_one_did_and_learns_with_all_its_channels(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    old = wide()
    old.save(tmp_path / "old.keras")
    own = wide(2)
    widen_weights(own, tmp_path / "old.keras")
    picture = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    np.testing.assert_allclose(own(picture, training=False), old(picture, training=False), atol=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(own(picture, training=False) ** 2)
    last = tape.gradient(loss, own.trainable_weights)[-2]
    assert np.abs(last[0, 0, 8:]).min() > 0  # what the new channels say can be learned from


def test_the_same_network_widens_to_itself(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    theirs = stored(tmp_path / "old.keras", wide())
    own = wide()
    widen_weights(own, tmp_path / "old.keras")
    assert_holds(own, theirs)


@pytest.mark.parametrize("other", [wide(2), wide(ends=2), small()], ids=["wider", "with another end", "foreign"])
def test_what_does_not_fit_into_the_network_is_refused(tmp_path: Path, other: Any) -> None:
    other.save(tmp_path / "old.keras")
    with pytest.raises(ConfigError, match="does not fit into this 'wide'"):
        widen_weights(wide(), tmp_path / "old.keras")
