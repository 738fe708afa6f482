"""The separator network: the one chromosome that a box frames, whatever touches or crosses it: its mask and its box.

Input ``(B, 64, 64, 2)`` float32 in 0..1 (``edge.locate.separate``): the picture around the box, and the box itself.
Outputs, all logits:

- ``mask`` ``(B, 32, 32, 4)``: for four sub-cells each, that their pixel is the chromosome's;
- ``rows`` ``(B, 32, 1, 2)`` and ``cols`` ``(B, 1, 32, 2)``: that the true box's top and bottom (left and right) lie
  there, one distribution a side, as in generalized focal loss (Li 2020).

An auxiliary one teaches the trunk when a box is right, and is dropped when the network ships:

- ``framed`` ``(B, 1, 1, 1)``: how much the box given and the true one share (intersection over union). As a view of
  ``edge.cell.keep`` it added nothing to the others.

Why masks need a network of their own: where chromosomes cross, pixels do not tell which arms belong together. A box
whose four sides the chromosome must reach does, and the network answers for each box alone, so that both of two that
cross keep what they share. Why it draws the box again: a locator that answers for a whole frame has one cell to say
where a chromosome ends; of the chromosomes that it missed on val frames, three in four had a box, but one of the wrong
extent.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import tf_keras as keras

from edge.locate.separate import ROI_PX
from trainer.networks.blocks import bottleneck, channels, conv, join, stage

L = keras.layers
OUTPUTS = ("mask", "rows", "cols")


def build_separator(width: float = 1.0) -> Any:
    """The network; ``width`` multiplies every channel count."""
    ch = partial(channels, width=width)
    image = keras.Input((ROI_PX, ROI_PX, 2), name="roi")
    s2 = conv(image, ch(16), 5, 2)
    s4 = stage(s2, ch(32), ch(24))
    s8 = stage(s4, ch(64), ch(32), 2)
    s16 = stage(s8, ch(112), ch(56), 3)
    s8 = join(s8, s16)
    for _ in range(2):
        s8 = bottleneck(s8, ch(32))
    s4 = bottleneck(join(s4, s8), ch(24))
    s2 = conv(join(s2, s4), ch(16), 3)
    mask = L.Conv2D(4, 1, name="mask")(s2)
    seen = conv(s2, ch(32), 1)
    rows, cols = (_profile(seen, axis, ch(32)) for axis in (0, 1))
    pool = L.AveragePooling2D(s16.shape[1:3])(conv(s16, ch(32), 1))
    framed = L.Conv2D(1, 1, name="framed")(pool)
    return keras.Model(image, [mask, rows, cols, framed], name="separator")


def _profile(seen: Any, axis: int, channels: int) -> Any:
    """The logits of where along one axis the box begins and ends: the strongest answer across the other axis, then its
    neighbours."""
    side = seen.shape[1]
    strongest = L.MaxPooling2D((1, side) if axis == 0 else (side, 1))(seen)
    near = conv(strongest, channels, (7, 1) if axis == 0 else (1, 7))
    return L.Conv2D(2, 1, name=("rows", "cols")[axis])(near)
