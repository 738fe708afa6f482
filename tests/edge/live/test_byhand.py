"""A missed chromosome shown with a stroke, in bright field and in fluorescence."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import EditRefused
from edge.live.byhand import missed
from edge.records import Frame, UInt8Array


def one_chromosome() -> UInt8Array:
    pixels = np.full((240, 320), 235, np.uint8)
    cv2.line(pixels, (60, 60), (160, 120), 90, 16)
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 1.5), np.uint8)


@pytest.mark.parametrize("fluorescent", [False, True])
def test_what_is_stained_along_the_stroke_belongs_to_it(fluorescent: bool) -> None:
    pixels = 255 - one_chromosome() if fluorescent else one_chromosome()
    region = missed(Frame(pixels, 0, 0.0, "a.png"), [(60, 60), (160, 120)])
    x0, y0, x1, y1 = region.box_px
    found = np.zeros(pixels.shape, np.bool_)
    found[y0:y1, x0:x1] = region.mask
    true = one_chromosome() < 160
    assert np.count_nonzero(found & true) / np.count_nonzero(found | true) > 0.8


def test_a_stroke_reaches_as_wide_as_the_scale_says() -> None:
    pixels = cv2.resize(one_chromosome(), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    widths = []
    for um_per_px in (0.065, 0.0325):
        region = missed(Frame(np.asarray(pixels, np.uint8), 0, 0.0, "a.png", um_per_px), [(120, 120), (320, 240)])
        widths.append(np.count_nonzero(region.mask))
    true = np.count_nonzero(pixels < 160)
    assert widths[0] < 0.75 * true
    assert widths[1] == pytest.approx(true, rel=0.2)


def test_a_stroke_of_a_hand_has_many_points() -> None:
    frame = Frame(one_chromosome(), 0, 0.0, "a.png")
    many = [(60 + 10 * k, 60 + 6 * k) for k in range(11)]
    by_two, by_many = missed(frame, [many[0], many[-1]]), missed(frame, many)
    assert by_two.box_px == by_many.box_px
    assert np.array_equal(by_two.mask, by_many.mask)


def test_a_stroke_that_comes_back_to_its_beginning_is_an_outline() -> None:
    """All within belongs to it, stained or not; the ends of a hand's circle need not meet."""
    around = [(20, 30), (80, 30), (80, 130), (20, 130), (20, 50)]
    region = missed(Frame(one_chromosome(), 0, 0.0, "a.png"), around)
    assert (region.box_px, bool(region.mask.all())) == ((20, 30, 81, 131), True)
    three_sides = missed(Frame(one_chromosome(), 0, 0.0, "a.png"), [(60, 60), (110, 90), (160, 120), (160, 60)])
    assert not three_sides.mask.all()


@pytest.mark.parametrize(
    ("stroke", "said"),
    [
        ([], "expected a line of two points or more, at least 3 pixels long"),
        ([(5, 5)], "expected a line of two points or more, at least 3 pixels long"),
        ([(5, 5), (6, 5)], "expected a line of two points or more, at least 3 pixels long"),
        ([(5, 5), (float("nan"), 5)], "expected a line of two points or more"),
        ([(5, 5), (float("inf"), 5)], "expected a line of two points or more"),
        ([(400, 400), (500, 400)], "the line lies outside the picture"),
        ([(200, 200), (300, 210)], "there is no chromosome along that line"),
    ],
)
def test_a_stroke_that_shows_nothing_is_refused(stroke: list[tuple[float, float]], said: str) -> None:
    with pytest.raises(EditRefused, match=said):
        missed(Frame(one_chromosome(), 0, 0.0, "a.png"), stroke)


@pytest.mark.parametrize("height_px", [1, 2])
def test_a_speck_along_a_stroke_is_no_chromosome(height_px: int) -> None:
    """What is said of it is of the line that was drawn, not of an outline that was not."""
    pixels = np.full((300, 340), 230, np.uint8)
    pixels[50 : 50 + height_px, 60] = 90
    with pytest.raises(EditRefused, match="there is no chromosome along that line"):
        missed(Frame(pixels, 0, 0.0, "a.png"), [(30, 50), (100, 50)])
