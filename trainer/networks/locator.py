"""The locator network: one pass over a frame, a trunk down to stride 32 and back up to stride 4.

Input ``(B, H, W, 1)`` float32 in 0..1 (pixels / 255), H and W multiples of 32. Outputs on the stride-4 grid, each a
tensor of its own because int8 gives every tensor one scale:

- ``heat``: the logits that the centre of a wide and of a tall chromosome's box lies in the cell;
- ``box``: for either, distances from the cell's centre to the box sides (left, top, right, bottom).

Two auxiliary ones teach the trunk which pixels hang together and are dropped when the network ships; both on stride 2,
their sub-cells in the channels:

- ``dense``: the logits of "chromosome" and of "two chromosomes cross here";
- ``votes``: the vector (x, y) from the pixel to the box centre of its own chromosome, as in Panoptic-DeepLab
  (Cheng 2020).

A chromosome is 13 px wide here. Heads that predict all sub-cells from stride 8 cost least, but after 46,000 windows
they were no better than a stride-4 net after 14,000; two narrow convolutions at stride 4, which see the edges that the
stem saw, cost a tenth more.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import tf_keras as keras

from edge.locate.grid import HEADS
from trainer.networks.blocks import bottleneck, channels, conv, join, stage

L = keras.layers
AUXILIARY: dict[str, tuple[int, int]] = {"dense": (2, 2), "votes": (2, 2)}
"""Auxiliary output to its sub-cells per side and values per sub-cell."""
_RARE = {"heat": keras.initializers.Constant(-4.0)}
"""The start of the heat's bias: few cells hold a centre, so a fresh head begins there (Lin 2017), not at one half."""


def build_locator(height_px: int | None = None, width_px: int | None = None, width: float = 1.0) -> Any:
    """The network for one frame size; ``None`` leaves it open for training."""
    ch = partial(channels, width=width)
    image = keras.Input((height_px, width_px, 1), name="image")
    x = conv(image, ch(16), 5, 2)
    s4 = conv(x, ch(32), 3, 2)
    s8 = stage(s4, ch(64), ch(32), 2)
    s16 = stage(s8, ch(112), ch(56), 3)
    s32 = stage(s16, ch(160), ch(80), 4)
    s16 = join(s16, s32)
    for _ in range(2):
        s16 = bottleneck(s16, ch(56))
    s8 = join(s8, s16)
    for _ in range(3):
        s8 = bottleneck(s8, ch(40))
    s4 = join(s4, s8)
    for _ in range(2):
        s4 = conv(s4, ch(32), 3)
    values = HEADS | {name: side**2 * count for name, (side, count) in AUXILIARY.items()}
    heads = [
        L.Conv2D(count, 1, name=name, bias_initializer=_RARE.get(name, "zeros"))(s4) for name, count in values.items()
    ]
    return keras.Model(image, heads, name="locator")
