"""Chromosomes that a person makes: cut in two, joined, outlined by hand. Geometry first, then the crop and its label.

What comes out goes into ``Split``, ``Join`` and ``Draw``. Its label is the likeliest one, always to review: the person
who drew it says what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from edge.cases.state import CellState
from edge.cell.assign import Assigned
from edge.errors import EditRefused
from edge.locate.field import dark_on_bright
from edge.locate.geometry import centre_lines
from edge.locate.straighten import straighten
from edge.pipeline import labelled
from edge.records import LABELS, BoolArray, Chromosome, Crop, Frame, Prediction, Region

Classify = Callable[[Sequence[Crop]], Sequence[Prediction]]
Points = Sequence[tuple[float, float]]
"""(x, y) in the frame's own pixels."""

SMALLEST_PX = 20
"""A part of fewer pixels is a slip of the hand; the smallest chromosome covers some 150."""
CUT_PX = 3
"""Width of the line that parts a chromosome; its pixels go to the nearest part afterwards."""


def outlined(points: Points, width_px: int, height_px: int) -> Region:
    """The region within the closed outline ``points`` in a frame of that size. Raises ``EditRefused`` where it holds
    no chromosome."""
    if len(points) < 3:
        raise EditRefused(f"an outline needs at least three points; got {len(points)}")
    mask = np.zeros((height_px, width_px), np.uint8)
    cv2.fillPoly(mask, [_whole(points)], 1)
    return _region(mask > 0, (0, 0))


def cut(region: Region, line: Points) -> tuple[Region, ...]:
    """The parts of ``region`` on either side of ``line``. Raises ``EditRefused`` where the line does not part it."""
    if len(line) < 2:
        raise EditRefused(f"a cut needs at least two points; got {len(line)}")
    x0, y0 = region.box_px[:2]
    left = region.mask.astype(np.uint8)
    cv2.polylines(left, [_whole(line) - (x0, y0)], False, 0, CUT_PX)
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(left, connectivity=4)
    large = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= SMALLEST_PX]
    if len(large) < 2:
        raise EditRefused("the cut does not part the chromosome in two; draw it right across")
    # The pixels under the cut, and splinters, go to the part that is nearest.
    gaps = np.stack([cv2.distanceTransform((pieces != k).astype(np.uint8), cv2.DIST_L2, 3) for k in large])
    nearest = gaps.argmin(0)
    return tuple(_region(region.mask & (nearest == k), (x0, y0)) for k in range(len(large)))


def joined(regions: Sequence[Region]) -> Region:
    """One region of the pixels of all. Raises ``EditRefused`` for fewer than two."""
    if len(regions) < 2:
        raise EditRefused(f"a join takes at least two chromosomes; got {len(regions)}")
    boxes = np.array([r.box_px for r in regions])
    (x0, y0), (x1, y1) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    mask = np.zeros((y1 - y0, x1 - x0), np.bool_)
    for region in regions:
        left, top, right, bottom = region.box_px
        mask[top - y0 : bottom - y0, left - x0 : right - x0] |= region.mask
    return _region(mask, (int(x0), int(y0)))


def read(
    frame: Frame, state: CellState, made: Sequence[Region], replaces: Sequence[int], classify: Classify
) -> tuple[Chromosome, ...]:
    """A chromosome for each region of ``made``, cut out of ``frame`` at the cell's scale, its neighbours taken away:
    all that ``state`` counts but the ids that it ``replaces``."""
    others = [p.chromosome.region for p in state.counted if p.id not in set(replaces)]
    crops = straighten(dark_on_bright(frame), made, among=others)
    return tuple(_likeliest(*part) for part in zip(made, crops, classify(crops), strict=True))


def _likeliest(region: Region, crop: Crop, prediction: Prediction) -> Chromosome:
    best = int(prediction.scores.argmax())
    return labelled(region, crop, prediction, Assigned(0, LABELS[best], float(prediction.scores[best]), "review"))


def _region(mask: BoolArray, corner: tuple[int, int]) -> Region:
    """The region of ``mask`` (H, W), whose top left pixel is ``corner`` of the frame; its id is given by the store."""
    ys, xs = np.nonzero(mask)
    if len(ys) < SMALLEST_PX:
        raise EditRefused(f"a chromosome covers at least {SMALLEST_PX} pixels; got {len(ys)}; draw it larger")
    x0, y0, x1, y1 = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    own = np.ascontiguousarray(mask[y0:y1, x0:x1])
    place = (corner[0] + x0, corner[1] + y0)
    axis = (centre_lines([own])[0] + np.array(place, np.float32)).astype(np.float32)
    return Region(0, (*place, place[0] + own.shape[1], place[1] + own.shape[0]), own, axis, (), 1.0)


def _whole(points: Points) -> np.ndarray:
    return np.rint(np.asarray(points, np.float64)).astype(np.int32).reshape(-1, 2)
