"""The separator network: the mask of the one chromosome that a box frames, whatever touches or crosses it.

Input ``(B, 64, 64, 2)`` float32 in 0..1 (``edge.locate.separate``): the picture around the box, and the box itself. One
output, ``mask``, on the stride-2 grid: four sub-cells, the logits that their pixels are the chromosome's.

Why a second look: where chromosomes cross, the locator's pixels vote for one centre or the other, and the arms beyond
the crossing go astray. A box whose four sides the chromosome must reach says which arms belong together, and the
network answers for each box alone, so that crossing chromosomes both keep what they share.
"""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from edge.locate.separate import ROI_PX
from trainer.networks.blocks import bottleneck, conv, join

L = keras.layers


def build_separator(width: float = 1.0) -> Any:
    """The network; ``width`` multiplies every channel count."""

    def ch(n: int) -> int:
        return max(8, int(n * width + 4) // 8 * 8)

    image = keras.Input((ROI_PX, ROI_PX, 2), name="roi")
    s2 = conv(image, ch(16), 5, 2)
    s4 = bottleneck(conv(s2, ch(32), 3, 2), ch(24))
    s8 = conv(s4, ch(64), 3, 2)
    for _ in range(2):
        s8 = bottleneck(s8, ch(32))
    s16 = conv(s8, ch(112), 3, 2)
    for _ in range(3):
        s16 = bottleneck(s16, ch(56))
    s8 = join(s8, s16)
    for _ in range(2):
        s8 = bottleneck(s8, ch(32))
    s4 = bottleneck(join(s4, s8), ch(24))
    s2 = conv(join(s2, s4), ch(16), 3)
    return keras.Model(image, [L.Conv2D(4, 1, name="mask")(s2)], name="separator")
