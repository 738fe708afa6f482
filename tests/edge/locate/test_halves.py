"""Two halves of a chromosome, end to end and both doubted, are looked at together."""

from __future__ import annotations

import numpy as np
import pytest

from edge.locate.halves import MOST_PAIRS, joined_boxes
from edge.records import Region
from tests.edge.locate.bars import bar


def boxes(regions: list[Region], odds: list[float]) -> list[list[float]]:
    return joined_boxes(regions, np.array(odds, np.float32)).tolist()


def test_halves_in_line_are_joined() -> None:
    halves = [bar(0, 10, 10, 60), bar(1, 14, 76, 60), bar(2, 200, 10, 60)]
    assert boxes(halves, [0, 1, 1]) == [[10, 10, 26, 136]]


@pytest.mark.parametrize(("sure", "other"), [(6.0, 1.0), (1.0, 6.0), (-9.0, 1.0), (-1000.0, 1.0)])
def test_what_is_sure_or_nothing_is_no_half(sure: float, other: float) -> None:
    assert boxes([bar(0, 10, 10, 60), bar(1, 14, 76, 60)], [sure, other]) == []


def test_those_that_lie_across_or_apart_are_not_joined() -> None:
    across = [bar(0, 10, 10, 60), bar(1, 16, 72, 60, lying=True)]
    apart = [bar(0, 10, 10, 60), bar(1, 10, 120, 60)]
    assert boxes(across, [0, 0]) == boxes(apart, [0, 0]) == []


def test_two_marks_of_one_half_are_not_joined() -> None:
    assert boxes([bar(0, 10, 10, 60), bar(1, 12, 14, 60)], [0, 0]) == []


def test_a_crowd_gives_few_pairs_and_nothing_gives_none() -> None:
    row = [bar(k, 10, 10 + 62 * k, 60) for k in range(12)]
    assert len(boxes(row, [0.0] * 12)) == MOST_PAIRS
    assert boxes([], []) == boxes(row[:1], [0.0]) == []
