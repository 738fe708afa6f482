"""Cut-outs whose ground somebody painted over or padded: read as they lie, their bands would be inside out.

Programs that cut chromosomes out lay them on black or on white, whatever the stain, and pad them to squares. Where a
chromosome ends, it fades into the ground that it was photographed on, so its rim is nearer to that ground than its
inside is. In the cells of both sets of cut-outs at hand the rim lies 0.5 to 0.7 of the way towards it, at half the
scale 0.3; painted over with the other ground it lies 0.7 to 1.1 beyond the inside. Cut-outs whose rims somebody cut
away lie between: whether they are read inside out shows in how surely they can be named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from edge.locate.cutouts import bright_on_black
from edge.records import BoolArray, UInt8Array
from trainer.data.crops import CropTruth, by_cell

FLAT = 8
"""How many grey levels pixels of one colour may differ by, as JPEG stores it."""
PURE, NOISE = 24, 0.02
"""Pixels within ``PURE`` grey levels of white may be paint if more than the share ``NOISE`` of the ground is not quite
white, as JPEG leaves it. Otherwise paint has one level, and what is nearly white is a band."""
OWN, BEYOND, PAINT = -0.45, 0.25, 0.6
"""How far the rim lies beyond the inside, as a share of the way from ground to inside: up to ``OWN`` the ground is
surely the chromosome's own, from ``PAINT`` on it is surely paint; between them ``BEYOND`` parts what is more likely the
one from what is more likely the other."""
ALL_AROUND = 0.9
"""A margin is padding if more than this share of the edge of what it surrounds differs from it: a chromosome's own
ground would not."""
LIGHT_PERCENT = 2.0
"""The percentile of a cell's own pixels that is taken for the level of its ground."""
_NEXT = np.ones((3, 3), np.uint8)


def read_together(crops: Iterable[CropTruth]) -> dict[tuple[str, str, bool], list[CropTruth]]:
    """``by_cell``, with crops of unknown cells further parted by whether their ground is black: a folder a class may
    hold two stains. Of 15,676 cut-outs at hand each alone tells its ground rightly."""
    groups: dict[tuple[str, str, bool], list[CropTruth]] = {}
    for (donor, cell), members in by_cell(crops).items():
        for crop in members:
            groups.setdefault((donor, cell, not cell and bright_on_black([crop.pixels])), []).append(crop)
    return groups


def ways_to_read(pictures: Sequence[UInt8Array]) -> list[list[UInt8Array]]:
    """The ways to read one cell's cut-outs, uint8 (h, w) each, the likeliest first; padding is taken off. If the rims
    tell the ground for sure there is one way. Otherwise there are three: as they are, and taken for the other stain, on
    a ground as light as the lightest bands and on one beyond all that a chromosome can show."""
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
    """The picture without its margin of one colour, if what that surrounds has a ground of another colour."""
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
    """The white that reaches the picture's edge, bool (h, w)."""
    off = 255 - picture
    lossy = np.count_nonzero((off > 0) & (off <= FLAT)) > NOISE * np.count_nonzero(off == 0)
    white = np.pad((off <= (PURE if lossy else 0)).astype(np.uint8), 1, constant_values=1)
    pieces = cv2.connectedComponents(white, connectivity=4)[1]
    return np.asarray((pieces == pieces[0, 0])[1:-1, 1:-1])


def _beyond(picture: UInt8Array, ground: BoolArray) -> float:
    """How far the rim lies beyond the inside, as a share of the inside's own distance from white; ``OWN`` where there
    is no rim or no inside."""
    near = cv2.dilate(ground.astype(np.uint8), _NEXT) > 0
    rim, inside = picture[near & ~ground], picture[~near]
    if not (len(rim) and len(inside)):
        return OWN
    middle = float(inside.mean())
    return (middle - float(np.median(rim))) / max(255 - middle, 1.0)
