"""Where the chromosomes are: the learned locator's boxes.

A picture larger than the network's input goes through in overlapping tiles. The network reads each tile as it lies and
turned by half, and the mean of both is what it says: a chromosome has no upper side under the microscope, so where the
readings differ one of them errs. On 150 val frames that left 1.46 corrections a cell instead of 1.66, for the price of
one more pass. A picture of many tiles is read one way only, so that twelve megapixels take a second and not two.

Read on its side or in a mirror it shows other boxes where several chromosomes lie together. As more to choose from they
are worth more than in a mean.
"""

from __future__ import annotations

import numpy as np

from edge.locate.decode import Found, Maps, find_boxes, no_doubles
from edge.locate.grid import HEADS, LOCATOR_UM_PER_PX, SHAPES, STRIDE_PX
from edge.locate.levels import grey_levels
from edge.locate.tiles import put, tile_count, tiles
from edge.records import Float32Array, UInt8Array
from edge.runtime.bundle import Bundle
from edge.runtime.interpreter import Network

MOST_BOTH_WAYS = 4
"""A picture of at most so many tiles is read both ways: four hold a frame of 1296 x 1296 px at the nominal scale."""
MOST_TURNED = 9
"""One of at most so many, a frame of 1824 x 1824 px, is also read turned, which then takes a third of a second."""
OTHER_WAYS = tuple(
    (on_side, upside_down, mirrored)
    for on_side in (False, True)
    for upside_down in (False, True)
    for mirrored in (False, True)
    if on_side or upside_down != mirrored
)
"""All ways to lay a picture (on its side, upside down, mirrored) but the two that ``find`` reads."""
_MOST_SHIFT_PX = 100.0
SCORES = (0.001, 0.999)
"""Limits of ``least_score``, the score from which on a box is taken for a chromosome's."""
GROUND_SHARE = 0.8
"""Beyond its edges a picture goes on in its ground's grey level: the one below which this share of its pixels lies."""


class BoxFinder:
    """The locator of a verified bundle; ``tile_px``: height and width of what its network reads. ``shift`` float32 (4,)
    leads from boxes centred on their chromosomes, as the network gives them, to boxes as people draw them, in picture
    pixels."""

    def __init__(self, bundle: Bundle, threads: int = 2) -> None:
        bundle.made_for("um_per_px", LOCATOR_UM_PER_PX)
        self.model_id = bundle.model_id
        self._network = Network.of_bundle(bundle, threads)
        self.tile_px = (bundle.input_height_px, bundle.input_width_px)
        self._least_score = bundle.calibrated("least_score", *SCORES)
        self._most_iou = bundle.calibrated("most_iou", 0, 1)
        shift = [bundle.calibrated(f"box_shift_{axis}_px", -_MOST_SHIFT_PX, _MOST_SHIFT_PX) for axis in "xy"]
        self.shift = np.array(shift * 2, np.float32)

    def find(self, picture: UInt8Array, both_ways: bool = True) -> Found:
        """The boxes, centred on their chromosomes, best first; ``picture`` uint8 (H, W) at the locator's scale."""
        return find_boxes(self.maps(picture, both_ways), self._least_score, self._most_iou)

    def find_turned(self, picture: UInt8Array) -> Float32Array:
        """Boxes (n, 4) as ``find`` gives them that the picture shows mirrored or on its side, best first without
        doubles; none of a picture of too many tiles."""
        height, width = picture.shape
        if tile_count(picture.shape, self.tile_px) > MOST_TURNED:
            return np.zeros((0, 4), np.float32)
        boxes, scores = [], []
        for on_side, upside_down, mirrored in OTHER_WAYS:
            turned = picture[::-1] if upside_down else picture
            turned = turned[:, ::-1] if mirrored else turned
            found = self.find(np.ascontiguousarray(turned.T if on_side else turned), both_ways=False)
            x0, y0, x1, y1 = found.boxes.T[[1, 0, 3, 2]] if on_side else found.boxes.T
            (x0, x1), (y0, y1) = (
                (width - x1, width - x0) if mirrored else (x0, x1),
                (height - y1, height - y0) if upside_down else (y0, y1),
            )
            boxes.append(np.stack([x0, y0, x1, y1], axis=1))
            scores.append(found.scores)
        best = np.argsort(-np.concatenate(scores), kind="stable")
        ordered = np.concatenate(boxes).astype(np.float32)[best]
        return ordered[no_doubles(ordered, self._most_iou)]

    def middle_tile(self, shape: tuple[int, ...], scale: float, darkness: UInt8Array) -> tuple[slice, slice]:
        """Rows and columns of a picture of ``shape`` (H, W) that fill a tile at ``scale``, about the middle of what is
        dark; ``darkness`` is the picture's, of any size."""
        spans = []
        for axis, (side, length) in enumerate(zip(self.tile_px, shape, strict=True)):
            along = darkness.sum(1 - axis, dtype=np.int64)
            middle = np.searchsorted(along.cumsum(), along.sum() / 2) * length / len(along)
            span = min(int(side / scale), length)
            first = min(max(int(middle) - span // 2, 0), length - span)
            spans.append(slice(first, first + span))
        return spans[0], spans[1]

    def maps(self, picture: UInt8Array, both_ways: bool = True) -> Maps:
        """The network's maps of the whole picture, read ``both_ways`` unless it has too many tiles."""
        height, width = picture.shape
        rows, cols = (-(-n // STRIDE_PX) for n in picture.shape)
        ground = int(*grey_levels(np.ascontiguousarray(picture[::8, ::8]), (GROUND_SHARE,)))
        canvas = np.full(self._canvas(picture.shape), ground, np.uint8)
        canvas[:height, :width] = picture
        outputs: dict[str, Float32Array] = {}
        read = self._read_both_ways if both_ways and self.reads_both_ways(picture.shape) else self._read
        for (y, x), inner in tiles(canvas.shape, self.tile_px):
            answer = read(canvas[y : y + self.tile_px[0], x : x + self.tile_px[1]])
            for name in HEADS:
                put(outputs, name, answer[name], (y, x), inner, canvas.shape)
        return Maps.of({name: cells[:rows, :cols] for name, cells in outputs.items()})

    def reads_both_ways(self, shape: tuple[int, ...]) -> bool:
        """Whether a picture of ``shape`` (H, W) has few enough tiles."""
        return tile_count(self._canvas(shape), self.tile_px) <= MOST_BOTH_WAYS

    def _canvas(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of what is read of such a picture: whole cells of the grid, a tile at least."""
        height, width = (max(-(-n // STRIDE_PX) * STRIDE_PX, side) for n, side in zip(shape, self.tile_px, strict=True))
        return height, width

    def _read(self, tile: UInt8Array) -> dict[str, Float32Array]:
        """What the network says of the tile, each (h, w, values)."""
        return {name: cells[0] for name, cells in self._network.run_uint8(tile[None]).items()}

    def _read_both_ways(self, tile: UInt8Array) -> dict[str, Float32Array]:
        """The mean of what the network says of the tile and of the tile turned by half, each (h, w, values)."""
        answers = self._network.run_uint8(np.stack([tile, tile[::-1, ::-1]]))
        return {name: (answers[name][0] + _turned_back(name, answers[name][1])) / 2 for name in HEADS}


_OTHER_CORNER = np.arange(2 * SHAPES) ^ 1


def _turned_back(name: str, cells: Float32Array) -> Float32Array:
    """Cells (h, w, values) of a picture turned by half, as they lie in the picture: left is right, top is bottom."""
    cells = cells[::-1, ::-1]
    if name != "box":
        return cells
    # Two sides, (left, top) or (right, bottom), change places as one: a third of the time.
    corners = np.ascontiguousarray(cells).view(np.complex64)
    return corners.take(_OTHER_CORNER, axis=2).view(np.float32)
