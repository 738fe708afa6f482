"""The training loop itself, on a network of one weight."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras  # noqa: E402

from edge.errors import ConfigError  # noqa: E402
from trainer import loop  # noqa: E402
from trainer.runs import Run  # noqa: E402


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
