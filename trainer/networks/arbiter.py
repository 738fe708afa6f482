"""The arbiter network: the objects of a cell exchange what they are and what they share.

Input ``(B, 96, 300, 1)`` float32 in 0..1, the table of ``edge.cell.arbiter``: a row an object. Outputs, to be added to
what was known: ``keep`` ``(B, 96, 1)`` to the log odds of being a chromosome, ``label`` ``(B, 96, 24)`` to the log
scores. A fresh network adds nothing.

A small transformer (Vaswani 2017) over objects, whose attention also depends on what each two share, as with the edges
of graph transformers (Ying 2021): boxes and masks in common, distance, which is likelier, how alike their labels and
their bands are. What two objects share also has a weight of its own, without competing with the other objects
(``_Exchange``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from edge.cell.arbiter import COLUMNS, FARTHEST, MOST_ODDS, NATS, PROFILE_PARTS, SEATS, TABLE_WIDTH
from edge.records import LABELS

L = keras.layers
HEADS = 4
UNSEEN_BANDS = 0.3
"""Share of cells, in training, in which the network sees of the bands only how alike those of two objects are: what
each chromosome looks like is known from the laboratories that were learned from, not from the next."""
_BLIND = 1e4
"""What is taken from an empty seat's attention, in nats, so that it does not count."""
KNOWN = slice(COLUMNS["weighed"].start, COLUMNS["profile"].start)
"""The table's columns of what is known of an object itself, without its profile."""


@keras.utils.register_keras_serializable("chromo")
class _Read(keras.layers.Layer):  # type: ignore[misc]
    """Table (B, 96, 300, 1) to what is known of each object (B, 96, n), its profile (B, 96, 64), what each two share
    (B, 96, 96, 7), and whether there is an object (B, 96, 1). In training the profiles of some cells are hidden, but
    what two share is still made from them."""

    def call(self, table: Any, training: bool = False) -> tuple[Any, ...]:
        rows = table[..., 0]
        there, scores, odds, place = (rows[..., COLUMNS[name]] for name in ("there", "scores", "odds", "place"))
        profile, iou, shared = (rows[..., COLUMNS[name]] for name in ("profile", "iou", "shared"))
        pairs = _pairs(there, scores, odds, place, profile, iou, shared)
        if training:
            profile *= tf.cast(tf.random.uniform((tf.shape(table)[0], 1, 1)) >= UNSEEN_BANDS, tf.float32)
        return rows[..., KNOWN], profile, pairs, there


def _pairs(there: Any, scores: Any, odds: Any, place: Any, profile: Any, iou: Any, shared: Any) -> Any:
    """What each two share, (B, 96, 96, 7): boxes and masks in common, nearness, which is likelier, likeness of labels
    and of bands."""
    stain = profile[..., :PROFILE_PARTS]
    bands = stain - tf.reduce_mean(stain, -1, keepdims=True) * tf.cast(stain > 0, tf.float32)
    bands /= tf.maximum(tf.sqrt(tf.reduce_sum(bands * bands, -1, keepdims=True)), 1e-3)
    likely = tf.exp((scores - 1) * (NATS / 2)) * there  # the square root of each score
    apart = (place[:, :, None] - place[:, None]) * (2 * FARTHEST)
    distance = tf.sqrt(tf.reduce_sum(apart * apart, -1) + 1e-6)
    stronger = tf.tanh((tf.transpose(odds, (0, 2, 1)) - odds) * (2 * MOST_ODDS / 4))
    each = (
        iou,
        shared,
        tf.transpose(shared, (0, 2, 1)),
        tf.exp(-distance),
        stronger,
        tf.matmul(likely, likely, transpose_b=True),
        tf.matmul(bands, bands, transpose_b=True),
    )
    return tf.stack(each, -1)


@keras.utils.register_keras_serializable("chromo")
class _Exchange(keras.layers.Layer):  # type: ignore[misc]
    """Attention of ``HEADS`` heads among objects ``x`` (B, 96, D), with what each two share (B, 96, 96, C) as its bias;
    and in the same heads a sum over the other objects, weighed only by what is shared."""

    def build(self, shapes: Any) -> None:
        width = shapes[0][-1]
        self._ask, self._answer, self._value = (L.Dense(width, use_bias=False) for _ in range(3))
        self._bias, self._gate, self._out = L.Dense(HEADS), L.Dense(HEADS, activation="relu"), L.Dense(width)
        for layer in (self._ask, self._answer, self._value, self._out):
            layer.build(shapes[0])
        for layer in (self._bias, self._gate):
            layer.build(shapes[1])

    def call(self, inputs: Any) -> Any:
        x, shared, there = inputs
        ask, answer, value = (self._parted(layer(x)) for layer in (self._ask, self._answer, self._value))
        seen = tf.transpose(there, (0, 2, 1))[:, None]
        bias, gate = (tf.transpose(layer(shared), (0, 3, 1, 2)) for layer in (self._bias, self._gate))
        near = tf.matmul(ask, answer, transpose_b=True) / float(np.sqrt(ask.shape[-1])) + bias + (seen - 1) * _BLIND
        told = tf.matmul(tf.nn.softmax(near) + gate * seen, value)
        return self._out(tf.reshape(tf.transpose(told, (0, 2, 1, 3)), (-1, SEATS, x.shape[-1])))

    @staticmethod
    def _parted(x: Any) -> Any:
        return tf.transpose(tf.reshape(x, (-1, SEATS, HEADS, x.shape[-1] // HEADS)), (0, 2, 1, 3))


def build_arbiter(width: int, depth: int, dropout: float = 0.1) -> Any:
    """The network; ``width`` numbers stand for an object, which takes part in ``depth`` exchanges."""
    table = keras.Input((SEATS, TABLE_WIDTH, 1), name="table")
    known, profile, pairs, there = _Read(name="read")(table)
    known = L.Normalization(name="usual")(known)
    profile = L.Dense(24, activation="relu")(profile)
    x = L.Dense(width)(L.Concatenate()([known, profile]))
    shared = L.Dense(16, activation="relu")(pairs)
    for _ in range(depth):
        told = _Exchange()([L.LayerNormalization()(x), shared, there])
        x = L.Add()([x, L.Dropout(dropout)(told)])
        thought = L.Dense(width)(L.Dense(2 * width, activation="relu")(L.LayerNormalization()(x)))
        x = L.Add()([x, L.Dropout(dropout)(thought)])
    x = L.LayerNormalization()(x)
    keep = L.Dense(1, kernel_initializer="zeros", name="keep")(x)
    label = L.Dense(len(LABELS), kernel_initializer="zeros", name="label")(x)
    return keras.Model(table, [keep, label], name="arbiter")
