"""The learning rate's curve and the running average of the weights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras

from trainer.fit.optimise import Averages, cosine_rate


def test_the_rate_warms_up_peaks_and_falls_to_its_floor() -> None:
    rates = [cosine_rate(step, 1000, 2e-3) for step in range(1000)]
    assert rates[0] == pytest.approx(2e-3 / 50)
    assert max(rates) == pytest.approx(2e-3)
    assert int(np.argmax(rates)) in (49, 50)
    assert (np.diff(rates[:50]) > 0).all()
    assert (np.diff(rates[50:]) < 0).all()
    assert rates[525] == pytest.approx(2e-3 * (0.01 + 0.99 / 2), rel=0.01)
    assert rates[-1] == pytest.approx(2e-5, rel=0.05)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_a_run_of_few_steps_has_rates_too(steps: int) -> None:
    rates = [cosine_rate(step, steps, 1e-3) for step in range(steps)]
    assert all(0 < rate <= 1e-3 for rate in rates)
    assert rates[0] == pytest.approx(1e-3)  # no warm-up to speak of


def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.layers.Dense(3, input_shape=(2,)), keras.layers.BatchNormalization()])


def test_the_average_by_hand() -> None:
    net = network()
    averages = Averages(net, keep=0.9)
    expected = [w.copy() for w in net.get_weights()]
    rng = np.random.default_rng(0)
    for step in range(200):
        net.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in net.get_weights()])
        averages.update(net, step)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = [e * keep + w * (1 - keep) for e, w in zip(expected, net.get_weights(), strict=True)]
    for value, e in zip(averages.values, expected, strict=True):
        np.testing.assert_allclose(value.numpy(), e, atol=1e-5)
    assert len(averages.values) == 6  # batch statistics too


def test_the_random_start_does_not_stay_in_the_average() -> None:
    net = network()
    net.set_weights([np.full_like(w, 1000) for w in net.get_weights()])
    averages = Averages(net)
    net.set_weights([np.ones_like(w) for w in net.get_weights()])
    for step in range(100):
        averages.update(net, step)
    assert all(np.abs(v.numpy() - 1).max() < 1e-3 for v in averages.values)


def test_the_network_wears_the_average_and_takes_its_own_back() -> None:
    net = network()
    averages = Averages(net)
    net.set_weights([w + 1 for w in net.get_weights()])
    own = [w.copy() for w in net.get_weights()]
    with averages.worn_by(net):
        for weight, value in zip(net.get_weights(), averages.values, strict=True):
            np.testing.assert_array_equal(weight, value.numpy())
        assert not np.array_equal(net.get_weights()[0], own[0])
    for weight, kept in zip(net.get_weights(), own, strict=True):
        np.testing.assert_array_equal(weight, kept)
    averages.copy_to(net)
    np.testing.assert_array_equal(net.get_weights()[0], averages.values[0].numpy())
