"""All objects of a cell at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.cell.arbiter import COLUMNS, SEATS, TABLE_WIDTH, Arbiter, Judge, Known
from edge.cell.keep import IMPOSSIBLE_NATS, WEIGHED, Keeper
from edge.records import LABELS, Crop, Float32Array, Frame, Prediction, Region
from edge.runtime.bundle import load_bundle
from tests.builders import make_crop, make_prediction, make_region

TINY = Path(__file__).parents[1] / "tiny"
FRAME = Frame(np.full((200, 900), 220, np.uint8), 0, 0.0, "drawn")


def regions_apart(n: int) -> list[Region]:
    return [make_region(k, (8 * k, 10, 8 * k + 6, 40 + 2 * (k % 20))) for k in range(n)]


def known_of(regions: list[Region], predictions: list[Prediction], crops: list[Crop] | None = None) -> Known:
    n = len(regions)
    weighed = np.tile(np.arange(len(WEIGHED), dtype=np.float32) / 10, (n, 1))
    odds = np.linspace(-3, 3, n, dtype=np.float32)
    return Known.of(regions, crops or [make_crop(k) for k in range(n)], predictions, weighed, odds)


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


def test_of_too_many_the_likeliest_take_a_seat_and_the_others_stay_as_they_were() -> None:
    n = SEATS + 10
    known = known_of(regions_apart(n), [make_prediction(k, LABELS[k % 24]) for k in range(n)])
    assert known.likeliest().tolist() == list(range(10, n))
    more, labels = Arbiter(load_bundle(TINY / "arbiter", "arbiter"), threads=1).hear(known)
    assert (more.shape, labels.shape) == ((n,), (n, 24))
    assert not more[:10].any()
    assert not labels[:10].any()
    assert labels[10:].any(1).all()


class Verifier:
    models = {"verifier": "sha256:" + "d" * 64}  # noqa: RUF012

    def verify(self, frame: Frame, regions: object, chances: object, rows: np.ndarray) -> Float32Array:
        return np.zeros(len(rows), np.float32)


class Decided:
    """An arbiter that adds the same to all."""

    models = {"arbiter": "sha256:" + "e" * 64}  # noqa: RUF012

    def __init__(self, odds: float, label: str) -> None:
        self.odds, self.label = odds, LABELS.index(label)

    def hear(self, known: Known) -> tuple[Float32Array, Float32Array]:
        labels = np.zeros(known.scores.shape, np.float32)
        labels[:, self.label] = 4
        return np.full(len(known.odds), self.odds, np.float32), labels


KEEPER = Keeper(Verifier(), np.zeros(66, np.float32))  # type: ignore[arg-type]


def test_what_it_adds_counts() -> None:
    regions = [make_region(k, (40 * k, 10, 40 * k + 20, 70)) for k in range(3)]
    predictions = [make_prediction(k, "19", 0.5) for k in range(3)]
    judge = Judge(KEEPER, Decided(-2.5, "22"))
    judged = judge(FRAME, regions, [make_crop(k) for k in range(3)], predictions)
    assert judged.odds.tolist() == [-2.5] * 3
    for before, after in zip(predictions, judged.predictions, strict=True):
        rose = np.log(after.scores / before.scores)
        assert LABELS[int(after.scores.argmax())] == "22"
        assert rose[LABELS.index("22")] - rose[LABELS.index("19")] == pytest.approx(4, abs=1e-4)
        assert (after.region_id, after.p_arm_up, after.single) == (before.region_id, before.p_arm_up, before.single)
    assert judge.models == {**Verifier.models, **Decided.models}


def test_a_second_mark_of_the_same_is_none_and_keeps_its_scores() -> None:
    regions = [make_region(0, (0, 0, 20, 60), score=0.5), make_region(1, (1, 0, 21, 60))]
    predictions = [make_prediction(k, "3") for k in range(2)]
    judged = Judge(KEEPER, Decided(1.0, "3"))(FRAME, regions, [make_crop(k) for k in range(2)], predictions)
    assert judged.odds.tolist() == [IMPOSSIBLE_NATS, 1.0]
    assert judged.predictions[0] is predictions[0]


def test_an_empty_field_asks_nobody() -> None:
    judged = Judge(KEEPER, Decided(9.0, "1"))(FRAME, [], [], [])
    assert (judged.predictions, judged.odds.shape) == ((), (0,))
