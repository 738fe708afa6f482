"""The second look at what was located."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.cell.keep import IMPOSSIBLE_NATS, Keeper, views
from edge.errors import BundleInvalid
from edge.runtime.bundle import load_bundle
from tests.builders import make_prediction, make_region

TINY = Path(__file__).parents[1] / "tiny"
KEEPER = Keeper(bias=0.0, weights=np.array([1, 1, -2], np.float32))


def boxes_apart(n: int, score: float = 0.5) -> list:
    return [make_region(k, (40 * k, 10, 40 * k + 20, 70), score=score) for k in range(n)]


def seen_as(singles: list[float]) -> list:
    return [replace(make_prediction(k, "1"), single=single) for k, single in enumerate(singles)]


def test_the_classifier_overrules_a_hesitant_locator_both_ways() -> None:
    assert (KEEPER(boxes_apart(3), seen_as([0.9, 0.1, 0.6])) > 0).tolist() == [True, False, True]


def test_a_sure_locator_outweighs_a_slight_doubt() -> None:
    assert KEEPER(boxes_apart(1, score=0.9), seen_as([0.3]))[0] > 0


def test_of_two_boxes_on_one_object_the_likelier_stays() -> None:
    regions = [make_region(0, (0, 0, 20, 60)), make_region(1, (100, 0, 120, 60)), make_region(2, (1, 0, 21, 60))]
    odds = KEEPER(regions, seen_as([0.6, 0.9, 0.8]))
    assert odds[0] == IMPOSSIBLE_NATS
    assert (odds[1:] > 0).all()


def test_a_piece_of_a_likelier_one_is_covered_and_a_neighbour_is_not() -> None:
    whole = make_region(0, (0, 0, 20, 100), score=0.9)
    piece, beside = make_region(1, (0, 60, 20, 100), score=0.6), make_region(2, (30, 0, 50, 100), score=0.6)
    shares = views([piece, whole, beside], seen_as([0.5, 0.5, 0.5]))[:, 2]
    assert shares[0] > 0.9
    assert shares[1] == shares[2] == 0


def test_nothing_located_nothing_kept() -> None:
    assert KEEPER([], []).shape == (0,)


def test_the_weights_come_from_the_bundle_and_a_bundle_without_them_is_refused() -> None:
    bare = load_bundle(TINY / "classifier", "classifier")
    known = {"keep_bias": 0.5, "keep_score": 1.0, "keep_single": 2.0, "keep_covered": -3.0}
    keeper = Keeper.of(replace(bare, calibration=known))
    assert keeper.bias == 0.5
    assert keeper.weights.tolist() == [1, 2, -3]
    with pytest.raises(BundleInvalid, match=r"calibration\.keep_bias"):
        Keeper.of(bare)
