"""All frames of a split at the locator's scale with their pixel truth, prepared once and kept in memory.

Preparing 3,637 frames takes about three minutes on two cores; the result is stored next to the run and reused while
pictures and boxes are the same. A cut-out is an isolated chromosome with its exact mask, as a ratio to the light behind
it, ready to be multiplied into any other frame (transmitted light multiplies; optical densities add).
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.camera.files import read_frame
from edge.locate.field import dark_on_bright
from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.locate.locator import resized
from edge.overlap import BOX_MARGIN_PX
from edge.records import NOMINAL_UM_PER_PX, BoolArray, Float32Array, UInt8Array
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.pixels import around, pixel_truth
from trainer.data.sources import stamp_of_frames
from trainer.errors import DatasetError
from trainer.files import stored

SCALE = NOMINAL_UM_PER_PX / LOCATOR_UM_PER_PX
GRID_PITCH_PX = 3
"""Frame pixels per cell of the stored candidate map: two network pixels at 2/3 scale."""
_FORMAT = 6


@dataclass(frozen=True, slots=True)
class CutOut:
    """``ratio`` uint8 (h, w): pixel over ground x 255; ``mask`` bool (h, w); ``density``: mean optical density."""

    ratio: UInt8Array
    mask: BoolArray
    density: float


@dataclass(frozen=True, slots=True)
class CachedFrame:
    """``pixels`` uint8 (H, W) at locator scale; ``candidates`` uint8 (H/2, W/2, 3) indices of the boxes that may own
    each grid pixel; ``boxes`` float32 (n, 4) at locator scale; ``density``: mean optical density of its lone
    chromosomes; ``proposals`` float32 (m, 4) at locator scale, centred: what a locator proposes here, if one was asked;
    ``ignored`` float32 (k, 4) at locator scale: objects that may be chromosomes or not."""

    name: str
    pixels: UInt8Array
    candidates: UInt8Array
    boxes: Float32Array
    cutouts: tuple[CutOut, ...]
    density: float
    proposals: Float32Array = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    ignored: Float32Array = field(default_factory=lambda: np.zeros((0, 4), np.float32))


def _prepare(truth: FrameTruth) -> CachedFrame:
    frame = dark_on_bright(read_frame(truth.path, 0))
    boxes = np.asarray(truth.boxes_px, np.int64)
    known = pixel_truth(frame.pixels, boxes)
    pixels = shrink(frame.pixels)
    cutouts = tuple(_cut(frame.pixels, known.ground, box, mask) for box, mask in known.isolated.values())
    density = float(np.median([c.density for c in cutouts])) if cutouts else 0.25
    candidates = np.ascontiguousarray(known.candidates[1::GRID_PITCH_PX, 1::GRID_PITCH_PX])
    scaled, ignored = (px.astype(np.float32) * np.float32(SCALE) for px in (boxes, truth.ignored_px))
    return CachedFrame(truth.image, pixels, candidates, scaled, cutouts, density, ignored=ignored)


def shrink(pixels: UInt8Array) -> UInt8Array:
    """The frame at the locator's scale."""
    return resized(pixels, SCALE)


def _cut(pixels: UInt8Array, ground: UInt8Array, box: tuple[int, int, int, int], mask: BoolArray) -> CutOut:
    margin = 4
    inner, pad = around(box, margin, pixels.shape)
    ratio = np.minimum(pixels[inner].astype(np.float32) / np.maximum(ground[inner], 1), 1.0)
    ratio = np.pad(ratio, pad, constant_values=1.0)
    solid = np.pad(mask, margin).astype(np.uint8)
    reach = cv2.GaussianBlur(cv2.dilate(solid, np.ones((5, 5), np.uint8)).astype(np.float32), (5, 5), 0)
    ratio = 1.0 - (1.0 - ratio) * reach
    density = float(-np.log10(np.clip(ratio[solid > 0], 0.02, 1)).mean())
    size = (max(1, round(solid.shape[1] * SCALE)), max(1, round(solid.shape[0] * SCALE)))
    small = cv2.resize(ratio, size, interpolation=cv2.INTER_AREA)
    shape = cv2.resize(solid.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    return CutOut(np.asarray(np.rint(small * 255), np.uint8), shape, density)


def box_margin() -> npt.NDArray[np.float32]:
    """The usual gap (x, y) between a chromosome's dark pixels and its drawn box once that is centred, locator scale."""
    left, top, right, bottom = BOX_MARGIN_PX
    return np.array([(left + right) / 2, (top + bottom) / 2], np.float32) * np.float32(SCALE)


def box_offset() -> npt.NDArray[np.float32]:
    """How far (x, y) a drawn box must move to sit centred on its chromosome, locator scale.

    The boxes of the data reach further up and left than down and right. Under flips that is noise, so the network
    learns centred boxes and the bundle's calibration moves them back.
    """
    left, top, right, bottom = BOX_MARGIN_PX
    return np.array([(left - right) / 2, (top - bottom) / 2], np.float32) * np.float32(SCALE)


def train_frames(data: Path, store: Path) -> list[CachedFrame]:
    """All train frames, prepared once and kept in ``store``; ``DatasetError`` if there is no chromosome in any."""
    truths = read_frames(data, "train")
    if not any(truth.labels for truth in truths):
        raise DatasetError(
            f"{data}: expected chromosomes with boxes, found none in the {len(truths)} frame(s) of split 'train'; "
            "mark some, or name another set"
        )
    return load_cache(truths, store / "frames-train.cache")


def prepared(truths: Sequence[FrameTruth]) -> list[CachedFrame]:
    """The frames prepared anew; nothing is stored."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(_prepare, truths))


def load_cache(truths: Sequence[FrameTruth], store: Path) -> list[CachedFrame]:
    """The prepared frames, from ``store`` when it holds exactly these, else made now and stored there."""
    stamp = stamp_of_frames(truths)
    if store.exists():
        try:
            with store.open("rb") as f:
                version, stamped, frames = pickle.load(f)
            if version == _FORMAT and stamped == stamp:
                return list(frames)
        except Exception:  # a damaged file, or an older version's, raises many kinds; it is made anew
            pass
    made = prepared(truths)
    with stored(store) as part:
        pickle.dump((_FORMAT, stamp, made), part, protocol=5)
    return made
