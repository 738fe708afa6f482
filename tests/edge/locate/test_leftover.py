"""What is dark and nobody's is looked at again."""

from __future__ import annotations

import numpy as np
import pytest

from edge.camera.metaphase import SimulatedMetaphase, draw_metaphase
from edge.locate.decode import box_iou
from edge.locate.leftover import LONGEST_PX, MOST_PLACES, claimed_pixels, leftover_boxes
from edge.locate.locator import at_scale
from edge.locate.separate import Outline, roi_matrix
from edge.records import Frame
from tests.edge.locate.perfect import logit_of

LINE = np.zeros((2, 2), np.float32)


def outlines_of(drawn: SimulatedMetaphase, scale: float, missing: tuple[int, ...] = ()) -> list[Outline]:
    outlines = []
    for t in drawn.truth:
        if t.id not in missing:
            x0, y0, x1, y1 = t.box_px
            mask = np.zeros(drawn.pixels.shape, np.bool_)
            mask[y0:y1, x0:x1] = t.mask
            box = (np.array(t.box_px) + [-6, -6, 6, 6]) * scale
            outlines.append(Outline(logit_of(mask, box.tolist(), scale), roi_matrix(box.astype(np.float32)), LINE))
    return outlines


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_chromosome_that_was_missed_is_left_over(seed: int) -> None:
    drawn = draw_metaphase(seed, size_px=(600, 600), crowding=0.0)
    picture, scale = at_scale(Frame(drawn.pixels, 0, 0.0, "drawn.png"))
    missing = (0, 20, 45)  # a long one, a middling one, a short one
    claimed = claimed_pixels(picture.shape, outlines_of(drawn, scale, missing))
    places = leftover_boxes(picture, claimed, 4.0)
    assert len(places) <= MOST_PLACES
    stated = np.array([drawn.truth[k].box_px for k in missing], np.float32) * np.float32(scale)
    around = stated + np.array([-4, -4, 4, 4], np.float32)
    assert box_iou(around, places).max(1).min() > 0.6
    found = leftover_boxes(picture, claimed_pixels(picture.shape, outlines_of(drawn, scale)), 4.0)
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
        claimed = claimed_pixels((100, 120), [Outline(logit, roi_matrix(box), LINE)])
        np.testing.assert_array_equal(claimed, bar[100:200, 100:220])


def test_nothing_claimed_nothing_left() -> None:
    picture = np.full((90, 90), 200, np.uint8)
    picture[20:60, 30:42] = 60
    assert leftover_boxes(picture, np.zeros((90, 90), np.bool_), 4.0).shape == (0, 4)
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
    np.testing.assert_allclose(leftover_boxes(picture, claimed, 4.0), [[196, 36, 217, 94]], atol=2)
