"""Cut-outs whose ground somebody painted over or padded: taken as they lie, their bands would be read inside out.

Programs that cut chromosomes out lay them on black or on white, whatever the stain, and pad them to squares. Where a
chromosome ends, it fades into the ground that it was photographed on, so its rim is nearer to that ground than its
inside is. In the cells of both sets of cut-outs at hand it is so by 0.5 to 0.7 of the way, at half the scale by 0.3;
painted over with the other ground the rim lies 0.3 to 1.1 beyond the inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge.locate.straighten import bright_on_black
from edge.records import BoolArray, UInt8Array
from trainer.data.crops import CropTruth, by_cell

FLAT = 8
"""Grey levels by which one colour may differ, as JPEG stores it."""
PURE = 24
"""Grey levels that lie that near to black or white may be paint."""
BEYOND = 0.25
"""A rim that lies by this share of the way from ground to inside beyond the inside tells that the ground is paint."""
ALL_AROUND = 0.9
"""So much of what a margin surrounds differs from it at its edge: a chromosome's own ground would not."""
LIGHT_PERCENT = 2.0
"""Of a cell's own pixels so many are as light as its ground was."""
_NEXT = np.ones((3, 3), np.uint8)


def read_together(crops: Iterable[CropTruth]) -> dict[tuple[str, str, bool], list[CropTruth]]:
    """``by_cell``; but those of unknown cells apart by their ground, whether it is black: a folder a class may hold two
    stains. Of 15,676 cut-outs at hand each alone tells its ground rightly."""
    groups: dict[tuple[str, str, bool], list[CropTruth]] = {}
    for (donor, cell), members in by_cell(crops).items():
        for crop in members:
            groups.setdefault((donor, cell, not cell and bright_on_black([crop.pixels])), []).append(crop)
    return groups


def on_own_ground(pictures: Sequence[UInt8Array]) -> list[UInt8Array]:
    """One cell's cut-outs, uint8 (h, w) each, without padding, and on a ground such as they were photographed on."""
    pictures = [unpadded(picture) for picture in pictures]
    bright = bright_on_black(pictures)
    on_white = [255 - picture if bright else picture for picture in pictures]
    grounds = [_ground(picture) for picture in on_white]
    beyond = [_beyond(picture, ground) for picture, ground in zip(on_white, grounds, strict=True)]
    if np.median(beyond) < BEYOND:
        return pictures
    own = np.concatenate([picture[~ground] for picture, ground in zip(on_white, grounds, strict=True)])
    was = np.uint8(np.percentile(own, LIGHT_PERCENT))
    mended = [np.where(ground, was, picture) for picture, ground in zip(on_white, grounds, strict=True)]
    return [255 - picture if bright else picture for picture in mended]


def unpadded(picture: UInt8Array) -> UInt8Array:
    """Less the margin of one colour, where what it surrounds has a ground of another."""
    corner = int(picture[0, 0])
    other = np.abs(picture.astype(np.int16) - corner) > FLAT
    rows, columns = np.flatnonzero(other.any(1)), np.flatnonzero(other.any(0))
    if not len(rows) or other[[0, 0, -1, -1], [0, -1, 0, -1]].any():
        return picture
    within = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    inner = other[within]
    edges = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
    return picture[within] if edges.mean() > ALL_AROUND else picture


def _ground(picture: UInt8Array) -> BoolArray:
    """What is white and reaches to the edge, bool (h, w)."""
    white = np.pad((picture >= 255 - PURE).astype(np.uint8), 1, constant_values=1)
    pieces = cv2.connectedComponents(white, connectivity=4)[1]
    return np.asarray((pieces == pieces[0, 0])[1:-1, 1:-1])


def _beyond(picture: UInt8Array, ground: BoolArray) -> float:
    """How far the rim lies beyond the inside, as a share of the inside's own distance from white; 0 without both."""
    near = cv2.dilate(ground.astype(np.uint8), _NEXT) > 0
    rim, inside = picture[near & ~ground], picture[~near]
    if not (len(rim) and len(inside)):
        return 0.0
    middle = float(inside.mean())
    return (middle - float(np.median(rim))) / max(255 - middle, 1.0)
