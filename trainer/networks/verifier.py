"""The verifier network: whether what was located is one whole chromosome that nothing else marks.

Input ``(B, 64, 64, 3)`` float32 in 0..1 (``edge.cell.verify``): the picture around the object, the object's own pixels,
the claims of others. Outputs, logits:

- ``whole`` ``(B, 1, 1, 1)``: that it is the mark of a chromosome;
- ``framed`` ``(B, 1, 1, 1)``: how much its box and the true one share (intersection over union). This auxiliary
  one teaches that boxes may be nearly right, and is dropped when the network ships.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import tf_keras as keras

from edge.cell.verify import LOOK_PX
from trainer.networks.blocks import channels, conv, stage

L = keras.layers
OUTPUTS = ("whole",)
DROPOUT = 0.25


def build_verifier(width: float = 1.0) -> Any:
    """The network; ``width`` multiplies every channel count."""
    ch = partial(channels, width=width)
    image = keras.Input((LOOK_PX, LOOK_PX, 3), name="look")
    x = conv(image, ch(16), 5, 2)
    x = stage(x, ch(32), ch(16))
    x = stage(x, ch(64), ch(32), 2)
    x = stage(x, ch(96), ch(48), 2)
    x = L.Dropout(DROPOUT)(x)
    x = L.Conv2D(ch(96), x.shape[1:3], activation="relu", kernel_initializer="he_normal")(x)
    x = L.Dropout(DROPOUT)(x)
    return keras.Model(image, [L.Conv2D(1, 1, name=name)(x) for name in ("whole", "framed")], name="verifier")
