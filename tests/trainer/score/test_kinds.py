"""Figures by kind, class and frame, worked out by hand."""

from typing import Any

import numpy as np
import pytest

from edge.records import LABELS
from tests.trainer.score.test_frames import line, truth
from trainer.score.kinds import (
    ClassFigures,
    FrameFigures,
    KindFigures,
    by_kind,
    detail_figures,
    kinds_of,
    per_class,
)
from trainer.score.outcomes import outcomes_of, worst_first

TRUTHS = [
    # 1 and 2 cross; X lies alone.
    truth("a.png", "A", [[0, 0, 40, 40], [10, 10, 30, 50], [60, 60, 80, 80]], ("1", "2", "X")),
    # Both 2s touch.
    truth("b.png", "B", [[0, 0, 20, 20], [15, 0, 35, 20]], ("2", "2")),
    truth("c.png", "C", [[0, 0, 20, 20]], ("3",)),
]
LINES = [
    line("b.png", [([0, 0, 20, 20], "2", "accepted"), ([15, 0, 35, 20], "2", "accepted")]),
    # 1 is called 2, 2 is missed, X is right, what is called Y is spurious.
    line(
        "folder/a.png",
        [
            ([70, 0, 90, 20], "Y", "accepted"),
            ([60, 60, 80, 80], "X", "review"),
            ([0, 0, 40, 40], "2", "accepted"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("boxes", "kinds"),
    [
        ([], []),
        ([[0, 0, 10, 10]], ["alone"]),
        ([[0, 0, 10, 10], [10, 0, 20, 10]], ["alone", "alone"]),
        ([[0, 0, 10, 10], [9, 0, 19, 10]], ["alone", "alone"]),  # a tenth
        ([[0, 0, 10, 10], [8, 0, 18, 10]], ["touching", "touching"]),
        ([[0, 0, 10, 10], [5, 0, 15, 10]], ["crossing", "crossing"]),  # half
        ([[0, 0, 100, 100], [10, 10, 15, 15], [99, 0, 109, 100]], ["crossing", "crossing", "alone"]),
    ],
)
def test_kinds_by_boxes_alone(boxes: list[list[int]], kinds: list[str]) -> None:
    assert kinds_of(np.array(boxes, np.int64).reshape(-1, 4)) == kinds


def test_the_worst_comes_first_and_says_what_is_wrong() -> None:
    worst, best = worst_first(outcomes_of(LINES, TRUTHS))
    assert (worst.truth.image, worst.missed, worst.spurious, worst.wrong) == ("a.png", [1], [0], [0])
    assert [worst.said(j) for j in range(3)] == ["2", None, "X"]
    assert FrameFigures.of(worst) == FrameFigures("a.png", "A", 3, 3, 2, 1, 3)
    assert FrameFigures.of(best) == FrameFigures("b.png", "B", 2, 2, 2, 2, 0)


def test_equals_stand_in_the_order_of_their_names() -> None:
    lines = [line(name, []) for name in ("c.png", "a.png")]
    truths = [truth(name, "A", [[0, 0, 9, 9]], ("1",)) for name in ("c.png", "a.png")]
    assert [o.truth.image for o in worst_first(outcomes_of(lines, truths))] == ["a.png", "c.png"]


def test_by_kind() -> None:
    assert by_kind(outcomes_of(LINES, TRUTHS)) == {
        "alone": KindFigures(1, 1.0, 1.0, 1.0),
        "touching": KindFigures(2, 1.0, 1.0, 1.0),
        "crossing": KindFigures(2, 0.5, 0.0, 0.0),
    }
    assert by_kind([])["alone"] == KindFigures(0, None, None, None)


def test_per_class_has_all_classes() -> None:
    got = per_class(outcomes_of(LINES, TRUTHS))
    assert tuple(got) == LABELS
    assert got["1"] == ClassFigures(1, 1.0, 0.0, None)
    assert got["2"] == ClassFigures(3, round(2 / 3, 4), 1.0, round(2 / 3, 4))
    assert got["X"] == ClassFigures(1, 1.0, 1.0, 1.0)
    assert got["Y"] == ClassFigures(0, None, None, None)  # the spurious one is no matter of labels


def test_a_label_that_is_no_class_is_wrong() -> None:
    lines: list[dict[str, Any]] = [line("c.png", [([0, 0, 20, 20], "marker", "accepted")])]
    outcomes = worst_first(outcomes_of(lines, TRUTHS))
    assert outcomes[0].wrong == [0]
    assert per_class(outcomes)["3"] == ClassFigures(1, 1.0, 0.0, None)


def test_as_json() -> None:
    got = detail_figures(worst_first(outcomes_of(LINES, TRUTHS)))
    assert list(got) == ["by_kind", "per_class", "per_frame"]
    assert got["by_kind"]["crossing"] == {"n": 2, "located": 0.5, "label_given_located": 0.0, "end_to_end": 0.0}
    assert got["per_class"]["2"] == {"n": 3, "located": 0.6667, "recall": 1.0, "precision": 0.6667}
    first = {"image": "a.png", "case": "A", "truth": 3, "found": 3, "located": 2, "right": 1, "corrections": 3}
    assert got["per_frame"][0] == first
