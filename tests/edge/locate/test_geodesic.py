"""Distances within a mask: along a bent chromosome, not across the gap between its arms."""

from __future__ import annotations

import numpy as np
import pytest

from edge.locate.geodesic import MOST_STEPS, from_far_end


def test_along_a_bar_from_one_end_to_the_other() -> None:
    bar = np.zeros((1, 40, 100), np.bool_)
    bar[0, 16:24, 10:90] = True
    away = from_far_end(bar)[0]
    along = away[10, 5:45].astype(int)
    assert (np.diff(along) >= 0).all() or (np.diff(along) <= 0).all()
    assert abs(int(along.max()) - 79) <= 4
    assert along.min() <= 6


def test_round_a_hairpin_and_not_across() -> None:
    pin = np.zeros((1, 40, 80), np.bool_)
    pin[0, 4:12, 4:76] = pin[0, 24:32, 4:76] = pin[0, 4:32, 66:76] = True
    away = from_far_end(pin)[0].astype(int)
    tips = sorted((int(away[4, 3]), int(away[14, 3])))
    assert tips[0] < 12
    assert tips[1] > 130  # twice the arm and the bow; straight across it is 20


@pytest.mark.parametrize("shape", [(1, 33, 47), (5, 64, 64)])
def test_shape_is_halved_and_each_mask_is_as_alone(shape: tuple[int, int, int]) -> None:
    masks = np.zeros(shape, np.bool_)
    for k in range(len(masks)):
        masks[k, 5 + k : 12 + k, 3 : 30 + k] = True
    together = from_far_end(masks)
    assert together.shape == (shape[0], -(-shape[1] // 2), -(-shape[2] // 2))
    assert together.dtype == np.uint8
    for one, mask in zip(together, masks, strict=True):  # outside the mask nothing is said
        rows, cols = np.nonzero(mask)
        assert np.array_equal(one[rows // 2, cols // 2], from_far_end(mask[None])[0][rows // 2, cols // 2])


def test_what_is_longer_than_can_be_counted_stays_at_the_most() -> None:
    long = np.zeros((1, 8, 600), np.bool_)
    long[0, 2:6] = True
    assert from_far_end(long)[0, 1:3].max() == 2 * MOST_STEPS
