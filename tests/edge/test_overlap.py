"""Intersection over union, by hand."""

from __future__ import annotations

import numpy as np

from edge.overlap import box_iou, meet, paired_iou


def test_every_box_with_every_other() -> None:
    a = [(0, 0, 10, 10), (20, 20, 30, 40)]
    b = [(0, 0, 10, 10), (5, 0, 15, 10), (10, 0, 20, 10), (20, 30, 40, 40)]
    expected = [[1, 50 / 150, 0, 0], [0, 0, 0, 100 / 300]]
    np.testing.assert_allclose(box_iou(a, b), expected, atol=1e-12)
    np.testing.assert_allclose(box_iou(np.array(a, np.float32), np.array(b, np.int64)), expected, atol=1e-12)


def test_row_by_row() -> None:
    a, b = [[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 1, 1]], [[5, 0, 15, 10], [0, 0, 10, 10], [4, 4, 5, 5]]
    np.testing.assert_allclose(paired_iou(a, b), [1 / 3, 1, 0], atol=1e-12)
    np.testing.assert_array_equal(paired_iou(a, b), np.diag(box_iou(a, b)))


def test_nothing_and_boxes_of_nothing() -> None:
    assert box_iou([], [(0, 0, 1, 1)]).shape == (0, 1)
    assert box_iou(np.zeros((0, 4)), []).shape == (0, 0)
    assert paired_iou([], []).shape == (0,)
    assert box_iou([(3, 3, 3, 3)], [(3, 3, 3, 3)])[0, 0] == 0


def test_boxes_meet_where_they_share_something() -> None:
    a, b = [(0, 0, 10, 10), (20, 0, 30, 10)], [(9, 9, 12, 12), (10, 0, 20, 10), (-5.0, -5.0, 50.0, 0.5)]
    assert meet(a, b).tolist() == [[True, False, True], [False, False, True]]
    assert meet([], b).shape == (0, 3)
    assert meet(a, []).shape == (2, 0)
