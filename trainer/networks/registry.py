"""Every classifier that can be trained, by name, and what a network costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import prod
from types import MappingProxyType
from typing import Any

import tf_keras as keras

from edge.errors import ConfigError
from trainer.networks.baselines import build_efficientnetb0, build_mobilenetv2, build_resnet, build_vgg
from trainer.networks.enhanced import DEPTH, SHIPPED, Ingredients, build_enhanced

L = keras.layers
ENHANCED = "enhanced"
BUILDERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        ENHANCED: build_enhanced,
        "vgg": build_vgg,
        "resnet": build_resnet,
        "mobilenetv2": build_mobilenetv2,
        "efficientnetb0": build_efficientnetb0,
    }
)
TRANSFERRED = ("mobilenetv2", "efficientnetb0")
"""Networks that can start from ImageNet weights."""
UNSCALED = "efficientnetb0"
"""A network with one width only."""
INGREDIENTS = tuple(field.name for field in fields(Ingredients))


@dataclass(frozen=True, slots=True)
class Architecture:
    """Which network to build. ``ConfigError``: no such network, or a setting that it does not have."""

    name: str = ENHANCED
    ingredients: Ingredients = SHIPPED
    """What the enhanced network is made of."""
    imagenet: str = ""
    """A local file of ImageNet weights to start from; empty: from nothing."""

    def __post_init__(self) -> None:
        if self.name not in BUILDERS:
            raise ConfigError(f"expected a network of {', '.join(BUILDERS)}, got '{self.name}'")
        if self.ingredients != SHIPPED and self.name != ENHANCED:
            raise ConfigError(f"ingredients are those of '{ENHANCED}'; leave them out for {self.name}")
        if self.imagenet and self.name not in TRANSFERRED:
            raise ConfigError(f"ImageNet weights are for {' and '.join(TRANSFERRED)}, not for {self.name}")


AS_SHIPPED = Architecture()


def mixed(without: Sequence[str] = (), adding: Sequence[str] = ()) -> Ingredients:
    """The shipped ingredients without some, with some added, by name; ``ConfigError`` names one that does not exist."""
    for name in (*without, *adding):
        if name not in INGREDIENTS:
            raise ConfigError(f"expected an ingredient of {', '.join(INGREDIENTS)}, got '{name}'")
    both = set(without) & set(adding)
    if both:
        raise ConfigError(f"'{both.pop()}' is both left out and added; choose one")
    return replace(SHIPPED, **dict.fromkeys(without, False), **dict.fromkeys(adding, True))


def build_classifier(architecture: Architecture, dropout: float = 0.3, width: float = 1.0, depth: int = DEPTH) -> Any:
    """The network: input (B, 128, 32, 1) in 0..1, outputs as in ``trainer.networks.heads``.

    ``ConfigError``: a ``depth`` for a network that has no such setting.
    """
    if architecture.name == ENHANCED:
        return build_enhanced(dropout, width, depth, architecture.ingredients)
    if depth != DEPTH:
        raise ConfigError(f"--depth is a setting of '{ENHANCED}'; leave it out for {architecture.name}")
    own = {"weights": architecture.imagenet} if architecture.imagenet else {}
    return BUILDERS[architecture.name](dropout, width, **own)


def count_macs(network: Any) -> int:
    """The multiply-accumulates of one reading, in all convolutions and dense layers, at the network's own size."""
    return sum(_macs(layer) for layer in network.layers)


def _macs(layer: Any) -> int:
    if isinstance(layer, L.DepthwiseConv2D):  # before Conv2D, which it may be too
        seen = prod(layer.kernel_size)
    elif isinstance(layer, L.Conv2D):
        seen = prod(layer.kernel_size) * layer.input_shape[-1] // layer.groups
    elif isinstance(layer, L.Dense):
        seen = layer.input_shape[-1]
    else:
        return 0
    return int(prod(layer.output_shape[1:]) * seen)
