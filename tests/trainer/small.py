"""A classifier of three convolutions and every kind of layer that the shipped one has: quick to trace and convert."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from edge.locate.straighten import CROP_COLS, CROP_ROWS
from tests.trainer.tiny import awaken
from trainer.networks.blocks import bottleneck, conv
from trainer.networks.heads import HEADS

L = keras.layers


def small_classifier() -> Any:
    keras.utils.set_random_seed(6)
    image = keras.Input((CROP_ROWS, CROP_COLS, 1), name="crop")
    x = L.Concatenate()([conv(image, 8, 5, 4), conv(image, 8, (9, 3), 4)])
    x = conv(x, 40, 3, 4)
    x = bottleneck(x, 16)
    x = L.AveragePooling2D((1, x.shape[2]))(x)
    x = L.Dropout(0.0)(x)
    x = L.Conv2D(40, (x.shape[1], 1), activation="relu", name="reader")(x)
    heads = [L.Conv2D(n, 1, name=name)(x) for name, n in HEADS.items()]
    return awaken(keras.Model(image, heads, name="small"), 6)
