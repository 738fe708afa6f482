"""What every classifier here answers, whatever its trunk: three logits, each ``(B, 1, 1, n)``."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from edge.records import LABELS

L = keras.layers
HEADS = {"label": len(LABELS), "p_arm_up": 1, "single": 1}
"""``label`` in the order of ``edge.records.LABELS``; the logits that the p arm is up, and of one whole chromosome."""


def answer(features: Any, label_only: bool = False) -> list[Any]:
    """The heads over ``features`` (B, 1, 1, channels).

    With ``label_only`` the other two exist but are mute, fixed at logit 0, "undecided", and teach the trunk nothing: so
    the network still fits wherever one with heads does.
    """
    return [
        L.Conv2D(n, 1, name=name, kernel_initializer="zeros", trainable=False)(features)
        if label_only and name != "label"
        else L.Conv2D(n, 1, name=name)(features)
        for name, n in HEADS.items()
    ]
