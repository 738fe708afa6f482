"""Where a run's weights come from when it does not start from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tf_keras as keras

from edge.errors import ConfigError
from edge.text import first_line
from trainer.networks import arbiter as _arbiter  # noqa: F401  a file's own layers must be known before it is read


def take_weights(network: Any, path: Path) -> int:
    """Copies the leading layers of the stored network (.keras) into ``network``, as far as shapes agree.

    So a network with a new end goes on from the trunk that it had. Returns how many layers with weights were taken.
    ``ConfigError``: the file is not readable, or not even the first layer fits.
    """
    stored = read_network(path, "--start")
    taken = 0
    pairs = zip(_weighted(network), _weighted(stored), strict=False)
    for own, theirs in pairs:
        if [w.shape for w in own.weights] != [w.shape for w in theirs.weights]:
            break
        own.set_weights(theirs.get_weights())
        taken += 1
    if not taken:
        raise ConfigError(
            f"--start {path}: the first layer of this network '{stored.name}' does not fit '{network.name}'; name "
            "weights of the same kind"
        )
    return taken


def take_all_weights(network: Any, path: Path) -> None:
    """Copies the stored network (.keras) into ``network``, of the same size. ``ConfigError`` as ``take_weights`` raises
    it, or if some layers would stay as they were drawn."""
    taken, layers = take_weights(network, path), len(_weighted(network))
    if taken < layers:
        raise ConfigError(
            f"--start {path}: expected a network '{network.name}' of the same size, got one of which only {taken} of "
            f"{layers} layers fit; give its own width and depth"
        )


def widen_weights(network: Any, path: Path) -> None:
    """Puts the stored network (.keras) into ``network``, which has the same layers and as many channels or more.

    The old channels come first and get nothing from the new ones, so the wider network answers just as the stored one
    did; the new channels start as they were drawn. This preserves the function as Net2Net (Chen 2016) does, but without
    copied channels, which would need noise to become different. ``ConfigError``: the file is not readable, or a layer
    does not fit into its own.
    """
    stored = read_network(path, "--start")
    own, theirs = _weighted(network), _weighted(stored)
    into = [
        [_within(w, old) for w, old in zip(a.get_weights(), b.get_weights(), strict=False)]
        for a, b in zip(own, theirs, strict=False)
    ]
    if len(own) != len(theirs) or any(w is None for layer in into for w in layer):
        raise ConfigError(
            f"--start {path}: this network '{stored.name}' does not fit into this '{network.name}'; name weights of "
            "the same kind and no wider"
        )
    for layer, weights in zip(own, into, strict=True):
        layer.set_weights(weights)


def _within(new: npt.NDArray[np.float32], old: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """``new`` with ``old`` as its first channels; None if ``old`` is larger. Kernels are (..., in, out)."""
    if new.ndim != old.ndim or any(n < o for n, o in zip(new.shape, old.shape, strict=True)):
        return None
    if new.ndim > 1 and new.shape[:-2] != old.shape[:-2]:
        return None
    wide = new.copy()
    if new.ndim > 1:
        wide[..., : old.shape[-1]] = 0
    wide[tuple(slice(None) if k < new.ndim - 2 else slice(n) for k, n in enumerate(old.shape))] = old
    return wide


def read_network(path: Path, option: str) -> Any:
    """The stored network (.keras). ``ConfigError``, naming the ``option`` that asked for it, if it is not readable."""
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError) as error:  # TypeError: layers of another program
        said = first_line(error)
        raise ConfigError(f"{option} {path}: expected Keras weights (.keras), cannot read it: {said}") from error


def _weighted(network: Any) -> list[Any]:
    return [layer for layer in network.layers if layer.weights]
