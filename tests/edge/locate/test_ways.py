"""A frame laid another way, and back."""

from __future__ import annotations

import numpy as np
import pytest

from edge.locate.ways import WAYS, Way, laid, laid_back
from edge.records import Frame, Region


def region_of(pixels: np.ndarray) -> Region:
    ys, xs = np.nonzero(pixels)
    box = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    axis = np.array([[xs[0] + 0.5, ys[0] + 0.5], [xs[-1] + 0.5, ys[-1] + 0.5]], np.float32)
    return Region(3, box, pixels[box[1] : box[3], box[0] : box[2]] > 0, axis, (), 0.5)


@pytest.fixture
def frame() -> Frame:
    """One crooked thing, wholly unlike in the mirror."""
    pixels = np.zeros((70, 90), np.uint8)
    pixels[10:30, 20:24] = pixels[28:30, 24:40] = 1
    return Frame(pixels, 0, 0.0, "a.png")


@pytest.mark.parametrize("way", WAYS)
def test_there_and_back(frame: Frame, way: Way) -> None:
    expected = region_of(frame.pixels)
    lying = laid(frame, way)
    (region,) = laid_back([region_of(lying.pixels)], way, lying.pixels.shape, (0.0, 0.0))
    assert (region.id, region.box_px, region.score) == (3, expected.box_px, 0.5)
    np.testing.assert_array_equal(region.mask, expected.mask)
    ends = sorted(map(tuple, region.axis_px.tolist()))
    assert all(frame.pixels[int(y), int(x)] for x, y in ends)
    assert region.axis_px.dtype == np.float32


@pytest.mark.parametrize(("way", "by"), [("mirrored", (4, 0)), ("on its side", (3, -3))])
def test_boxes_that_are_drawn_off_the_middle_stay_so(frame: Frame, way: Way, by: tuple[int, int]) -> None:
    """Two pixels to the right and one up, in either frame: laid back alone they would lie to the left, or below."""
    lying = laid(frame, way).pixels
    (plain,) = laid_back([region_of(lying)], way, lying.shape, (0.0, 0.0))
    (moved,) = laid_back([region_of(lying)], way, lying.shape, (2.0, -1.0))
    dx, dy = by
    x0, y0, x1, y1 = plain.box_px
    assert moved.box_px == (x0 + dx, y0 + dy, x1 + dx, y1 + dy)
    u0, v0, u1, v1 = moved.box_px
    np.testing.assert_array_equal(moved.mask, frame.pixels[v0:v1, u0:u1])  # its pixels stay where they are
    np.testing.assert_array_equal(moved.axis_px, plain.axis_px)


def test_a_box_at_the_rim_stays_in_the_frame() -> None:
    pixels = np.zeros((40, 50), np.uint8)
    pixels[:12, 44:] = 1
    for way in WAYS:
        lying = laid(Frame(pixels, 0, 0.0, "a.png"), way).pixels
        for shift in ((9.0, 9.0), (-9.0, -9.0), (30.0, -30.0)):
            (region,) = laid_back([region_of(lying)], way, lying.shape, shift)
            x0, y0, x1, y1 = region.box_px
            assert 0 <= x0 < x1 <= 50
            assert 0 <= y0 < y1 <= 40
