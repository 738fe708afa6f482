"""Where a run's weights come from when it does not start from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tf_keras as keras

from edge.errors import ConfigError


def take_weights(network: Any, path: Path) -> int:
    """Copies the leading layers of the stored network (.keras) into ``network``, as far as shapes agree.

    So a network that grew a new end goes on from the trunk that it had. Returns how many layers with weights were
    taken. ``ConfigError``: the file is not readable, or not even the first layer fits.
    """
    try:
        stored = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"--start {path}: expected Keras weights (.keras), cannot read it: {said}") from error
    taken = 0
    pairs = zip(_weighted(network), _weighted(stored), strict=False)
    for own, theirs in pairs:
        if [w.shape for w in own.weights] != [w.shape for w in theirs.weights]:
            break
        own.set_weights(theirs.get_weights())
        taken += 1
    if not taken:
        raise ConfigError(f"--start {path}: a {stored.name} network whose first layer does not fit a {network.name}")
    return taken


def _weighted(network: Any) -> list[Any]:
    return [layer for layer in network.layers if layer.weights]
