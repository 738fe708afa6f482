"""The overlay outlines and labels every chromosome and can be read on any frame."""

from __future__ import annotations

import numpy as np
import pytest

from edge.cell.drawing import BLACK, STATUS_COLOUR, WHITE
from edge.cell.overlay import draw_overlay, least_hiding
from edge.records import Cell, UInt8Array
from tests.builders import make_cell, make_chromosome, make_frame, spread_boxes


def pixels_of(picture: UInt8Array, colour: tuple[int, int, int]) -> int:
    """Pixels within what smoothing makes of ``colour``."""
    return int((np.abs(picture.astype(int) - colour).max(-1) < 60).sum())


def test_a_small_frame_is_doubled_and_a_strip_stands_above_it() -> None:
    picture = draw_overlay(make_frame(300, 340), make_cell())
    assert picture.dtype == np.uint8
    assert picture.shape[1:] == (680, 3)
    assert picture.shape[0] > 600


def test_a_large_frame_keeps_its_size() -> None:
    assert draw_overlay(make_frame(1300, 1400), make_cell()).shape[1] == 1400


def test_the_frame_itself_is_whole_where_nothing_was_found() -> None:
    picture = draw_overlay(make_frame(300, 340, level=90), make_cell([]))
    assert (picture[-600:] == 90).all()


def test_outlines_tell_the_status() -> None:
    frame = make_frame(300, 340)
    below = slice(-600, None)  # without the legend, which shows both colours
    accepted = draw_overlay(frame, make_cell(["1", "2"]))[below]
    review = draw_overlay(frame, make_cell(["1", "2"], review=[0, 1]))[below]
    assert pixels_of(accepted, STATUS_COLOUR["accepted"]) > 100 > pixels_of(accepted, STATUS_COLOUR["review"])
    assert pixels_of(review, STATUS_COLOUR["review"]) > 100 > pixels_of(review, STATUS_COLOUR["accepted"])


def test_a_label_to_review_bears_a_question_mark() -> None:
    """It has more ink than the same one when sure; the chromosome itself begins at row 20, its rim above."""
    frame = make_frame(300, 340, level=90)
    sure = draw_overlay(frame, make_cell(["8"]))[-600:-584]
    unsure = draw_overlay(frame, make_cell(["8"], review=[0]))[-600:-584]
    assert pixels_of(unsure, STATUS_COLOUR["review"]) > 1.3 * pixels_of(sure, WHITE) > 20


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_label_is_white_in_a_black_rim_on_any_background(level: int) -> None:
    picture = draw_overlay(make_frame(300, 340, level=level), make_cell(["8"]))[-600:]
    above = picture[:20]  # the chromosome itself begins at row 20
    assert pixels_of(above, WHITE) > 10
    assert pixels_of(above, BLACK) > 10


def test_a_label_takes_free_room_first() -> None:
    taken = np.zeros((100, 100), np.uint8)
    square = np.array([[[40, 40]], [[60, 40]], [[60, 60]], [[40, 60]]], np.int32)
    taken[40:61, 40:61] = 1
    x0, y0, x1, y1 = least_hiding(taken, square, (12, 10))
    assert taken[y0:y1, x0:x1].sum() == 0
    taken[y0:y1, x0:x1] = 8
    x0, y0, x1, y1 = least_hiding(taken, square, (12, 10))
    assert taken[y0:y1, x0:x1].sum() == 0


@pytest.mark.parametrize("at", [(0, 0), (90, 0), (0, 90), (90, 90)])
def test_a_label_at_the_edge_stays_in_the_picture(at: tuple[int, int]) -> None:
    x, y = at
    corner = np.array([[[x, y]], [[x + 9, y]], [[x + 9, y + 9]], [[x, y + 9]]], np.int32)
    x0, y0, x1, y1 = least_hiding(np.zeros((100, 100), np.uint8), corner, (16, 12))
    assert min(x0, y0) >= 0
    assert max(x1, y1) <= 100


def test_a_mask_without_a_pixel_is_outlined_by_its_box() -> None:
    chromosome = make_chromosome(0, "1", box_px=spread_boxes(1)[0])
    chromosome.region.mask[:] = False
    cell = Cell("a.png", 0, 340, 300, 0.065, False, (chromosome,), "1,?,inc", (), {}, {})
    assert pixels_of(draw_overlay(make_frame(300, 340), cell)[-600:], STATUS_COLOUR["accepted"]) > 50
