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
from edge.locate.separate import ROI_PX, from_middles, warped
from edge.records import Box, Float32Array, Frame, Region, UInt8Array
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network

LOOK_PX = ROI_PX
OBJECT_PX = 44.0
"""The object's longer side in the network's input; what is left shows what lies around it."""
CLAIM_LEVEL = 100.0
"""The level, of 255, of a pixel that one sure chromosome claims: where two cross it is twice that."""


class Verifier:
    """The verifier of a verified bundle."""

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        bundle.made_for("object_px", OBJECT_PX)
        self.models = {"verifier": bundle.model_id}
        self._network = Network.of_bundle(bundle, threads)

    def verify(
        self, frame: Frame, regions: Sequence[Region], chances: npt.NDArray[np.floating], rows: npt.NDArray[np.intp]
    ) -> Float32Array:
        """The log odds of each of the regions ``rows`` (m,) being one whole chromosome that no other of all the regions
        marks, float32 (m,); ``chances`` (n,) of each region, 0..1, as far as they are known."""
        if not len(rows):
            return np.zeros(0, np.float32)
        return self._network.run_uint8(looks(frame, regions, chances, rows))["whole"].reshape(-1)


def looks(
    frame: Frame, regions: Sequence[Region], chances: npt.NDArray[np.floating], rows: npt.NDArray[np.intp]
) -> UInt8Array:
    """The network's input for the regions ``rows`` (m,), uint8 (m, 64, 64, 3): the picture, the region's own pixels
    (255), the claims of all others."""
    picture, scale = at_scale(frame)
    claims = np.zeros(frame.pixels.shape, np.uint8)
    for region, chance in zip(regions, chances, strict=True):
        x0, y0, x1, y1 = region.box_px
        there = claims[y0:y1, x0:x1]
        there[:] = cv2.add(there, region.mask * np.uint8(round(float(chance) * CLAIM_LEVEL)))  # at most 255
    # By area it would take eight times as long; val cells need 0.98 corrections so, and 1.00 by area.
    both = cv2.merge([picture, cv2.resize(claims, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)])
    extent, middle = _extents([regions[k].box_px for k in rows])
    zoom = OBJECT_PX / extent.max(1)
    seen = np.empty((len(rows), LOOK_PX, LOOK_PX, 3), np.uint8)
    ways = zip(_into_looks(zoom / scale, middle * scale), _into_looks(zoom, extent / 2), strict=True)
    for look, k, (from_picture, from_box) in zip(seen, rows, ways, strict=True):
        around = warped(both, from_picture, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        own = warped(regions[k].mask * np.uint8(255), from_box, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        look[..., 0], look[..., 1] = around[..., 0], own
        look[..., 2] = cv2.subtract(
            around[..., 1], cv2.convertScaleAbs(own, alpha=float(chances[k]) * CLAIM_LEVEL / 255)
        )
    return seen


def shown(boxes_px: Sequence[Box], frame: Frame) -> npt.NDArray[np.float64]:
    """The boxes (n, 4) of ``frame`` that looks at the regions in ``boxes_px`` depend on."""
    extent, middle = _extents(boxes_px)
    # Half a look, and the pixels beside it that resizing and warping mix in.
    reach = extent.max(1, keepdims=True) * LOOK_PX / OBJECT_PX / 2 + 2 / min(at_scale(frame)[1], 1.0) + 2
    return np.concatenate([middle - reach, middle + reach], axis=1)


def _extents(boxes_px: Sequence[Box]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Widths and heights, and middles, (n, 2) each."""
    boxes = np.array(boxes_px, np.float64).reshape(-1, 4)
    return boxes[:, 2:] - boxes[:, :2], (boxes[:, :2] + boxes[:, 2:]) / 2


def _into_looks(zoom: npt.NDArray[np.float64], middle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Matrices (n, 2, 3), as OpenCV counts, that bring ``middle`` (n, 2) to the look's middle, ``zoom`` (n,) times as
    large."""
    matrices = np.zeros((len(zoom), 2, 3))
    matrices[:, 0, 0] = matrices[:, 1, 1] = zoom
    matrices[:, :, 2] = LOOK_PX / 2 - zoom[:, None] * middle
    return from_middles(matrices)
