"""The enhanced classifier: varied filter sizes side by side, residual blocks, batch normalization, dropout.

Input ``(B, 128, 32, 1)`` float32 in 0..1, one straight chromosome (``edge.locate.straighten``). Three outputs, logits:
``label`` (B, 1, 1, 24), ``p_arm_up`` (B, 1, 1, 1), ``single`` (B, 1, 1, 1), as in ``trainer.networks.heads``.

What each ingredient is for:

- A chromosome is a word of bands: the stem looks at it with 3x3 (edges), 5x5 (blobs), 9x3 (bands) and 17x1 (band
  groups) filters at once, where the founding paper varies filter sizes from layer to layer.
- Length is the identity's first clue and bands have an order, so the head keeps the long axis: it averages across the
  width only, and a dense layer sees eight places along the chromosome.
- That dense layer is written as a convolution as tall as the map: without a reshape in the graph, the interpreter can
  take all crops of a cell as one batch.
- Bottleneck residual blocks give depth at a quarter of the arithmetic of plain 3x3 pairs.

Each ingredient can be left out, to see what it is worth (``trainer compare``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import tf_keras as keras

from edge.locate.straighten import CROP_COLS, CROP_ROWS
from trainer.networks.blocks import channels, conv, stage
from trainer.networks.heads import answer

L = keras.layers
STEM_KERNELS = ((3, 3), (5, 5), (9, 3), (17, 1))
STEM_FILTERS = 6


@dataclass(frozen=True, slots=True)
class Ingredients:
    """The ingredients of the enhanced network; the defaults are what ships."""

    filters: bool = True
    """Four filter sizes side by side in the stem; else as many 3x3 filters."""
    residual: bool = True
    """Blocks add their input to their output; else they do not."""
    normalization: bool = True
    """Batch normalization; else biases."""
    dropout: bool = True
    heads: bool = True
    """Polarity and "one whole chromosome" are learned beside the label; else only the label."""
    attention: bool = False
    """Channel gates in the residual blocks."""


SHIPPED = Ingredients()
DEPTH = 2


def build_enhanced(
    dropout: float = 0.3, width: float = 1.0, depth: int = DEPTH, ingredients: Ingredients = SHIPPED
) -> Any:
    """The network; ``width`` multiplies every channel count, ``depth`` is the number of residual blocks at each of the
    first two sizes (one fewer, but one at least, at the last): 4 + 3 (3 ``depth`` - 1) + 2 layers from 2 on."""
    normalize = ingredients.normalization
    dropout = dropout if ingredients.dropout else 0.0
    ch = partial(channels, width=width)
    how = ingredients.residual, normalize, ingredients.attention
    image = keras.Input((CROP_ROWS, CROP_COLS, 1), name="crop")
    if ingredients.filters:
        stem = [conv(image, STEM_FILTERS, kernel, 2, normalize=normalize) for kernel in STEM_KERNELS]
        x = L.Concatenate()(stem)
    else:
        x = conv(image, STEM_FILTERS * len(STEM_KERNELS), 3, 2, normalize=normalize)
    x = stage(x, ch(40), ch(24), depth, *how)
    x = stage(x, ch(80), ch(32), depth, *how)
    x = stage(x, ch(112), ch(48), max(1, depth - 1), *how)
    x = L.AveragePooling2D((1, x.shape[2]))(x)
    x = L.Dropout(dropout)(x)
    x = L.Conv2D(ch(128), (x.shape[1], 1), activation="relu")(x)
    x = L.Dropout(dropout)(x)
    return keras.Model(image, answer(x, label_only=not ingredients.heads), name="enhanced")
