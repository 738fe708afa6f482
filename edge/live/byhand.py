"""A missed chromosome from a stroke of the hand.

Cutting, joining and outlining are ``edge.cases.parts``; here is what needs the picture's stain.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.cases.parts import Points, outlined
from edge.errors import EditRefused
from edge.locate.background import absorption_of
from edge.locate.field import dark_on_bright
from edge.locate.geometry import line_length
from edge.locate.pieces import without_specks
from edge.records import Float32Array, Frame, Region

WIDTH_UM = 1.3
"""How wide a stroke along a chromosome is taken to reach: a little more than a pair of chromatids."""
STAINED = 0.35
"""What is paler than this share of the stain's usual depth along the stroke is background."""
SHORTEST_PX = 3.0
CLOSED = 0.15
"""A stroke whose ends are nearer than this share of its length is an outline."""


def missed(frame: Frame, stroke: Points) -> Region:
    """The region that ``stroke`` shows: drawn around a chromosome, or along its middle from end to end, where what is
    stained beside it belongs to it. Raises ``EditRefused`` where there is none."""
    path = np.asarray(stroke, np.float32).reshape(-1, 2)
    height, width = frame.pixels.shape
    length = float(line_length(path))
    if not np.isfinite(path).all() or length < SHORTEST_PX:
        raise EditRefused(f"expected a line of two points or more, at least {SHORTEST_PX:g} pixels long")
    if len(path) > 3 and float(np.hypot(*(path[0] - path[-1]))) < CLOSED * length:
        return outlined(stroke, width, height)
    return outlined(_edge(_stained(frame, path)), width, height)


def _stained(frame: Frame, path: Float32Array) -> np.ndarray:
    """Mask uint8 (H, W) of what is stained along ``path``."""
    painted = np.zeros(frame.pixels.shape, np.uint8)
    cv2.polylines(painted, [np.round(path).astype(np.int32)], False, 1, max(3, round(WIDTH_UM / frame.um_per_px)))
    near = painted > 0
    if not near.any():
        raise EditRefused("the line lies outside the picture; draw it along the chromosome")
    absorbed = absorption_of(dark_on_bright(frame))
    depth = float(np.percentile(absorbed[near], 75))
    stained = without_specks((near & (absorbed > max(0.04, STAINED * depth)))[None])[0]
    return np.asarray(stained, np.uint8)


def _edge(mask: np.ndarray) -> Points:
    """The outline of the mask's largest piece."""
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(found, key=cv2.contourArea, default=np.empty(0)).reshape(-1, 2)
    if len(largest) < 3:
        raise EditRefused("there is no chromosome along that line; draw it along the middle, end to end")
    return [(float(x), float(y)) for x, y in largest]
