"""Finds the chromosomes of a frame with the learned locator: boxes, pixels, centre lines, crossings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from edge.locate.decode import PIXEL_STRIDE_PX, Found, Maps, Owners, find_boxes, share_pixels
from edge.locate.geometry import centre_lines, without_specks
from edge.locate.grid import HEADS, LOCATOR_UM_PER_PX, STRIDE_PX
from edge.records import BoolArray, Box, Float32Array, Frame, Region, UInt8Array
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network

LEAST_TILE_OVERLAP_PX = 160
"""A chromosome's reach at the locator's scale: each is whole in some tile."""
FEWEST_PIXELS = 6


class Locator:
    """The locator of a verified bundle.

    A frame larger than the network's input goes through in overlapping tiles; each place of the frame is answered by
    the tile in whose middle it lies best.
    """

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        self.sha256 = bundle.sha256
        self._network = Network.of_bundle(bundle, threads)
        self._side_px = (bundle.input_height_px, bundle.input_width_px)
        self._least_score = bundle.calibrated("least_score")
        self._most_iou = bundle.calibrated("most_iou")
        # From boxes centred on their chromosomes, as the network gives them, to boxes as people drew them; network px.
        shift = (bundle.calibrated("box_shift_x_px"), bundle.calibrated("box_shift_y_px"))
        self._shift = np.array(shift * 2, np.float32)

    def locate(self, frame: Frame) -> tuple[Region, ...]:
        """Every chromosome found, best score first."""
        maps, scale = self.maps(frame)
        return _regions(frame, maps, find_boxes(maps, self._least_score, self._most_iou), scale, self._shift)

    def regions_for_boxes(self, frame: Frame, boxes_px: npt.NDArray[np.integer]) -> tuple[Region, ...]:
        """The regions of boxes that are known, int (n, 4) half-open frame pixels, in their order."""
        maps, scale = self.maps(frame)
        boxes = boxes_px.astype(np.float32) * np.float32(scale) - self._shift
        return _regions(frame, maps, Found(boxes, np.ones(len(boxes), np.float32)), scale, self._shift)

    def maps(self, frame: Frame) -> tuple[Maps, float]:
        """The network's maps of the whole frame, and network pixels per frame pixel."""
        scale = frame.um_per_px / LOCATOR_UM_PER_PX
        pixels = _resized(frame.pixels, scale)
        height, width = pixels.shape
        rows, cols = (-(-n // STRIDE_PX) for n in (height, width))
        ground = int(np.percentile(pixels[::8, ::8], 80))
        canvas = np.full(
            (max(rows * STRIDE_PX, self._side_px[0]), max(cols * STRIDE_PX, self._side_px[1])), ground, np.uint8
        )
        canvas[:height, :width] = pixels
        outputs: dict[str, Float32Array] = {}
        for (y, x), inner in _tiles(canvas.shape, self._side_px):
            answer = self._network.run_uint8(canvas[None, y : y + self._side_px[0], x : x + self._side_px[1]])
            for name in HEADS:
                _put(outputs, name, answer[name][0], (y, x), inner, canvas.shape)
        return Maps.unfold({name: cells[:rows, :cols] for name, cells in outputs.items()}), scale


def _resized(pixels: UInt8Array, scale: float) -> UInt8Array:
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin: evenly spread, on the output grid, overlapping enough."""
    if length <= side:
        return [0]
    count = 1 + -(-(length - side) // (side - min(LEAST_TILE_OVERLAP_PX, side // 2)))
    return [round(k * (length - side) / (count - 1) / STRIDE_PX) * STRIDE_PX for k in range(count)]


def _tiles(
    shape: tuple[int, ...], side: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], tuple[int, int, int, int]]]:
    """Each tile's corner (y, x) and the part of the canvas that it answers for (y0, x0, y1, x1)."""
    ys, xs = _starts(shape[0], side[0]), _starts(shape[1], side[1])
    for i, y in enumerate(ys):
        for j, x in enumerate(xs):
            y0 = 0 if i == 0 else _seam(ys[i - 1] + side[0], y)
            x0 = 0 if j == 0 else _seam(xs[j - 1] + side[1], x)
            y1 = shape[0] if i == len(ys) - 1 else _seam(y + side[0], ys[i + 1])
            x1 = shape[1] if j == len(xs) - 1 else _seam(x + side[1], xs[j + 1])
            yield (y, x), (y0, x0, y1, x1)


def _seam(end: int, start: int) -> int:
    return (start + end) // 2 // STRIDE_PX * STRIDE_PX


def _put(
    outputs: dict[str, Float32Array],
    name: str,
    cells: Float32Array,
    corner: tuple[int, int],
    inner: tuple[int, int, int, int],
    shape: tuple[int, ...],
) -> None:
    if name not in outputs:
        outputs[name] = np.zeros((shape[0] // STRIDE_PX, shape[1] // STRIDE_PX, cells.shape[-1]), np.float32)
    y0, x0, y1, x1 = (v // STRIDE_PX for v in inner)
    y, x = corner[0] // STRIDE_PX, corner[1] // STRIDE_PX
    outputs[name][y0:y1, x0:x1] = cells[y0 - y : y1 - y, x0 - x : x1 - x]


def _regions(frame: Frame, maps: Maps, found: Found, scale: float, shift: Float32Array) -> tuple[Region, ...]:
    owners = share_pixels(maps, found.boxes)
    height, width = frame.pixels.shape
    pitch = PIXEL_STRIDE_PX / scale
    boxes = [_clipped(b / scale, width, height) for b in found.boxes + shift]
    grids = [_grid_mask(owners, k, box, pitch) for k, box in enumerate(boxes)]
    lines = centre_lines([mask for mask, _ in grids])
    crossings = _crossings(owners)
    regions = []
    for k, (box, (mask, corner), line) in enumerate(zip(boxes, grids, lines, strict=True)):
        axis = ((line + np.asarray(corner, np.float32)) * np.float32(pitch)).astype(np.float32)
        regions.append(
            Region(k, box, _full_mask(mask, corner, box, pitch), axis, crossings.get(k, ()), float(found.scores[k]))
        )
    return tuple(regions)


def _clipped(box: Float32Array, width: int, height: int) -> Box:
    x0, y0 = min(max(round(float(box[0])), 0), width - 1), min(max(round(float(box[1])), 0), height - 1)
    x1, y1 = max(min(round(float(box[2])), width), x0 + 1), max(min(round(float(box[3])), height), y0 + 1)
    return x0, y0, x1, y1


def _grid_mask(owners: Owners, index: int, box: Box, pitch: float) -> tuple[BoolArray, tuple[int, int]]:
    """The box's own cells of the pixel grid, and the (x, y) grid place of their corner."""
    rows, cols = owners.first.shape
    x0, y0 = min(int(box[0] / pitch), cols - 1), min(int(box[1] / pitch), rows - 1)
    x1, y1 = max(min(-int(-box[2] // pitch), cols), x0 + 1), max(min(-int(-box[3] // pitch), rows), y0 + 1)
    part = Owners(owners.first[y0:y1, x0:x1], owners.second[y0:y1, x0:x1])
    mask = without_specks(part.mask_of(index))
    if mask.sum() < FEWEST_PIXELS:
        mask = np.zeros_like(mask)
    return mask, (x0, y0)


def _full_mask(mask: BoolArray, corner: tuple[int, int], box: Box, pitch: float) -> BoolArray:
    """The grid mask at the frame's resolution, within the box."""
    x0, y0, x1, y1 = box
    back = np.array(
        [[1 / pitch, 0, (x0 + 0.5) / pitch - corner[0] - 0.5], [0, 1 / pitch, (y0 + 0.5) / pitch - corner[1] - 0.5]]
    )
    soft = cv2.warpAffine(
        mask.astype(np.float32), back, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return np.asarray(soft > 0.5)


def _crossings(owners: Owners) -> Mapping[int, tuple[int, ...]]:
    """Which regions share pixels with which."""
    both = owners.second >= 0
    pairs = np.unique(np.stack([owners.first[both], owners.second[both]], axis=1), axis=0)
    met: dict[int, set[int]] = {}
    for a, b in pairs.tolist():
        met.setdefault(a, set()).add(b)
        met.setdefault(b, set()).add(a)
    return {k: tuple(sorted(v)) for k, v in met.items()}
