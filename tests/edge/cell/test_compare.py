"""Located, precision and end to end on cases small enough to count by hand."""

from __future__ import annotations

import pytest

from edge.cell.compare import Score, compare, match

A, B, C = (0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10)


def test_a_perfect_cell() -> None:
    score = compare([A, B], ["1", "X"], [B, A], ["X", "1"])
    assert (score.located_share, score.precision, score.end_to_end, score.mean_iou) == (1, 1, 1, 1)
    assert score.corrections_per_cell == 0


def test_missed_spurious_and_mislabelled_are_each_one_correction() -> None:
    score = compare([A, B], ["1", "3"], [A, C], ["2", "3"])
    assert (score.truth, score.found, score.located, score.right) == (2, 2, 1, 0)
    assert score.corrections_per_cell == 3


def test_one_box_is_matched_once() -> None:
    assert compare([A, A], ["1", "1"], [A], ["1"]).precision == 0.5


def test_the_matching_is_best_over_all_pairs_not_greedy() -> None:
    """Greedy would take the pair of IoU 0.82 and leave the second truth without a partner."""
    found = [(0, 0, 10, 10), (0, 0, 20, 10)]
    truth = [(0, 0, 11, 10), (0, 0, 10, 10)]
    pairs = {(i, j) for i, j, _ in match(found, truth)}
    assert pairs == {(0, 1), (1, 0)}


def test_half_an_overlap_counts_and_less_does_not() -> None:
    assert len(match([(0, 0, 10, 10)], [(0, 0, 10, 20)])) == 1
    assert match([(0, 0, 10, 10)], [(0, 0, 10, 21)]) == []


def test_empty_frames() -> None:
    nothing = compare([], [], [], [])
    assert (nothing.located_share, nothing.precision, nothing.end_to_end) == (1, 1, 1)
    assert (nothing.mean_iou, nothing.corrections_per_cell, Score().corrections_per_cell) == (0, 0, 0)
    assert compare([], [], [A], ["1"]).end_to_end == 0
    assert compare([A], ["1"], [], []).precision == 0


def test_scores_add_up() -> None:
    total = sum([compare([A], ["1"], [A], ["1"]), compare([], [], [A], ["1"])], Score())
    assert (total.frames, total.truth, total.right) == (2, 2, 1)
    assert (total.end_to_end, total.mean_iou) == (0.5, 1)


def test_labels_must_belong_to_boxes() -> None:
    for boxes in (([A], [], [], []), ([], [], [A], [])):
        with pytest.raises(ValueError, match="every box needs one label"):
            compare(*boxes)
