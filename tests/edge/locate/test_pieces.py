"""Many masks worked at once come out as each does alone."""

from __future__ import annotations

import cv2
import numpy as np

from edge.locate.pieces import column_of, stacked, whole, without_specks
from edge.records import BoolArray


def bars(gap: int) -> BoolArray:
    """Two bars in a row, ``gap`` pixels apart, and a speck."""
    mask = np.zeros((40, 64), np.bool_)
    mask[15:23, 4:30] = mask[15:23, 30 + gap : 60] = True
    mask[2:4, 50:53] = True
    return mask


def pieces_in(mask: BoolArray) -> int:
    return cv2.connectedComponents(mask.astype(np.uint8))[0] - 1


def test_masks_of_any_size_lie_at_the_top_left_of_one() -> None:
    masks = [np.ones((2, 5), np.bool_), np.ones((4, 3), np.bool_)]
    stack = stacked(masks)
    assert stack.shape == (2, 4, 5)
    assert [int(m.sum()) for m in stack] == [10, 12]
    assert stack[0, :2, :5].all()
    assert stacked(stack) is stack


def test_in_the_column_no_mask_touches_the_next() -> None:
    column = column_of(np.ones((3, 4, 5), np.bool_))
    assert column.shape == (15, 5)
    assert column.sum(1).tolist() == [5, 5, 5, 5, 0] * 3


def test_specks_go_and_parts_stay() -> None:
    cleaned = without_specks(stacked([bars(6), bars(0)]))
    assert [pieces_in(m) for m in cleaned] == [2, 1]
    assert not cleaned[:, :10].any()
    assert np.array_equal(cleaned[0][12:], bars(6)[12:])


def test_a_mask_that_is_one_small_piece_stays() -> None:
    speck = np.zeros((1, 20, 20), np.bool_)
    speck[0, 4, 4:6] = True
    assert np.array_equal(without_specks(speck), speck)


def test_empty_masks_and_no_masks() -> None:
    assert not without_specks(np.zeros((2, 8, 8), np.bool_)).any()
    assert without_specks(np.zeros((0, 8, 8), np.bool_)).shape == (0, 8, 8)


def test_parted_masks_are_bridged_straight_across() -> None:
    both = whole(stacked([bars(8), bars(0)]))
    assert [pieces_in(m) for m in both] == [1, 1]
    bridge = np.flatnonzero(both[0][:, 34])
    assert 2 <= len(bridge) <= 5
    assert abs(bridge.mean() - 18.5) < 1.5  # between the middles of the facing ends
    assert np.array_equal(both[1], without_specks(bars(0)[None])[0])


def test_each_mask_comes_out_as_it_does_alone() -> None:
    rng = np.random.default_rng(3)
    soft = np.stack([cv2.GaussianBlur(rng.normal(size=(48, 48)), (0, 0), 3.0) for _ in range(40)])
    stack = soft > 0.06
    for work in (without_specks, whole):
        together = work(stack)
        assert all(np.array_equal(together[k], work(stack[k : k + 1])[0]) for k in range(len(stack)))
