"""All objects of a cell at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.cell.arbiter import COLUMNS, SEATS, TABLE_WIDTH, Arbiter, Judged, Known, heard
from edge.cell.keep import WEIGHED, Kept
from edge.records import LABELS, Crop, Float32Array, Prediction, Region
from edge.runtime.bundle import load_bundle
from edge.runtime.interpreter import Network
from tests.builders import make_crop, make_prediction, make_region

TINY = Path(__file__).parents[1] / "tiny"


def regions_apart(n: int) -> list[Region]:
    return [make_region(k, (8 * k, 10, 8 * k + 6, 40 + 2 * (k % 20))) for k in range(n)]


def seen(n: int, odds: Float32Array | None = None) -> Kept:
    weighed = np.tile(np.arange(len(WEIGHED), dtype=np.float32) / 10, (n, 1))
    return Kept(np.arange(n), weighed, np.linspace(-3, 3, n, dtype=np.float32) if odds is None else odds)


def known_of(regions: list[Region], predictions: list[Prediction], crops: list[Crop] | None = None) -> Known:
    return Known.of(regions, crops or [make_crop(k) for k in range(len(regions))], predictions, seen(len(regions)))


def column(table: np.ndarray, name: str) -> np.ndarray:
    return table[:, COLUMNS[name]].squeeze()


def test_columns_fill_the_table_without_gap() -> None:
    ends = [0, *(c.stop for c in COLUMNS.values())]
    assert [c.start for c in COLUMNS.values()] == ends[:-1]
    assert ends[-1] == TABLE_WIDTH


def test_a_table_says_what_is_known_of_each_and_of_every_two() -> None:
    a, b = make_region(0, (0, 0, 20, 60)), make_region(1, (10, 0, 30, 60))  # they share half of their masks
    c = make_region(2, (100, 0, 120, 120))
    predictions = [make_prediction(0, "1", 0.9, p_arm_up=1.0), make_prediction(1, "2"), make_prediction(2, "Y", 0.5)]
    table = known_of([a, b, c], predictions).table()
    assert (table.shape, table.dtype) == ((SEATS, TABLE_WIDTH), np.uint8)
    assert column(table, "there").tolist() == [255] * 3 + [0] * (SEATS - 3)
    assert not table[3:].any()
    assert column(table, "odds")[:3].tolist() == [96, 128, 159]  # -3, 0 and 3 of 12 nats either way
    assert column(table, "length")[:3].tolist() == [64, 64, 128]  # the median's length is a quarter of the range
    assert column(table, "up")[0] == 255
    scores = table[:3, COLUMNS["scores"]]
    assert scores.argmax(1).tolist() == [0, 1, 23]
    assert scores[0, 0] == round(255 * (1 + np.log(0.9) / 9.2))
    assert column(table, "shared")[:3, :3].tolist() == [[0, 128, 0], [128, 0, 0], [0, 0, 0]]
    assert column(table, "iou")[:2, :3].tolist() == [[255, 85, 0], [85, 255, 0]]


def test_a_profile_begins_with_the_p_arm() -> None:
    pixels = make_crop().pixels
    pixels[:64] //= 2
    upright, lying = Crop(0, pixels), Crop(1, np.ascontiguousarray(pixels[::-1]))
    predictions = [make_prediction(0, "1", p_arm_up=0.9), make_prediction(1, "1", p_arm_up=0.1)]
    profiles = column(known_of(regions_apart(2), predictions, [upright, lying]).table(), "profile")
    assert profiles[0].any()
    np.testing.assert_array_equal(profiles[0], profiles[1])


ARBITER = Arbiter(load_bundle(TINY / "arbiter", "arbiter"))


def judged(regions: list[Region], predictions: list[Prediction], kept: Kept) -> Judged:
    return ARBITER(regions, [make_crop(k) for k in range(len(regions))], predictions, kept)


def test_of_too_many_the_likeliest_are_heard_and_the_others_stay_as_they_were() -> None:
    n = SEATS + 10
    predictions = [make_prediction(k, LABELS[k % 24]) for k in range(n)]
    kept = seen(n)
    assert heard(kept).tolist() == list(range(10, n))
    after = judged(regions_apart(n), predictions, kept)
    moved = after.odds != kept.odds
    assert (moved.argmax(), moved.sum()) == (10, SEATS)
    assert [p is q for p, q in zip(after.predictions, predictions, strict=True)] == [True] * 10 + [False] * SEATS


def test_what_it_says_is_added_and_scores_sum_to_one_again() -> None:
    regions = [make_region(k, (40 * k, 10, 40 * k + 20, 70)) for k in range(3)]
    predictions = [make_prediction(k, "19", 0.9) for k in range(3)]
    known = known_of(regions, predictions)
    said = Network.of_bundle(load_bundle(TINY / "arbiter", "arbiter"), 1).run_uint8(known.table()[None])
    after = judged(regions, predictions, seen(3))
    assert after.odds == pytest.approx(seen(3).odds + said["keep"][0, :3, 0], abs=1e-5)
    for k, (before, now) in enumerate(zip(predictions, after.predictions, strict=True)):
        rose = np.log(now.scores / before.scores)
        more = known.heeded() * said["label"][0, k]
        assert rose - rose[0] == pytest.approx(more - more[0], abs=1e-4)
        assert now.scores.sum() == pytest.approx(1, abs=1e-5)
        assert (now.region_id, now.p_arm_up, now.single) == (before.region_id, before.p_arm_up, before.single)
    assert list(ARBITER.models) == ["arbiter"]


@pytest.mark.parametrize(("score", "share"), [(0.5, 0.5), (0.85, 0.5), (0.91, 0.75), (0.97, 1.0), (1.0, 1.0)])
def test_the_less_the_labels_of_a_whole_cell_are_sure_the_less_counts_what_it_says_of_them(
    score: float, share: float
) -> None:
    predictions = [make_prediction(k, "19", score) for k in range(3)]
    assert known_of(regions_apart(3), predictions).heeded() == pytest.approx(share, abs=0.01)


def test_what_is_likely_none_tells_little_of_how_sure_labels_are() -> None:
    predictions = [make_prediction(k, "19", score) for k, score in enumerate((0.97, 0.97, 0.1))]
    kept = seen(3, np.array([8, 8, -8], np.float32))
    assert Known.of(regions_apart(3), [make_crop(k) for k in range(3)], predictions, kept).heeded() > 0.99


def test_where_nothing_is_likely_a_chromosome_it_still_says_something() -> None:
    predictions = [make_prediction(k, "19", 0.9) for k in range(3)]
    after = judged(regions_apart(3), predictions, seen(3, np.full(3, -900, np.float32)))
    assert all(np.isfinite(p.scores).all() for p in after.predictions)


def test_a_second_mark_of_the_same_is_not_heard() -> None:
    regions = [make_region(0, (0, 0, 20, 60)), make_region(1, (1, 0, 21, 60))]
    predictions = [make_prediction(k, "3") for k in range(2)]
    kept = Kept(np.array([1]), seen(1).weighed, np.array([-1000, 1], np.float32))
    after = judged(regions, predictions, kept)
    assert after.odds[0] == -1000
    assert after.odds[1] != 1
    assert after.predictions[0] is predictions[0]


def test_an_empty_field_asks_nobody() -> None:
    after = judged([], [], seen(0))
    assert (after.predictions, after.odds.shape) == ((), (0,))
