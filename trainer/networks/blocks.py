"""Building blocks that quantization-aware training takes without further rules."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import tf_keras as keras

L = keras.layers
BATCH_MOMENTUM = 0.95
GATE_SHARE = 4
"""The gate's middle layer has this many times fewer channels than what it gates."""


def channels(count: int, width: float) -> int:
    """``width`` times ``count``, to the nearest multiple of 8, at least 8."""
    return max(8, int(count * width + 4) // 8 * 8)


def conv(
    x: Any, filters: int, kernel: int | tuple[int, int], stride: int = 1, relu: bool = True, normalize: bool = True
) -> Any:
    """Convolution, batch normalization (else a bias), ReLU."""
    x = L.Conv2D(filters, kernel, stride, padding="same", use_bias=not normalize, kernel_initializer="he_normal")(x)
    if normalize:
        x = L.BatchNormalization(momentum=BATCH_MOMENTUM)(x)
    return L.ReLU()(x) if relu else x


def bottleneck(x: Any, middle: int, residual: bool = True, normalize: bool = True, attention: bool = False) -> Any:
    """A block of convolutions, 1x1 down, 3x3, 1x1 up, added to its input."""
    y = conv(x, middle, 1, normalize=normalize)
    y = conv(y, middle, 3, normalize=normalize)
    y = conv(y, x.shape[-1], 1, relu=False, normalize=normalize)
    if attention:
        y = gate(y)
    return L.ReLU()(L.Add()([x, y]) if residual else y)


def stage(
    x: Any,
    filters: int,
    middle: int,
    blocks: int = 1,
    residual: bool = True,
    normalize: bool = True,
    attention: bool = False,
) -> Any:
    """Halves the size, to ``filters`` channels, then applies bottlenecks."""
    x = conv(x, filters, 3, 2, normalize=normalize)
    for _ in range(blocks):
        x = bottleneck(x, middle, residual, normalize, attention)
    return x


def gate(x: Any) -> Any:
    """Channel attention by addition: a summary of the whole map shifts each channel, and the ReLU that follows closes
    those that it shifts below zero.

    Squeeze-and-excitation (Hu 2018) multiplies by a sigmoid instead, which quantization-aware training refuses and the
    Edge TPU maps only in part; adding a channel's context is the fusion of the global context block (Cao 2019).
    """
    rows, cols, channels = x.shape[1:]
    context = L.AveragePooling2D((rows, cols))(x)
    context = L.Conv2D(max(8, channels // GATE_SHARE), 1, activation="relu", kernel_initializer="he_normal")(context)
    # Weights of zero: a fresh gate changes nothing, so the trunk can learn first.
    return L.Add()([x, L.Conv2D(channels, 1, kernel_initializer="zeros")(context)])


def join(fine: Any, coarse: Any) -> Any:
    """Adds the coarser level to the finer one."""
    up = L.UpSampling2D(2)(conv(coarse, fine.shape[-1], 1, relu=False))
    return L.ReLU()(L.Add()([fine, up]))


def without_auxiliary(network: Any, shipped: Collection[str]) -> Any:
    """The network with only the outputs that ship, which come first; the auxiliary ones only teach the trunk."""
    return keras.Model(network.inputs, network.outputs[: len(shipped)], name=network.name)
