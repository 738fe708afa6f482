"""What is dark and nobody's is looked at again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.camera.metaphase import SimulatedMetaphase, draw_metaphase
from edge.locate import leftover
from edge.locate.leftover import BRIDGE_PX, LONGEST_PX, MOST_PLACES, claimed_pixels, darkness_of, left_over
from edge.locate.locator import at_scale
from edge.locate.separate import Outline, roi_matrix
from edge.overlap import box_iou
from edge.records import Frame
from tests.edge.locate.bars import crossed
from tests.edge.locate.perfect import logit_of, outline_of


def outlines_of(drawn: SimulatedMetaphase, scale: float, missing: tuple[int, ...] = ()) -> list[Outline]:
    outlines = []
    for t in drawn.truth:
        if t.id not in missing:
            x0, y0, x1, y1 = t.box_px
            mask = np.zeros(drawn.pixels.shape, np.bool_)
            mask[y0:y1, x0:x1] = t.mask
            box = (np.array(t.box_px) + np.array([-6, -6, 6, 6])) * scale
            outlines.append(outline_of(logit_of(mask, box.tolist(), scale), roi_matrix(box.astype(np.float32))))
    return outlines


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chromosome_that_was_missed_is_left_over(seed: int) -> None:
    drawn = draw_metaphase(seed, size_px=(600, 600), crowding=0.0)
    picture, scale = at_scale(Frame(drawn.pixels, 0, 0.0, "drawn.png"))
    missing = (0, 20, 45)  # a long one, a middling one, a short one
    claimed = claimed_pixels(picture.shape, outlines_of(drawn, scale, missing))
    places = left_over(darkness_of(picture), claimed).boxes(4.0)
    assert len(places) <= MOST_PLACES
    stated = np.array([drawn.truth[k].box_px for k in missing], np.float32) * np.float32(scale)
    around = stated + np.array([-4, -4, 4, 4], np.float32)
    ious = box_iou(around, places).max(1)
    assert ious[1:].min() > 0.6
    assert ious[0] > 0.4  # pale bands may break a long one
    found = left_over(darkness_of(picture), claimed_pixels(picture.shape, outlines_of(drawn, scale))).boxes(4.0)
    assert len(found) == 0 or box_iou(around, found).max() < 0.3  # once all have theirs, nothing is left of them


def test_masks_are_claimed_where_they_lie_and_within_the_picture() -> None:
    logit = np.full((64, 64), -3, np.float32)
    logit[6:58, 26:38] = 3
    for middle in ((60, 50), (3, 50), (118, 99), (500, -400)):
        box = np.array([middle[0] - 10, middle[1] - 26, middle[0] + 10, middle[1] + 26], np.float32)  # one to one
        bar = np.zeros((300, 300), np.bool_)
        rows, cols = (
            slice(max(m - half + 100, 0), max(m + half + 100, 0)) for m, half in ((middle[1], 26), (middle[0], 6))
        )
        bar[rows, cols] = True
        claimed = claimed_pixels((100, 120), [outline_of(logit, roi_matrix(box))])
        np.testing.assert_array_equal(claimed, bar[100:200, 100:220])


def test_nothing_claimed_nothing_left() -> None:
    picture = np.full((90, 90), 200, np.uint8)
    picture[20:60, 30:42] = 60
    assert left_over(darkness_of(picture), np.zeros((90, 90), np.bool_)).boxes(4.0).shape == (0, 4)
    assert not claimed_pixels((90, 90), []).any()


def test_nuclei_and_specks_are_no_places() -> None:
    picture = np.full((400, 400), 210, np.uint8)
    claimed = np.zeros(picture.shape, np.bool_)
    claimed[20:80, 20:32] = True
    picture[claimed] = 70
    picture[200 : 200 + LONGEST_PX + 10, 100 : 100 + LONGEST_PX + 10] = 60  # a nucleus
    picture[20:24, 300:304] = 60  # a speck
    picture[40:90, 200:213] = 90  # a chromosome
    picture[40:90, 260:273] = 185  # pale dirt
    np.testing.assert_allclose(left_over(darkness_of(picture), claimed).boxes(4.0), [[196, 36, 217, 94]], atol=2)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 1.0])
def test_pieces_are_what_lies_together_largest_first(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces with holes and pieces within those, too: against OpenCV's numbering of the whole picture."""
    monkeypatch.setattr(leftover, "LEAST_PX2", 1)
    monkeypatch.setattr(leftover, "MOST_PLACES", 1000)
    monkeypatch.setattr(leftover, "LONGEST_PX", 1000)
    dark = cv2.dilate((np.random.default_rng(0).random((120, 160)) < share / 9).astype(np.uint8), np.ones((3, 3)))
    dark[40:80, 40:80] = 0
    cv2.rectangle(dark, (44, 44), (74, 74), 1, 3)
    dark[55:62, 55:62] = 1
    claimed = np.zeros(dark.shape, np.bool_)
    claimed[:20, :20] = True
    dark[:24, :24] = 0
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((3, 3)))  # no slivers, which are left out
    pieces = left_over(100 * (dark | claimed), claimed).pieces
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(dark)
    assert len(pieces) == len(stats) - 1
    areas = [int(np.count_nonzero(piece.mask)) for piece in pieces]
    assert areas == sorted(stats[1:, cv2.CC_STAT_AREA].tolist(), reverse=True)
    for piece in pieces:
        x0, y0, x1, y1 = piece.box
        number = numbers[y0:y1, x0:x1][piece.mask][0]
        np.testing.assert_array_equal(piece.mask, numbers[y0:y1, x0:x1] == number)
        assert (x0, y0, x1 - x0, y1 - y0) == tuple(stats[number, :4])


def test_two_arms_on_either_side_of_what_crosses_are_one_place_too() -> None:
    picture, lying, standing = crossed()
    places = left_over(darkness_of(picture), lying).boxes(4.0)
    whole = np.array([[93 - 4, 50 - 4, 107 + 4, 150 + 4]], np.float32)
    assert len(places) == 3  # two arms, and both together
    assert box_iou(whole, places)[0, 2] > 0.9
    assert box_iou(whole, places)[0, :2].max() < 0.5
    np.testing.assert_allclose(left_over(darkness_of(picture), standing).boxes(4.0)[2], whole[0, [1, 0, 3, 2]], atol=3)


def test_pieces_with_ground_or_too_much_between_them_are_places_apart() -> None:
    picture, lying, _ = crossed()
    picture[20:34, 20:180] = 90  # another, claimed: it lends the level, and lies between nothing
    claimed = np.zeros_like(lying)
    claimed[20:34, 20:180] = True
    picture[93:107] = 210  # the lying one is gone: ground between the arms
    assert len(left_over(darkness_of(picture), claimed).boxes(4.0)) == 2
    wide = np.full((200, 200), 210, np.uint8)
    wide[50:80, 93:107] = wide[120:150, 93:107] = wide[80:120, 40:160] = 90  # 40 px between the arms
    claimed = np.zeros((200, 200), np.bool_)
    claimed[80:120, 40:160] = True
    assert BRIDGE_PX < 40
    assert len(left_over(darkness_of(wide), claimed).boxes(4.0)) == 2


def test_no_more_pairs_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comb: six teeth on either side of a claimed bar."""
    monkeypatch.setattr(leftover, "MOST_BRIDGES", 4)
    picture = np.full((200, 400), 210, np.uint8)
    claimed = np.zeros((200, 400), np.bool_)
    picture[93:107, 20:380] = 90
    claimed[93:107, 20:380] = True
    for x in range(30, 170, 24):
        picture[60:93, x : x + 10] = picture[107:140, x : x + 10] = 90
    places = left_over(darkness_of(picture), claimed).boxes(4.0)
    assert len(places) == MOST_PLACES + 4
