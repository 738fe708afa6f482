"""The karyogram shows every chromosome, in its place, upright, and marks what is uncertain."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from edge.cell.drawing import STATUS_COLOUR, wrapped
from edge.cell.karyogram import ROWS, _upright, draw_karyogram
from edge.records import LABELS, Cell, UInt8Array
from tests.builders import NORMAL_FEMALE, make_cell, make_chromosome, make_stain


def ink(picture: UInt8Array) -> int:
    """Pixels of a stain's own grey: the builder's 200 on white gives 55 (a little of it is in the type's edges)."""
    return int((picture == 55).all(-1).sum())


def test_the_places_are_the_24_labels_in_iscn_order() -> None:
    assert [label for row in ROWS for _, labels in row for label in labels] == list(LABELS)


def test_it_is_a_picture_dark_on_white() -> None:
    picture = draw_karyogram(make_cell())
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert (picture[0] == 255).all()
    assert ink(picture) > 1000


def test_every_chromosome_adds_its_ink() -> None:
    one, two = (ink(draw_karyogram(make_cell(["1"] * n))) for n in (1, 2))
    assert two == pytest.approx(2 * one, rel=0.01)


@pytest.mark.parametrize("copies", [1, 3, 7, 20])
def test_extra_copies_fit(copies: int) -> None:
    one = ink(draw_karyogram(make_cell(["Y"])))
    assert ink(draw_karyogram(make_cell(["Y"] * copies))) == pytest.approx(copies * one, rel=0.01)


def test_a_chromosome_stands_over_its_own_number() -> None:
    """The ink of 1 is left of the ink of 5, that of 19 below both."""

    def centre(label: str) -> tuple[float, float]:
        rows, columns = np.nonzero((draw_karyogram(make_cell([label])) == 55).all(-1))
        return float(rows.mean()), float(columns.mean())

    assert centre("1")[1] < centre("5")[1]
    assert centre("19")[0] > centre("5")[0]
    assert centre("X")[1] > centre("22")[1] > centre("19")[1]


def test_the_p_arm_is_up_whichever_way_the_crop_lies() -> None:
    stain = make_stain()
    up = _upright(make_chromosome(0, "1", stain=stain, p_arm_up=True))
    down = _upright(make_chromosome(0, "1", stain=stain[::-1].copy(), p_arm_up=False))
    assert np.array_equal(up, down)
    assert up[0].max() < up[-1].max()


def test_a_chromosome_is_turned_and_never_mirrored() -> None:
    """What is on one chromatid stays on it."""
    stain = make_stain()
    stain[50:60, 17:20] = 200  # on the right one, near the lower end
    down = _upright(make_chromosome(0, "1", stain=stain, p_arm_up=False))
    assert np.array_equal(down, _upright(make_chromosome(0, "1", stain=stain))[::-1, ::-1])
    assert down[:30, 0].any()
    assert not down[30:, 0].any()


def test_the_empty_border_is_cut_away() -> None:
    assert _upright(make_chromosome(0, "1", stain=make_stain(60, 14))).shape == (60, 14)


def test_chromosomes_of_one_cell_share_one_scale() -> None:
    long, short = (make_chromosome(i, "1", stain=make_stain(length)) for i, length in enumerate((80, 40)))
    together = draw_karyogram(Cell("a.png", 0, 99, 99, 0.065, False, (long, short), "", (), {}, {}))
    alone = draw_karyogram(Cell("a.png", 0, 99, 99, 0.065, False, (long,), "", (), {}, {}))
    assert ink(together) / ink(alone) == pytest.approx(1.5, rel=0.05)


def test_review_is_marked_in_its_colour() -> None:
    amber = (draw_karyogram(make_cell(review=[3])) == STATUS_COLOUR["review"]).all(-1).sum()
    assert amber > 50
    assert (draw_karyogram(make_cell()) == STATUS_COLOUR["review"]).all(-1).sum() == 0


def test_an_empty_cell_gives_the_empty_form() -> None:
    picture = draw_karyogram(make_cell([]))
    assert ink(picture) < 200  # only the smooth edges of type
    assert picture.shape[1] > 400


def test_a_crop_without_stain_does_not_stop_the_picture() -> None:
    blank = np.zeros((30, 10), np.uint8)
    assert _upright(make_chromosome(0, "1", stain=blank)).shape == (30, 10)


def test_wide_rows_are_not_cut_off() -> None:
    tetraploid = draw_karyogram(make_cell([label for label, n in Counter(NORMAL_FEMALE).items() for _ in range(2 * n)]))
    assert (tetraploid[:, -20:] == 255).all()


def test_long_text_is_broken_into_lines() -> None:
    lines = wrapped("69<3n>,XXX," + ",".join(f"+{n}" for n in range(1, 23)), 30, 400)
    assert len(lines) > 1
    assert "".join(lines).count("+") == 22
