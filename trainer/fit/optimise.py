"""The learning rate's curve, and the running average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

WARM = 0.05
FLOOR = 0.01


def cosine_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over the first ``WARM`` of the run, then half a cosine down to ``FLOOR`` of the peak."""
    begin = max(1.0, WARM * steps)
    if step < begin:
        return peak * (step + 1) / begin
    return peak * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * (step - begin) / max(1.0, steps - begin))))


class Averages(tf.Module):  # type: ignore[misc]
    """Exponential moving average of all weights, batch statistics included: steadier than the last step's.

    Step counters and pruning masks have no mean that means anything; they are kept as they last were.
    """

    def __init__(self, network: Any, keep: float = 0.998) -> None:
        super().__init__()
        self.keep = keep
        self.values = [tf.Variable(w, trainable=False) for w in network.weights]
        self._averaged = [w.dtype.is_floating and not w.name.endswith("mask:0") for w in network.weights]
        self._update = tf.function(self._mix)

    def _mix(self, weights: list[Any], keep: Any) -> None:
        for value, weight, averaged in zip(self.values, weights, self._averaged, strict=True):
            mixed = value * keep + tf.cast(weight, value.dtype) * (1.0 - keep) if averaged else weight
            value.assign(mixed)

    def update(self, network: Any, step: int) -> None:
        # Young averages forget faster, or the random start would stay in them.
        self._update(network.weights, tf.constant(min(self.keep, (1.0 + step) / (10.0 + step)), tf.float32))

    def copy_to(self, network: Any) -> None:
        for value, weight in zip(self.values, network.weights, strict=True):
            weight.assign(value)

    @contextmanager
    def worn_by(self, network: Any) -> Iterator[None]:
        """Gives the network the averaged weights inside the block, and its own back after it."""
        own = network.get_weights()
        self.copy_to(network)
        try:
            yield
        finally:
            network.set_weights(own)
