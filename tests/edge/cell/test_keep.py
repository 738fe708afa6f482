"""The second look at what was located."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.cell.keep import Keeper
from edge.errors import BundleInvalid
from edge.runtime.bundle import load_bundle
from tests.builders import make_prediction, make_region

TINY = Path(__file__).parents[1] / "tiny"
KEEPER = Keeper(bias=0.0, score=1.0, single=1.0)


def boxes_apart(n: int, score: float = 0.5) -> list:
    return [make_region(k, (40 * k, 10, 40 * k + 20, 70), score=score) for k in range(n)]


def seen_as(singles: list[float]) -> list:
    return [replace(make_prediction(k, "1"), single=single) for k, single in enumerate(singles)]


def test_the_classifier_overrules_a_hesitant_locator_both_ways() -> None:
    assert KEEPER(boxes_apart(3), seen_as([0.9, 0.1, 0.6])) == (0, 2)


def test_a_sure_locator_outweighs_a_slight_doubt() -> None:
    assert KEEPER(boxes_apart(1, score=0.9), seen_as([0.3])) == (0,)


def test_of_two_boxes_on_one_object_the_likelier_stays_and_order_is_kept() -> None:
    regions = [make_region(0, (0, 0, 20, 60)), make_region(1, (100, 0, 120, 60)), make_region(2, (1, 0, 21, 60))]
    assert KEEPER(regions, seen_as([0.6, 0.9, 0.8])) == (1, 2)


def test_nothing_located_nothing_kept() -> None:
    assert KEEPER([], []) == ()


def test_the_weights_come_from_the_bundle_and_a_bundle_without_them_is_refused() -> None:
    bare = load_bundle(TINY / "classifier", "classifier")
    whole = replace(bare, calibration={"keep_bias": 0.5, "keep_score": 1.0, "keep_single": 2.0})
    assert Keeper.of(whole) == Keeper(0.5, 1.0, 2.0)
    with pytest.raises(BundleInvalid, match=r"calibration\.keep_bias"):
        Keeper.of(bare)
