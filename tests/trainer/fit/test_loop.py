"""The training loop itself, on a network of one weight."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras  # noqa: E402

from edge.errors import ConfigError  # noqa: E402
from trainer.fit import loop  # noqa: E402
from trainer.fit.optimise import cosine_rate  # noqa: E402
from trainer.run.folder import Run  # noqa: E402


def test_a_loss_that_is_no_number_ends_the_training_and_spoils_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOG_EVERY", "SAVE_EVERY"):
        monkeypatch.setattr(loop, name, 1)
    network = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    run = Run.open(tmp_path, {}, resume=True)

    def losses(net: Any, x: Any) -> tuple[Any, Mapping[str, Any]]:
        loss = tf.reduce_mean(net(x))
        return loss, {"loss": loss}

    def make(rng: np.random.Generator) -> loop.Batch:
        made.append(1.0)
        return (np.full((2, 1), 1.0 if len(made) < 3 else np.nan, np.float32),)

    made: list[float] = []
    plan = loop.Plan(steps=5, rate=0.1, decay=0.0, clip_norm=1.0, seed=1)
    with pytest.raises(ConfigError, match=r"the loss is nan at step 3, .*smaller --rate"):
        loop.train(run, network, plan, losses, make, dict)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["00000001", "00000002"]
    assert [step for step, _ in run.history()["loss"]] == [1, 2]


def test_what_is_left_in_the_network_is_what_was_checked_last(tmp_path: Path) -> None:
    """The averaged weights: those of the last step are others."""
    network = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    run = Run.open(tmp_path, {}, resume=True)
    checked: list[float] = []

    def kernel() -> float:
        return float(network.layers[0].kernel[0, 0])

    def losses(net: Any, x: Any) -> tuple[Any, Mapping[str, Any]]:
        loss = tf.reduce_mean((net(x) - 5.0) ** 2)
        return loss, {"loss": loss}

    def make(rng: np.random.Generator) -> loop.Batch:
        return (np.ones((2, 1), np.float32),)

    def check() -> Mapping[str, float]:
        checked.append(kernel())
        return {}

    plan = loop.Plan(steps=40, rate=0.05, decay=0.0, clip_norm=1.0, seed=1)
    loop.train(run, network, plan, losses, make, check)
    left = kernel()
    run.restore(network=network)
    assert left == checked[-1]
    assert kernel() != pytest.approx(left, abs=1e-3)


def fed(tmp_path: Path, seed: int, draw: Callable[[np.random.Generator], float], clip_norm: float = 1.0) -> list[float]:
    """What six steps of one weight are fed with, in order, and the weight that comes of them."""
    keras.utils.set_random_seed(3)
    network = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False)])

    def losses(net: Any, x: Any) -> tuple[Any, Mapping[str, Any]]:
        return tf.reduce_mean(net(x)), {"x": tf.reduce_mean(x)}

    def make(rng: np.random.Generator) -> loop.Batch:
        return (np.full((2, 1), draw(rng), np.float32),)

    run = Run.open(tmp_path, {}, resume=False)
    loop.train(run, network, loop.Plan(6, 0.1, 0.0, clip_norm, seed), losses, make, dict)
    return [*(value for _, value in run.history()["x"]), float(network.layers[0].kernel[0, 0])]


@pytest.fixture
def _log_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 1)


@pytest.mark.usefixtures("_log_each_step")
def test_each_step_gets_another_batch_and_another_seed_others(tmp_path: Path) -> None:
    one, again, other = (fed(tmp_path, seed, lambda rng: rng.random())[:-1] for seed in (1, 1, 2))
    assert one == again
    assert len({*one, *other}) == 12


@pytest.mark.usefixtures("_log_each_step")
def test_the_learning_rate_follows_the_cosine(tmp_path: Path) -> None:
    fed(tmp_path, 1, lambda rng: 1.0)
    rates = [rate for _, rate in Run(tmp_path).history()["rate"]]
    assert rates == pytest.approx([cosine_rate(step, 6, 0.1) for step in range(6)], rel=1e-4)


@pytest.mark.usefixtures("_log_each_step")
def test_a_step_is_no_larger_than_the_clip_allows(tmp_path: Path) -> None:
    """The gradient is what is fed: one of a thousand counts as one of the clip's norm."""

    def jolt(rng: np.random.Generator) -> float:
        return 1000.0 if next(steps) == 3 else 1.0

    ends = {}
    for clip_norm in (1.0, 1e6):
        even = fed(tmp_path, 1, lambda rng: 1.0, clip_norm)[-1]
        steps = itertools.count()
        ends[clip_norm] = abs(fed(tmp_path, 1, jolt, clip_norm)[-1] - even)
    assert ends[1.0] < 1e-6
    assert ends[1e6] > 1e-3
