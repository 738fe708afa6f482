"""What an earlier classifier says of crops to learn from: which end is up, and which are in doubt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edge.records import LABELS
from trainer.data.cropset import DOWN, NOTHING, UNKNOWN, UP, CropSet

DOUBTFUL = 0.95
"""A likeliest label below this is in doubt: about one crop in ten."""
ENOUGH = 500
"""At most so many crops are looked at to tell which way up those of a set are."""


def undecided(crops: Any, training: bool) -> list[Any]:
    """Stands in for a classifier that does not know which end is up: the polarity stays unknown."""
    return [tf.zeros((tf.shape(crops)[0], 1, 1, n)) for n in (len(LABELS), 1, 1)]


def align(network: Any, crops: CropSet) -> CropSet:
    """``crops`` with each unknown polarity as the network tells it, given the crop's known label: label-guided
    alignment."""
    if not (crops.polarity == UNKNOWN).any():
        return crops
    rows = np.arange(len(crops))
    up, down = read_either_way(network, crops)
    lead = (up - down)[rows, np.maximum(crops.label, 0)]
    told = np.where(lead > 0, UP, DOWN)
    told[(np.abs(lead) < 1.0) | (crops.label == NOTHING)] = UNKNOWN
    polarity = np.where(crops.polarity == UNKNOWN, told, crops.polarity).astype(np.int8)
    return replace(crops, polarity=polarity)


def upside_down(network: Any, crops: CropSet) -> float:
    """The share of some crops said to be upright that the network surely sees the other way up; 0 without any."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(crops.polarity == UP))[:ENOUGH]
    if not len(rows):
        return 0.0
    return float((align(network, crops.pick(rows).with_unknown_ends()).polarity == DOWN).mean())


def doubtful(network: Any, crops: CropSet) -> npt.NDArray[np.bool_]:
    """The whole chromosomes that the network does not name for sure, rightly or wrongly: bool (n,)."""
    log_p = np.logaddexp(*read_either_way(network, crops))
    sureness = np.exp(log_p.max(1) - np.logaddexp.reduce(log_p, axis=1))
    return np.asarray((sureness < DOUBTFUL) & (crops.label != NOTHING))


def read_either_way(network: Any, crops: CropSet) -> list[npt.NDArray[np.float32]]:
    """Two arrays of log probabilities (n, 24): of each label with the p arm up, and of each label with it down."""
    readings = []
    for pixels in (crops.pixels, crops.pixels[:, ::-1]):
        logits, up, _ = predict(network, pixels)
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        readings.append(np.asarray(log_p - np.logaddexp(0, -up), np.float32))
    return readings


def predict(network: Any, pixels: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float32]]:
    """The three outputs for uint8 (n, 128, 32)."""
    call = tf.function(lambda x: network(tf.cast(x, tf.float32)[..., None] / 255.0, training=False))
    parts = [[o.numpy()[:, 0, 0] for o in call(tf.constant(pixels[i : i + 512]))] for i in range(0, len(pixels), 512)]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
