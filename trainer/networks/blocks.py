"""Building blocks that quantization-aware training takes as they come."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

L = keras.layers


def conv(x: Any, filters: int, kernel: int | tuple[int, int], stride: int = 1, relu: bool = True) -> Any:
    """Convolution, batch normalization, ReLU."""
    x = L.Conv2D(filters, kernel, stride, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    x = L.BatchNormalization(momentum=0.95)(x)
    return L.ReLU()(x) if relu else x


def bottleneck(x: Any, middle: int) -> Any:
    """1x1 down, 3x3, 1x1 up, added to its input."""
    y = conv(x, middle, 1)
    y = conv(y, middle, 3)
    y = conv(y, x.shape[-1], 1, relu=False)
    return L.ReLU()(L.Add()([x, y]))


def join(fine: Any, coarse: Any) -> Any:
    """What the coarser level knows, added to the finer one."""
    up = L.UpSampling2D(2)(conv(coarse, fine.shape[-1], 1, relu=False))
    return L.ReLU()(L.Add()([fine, up]))
