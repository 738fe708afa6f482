"""The standard networks that the enhanced one is held against, on its input and with its outputs.

Each is built as its paper has it, scaled to a crop of 128 x 32 px: the same crops, batches, losses and optimiser train
them all. ``width`` multiplies channel counts where the architecture has such a factor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tf_keras as keras

from edge.errors import ConfigError
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.text import first_line
from trainer.networks.blocks import BATCH_MOMENTUM, conv
from trainer.networks.heads import answer

L = keras.layers
VGG_FILTERS = (16, 32, 64, 128)
VGG_DENSE = 256
RESNET_FILTERS = (16, 32, 64)
RESNET_BLOCKS = 3


def build_vgg(dropout: float = 0.3, width: float = 1.0) -> Any:
    """Pairs of 3x3 convolutions and max pooling, then a dense layer (Simonyan 2015), with batch normalization."""
    image = x = _crop()
    for filters in VGG_FILTERS:
        for _ in range(2):
            x = conv(x, _scaled(filters, width), 3)
        x = L.MaxPooling2D(2)(x)
    x = L.Dropout(dropout)(x)
    x = L.Conv2D(_scaled(VGG_DENSE, width), tuple(x.shape[1:3]), activation="relu")(x)
    x = L.Dropout(dropout)(x)
    return keras.Model(image, answer(x), name="vgg")


def build_resnet(dropout: float = 0.3, width: float = 1.0) -> Any:
    """ResNet-20 (He 2016, the form for small pictures): three stages of three blocks of two 3x3 convolutions."""
    image = _crop()
    x = conv(image, _scaled(RESNET_FILTERS[0], width), 3, 2)
    for stage, filters in enumerate(RESNET_FILTERS):
        for number in range(RESNET_BLOCKS):
            x = _basic_block(x, _scaled(filters, width), 2 if stage and not number else 1)
    return keras.Model(image, _pooled(x, dropout), name="resnet")


def build_mobilenetv2(dropout: float = 0.3, width: float = 1.0, weights: str = "") -> Any:
    """MobileNetV2 (Sandler 2018); ``weights``: a file of ImageNet weights without the top, for this ``width``."""
    image = _crop()
    trunk = keras.applications.MobileNetV2(
        input_tensor=_three_channels(image), alpha=width, include_top=False, weights=None
    )
    return _transferred(image, trunk, dropout, weights, "mobilenetv2")


def build_efficientnetb0(dropout: float = 0.3, width: float = 1.0, weights: str = "") -> Any:
    """EfficientNet-B0 (Tan 2019); ``weights``: a file of ImageNet weights without the top. Its width is fixed."""
    if width != 1.0:
        raise ConfigError(f"efficientnetb0 has one width, 1.0, got {width:g}; choose another network to scale")
    image = _crop()
    trunk = keras.applications.EfficientNetB0(input_tensor=_three_channels(image), include_top=False, weights=None)
    return _transferred(image, trunk, dropout, weights, "efficientnetb0")


def _crop() -> Any:
    return keras.Input((CROP_ROWS, CROP_COLS, 1), name="crop")


def _scaled(filters: int, width: float) -> int:
    return max(4, round(filters * width))


def _basic_block(x: Any, filters: int, stride: int) -> Any:
    y = conv(x, filters, 3, stride)
    y = conv(y, filters, 3, relu=False)
    if stride > 1 or x.shape[-1] != filters:
        x = conv(x, filters, 1, stride, relu=False)
    return L.ReLU()(L.Add()([x, y]))


def _pooled(x: Any, dropout: float) -> list[Any]:
    x = L.AveragePooling2D(tuple(x.shape[1:3]))(x)
    return answer(L.Dropout(dropout)(x))


def _three_channels(image: Any) -> Any:
    """The grey picture as red, green and blue, so that ImageNet weights fit."""
    return L.Concatenate()([image, image, image])


def _transferred(image: Any, trunk: Any, dropout: float, weights: str, name: str) -> Any:
    if weights:
        _load(trunk, Path(weights))
    for layer in trunk.layers:
        if isinstance(layer, L.BatchNormalization):
            # The architectures' own momentum, up to 0.999, is for runs a hundred times as long.
            layer.momentum = BATCH_MOMENTUM
    return keras.Model(image, _pooled(trunk.output, dropout), name=name)


def _load(trunk: Any, weights: Path) -> None:
    if not weights.is_file():
        raise ConfigError(f"expected a file of {trunk.name} weights at {weights}, found none; nothing is downloaded")
    try:
        trunk.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        reason = first_line(error)
        raise ConfigError(f"{weights}: not the weights of {trunk.name} without its top ({reason})") from error
