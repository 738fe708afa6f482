"""The second look at what was located."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge.cell.keep import BEYOND_DOUBT_NATS, IMPOSSIBLE_NATS, MOST_NATS, TERMS, WEIGHED, Keeper, terms
from edge.errors import BundleInvalid
from edge.records import Crop, Float32Array, Frame, Region
from edge.runtime.bundle import load_bundle
from tests.builders import make_crop, make_prediction, make_region

TINY = Path(__file__).parents[1] / "tiny"
FRAME = Frame(np.full((200, 200), 220, np.uint8), 0, 0.0, "drawn")


class Says:
    """A verifier that says what it is told to, object by object; of any more, nothing."""

    models = {"verifier": "sha256:" + "d" * 64}  # noqa: RUF012

    def __init__(self, *odds: float) -> None:
        self.odds = odds
        self.asked: list[tuple[list[int], list[float]]] = []

    def verify(
        self, frame: Frame, regions: Sequence[Region], chances: Float32Array, rows: npt.NDArray[np.intp]
    ) -> Float32Array:
        self.asked.append(([regions[k].id for k in rows], chances.tolist()))
        return np.array([*self.odds, *[0.0] * len(rows)][: len(rows)], np.float32)


def weighing(verifier: Says | None = None, **weights: float) -> Keeper:
    known = np.array([weights.get(name.removeprefix("keep_"), 0.0) for name in TERMS], np.float32)
    return Keeper(verifier or Says(), known)  # type: ignore[arg-type]


def odds_of(keeper: Keeper, regions: list, crops: list, predictions: list) -> Float32Array:
    return keeper(FRAME, regions, crops, predictions).odds


KEEPER = weighing(score=1, single=1, covered=-2)


def boxes_apart(n: int, score: float = 0.5) -> list:
    return [make_region(k, (40 * k, 10, 40 * k + 20, 70), score=score) for k in range(n)]


def seen_as(singles: list[float]) -> list:
    return [replace(make_prediction(k, "1"), single=single) for k, single in enumerate(singles)]


def crops(n: int) -> list[Crop]:
    return [make_crop(k) for k in range(n)]


def test_the_classifier_overrules_a_hesitant_locator_both_ways() -> None:
    assert (odds_of(KEEPER, boxes_apart(3), crops(3), seen_as([0.9, 0.1, 0.6])) > 0).tolist() == [True, False, True]


def test_a_sure_locator_outweighs_a_slight_doubt() -> None:
    assert odds_of(KEEPER, boxes_apart(1, score=0.9), crops(1), seen_as([0.3]))[0] > 0


def test_two_views_can_count_only_together() -> None:
    pale_and_long = weighing(stain_length=-8.0)
    marked = [make_crop(0, rows=60, stain=160), make_crop(1, rows=20, stain=80), make_crop(2, rows=60, stain=80)]
    odds = odds_of(pale_and_long, boxes_apart(3), marked, seen_as([0.9] * 3))
    lengths, stains = np.array([60, 20, 60]) / 128, np.array([160, 80, 80]) / 80
    assert odds == pytest.approx(-8 * lengths * stains, rel=1e-3)


def test_what_the_verifier_says_counts_up_to_a_bound() -> None:
    odds = odds_of(weighing(Says(1.5, -3.0, -99.0), whole=2.0), boxes_apart(3), crops(3), seen_as([0.9] * 3))
    assert odds.tolist() == [3.0, -6.0, -2 * MOST_NATS]


def test_of_two_boxes_on_one_object_the_likelier_stays_and_the_other_claims_nothing() -> None:
    regions = [make_region(0, (0, 0, 20, 60)), make_region(1, (100, 0, 120, 60)), make_region(2, (1, 0, 21, 60))]
    verifier = Says(-1.0, 2.0)
    odds = odds_of(weighing(verifier, whole=1.0), regions, crops(3), seen_as([0.6, 0.9, 0.8]))
    assert odds.tolist() == [IMPOSSIBLE_NATS, -1.0, 2.0]
    ((asked, chances),) = verifier.asked
    assert asked == [1, 2]
    score = np.log(regions[0].score / (1 - regions[0].score))
    odds_alone = score + np.log(np.array([0.9 / 0.1, 0.8 / 0.2]))
    assert chances == pytest.approx(1 / (1 + np.exp(-odds_alone)), rel=1e-4)


def test_two_that_cross_are_no_doubles_however_alike_their_boxes() -> None:
    """An X of two bars, in one box."""
    box = (0, 0, 60, 60)
    falling = np.abs(np.subtract.outer(np.arange(60), np.arange(60))) < 7
    regions = [replace(make_region(k, box), mask=mask) for k, mask in enumerate((falling, falling[::-1]))]
    odds = odds_of(weighing(whole=1.0), regions, crops(2), seen_as([0.6, 0.9]))
    assert (odds > IMPOSSIBLE_NATS).all()
    same = [regions[0], replace(regions[0], id=1)]
    assert odds_of(weighing(whole=1.0), same, crops(2), seen_as([0.6, 0.9]))[0] == IMPOSSIBLE_NATS


def test_what_is_beyond_doubt_is_not_looked_at_again() -> None:
    regions = [make_region(k, (40 * k, 10, 40 * k + 20, 70), score=0.99) for k in range(3)]
    regions.append(make_region(3, (90, 10, 110, 70), score=0.98))  # half of it is the third's
    sure = [replace(make_prediction(k, "1", 0.995), single=0.99) for k in range(4)]
    sure[0] = replace(make_prediction(0, "1", 0.9), single=0.99)
    verifier = Says(-1.0, -2.0, -3.0)
    odds = odds_of(weighing(verifier, whole=1.0), regions, crops(4), sure)
    ((asked, chances),) = verifier.asked
    assert (asked, len(chances)) == ([0, 3], 4)
    assert odds.tolist() == pytest.approx([-1.0, BEYOND_DOUBT_NATS, BEYOND_DOUBT_NATS, -2.0])


def test_once_more_is_found_only_those_are_asked_of_whom_it_may_change_the_look() -> None:
    """Five far apart; a sixth beside the second; the fourth becomes the double of a seventh."""
    regions = [make_region(k, (120 * k, 10, 120 * k + 20, 70)) for k in range(5)]
    more = [*regions, make_region(5, (150, 10, 160, 70)), make_region(6, (361, 10, 381, 70))]
    wide = Frame(np.full((200, 700), 220, np.uint8), 0, 0.0, "drawn")
    first = weighing(Says(1.0, 2.0, 3.0, 4.0, 5.0), whole=1.0)(wide, regions, crops(5), seen_as([0.6] * 5))
    verifier = Says(-1.0, -2.0, -3.0)
    keeper = weighing(verifier, whole=1.0)
    again = keeper.again(first, wide, more, crops(7), seen_as([*[0.6] * 5, 0.6, 0.9]))
    assert [asked for asked, _ in verifier.asked] == [[1, 5, 6]]
    assert again.odds.tolist() == [1.0, -1.0, 3.0, IMPOSSIBLE_NATS, 5.0, -2.0, -3.0]
    assert again.rows.tolist() == [0, 1, 2, 4, 5, 6]


def test_one_that_was_beyond_doubt_and_no_longer_is_is_asked_of() -> None:
    """Far from whatever changed it: the cell's median."""
    sure = [replace(make_prediction(k, "1", 0.995), single=0.99) for k in range(2)]
    regions = [make_region(0, (10, 10, 30, 70), score=0.99), make_region(1, (150, 10, 170, 70), score=0.99)]
    first = weighing(Says(), whole=1.0)(FRAME, regions, crops(2), sure)
    doubted = [sure[0], replace(make_prediction(1, "1", 0.6), single=0.99)]
    verifier = Says(-2.0)
    again = weighing(verifier, whole=1.0).again(first, FRAME, regions, crops(2), doubted)
    assert [asked for asked, _ in verifier.asked] == [[1]]
    assert again.odds.tolist() == pytest.approx([BEYOND_DOUBT_NATS, -2.0])


def test_nothing_located_nothing_kept() -> None:
    assert odds_of(KEEPER, [], [], []).shape == (0,)


def test_terms_are_one_what_is_weighed_and_each_product_once() -> None:
    seen = np.arange(1, 2 * len(WEIGHED) + 1, dtype=np.float32).reshape(2, -1)
    (row, _) = terms(seen)
    by_name = dict(zip(TERMS, row.tolist(), strict=True))
    assert len(by_name) == 1 + 10 + 55
    assert by_name["keep_bias"] == 1
    assert by_name["keep_covered"] == 4
    assert by_name["keep_score_width"] == 9
    assert by_name["keep_stain_stain"] == 49
    assert by_name["keep_width_whole"] == 90


def test_the_weights_come_from_the_bundle_and_a_bundle_without_them_is_refused() -> None:
    bare = load_bundle(TINY / "verifier", "verifier")
    known = {name: float(k) for k, name in enumerate(TERMS)}
    assert Keeper.of(replace(bare, calibration=known)).weights.tolist() == list(range(len(TERMS)))
    with pytest.raises(BundleInvalid, match=r"calibration\.keep_bias"):
        Keeper.of(bare)
    with pytest.raises(BundleInvalid, match=r"calibration\.keep_bias from -10000 to 10000, got 1e\+308"):
        Keeper.of(replace(bare, calibration=known | {"keep_bias": 1e308}))
