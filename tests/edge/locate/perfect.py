"""Networks that know the drawing, in the place of learned ones: what can still go wrong is the code around them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from edge.locate.grid import BOX_UNIT_PX, HEADS, STRIDE_PX
from edge.locate.separate import BIN_PX, BOX_PX, ROI_PX, Outline, in_picture, mask_bounds
from edge.locate.tiles import tiles
from edge.records import BoolArray, Float32Array, UInt8Array

T = TypeVar("T")
FINE = 4
"""Places per pixel and side at which a drawn mask is looked up."""


def with_network(owner: T, network: Any) -> T:
    """``owner`` (a ``BoxFinder`` or ``Separator``) asking ``network`` instead of its own."""
    other: Any = copy.copy(owner)
    other._network = network
    return other  # type: ignore[no-any-return]


class ListedAnswers:
    """A separator network that gives prepared logits, float32 (64, 64) each, in the order that it is asked; asked
    further, it sees nothing. It draws the box that is given, or, in the same order, ``sides`` (4,) of its input. Of an
    input turned by half it says the same, turned."""

    def __init__(self, logits: Sequence[Float32Array], sides: Sequence[Float32Array] = ()) -> None:
        self._logits = list(logits)
        self._sides = list(sides)
        self.asked = 0

    def run_uint8(self, rois: UInt8Array) -> dict[str, Float32Array]:
        assert rois.shape[1:] == (ROI_PX, ROI_PX, 2)
        lying = _those_lying(rois)
        self.asked += len(lying)
        now, self._logits = self._logits[: len(lying)], self._logits[len(lying) :]
        now += [np.full((ROI_PX, ROI_PX), -9, np.float32)] * (len(lying) - len(now))
        drawn, self._sides = self._sides[: len(lying)], self._sides[len(lying) :]
        drawn += [_box_of(roi[..., 1]) for roi in lying[len(drawn) :]]
        said: dict[bytes, list[tuple[Float32Array, Float32Array]]] = {}
        for roi, logit, sides in zip(lying, now, drawn, strict=True):
            said.setdefault(roi.tobytes(), []).append((logit, sides))
        for roi in rois[len(lying) :]:
            logit, sides = said[np.rot90(roi, 2).tobytes()].pop(0)
            now.append(np.rot90(logit, 2))
            drawn.append(ROI_PX - np.asarray(sides)[[2, 3, 0, 1]])
        return folded(np.stack(now)) | places_of(np.stack(drawn))


def _those_lying(rois: UInt8Array) -> UInt8Array:
    """The inputs without those at the end that are earlier ones, turned by half."""
    count = next((k for k in range(len(rois) // 2, len(rois)) if _are_turned(rois[:k], rois[k:])), len(rois))
    return rois[:count]


def _are_turned(lying: UInt8Array, others: UInt8Array) -> bool:
    known = {np.rot90(roi, 2).tobytes() for roi in lying}
    return all(roi.tobytes() in known for roi in others)


def folded(logits: Float32Array) -> dict[str, Float32Array]:
    """(n, 64, 64) as the network's ``mask``."""
    half = ROI_PX // 2
    cells = logits.reshape(len(logits), half, 2, half, 2).transpose(0, 1, 3, 2, 4)
    return {"mask": cells.reshape(len(logits), half, half, 4)}


def places_of(sides: Float32Array) -> dict[str, Float32Array]:
    """Boxes (n, 4) of the network's input as its ``rows`` and ``cols``,."""
    bins = int(ROI_PX / BIN_PX)
    middles = (np.arange(bins) + 0.5) * BIN_PX
    near = 1 - np.abs(middles - np.clip(sides, middles[0], middles[-1])[..., None]) / BIN_PX
    odds = np.log(np.maximum(near, 1e-12)).astype(np.float32)
    rows, cols = odds[:, 1::2].transpose(0, 2, 1)[:, :, None], odds[:, ::2].transpose(0, 2, 1)[:, None]
    return {"rows": rows, "cols": cols}


def _box_of(channel: UInt8Array) -> Float32Array:
    ys, xs = np.nonzero(channel)
    if not len(ys):
        return np.array([0, 0, 1, 1], np.float32)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)


def outline_of(logit: Float32Array, matrix: Float32Array, box: Sequence[float] = (0, 0, 1, 1)) -> Outline:
    """An outline of which only the mask matters, and perhaps the box."""
    own = logit[None] > 0
    bounds = in_picture(mask_bounds(own), matrix[None])[0] * own.any()
    return Outline(logit, matrix, np.zeros(4, np.float32), bounds, np.array(box, np.float32))


def logit_of(mask: BoolArray, box: Sequence[float], scale: float) -> Float32Array:
    """What a separator should say of a chromosome: ``mask`` bool (H, W) of the whole frame, ``box`` in the picture,
    ``scale``: picture pixels per frame pixel. Above 0 where more than half of the pixel is the chromosome's."""
    x0, y0, x1, y1 = box
    zoom = BOX_PX / max(x1 - x0, y1 - y0)
    steps = (np.arange(ROI_PX * FINE) + 0.5) / FINE - ROI_PX / 2
    cols = np.floor((steps / zoom + (x0 + x1) / 2) / scale).astype(int)
    rows = np.floor((steps / zoom + (y0 + y1) / 2) / scale).astype(int)
    seen = mask[np.clip(rows, 0, mask.shape[0] - 1)][:, np.clip(cols, 0, mask.shape[1] - 1)]
    seen &= ((rows >= 0) & (rows < mask.shape[0]))[:, None] & ((cols >= 0) & (cols < mask.shape[1]))
    share = seen.reshape(ROI_PX, FINE, ROI_PX, FINE).mean((1, 3))
    return (16 * (share - 0.5) - 1e-3).astype(np.float32)


class KnownBoxes:
    """A locator network that knows the boxes, float32 (n, 4) in a canvas of ``shape``, the first with the highest
    score; asked tile by tile of ``side``."""

    def __init__(self, boxes: Float32Array, shape: tuple[int, int], side: tuple[int, int]) -> None:
        cells = (shape[0] // STRIDE_PX, shape[1] // STRIDE_PX)
        self._maps = {name: np.zeros((*cells, values), np.float32) for name, values in HEADS.items()}
        self._maps["heat"] -= 9
        for k, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
            i, j = int((y0 + y1) / 2 // STRIDE_PX), int((x0 + x1) / 2 // STRIDE_PX)
            px, py = (j + 0.5) * STRIDE_PX, (i + 0.5) * STRIDE_PX
            tall = int(y1 - y0 > x1 - x0)
            self._maps["heat"][i, j, tall] = 6 - 0.05 * k
            sides = np.array([px - x0, py - y0, x1 - px, y1 - py]) / BOX_UNIT_PX
            self._maps["box"][i, j, 4 * tall : 4 * tall + 4] = sides
        self._side = side
        self._corners: Iterator[tuple[int, int]] = iter([corner for corner, _ in tiles(shape, side)])

    def run_uint8(self, tile: UInt8Array) -> dict[str, Float32Array]:
        assert tile.shape[1:] == self._side
        y, x = (v // STRIDE_PX for v in next(self._corners))
        h, w = (v // STRIDE_PX for v in self._side)
        answers = {name: cells[y : y + h, x : x + w] for name, cells in self._maps.items()}
        if len(tile) == 1:
            return {name: cells[None] for name, cells in answers.items()}
        np.testing.assert_array_equal(tile[1], np.rot90(tile[0], 2))
        return {name: np.stack([cells, turned(name, cells)]) for name, cells in answers.items()}


def turned(name: str, cells: Float32Array) -> Float32Array:
    """What a locator network says of a picture turned by half, if ``cells`` (h, w, values) is what it says of the
    picture; and the other way round. Wide stays wide; left and right, top and bottom change places."""
    cells = np.rot90(cells, 2)
    return cells[..., [2, 3, 0, 1, 6, 7, 4, 5]] if name == "box" else cells
