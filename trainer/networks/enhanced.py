"""The enhanced classifier: varied filter sizes side by side, residual blocks, batch normalization, dropout.

Input ``(B, 128, 32, 1)`` float32 in 0..1, one straight chromosome (``edge.locate.straighten``). Three outputs, logits:
``label`` (B, 1, 1, 24) in the order of ``edge.records.LABELS``, ``p_arm_up`` (B, 1, 1, 1), ``single`` (B, 1, 1, 1).

What each ingredient is for:

- A chromosome is a word of bands: the stem looks at it with 3x3 (edges), 5x5 (blobs), 9x3 (bands) and 17x1 (band
  groups) filters at once, where the founding paper varies filter sizes from layer to layer.
- Length is the identity's first clue and bands have an order, so the head keeps the long axis: it averages across the
  width only, and a dense layer sees eight places along the chromosome.
- That dense layer is written as a convolution as tall as the map: without a reshape in the graph, the interpreter can
  take all crops of a cell as one batch.
- Bottleneck residual blocks give depth at a quarter of the arithmetic of plain 3x3 pairs.
"""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import LABELS
from trainer.networks.blocks import bottleneck, conv

L = keras.layers
STEM_KERNELS = ((3, 3), (5, 5), (9, 3), (17, 1))
STEM_FILTERS = 6
HEADS = {"label": len(LABELS), "p_arm_up": 1, "single": 1}


def build_enhanced(dropout: float = 0.3, width: float = 1.0, depth: int = 2) -> Any:
    """The network; ``width`` multiplies every channel count, ``depth`` is the number of residual blocks at each of the
    first two sizes (one fewer, but one at least, at the last): 4 + 3 (3 ``depth`` - 1) + 2 layers from 2 on."""

    def ch(n: int) -> int:
        return max(8, int(n * width + 4) // 8 * 8)

    image = keras.Input((CROP_ROWS, CROP_COLS, 1), name="crop")
    stem = L.Concatenate()([conv(image, STEM_FILTERS, kernel, 2) for kernel in STEM_KERNELS])
    x = conv(stem, ch(40), 3, 2)
    for _ in range(depth):
        x = bottleneck(x, ch(24))
    x = conv(x, ch(80), 3, 2)
    for _ in range(depth):
        x = bottleneck(x, ch(32))
    x = conv(x, ch(112), 3, 2)
    for _ in range(max(1, depth - 1)):
        x = bottleneck(x, ch(48))
    x = L.AveragePooling2D((1, x.shape[2]))(x)
    x = L.Dropout(dropout)(x)
    x = L.Conv2D(ch(128), (x.shape[1], 1), activation="relu")(x)
    x = L.Dropout(dropout)(x)
    heads = [L.Conv2D(n, 1, name=name)(x) for name, n in HEADS.items()]
    return keras.Model(image, heads, name="enhanced")
