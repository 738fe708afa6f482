"""The outputs of every classifier here, whatever its trunk: three logits, each ``(B, 1, 1, n)``."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from edge.records import LABELS

L = keras.layers
HEADS = {"label": len(LABELS), "p_arm_up": 1, "single": 1}
"""Output to its number of logits: ``label`` in the order of ``edge.records.LABELS``, that the p arm is up, and that it
is one whole chromosome."""


def answer(features: Any, label_only: bool = False) -> list[Any]:
    """The heads over ``features`` (B, 1, 1, channels).

    With ``label_only`` the other two exist but stay at logit 0, "undecided", and teach the trunk nothing, so that the
    network still fits wherever one with heads does.
    """
    return [
        L.Conv2D(n, 1, name=name, kernel_initializer="zeros", trainable=False)(features)
        if label_only and name != "label"
        else L.Conv2D(n, 1, name=name)(features)
        for name, n in HEADS.items()
    ]
