"""Finds the chromosomes of a frame: boxes by the learned locator, masks and centre lines by the learned separator.

It looks up to three times: at the whole frame; at what the likelier boxes leave over; and, once the classifier and the
assignment have said which objects are chromosomes, again: at what those leave over, at what may be two (``waists``), at
what may be halves of one (``halves``) and at what may be the arms of one that another lies across (``arms``). The last
look finds what a box around two had hidden. It only proposes: on the val frames parts and halves left 1.01 corrections
a cell where what is left over alone left 1.16, with the arbiter that had learned from the latter alone.

There is more where time allows, in what is captured or stored: the boxes that the network sees in the same picture
mirrored and on its side, for the last look to choose from. Most of what the first looks miss lies under the mask of a
neighbour, which seen otherwise is two: on 683 train frames 99.76 instead of 99.49 % of the chromosomes are then among
what is proposed, on val 99.76 instead of 99.59 %. As proposals they serve better than in a mean of all eight readings,
and in the last look, which knows what is there already, better than in the first.

Whoever calls it with a frame as it was taken prepares that first: the looks expect dark chromosomes on a bright ground,
about as large as those of the training frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import FrameError
from edge.locate.arms import joined_arms
from edge.locate.boxes import BoxFinder
from edge.locate.decode import Found
from edge.locate.field import dark_on_bright
from edge.locate.grid import LOCATOR_UM_PER_PX, SURE_SCORE
from edge.locate.halves import joined_boxes
from edge.locate.leftover import claimed_pixels, darkness_of, left_over
from edge.locate.regions import among, clipped, regions_of, unknown, unlike
from edge.locate.rims import stain_of
from edge.locate.scale import relative_size, size_at_a_glance
from edge.locate.separate import Outline, Separator
from edge.locate.spread import spread_of, stained_part
from edge.locate.waists import WAISTS, parted, shapes_of
from edge.locate.ways import Way, laid_back
from edge.records import BoolArray, Box, Crop, Float32Array, Frame, Region, UInt8Array
from edge.runtime.bundle import load_bundle

MARGIN_PX = 4.0
"""Median gap between a chromosome's dark pixels and the box that people draw, in picture pixels."""
OUTLINE_SHARE = 0.5
"""How much a box owes to its outline, the rest to the box that the separator would draw. On 100 val frames either alone
gives a mean IoU of 0.891 or 0.897 with the boxes that people drew and locates 95.5 %, half of each 0.897 and 95.7 %."""
LEFTOVER_SCORE = 0.05
"""The score of what the locator missed and left-over pixels or a waist gave away: less than of anything it proposes."""
CLEARLY_OFF, FURTHEST_OFF, ABSURD = 1.25, 3.0, 3.6
"""Times too large or too small that a frame's chromosomes may seem: from the first on its scale is doubted, up to the
second it is corrected; beyond the third what was measured are no chromosomes: noise reads 3.7. Twelve val frames three
times as large leave 1.4 corrections live (10.5 with 2 and 3 in these places), 2.7 times 1.7 (6.0), 0.35 times 1.8
(5.0); 2.5 times as large or small they read as before, and so do all val frames as they are."""
CONVINCING = 0.53
"""The boxes' evidence (see ``_evidence``) as a share of their summed scores: above this a scale that the chromosomes'
size makes doubtful stands, and no rival is tried. 9 of the 16 val frames that are doubted have it; of 305 enlarged or
shrunk by 1.25 to 2 whose rival was believed none has more than 0.516."""
CLEARLY_BETTER = 1.35
"""Times more evidence that a doubted scale's rival must have. Of the 16 none gains more than 1.29; of all 275 val
frames, enlarged and shrunk by two, all but one, which is not doubted, gain more than 1.7."""
LIVE_WAISTS = 4
"""Places where one object may be two that a live label goes into, two parts each: crowded frames have up to fifteen,
and then take 95 ms instead of 109. It leaves the corrections on val as they are."""
MOST_PIXELS = 100_000_000
"""The most at the locator's scale: a field of a square millimetre. More would take all memory, and minutes."""
MOST_SIDE_PX = 30_000
"""The most along a side there: OpenCV warps no picture of 32,767, and some are looked at 6 % larger."""


class Locator:
    """Boxes, for each box the chromosome that it frames, and a second look at what is left over."""

    def __init__(self, boxes: BoxFinder, separator: Separator) -> None:
        self._boxes = boxes
        self._separator = separator
        self._found = lru_cache(maxsize=1)(self._find)  # what is found at a doubted scale is located if that stands
        self.models = {"locator": boxes.model_id, "separator": separator.model_id}

    def prepared(self, frame: Frame) -> Frame:
        """``frame`` as the looks and ``straighten`` expect it: dark on bright, and, where the nominal scale is only
        supposed, at its chromosomes' own if the boxes say so too. A usual bright-field frame comes back itself.
        ``FrameError`` for one of more than ``MOST_PIXELS`` or ``MOST_SIDE_PX``."""
        frame = dark_on_bright(_bounded(frame))
        if frame.scale_stated:  # trusted
            return frame
        if _convincing(self._found(frame).scores):  # asked first: if the scale stands, the boxes are needed anyway
            return frame
        size = size_at_a_glance(_darkness(frame))
        if size is None or not _doubtful(size):
            return frame
        size = relative_size(_darkness(frame))
        if size is None or not _doubtful(size):
            return frame
        size = min(max(size, 1 / FURTHEST_OFF), FURTHEST_OFF)
        other = replace(frame, um_per_px=frame.um_per_px / size)
        return _bounded(other) if self._looks_better(other, frame) else frame

    def _looks_better(self, other: Frame, frame: Frame) -> bool:
        """Whether the boxes' network clearly believes more in ``other``, which is ``frame`` at a rival scale: in one
        tile of it, about the middle of the stain, read once, against all that ``frame`` shows there."""
        scale = other.um_per_px / LOCATOR_UM_PER_PX
        rows, cols = self._boxes.middle_tile(frame.pixels.shape, scale, _darkness(frame))
        rival = self._boxes.find(resized(frame.pixels[rows, cols], scale), both_ways=False)
        found = self._found(frame)
        x, y = (found.boxes[:, :2] + found.boxes[:, 2:]).T / (2 * at_scale(frame)[1])
        there = (x >= cols.start) & (x < cols.stop) & (y >= rows.start) & (y < rows.stop)
        return _evidence(rival.scores) > CLEARLY_BETTER * _evidence(found.scores[there])

    def _find(self, frame: Frame) -> Found:
        """The boxes' network's answer, in pixels of ``at_scale``; to a large field, that to its stained part, read one
        way."""
        picture = at_scale(frame)[0]
        if self._boxes.reads_both_ways(picture.shape):
            return self._boxes.find(picture)
        x0, y0, x1, y1 = stained_part(_darkness(frame), self._boxes.tile_px)
        found = self._boxes.find(picture[y0:y1, x0:x1], both_ways=False)
        return Found(found.boxes + np.array([x0, y0, x0, y0], np.float32), found.scores)

    def spread(self, frame: Frame) -> Box:
        """The part of ``frame`` to look at: all of it, or, of a field so large that it is read one way only, where the
        chromosomes lie."""
        picture, scale = at_scale(frame)
        if self._boxes.reads_both_ways(picture.shape):
            return 0, 0, frame.pixels.shape[1], frame.pixels.shape[0]
        box = spread_of(self._found(frame), picture.shape, self._boxes.tile_px)
        (part,) = clipped(np.array([box], np.float32) / np.float32(scale), frame)
        return part

    def laid_back(self, frame: Frame, regions: Sequence[Region], way: Way) -> tuple[Region, ...]:
        """``regions`` of ``frame``, which was laid that way, as they lie in the frame that was taken."""
        right, down = (self._boxes.shift[:2] * np.float32(LOCATOR_UM_PER_PX / frame.um_per_px)).tolist()
        return laid_back(regions, way, frame.pixels.shape, (right, down))

    def locate(self, frame: Frame) -> tuple[Region, ...]:
        """Every chromosome found, best score first."""
        picture, scale = at_scale(frame)
        found = self._found(frame)
        outlines, places = self._seen(picture, _darkness(frame), found)
        outlines += self._separator.mended(picture, places)
        scores = [*found.scores.tolist(), *[LEFTOVER_SCORE] * len(places)]
        return regions_of(outlines, self._boxes_px(outlines, frame, scale), scores, _stain(frame), scale)

    def look_again(
        self,
        frame: Frame,
        regions: tuple[Region, ...],
        crops: Sequence[Crop],
        odds: Float32Array,
        believed: Float32Array,
        *,
        thorough: bool,
    ) -> tuple[Region, ...]:
        """``regions`` and, after them, what is new of: what the boxes' network sees in the picture mirrored and on its
        side, if this is to be ``thorough``; what is dark and belongs to none of those that are ``believed`` (n,) at
        all; what lies around two that may be halves; the parts of those that may be two (``parted``), as their ``odds``
        (n,) leave a doubt and they have a waist; and what is left over on either side of those, joined."""
        picture, scale = at_scale(frame)
        claimed = _claimed(frame, [regions[k] for k in np.flatnonzero(believed).tolist()], picture.shape)
        left = left_over(_darkness(frame), claimed)
        turned = self._boxes.find_turned(picture) if thorough and regions else np.zeros((0, 4), np.float32)
        places = np.concatenate([left.boxes(MARGIN_PX), turned]) / np.float32(scale)
        boxes = np.concatenate([places, joined_boxes(regions, odds)])
        seen = self._with(frame, regions, boxes[unknown(boxes, regions)])
        most = WAISTS * len(regions) if thorough else LIVE_WAISTS
        found = parted(regions, crops, odds, believed, most)
        new = unknown(np.array([part.box_px for part in found], np.float32), seen).tolist()
        seen = among(seen, shapes_of([found[k] for k in new]), [LEFTOVER_SCORE] * len(new))
        crossed = unlike(joined_arms(left.bridges, frame, scale, MARGIN_PX), seen)
        return among(seen, crossed, [LEFTOVER_SCORE] * len(crossed))

    def _with(self, frame: Frame, regions: tuple[Region, ...], boxes: Float32Array) -> tuple[Region, ...]:
        """``regions`` and, after them, what the separator sees in ``boxes`` (n, 4), in frame pixels, if it is new."""
        picture, scale = at_scale(frame)
        places = boxes * np.float32(scale)
        if not len(places):
            return regions
        outlines = self._separator.mended(picture, places)
        boxes_px = self._boxes_px(outlines, frame, scale)
        new = unknown(np.array(boxes_px, np.float32), regions).tolist()
        new_outlines, new_px = [outlines[k] for k in new], [boxes_px[k] for k in new]
        return regions_of(new_outlines, new_px, [LEFTOVER_SCORE] * len(new), _stain(frame), scale, regions)

    def _boxes_px(self, outlines: Sequence[Outline], frame: Frame, scale: float) -> list[Box]:
        """The boxes as people would draw them, in the frame."""
        return clipped((refined(outlines) + self._boxes.shift) / scale, frame)

    def proposals(self, picture: UInt8Array) -> Float32Array:
        """The boxes that the separator is given for ``picture`` uint8 (H, W) at the locator's scale, float32 (n, 4)."""
        found = self._boxes.find(picture)
        _, places = self._seen(picture, darkness_of(picture), found)
        return np.concatenate([found.boxes, places])

    def _seen(
        self, picture: UInt8Array, darkness: UInt8Array, found: Found
    ) -> tuple[tuple[Outline, ...], Float32Array]:
        """The outlines of what the boxes' network found, and the places (n, 4) that these leave over."""
        outlines = self._separator.mended(picture, found.boxes)
        sure = [o for o, score in zip(outlines, found.scores, strict=True) if score >= SURE_SCORE]
        return outlines, left_over(darkness, claimed_pixels(picture.shape, sure)).boxes(MARGIN_PX)

    def regions_for_boxes(self, frame: Frame, boxes_px: npt.NDArray[np.integer]) -> tuple[Region, ...]:
        """The regions of boxes that are known, int (n, 4) half-open frame pixels, in their order."""
        picture, scale = at_scale(frame)
        boxes = boxes_px.astype(np.float32) * np.float32(scale) - self._boxes.shift
        known = clipped(boxes_px.astype(np.float32), frame)
        return regions_of(self._separator.outlines(picture, boxes), known, [1.0] * len(boxes), _stain(frame), scale)


def _evidence(scores: Float32Array) -> float:
    """How much speaks for chromosomes there: sure boxes add, doubtful ones take away."""
    return max(float((scores * (2 * scores - 1)).sum()), 0.0)


def _convincing(scores: Float32Array) -> bool:
    return _evidence(scores) > CONVINCING * float(scores.sum())


def _doubtful(size: float) -> bool:
    return CLEARLY_OFF <= max(size, 1 / size) <= ABSURD


def refined(outlines: Sequence[Outline]) -> Float32Array:
    """A box around each outline as people draw it, (n, 4) picture pixels."""
    bounds = np.array([outline.bounds for outline in outlines], np.float32).reshape(-1, 4)
    own = np.array([outline.box for outline in outlines], np.float32).reshape(-1, 4)
    drawn = bounds + MARGIN_PX * np.array([-1, -1, 1, 1], np.float32)
    return np.where(bounds.any(1, keepdims=True), OUTLINE_SHARE * drawn + (1 - OUTLINE_SHARE) * own, own)


def _claimed(frame: Frame, regions: Sequence[Region], shape: tuple[int, ...]) -> BoolArray:
    """The pixels of a picture of ``shape`` that the regions of ``frame`` take."""
    claimed = np.zeros(frame.pixels.shape, np.uint8)
    for region in regions:
        x0, y0, x1, y1 = region.box_px
        claimed[y0:y1, x0:x1] |= region.mask
    return np.asarray(cv2.resize(claimed, shape[::-1], interpolation=cv2.INTER_LINEAR) > 0)


def load_locator(models: Path, threads: int = 2) -> Locator:
    """From the bundles ``locator`` and ``separator`` in ``models``; ``ModelError`` when one is not sound."""
    boxes = BoxFinder(load_bundle(models / "locator", "locator"), threads)
    return Locator(boxes, Separator(load_bundle(models / "separator", "separator"), threads))


def _bounded(frame: Frame) -> Frame:
    height_px, width_px = (side * frame.um_per_px / LOCATOR_UM_PER_PX for side in frame.pixels.shape)
    if height_px * width_px > MOST_PIXELS or max(height_px, width_px) > MOST_SIDE_PX:
        height_mm, width_mm = (side * frame.um_per_px / 1000 for side in frame.pixels.shape)
        raise FrameError(
            f"{frame.source}: expected a frame of one metaphase, got {width_mm:.1f} x {height_mm:.1f} mm by its "
            f"{frame.um_per_px:g} um a pixel; correct it or crop"
        )
    return frame


@lru_cache(maxsize=1)
def at_scale(frame: Frame) -> tuple[UInt8Array, float]:
    """The frame's picture at the locator's scale, read-only, and its pixels per frame pixel. Looking again asks for the
    same once more."""
    scale = frame.um_per_px / LOCATOR_UM_PER_PX
    picture = resized(frame.pixels, scale)
    picture.flags.writeable = False
    return picture, scale


@lru_cache(maxsize=1)
def _darkness(frame: Frame) -> UInt8Array:
    return darkness_of(at_scale(frame)[0])


@lru_cache(maxsize=1)
def _stain(frame: Frame) -> UInt8Array:
    return stain_of(_darkness(frame), frame.pixels.shape)


def resized(pixels: UInt8Array, scale: float) -> UInt8Array:
    """``pixels`` uint8 (H, W) with ``scale`` pixels for each of theirs."""
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)
