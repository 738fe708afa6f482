"""The locator network: one pass over a frame, everything from a stride-8 trunk.

Input ``(B, H, W, 1)`` float32 in 0..1 (pixels / 255), H and W multiples of 32. Four outputs on the stride-8 grid, whose
channels are sub-cells (``edge.locate.decode.unfold`` opens them, so the graph needs no depth-to-space and fits the Edge
TPU); each is a tensor of its own because int8 gives every tensor one scale:

- ``heat``, on stride 4: the logit that a chromosome's box centre lies in the cell;
- ``box``, on stride 4: distances from the cell's centre to the box sides (left, top, right, bottom);
- ``dense``, on stride 2: the logits of "chromosome" and of "two chromosomes cross here";
- ``votes``, on stride 2: the vector (x, y) from the pixel to the box centre of its own chromosome.

Why so: heads on a stride-4 map cost more than the trunk of a first try (1.2 GMAC at 480 px); predicting sub-cells from
stride 8 costs next to nothing and loses no accuracy that a 13 px wide chromosome needs. The votes, as in
Panoptic-DeepLab (Cheng 2020), give every touching chromosome its own pixels without any box-by-box second stage.
"""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from edge.locate.grid import HEADS
from trainer.networks.blocks import bottleneck, conv

L = keras.layers


def build_locator(height_px: int | None = None, width_px: int | None = None, width: float = 1.0) -> Any:
    """The network for one frame size; ``None`` leaves it open for training."""

    def ch(n: int) -> int:
        return int(n * width + 4) // 8 * 8

    image = keras.Input((height_px, width_px, 1), name="image")
    x = conv(image, ch(16), 5, 2)
    x = conv(x, ch(32), 3, 2)
    x = s8 = conv(x, ch(64), 3, 2)
    for _ in range(2):
        s8 = bottleneck(s8, ch(32))
    s16 = conv(s8, ch(112), 3, 2)
    for _ in range(3):
        s16 = bottleneck(s16, ch(56))
    s32 = conv(s16, ch(160), 3, 2)
    for _ in range(4):
        s32 = bottleneck(s32, ch(80))
    up = L.UpSampling2D(2)(conv(s32, ch(112), 1, relu=False))
    s16 = L.ReLU()(L.Add()([s16, up]))
    for _ in range(2):
        s16 = bottleneck(s16, ch(56))
    up = L.UpSampling2D(2)(conv(s16, ch(64), 1, relu=False))
    s8 = L.ReLU()(L.Add()([s8, up]))
    for _ in range(3):
        s8 = bottleneck(s8, ch(40))
    a = conv(s8, ch(64), 3)
    heads = [L.Conv2D(cells**2 * channels, 1, name=name)(a) for name, (cells, channels) in HEADS.items()]
    return keras.Model(image, heads, name="locator")
