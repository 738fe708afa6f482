"""Flat-field correction: what the lamp, the optics' dust and the sensor do to an empty field is divided out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from edge.camera.base import Camera
from edge.camera.pixels import WHITE_PERCENT
from edge.errors import ConfigError
from edge.records import Float32Array, Frame, UInt8Array

LEAST_LEVEL, MOST_LEVEL = 40, 252
"""A usable white reference: neither a dark field nor one that saturates, where the lamp's shape is lost."""
_SMOOTH_PX = 1.5
_DEEP_WHITE, _SATURATED_SHARE = 230, 0.01
"""What the white of a reference of over 8 bits becomes, unless more than this share of it is that white: nobody says at
which level such a camera saturates, but there all noise is cut off."""


class FlatField:
    """Divides by a white reference: the mean picture of an empty field, uint8 or float (H, W).

    The correction is pixel * mean(reference) / reference, so that the overall brightness stays (ISO 21501-4 calls it
    shading correction). ``ConfigError`` for a reference that is too dark, saturated or not grey.
    """

    def __init__(self, reference: UInt8Array | Float32Array) -> None:
        white = np.asarray(reference, np.float32)
        if white.ndim != 2:
            raise ConfigError(f"expected a grey white reference (H, W), got an array of shape {white.shape}")
        low, high = float(np.percentile(white, 1)), float(np.percentile(white, 99))
        if low < LEAST_LEVEL or high > MOST_LEVEL:
            raise ConfigError(
                f"expected a white reference between {LEAST_LEVEL} and {MOST_LEVEL} grey levels, got {low:.0f} to "
                f"{high:.0f}; look at an empty field and change lamp or exposure"
            )
        white = cv2.GaussianBlur(white, (0, 0), _SMOOTH_PX)  # its own noise must not be printed on every frame
        self._gain = np.asarray(white.mean() / np.maximum(white, 1), np.float32)

    def __call__(self, pixels: UInt8Array) -> UInt8Array:
        """The corrected frame. ``ConfigError`` when it has another size than the reference."""
        if pixels.shape != self._gain.shape:
            raise ConfigError(
                f"expected frames of {self._gain.shape[1]} x {self._gain.shape[0]} px, the white reference's size, got "
                f"{pixels.shape[1]} x {pixels.shape[0]}; take a new white reference"
            )
        return np.asarray(cv2.multiply(pixels, self._gain, dtype=cv2.CV_8U), np.uint8)


class FlatFieldCamera:
    """``camera`` with every frame corrected."""

    def __init__(self, camera: Camera, flat: FlatField) -> None:
        self.name = camera.name
        self._camera, self._flat = camera, flat

    def frames(self) -> Iterator[Frame]:
        for frame in self._camera.frames():
            yield replace(frame, pixels=self._flat(frame.pixels))

    def close(self) -> None:
        self._camera.close()


def read_flat_field(path: Path) -> FlatField:
    """The correction by a picture of an empty field, of any depth. Raises ``ConfigError`` or, for what is no picture,
    ``FrameError``."""
    from edge.camera.decoding import levels_in

    levels = levels_in(path)
    if levels.dtype != np.uint8:
        white = float(np.percentile(levels, WHITE_PERCENT))
        most = 255 if np.mean(levels >= white) > _SATURATED_SHARE else _DEEP_WHITE
        levels = np.clip(levels * (most / white), 0, 255) if white > 0 else np.zeros(levels.shape)
    return FlatField(levels)
