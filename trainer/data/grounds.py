"""Cut-outs whose ground somebody painted over or padded: taken as they lie, their bands would be read inside out.

Programs that cut chromosomes out lay them on black or on white, whatever the stain, and pad them to squares. Where a
chromosome ends, it fades into the ground that it was photographed on, so its rim is nearer to that ground than its
inside is. In the cells of both sets of cut-outs at hand it is so by 0.5 to 0.7 of the way, at half the scale by 0.3;
painted over with the other ground the rim lies 0.7 to 1.1 beyond the inside. Somewhere between are those of which
somebody cut the rim away: whether they are read inside out shows in how surely they can be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge.locate.cutouts import bright_on_black
from edge.records import BoolArray, UInt8Array
from trainer.data.crops import CropTruth, by_cell

FLAT = 8
"""Grey levels by which one colour may differ, as JPEG stores it."""
PURE, NOISE = 24, 0.02
"""Grey levels that lie that near to black or white may be paint, where more than this share of it is not quite so: else
paint is of one level, and what is nearly so is a chromosome's darkest band."""
OWN, BEYOND, PAINT = -0.45, 0.25, 0.6
"""By what share of the way from ground to inside the rim lies beyond the inside: up to the first the ground is the
chromosome's own, from the last on it is paint, for sure; between them more likely the one or the other."""
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


def ways_to_read(pictures: Sequence[UInt8Array]) -> list[list[UInt8Array]]:
    """One cell's cut-outs, uint8 (h, w) each, without padding, and on a ground such as they were photographed on, as
    far as pictures alone can tell. Where the rims leave a doubt, also the same taken for the other stain, on a ground
    as light as the lightest bands and on one beyond all that a chromosome can show."""
    pictures = [unpadded(picture) for picture in pictures]
    bright = bright_on_black(pictures)
    turned = np.uint8(255 if bright else 0)
    on_white = [picture ^ turned for picture in pictures]
    grounds = [_ground(picture) for picture in on_white]
    beyond = [_beyond(picture, ground) for picture, ground in zip(on_white, grounds, strict=True)]
    rim = float(np.median(beyond))
    if rim <= OWN:
        return [pictures]
    own = np.concatenate([picture[~ground] for picture, ground in zip(on_white, grounds, strict=True)])
    levels = (np.uint8(np.percentile(own, LIGHT_PERCENT)), np.uint8(0))
    faded, apart = ([np.where(g, was, p) ^ turned for p, g in zip(on_white, grounds, strict=True)] for was in levels)
    if rim >= PAINT:
        return [faded]
    return [pictures, faded, apart] if rim < BEYOND else [faded, apart, pictures]


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
    off = 255 - picture
    lossy = np.count_nonzero((off > 0) & (off <= FLAT)) > NOISE * np.count_nonzero(off == 0)
    white = np.pad((off <= (PURE if lossy else 0)).astype(np.uint8), 1, constant_values=1)
    pieces = cv2.connectedComponents(white, connectivity=4)[1]
    return np.asarray((pieces == pieces[0, 0])[1:-1, 1:-1])


def _beyond(picture: UInt8Array, ground: BoolArray) -> float:
    """How far the rim lies beyond the inside, as a share of the inside's own distance from white; ``OWN`` where
    nothing could be paint."""
    near = cv2.dilate(ground.astype(np.uint8), _NEXT) > 0
    rim, inside = picture[near & ~ground], picture[~near]
    if not (len(rim) and len(inside)):
        return OWN
    middle = float(inside.mean())
    return (middle - float(np.median(rim))) / max(255 - middle, 1.0)
