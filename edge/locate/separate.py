"""Chromosome by chromosome: the mask that belongs to each located box, by the learned separator.

The picture around each box is brought to 64 x 64 px, the box's longer side to 52 of them; a second channel marks the
box. The network answers with the mask of the one chromosome that the box frames, whatever touches or crosses it, and
the centre line follows from that mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from edge.locate.geometry import centre_lines, without_specks
from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.records import BoolArray, Box, Float32Array, Frame, Region, UInt8Array
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network

ROI_PX = 64
BOX_PX = 52.0
"""The box's longer side in the network's input; what is left shows where its neighbours come from."""
FEWEST_PIXELS = 24
SHARED_PIXELS = 6
"""Masks that share fewer pixels of the network's input than this touch, and do not cross."""


class Separator:
    """The separator of a verified bundle."""

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        self.sha256 = bundle.sha256
        self._network = Network.of_bundle(bundle, threads)
        self._shift_px = (bundle.calibrated("box_shift_x_px"), bundle.calibrated("box_shift_y_px"))

    def separate(self, frame: Frame, regions: Sequence[Region]) -> tuple[Region, ...]:
        """The regions with their own masks, centre lines and crossings, in order."""
        if not regions:
            return ()
        scale = frame.um_per_px / LOCATOR_UM_PER_PX
        picture = at_scale(frame.pixels, scale)
        boxes = np.array([r.box_px for r in regions], np.float32) * np.float32(scale)
        boxes -= np.array(self._shift_px * 2, np.float32)
        matrices = [roi_matrix(box) for box in boxes]
        rois = np.stack([make_roi(picture, box, m) for box, m in zip(boxes, matrices, strict=True)])
        logits = unfold_mask(self._network.run_uint8(rois)["mask"])
        masks = [_plausible(without_specks(mask)) for mask in logits > 0]
        lines = centre_lines(masks)
        placed = [
            _placed(region, mask, logit, line, m, scale)
            for region, mask, logit, line, m in zip(regions, masks, logits, lines, matrices, strict=True)
        ]
        return tuple(replace(r, overlaps=met) for r, met in zip(placed, _crossings(placed), strict=True))


def at_scale(pixels: UInt8Array, scale: float) -> UInt8Array:
    """The picture at the locator's scale; ``scale``: its pixels per frame pixel."""
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def roi_matrix(box: Float32Array) -> Float32Array:
    """From picture to network input, continuous coordinates: float32 (2, 3); ``box`` (4,) in picture pixels."""
    x0, y0, x1, y1 = (float(v) for v in box)
    zoom = BOX_PX / max(x1 - x0, y1 - y0, 1.0)
    half = ROI_PX / 2
    return np.array([[zoom, 0, half - zoom * (x0 + x1) / 2], [0, zoom, half - zoom * (y0 + y1) / 2]], np.float32)


def make_roi(picture: UInt8Array, box: Float32Array, matrix: Float32Array) -> UInt8Array:
    """The network's input, uint8 (64, 64, 2): picture, box (255 inside)."""
    looked = warp_into(picture, matrix, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    framed = np.zeros((ROI_PX, ROI_PX), np.uint8)
    (x0, y0), (x1, y1) = (np.rint(matrix[:, :2] @ corner + matrix[:, 2]).astype(int) for corner in (box[:2], box[2:]))
    framed[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 255
    return np.stack([looked, framed], axis=-1)


def warp_into(picture: UInt8Array, matrix: Float32Array, way: int, border: int) -> UInt8Array:
    """``picture`` under a matrix in continuous coordinates, where pixel (i, j) has its middle at (j + .5, i + .5)."""
    turn, shift = matrix[:, :2], matrix[:, 2]
    centred = np.concatenate([turn, (turn @ np.full(2, 0.5) + shift - 0.5)[:, None]], axis=1)
    return np.asarray(cv2.warpAffine(picture, centred, (ROI_PX, ROI_PX), flags=way, borderMode=border), np.uint8)


def unfold_mask(cells: Float32Array) -> Float32Array:
    """(n, 32, 32, 4) sub-cells (sub-row, sub-column) to (n, 64, 64)."""
    n, h, w, _ = cells.shape
    return np.ascontiguousarray(cells.reshape(n, h, w, 2, 2).transpose(0, 1, 3, 2, 4)).reshape(n, 2 * h, 2 * w)


def _plausible(mask: BoolArray) -> BoolArray:
    return mask if np.count_nonzero(mask) >= FEWEST_PIXELS else np.zeros_like(mask)


def _placed(
    region: Region, mask: BoolArray, logit: Float32Array, line: Float32Array, matrix: Float32Array, scale: float
) -> Region:
    """The region with its mask and line brought back to the frame; as it was where the network saw nothing."""
    if not mask.any():
        return region
    x0, y0, x1, y1 = region.box_px
    zoom = float(matrix[0, 0]) * scale
    own = np.where(mask, logit, -np.abs(logit)).astype(np.float32)
    shift = matrix[:, 2] + zoom * (np.array([x0, y0]) + 0.5) - 0.5
    back = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    soft = cv2.warpAffine(
        own,
        back,
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=-9,
    )
    axis = ((line - matrix[:, 2]) / np.float32(zoom)).astype(np.float32)
    return replace(region, mask=np.asarray(soft > 0), axis_px=axis)


def _crossings(regions: Sequence[Region]) -> list[tuple[int, ...]]:
    """For each region the ids of those that it shares pixels with."""
    met: list[list[int]] = [[] for _ in regions]
    for i, a in enumerate(regions):
        for j in range(i + 1, len(regions)):
            if _shared(a, regions[j]) >= SHARED_PIXELS:
                met[i].append(regions[j].id)
                met[j].append(a.id)
    return [tuple(ids) for ids in met]


def _shared(a: Region, b: Region) -> int:
    x0, y0 = max(a.box_px[0], b.box_px[0]), max(a.box_px[1], b.box_px[1])
    x1, y1 = min(a.box_px[2], b.box_px[2]), min(a.box_px[3], b.box_px[3])
    if x0 >= x1 or y0 >= y1:
        return 0
    return int(np.count_nonzero(_part(a, (x0, y0, x1, y1)) & _part(b, (x0, y0, x1, y1))))


def _part(region: Region, box: Box) -> BoolArray:
    left, top = region.box_px[:2]
    return region.mask[box[1] - top : box[3] - top, box[0] - left : box[2] - left]
