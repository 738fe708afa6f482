"""Is what was located one whole chromosome, and is it marked only once? The learned verifier looks at it once more.

The nine views of ``edge.cell.views`` are numbers; what they cannot say is in the picture: that a mask stops where the
chromosome goes on, or goes on into the next one, and that what it takes is another's already. So the verifier sees,
around each object, the picture, the object's own pixels, and what the others claim, each by its chance of being a
chromosome.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.locator import at_scale
from edge.records import Float32Array, Frame, Region, UInt8Array
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network

LOOK_PX = 64
OBJECT_PX = 44.0
"""The object's longer side in the network's input; what is left shows what lies around it."""
CLAIM_LEVEL = 100.0
"""Of 255, for a pixel that one sure chromosome claims: where two cross it is twice that."""


class Verifier:
    """The verifier of a verified bundle."""

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        self.models = {"verifier": bundle.model_id}
        self._network = Network.of_bundle(bundle, threads)

    def verify(self, frame: Frame, regions: Sequence[Region], chances: npt.NDArray[np.floating]) -> Float32Array:
        """The log odds of each region being one whole chromosome that no other marks, float32 (n,); ``chances`` (n,)
        of each, 0..1, as far as they are known."""
        if not regions:
            return np.zeros(0, np.float32)
        return self._network.run_uint8(looks(frame, regions, chances))["whole"].reshape(-1)


def looks(frame: Frame, regions: Sequence[Region], chances: npt.NDArray[np.floating]) -> UInt8Array:
    """The network's input, uint8 (n, 64, 64, 3): the picture, the region's own pixels (255), the claims of others."""
    picture, scale = at_scale(frame)
    claims = np.zeros(frame.pixels.shape, np.uint8)
    for region, chance in zip(regions, chances, strict=True):
        x0, y0, x1, y1 = region.box_px
        there = claims[y0:y1, x0:x1]
        there[:] = cv2.add(there, region.mask * np.uint8(round(float(chance) * CLAIM_LEVEL)))  # at most 255
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    both = cv2.merge([picture, cv2.resize(claims, picture.shape[::-1], interpolation=way)])
    seen = np.empty((len(regions), LOOK_PX, LOOK_PX, 3), np.uint8)
    for look, region, chance in zip(seen, regions, chances, strict=True):
        x0, y0, x1, y1 = region.box_px
        zoom = OBJECT_PX / max(x1 - x0, y1 - y0)
        middle = (x0 + x1) / 2, (y0 + y1) / 2
        around = _warped(both, zoom / scale, (middle[0] * scale, middle[1] * scale), cv2.BORDER_REPLICATE)
        own = _warped(region.mask * np.uint8(255), zoom, (middle[0] - x0, middle[1] - y0), cv2.BORDER_CONSTANT)
        look[..., 0], look[..., 1] = around[..., 0], own
        look[..., 2] = cv2.subtract(around[..., 1], cv2.convertScaleAbs(own, alpha=float(chance) * CLAIM_LEVEL / 255))
    return seen


def _warped(picture: UInt8Array, zoom: float, middle: tuple[float, float], border: int) -> UInt8Array:
    """``picture`` around ``middle`` (x, y); in both, pixel (i, j) has its own middle at (j + 0.5, i + 0.5)."""
    x, y = (LOOK_PX / 2 - zoom * (at - 0.5) - 0.5 for at in middle)
    matrix = np.array([[zoom, 0, x], [0, zoom, y]])
    return np.asarray(cv2.warpAffine(picture, matrix, (LOOK_PX, LOOK_PX), flags=cv2.INTER_LINEAR, borderMode=border))
