"""How large the chromosomes of a picture are, before any network has looked: for cells whose scale nobody stated.

The stained pieces that look like single chromosomes tell it: their middle width, and the root of their middle area,
for a condensed cell's chromosomes are short but stout. Over 138 val frames of the metaphase set the mean of both lies
within 0.72 and 1.36 of its median, within 1.25 for 95 % of them; enlarged or shrunk by two the frames read alike.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.records import UInt8Array

USUAL_PX, USUAL_WIDTH_PX = 12.8, 10.2
"""Root of width by size of a usual cell's chromosomes at the locator's scale, and width alone, which is a little
larger where chromosomes touch; medians of those val frames."""
FEWEST = 8
"""Single pieces, for a median that means something; with fewer the width of all stain has to do."""
THINNEST_PX, WIDEST_PX = 1.4, 20.0
"""Limits of the way from a piece's middle line to its rim: less is noise, more is a nucleus at any scale that is looked
for."""
GLANCE_PX, GLANCE_USUAL = 2, 0.517
"""``relative_size`` of a usual cell at half the resolution, in a quarter of the time: the median of those val frames.
Good enough to see that nothing is amiss, but there a cell shrunk by two reads 0.6 of a usual one."""
SMALLEST, LARGEST = 1.5, 14.0
"""Area of a single chromosome in squared widths; smaller pieces are specks, larger ones clusters and nuclei."""
_SQUARE = np.ones((3, 3), np.uint8)


def size_at_a_glance(darkness: UInt8Array) -> float | None:
    """``relative_size``, roughly."""
    size = relative_size(shrunk(darkness, GLANCE_PX), 1 / GLANCE_PX)
    return None if size is None else size / GLANCE_USUAL


def shrunk(picture: UInt8Array, times: int) -> UInt8Array:
    """The means of ``times`` x ``times`` pixels of ``picture`` uint8 (H, W), without the last columns and rows that are
    no whole ones: to share pixels between means would take OpenCV five to forty times as long."""
    height, width = (max(1, side // times) for side in picture.shape)
    whole = picture[: height * times, : width * times]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def relative_size(darkness: UInt8Array, resolution: float = 1.0) -> float | None:
    """Chromosomes' size over what is usual at the locator's scale, for a picture at about that scale whose pixels are
    that much darker than their ground, uint8 (H, W); None without stain. ``resolution``: the picture's own, over the
    locator's; the size is in its pixels."""
    _, stained = cv2.threshold(cv2.GaussianBlur(darkness, (3, 3), 0), 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    inward = cv2.distanceTransform(stained, cv2.DIST_L2, 5)
    ridge = inward[
        (inward > resolution * THINNEST_PX)
        & (inward < resolution * WIDEST_PX)
        & (inward >= cv2.dilate(inward, _SQUARE))
    ]
    if not ridge.size:
        return None
    # The middle of all stain, not of all pieces: a frame's specks may outnumber its chromosomes.
    widths = np.sort(2 * ridge - 1)
    width = float(widths[np.searchsorted(widths.cumsum(), widths.sum() / 2)])

    # OpenCV's own statistics take as long again as this.
    _, numbers = cv2.connectedComponents(stained)
    area = np.bincount(numbers.ravel())
    single = (area > SMALLEST * width**2) & (area < LARGEST * width**2)
    single[0] = False
    if np.count_nonzero(single) < FEWEST:
        return width / USUAL_WIDTH_PX
    rim = np.count_nonzero(single[numbers[(stained > 0) & (cv2.erode(stained, _SQUARE) == 0)]])
    mean_width = 2 * area[single].sum() / max(rim, 1)
    return float(np.sqrt(mean_width * np.median(np.sqrt(area[single]))) / USUAL_PX)
