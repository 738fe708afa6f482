"""Labels over the whole cell: the rule of two helps where a crop is unsure and yields where it is not."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from edge.cell import assign as assign_module
from edge.cell.assign import (
    ACCEPT_CONFIDENCE,
    ACCEPT_SINGLE,
    EXTRA_PRICE_NATS,
    MISSING_PRICE_NATS,
    Assigned,
    assign,
    best_labels,
    price_of,
)
from edge.records import LABELS, Prediction
from tests.builders import NORMAL_FEMALE, make_prediction

NORMAL_MALE = [*NORMAL_FEMALE[:-1], "Y"]
CLEAR = 0.999


def predictions_of(labels: Sequence[str], probability: float = CLEAR) -> list[Prediction]:
    return [make_prediction(k, label, probability) for k, label in enumerate(labels)]


def torn(id: int, between: Mapping[str, float], *, single: float = 0.99) -> Prediction:
    """Probabilities as given, the rest spread over the other classes."""
    scores = np.full(24, (1 - sum(between.values())) / (24 - len(between)), np.float32)
    for label, probability in between.items():
        scores[LABELS.index(label)] = probability
    return Prediction(id, scores, 0.5, single)


def labels_of(assigned: Sequence[Assigned]) -> list[str]:
    return [a.label for a in assigned]


def argmax_of(predictions: Sequence[Prediction]) -> list[str]:
    return [LABELS[int(p.scores.argmax())] for p in predictions]


def without(labels: Sequence[str], *gone: str) -> list[str]:
    left = list(labels)
    for label in gone:
        left.remove(label)
    return left


def random_predictions(rng: np.random.Generator, count: int) -> list[Prediction]:
    scores = rng.dirichlet(np.full(24, 0.2), count).astype(np.float32)
    return [Prediction(k, s / s.sum(), 0.5, 0.9) for k, s in enumerate(scores)]


@pytest.mark.parametrize("normal", [NORMAL_FEMALE, NORMAL_MALE])
def test_a_clear_normal_cell_in_any_order(normal: list[str]) -> None:
    order = np.random.default_rng(0).permutation(46)
    labels = [normal[k] for k in order]
    assigned = assign(predictions_of(labels, 0.9))
    assert labels_of(assigned) == labels
    assert all(a.status == "accepted" for a in assigned)


@pytest.mark.parametrize("extra", LABELS)
@pytest.mark.parametrize("normal", [NORMAL_FEMALE, NORMAL_MALE])
def test_a_clear_trisomy_is_kept(normal: list[str], extra: str) -> None:
    labels = [*normal, extra]
    assert labels_of(assign(predictions_of(labels))) == labels


@pytest.mark.parametrize("missing", LABELS)
@pytest.mark.parametrize("normal", [NORMAL_FEMALE, NORMAL_MALE])
def test_a_clear_monosomy_is_kept(normal: list[str], missing: str) -> None:
    if missing in normal:
        labels = without(normal, missing)
        assert labels_of(assign(predictions_of(labels))) == labels


@pytest.mark.parametrize(
    ("gone", "extra"),
    [
        ((), ("21", "21")),
        (("X",), ()),
        ((), ("X", "Y")),
        (("21", "21"), ("13", "18")),
        (("7", "8"), ("1", "1")),
        (NORMAL_FEMALE[:40], ()),
    ],
)
def test_clear_scores_are_never_overruled(gone: Sequence[str], extra: Sequence[str]) -> None:
    labels = [*without(NORMAL_FEMALE, *gone), *extra]
    predictions = predictions_of(labels, 0.99999)
    assert labels_of(assign(predictions)) == argmax_of(predictions) == labels


def test_a_crop_between_two_classes_goes_where_a_place_is_missing() -> None:
    rest = predictions_of(without(NORMAL_FEMALE, "8"))
    unsure = torn(45, {"8": 0.42, "X": 0.55})
    assigned = assign([*rest, unsure])
    assert assigned[45].label == "8"
    assert Counter(labels_of(assigned)) == Counter(NORMAL_FEMALE)
    assert assigned[45].confidence > 0.9  # with the cell known, it is no longer unsure
    rest = predictions_of(without(NORMAL_FEMALE, "X"))
    assert assign([*rest, torn(45, {"8": 0.55, "X": 0.42})])[45].label == "X"


def test_so_does_one_of_a_triploid_cell() -> None:
    three = [*AUTOSOMES, *AUTOSOMES[::2], *"XXX"]
    unsure = torn(68, {"8": 0.42, "X": 0.55})
    assigned = assign([*predictions_of(without(three, "8")), unsure], np.full(69, 5.0, np.float32))[68]
    assert (assigned.label, assigned.status) == ("8", "accepted")


def test_a_third_copy_costs_its_price_and_no_more() -> None:
    """With all other places taken by clear crops, the odds of 21 against the free place must beat e to the price."""
    first = EXTRA_PRICE_NATS[0] + MISSING_PRICE_NATS  # the copy it takes, and the one it leaves empty
    rest = predictions_of(without([*NORMAL_FEMALE, "21"], "22", "21"), 0.99999)
    for odds, expected in ((np.exp(first - 0.5), "22"), (np.exp(first + 0.5), "21")):
        share = 0.98 / (1 + odds)
        assert assign([*rest, torn(45, {"22": share, "21": 0.98 - share})])[45].label == expected


def test_a_free_price_list_gives_plain_argmax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assign_module, "EXTRA_PRICE_NATS", (0.0, 0.0))
    monkeypatch.setattr(assign_module, "MISSING_PRICE_NATS", 0.0)
    predictions = random_predictions(np.random.default_rng(1), 46)
    # Sex chromosomes too: with nothing to pay, XX and XY are alike.
    cheap = assign(predictions)
    most = max(Counter(argmax_of(predictions)).values())
    if most <= 4:
        assert labels_of(cheap) == argmax_of(predictions)
    agree = np.mean([a == b for a, b in zip(labels_of(cheap), argmax_of(predictions), strict=True)])
    assert agree > 0.9


def test_xx_and_xy_are_told_apart_by_the_evidence() -> None:
    autosomes = NORMAL_FEMALE[:44]
    rest = predictions_of(autosomes)
    one_x = make_prediction(44, "X", CLEAR)
    assert labels_of(assign([*rest, one_x, torn(45, {"X": 0.7, "Y": 0.25})]))[44:] == ["X", "X"]
    assert labels_of(assign([*rest, one_x, torn(45, {"X": 0.25, "Y": 0.7})]))[44:] == ["X", "Y"]


def test_a_sex_chromosome_torn_between_x_and_y_is_not_accepted() -> None:
    """XX and XY are as good as each other: the cell cannot help."""
    rest = predictions_of([*NORMAL_FEMALE[:44], "X"])
    for x_share in (0.4, 0.55):
        torn_one = assign([*rest, torn(45, {"X": x_share, "Y": 0.95 - x_share})])[45]
        assert torn_one.confidence == pytest.approx(0.58, abs=0.03)
        assert torn_one.status == "review"


def test_a_second_y_and_a_third_x_are_extra() -> None:
    autosomes = predictions_of(NORMAL_FEMALE[:44])
    sex = [make_prediction(44, "X", CLEAR), make_prediction(45, "Y", CLEAR)]
    weak = {"Y": 0.5, "21": 0.4}  # a third 21 costs as much as a second Y
    assert assign([*autosomes, *sex, torn(46, weak)])[46].label == "Y"
    both_x = [make_prediction(44, "X", CLEAR), make_prediction(45, "X", CLEAR)]
    assert assign([*autosomes, *both_x, make_prediction(46, "X", CLEAR)])[46].label == "X"


AUTOSOMES = NORMAL_FEMALE[:44]


@pytest.mark.parametrize(
    "labels",
    [
        [*AUTOSOMES, *AUTOSOMES[::2], *"XXX"],
        [*AUTOSOMES, *AUTOSOMES[::2], *"XXY", "21"],
        [*AUTOSOMES, *AUTOSOMES, *"XXXX"],
        [*AUTOSOMES, *AUTOSOMES, *"XXXY"],  # two cells in one frame
        [*AUTOSOMES, *AUTOSOMES[:-1], *"XXYY"],
        [*AUTOSOMES, *"XXXX"],
        [*AUTOSOMES, *"XXXXY"],
        [*AUTOSOMES, "21", "21", *"XX"],
    ],
)
@pytest.mark.parametrize("odds", [4.5, 5.5])
def test_fourth_copies_and_further_sets_are_kept(labels: list[str], odds: float) -> None:
    """As sure as real objects are, of which a fourth copy was none where two were expected."""
    assigned = assign(predictions_of(labels), np.full(len(labels), odds, np.float32))
    assert labels_of(assigned) == labels
    assert all(a.status == "accepted" for a in assigned)


def test_doubtful_objects_make_no_cell_triploid() -> None:
    debris = random_predictions(np.random.default_rng(3), 40)
    odds = np.array([5.0] * 46 + [-1.0] * 40, np.float32)
    assert labels_of(assign([*predictions_of(NORMAL_FEMALE), *debris], odds)) == NORMAL_FEMALE
    thirds = AUTOSOMES[:28:2]
    odds = np.array([5.0] * 46 + [0.5] * len(thirds), np.float32)  # sixty that are likely, and no third set
    assert labels_of(assign(predictions_of([*NORMAL_FEMALE, *thirds]), odds)) == NORMAL_FEMALE


def test_a_whole_further_set_is_no_heap_of_extra_copies() -> None:
    """Of less odds than a lone fourth copy needs."""
    labels = [*AUTOSOMES, *AUTOSOMES, *"XXXX"]
    odds = np.full(92, EXTRA_PRICE_NATS[0] + 1, np.float32)
    assert labels_of(assign(predictions_of(labels), odds)) == labels
    lone = [*NORMAL_FEMALE, "X", "X"]
    assert len(assign(predictions_of(lone), odds[:48])) == 47


def test_nothing_and_a_single_one() -> None:
    assert assign([]) == ()
    assert price_of([], np.zeros(0, np.float32)) == np.inf
    assert assign([make_prediction(0, "9")], -9.0) == ()
    (only,) = assign([torn(0, {"9": 0.6, "10": 0.3})])
    assert only.label == "9"
    assert only.confidence == pytest.approx(0.6, abs=0.01)  # alone, the cell adds nothing
    assert only.status == "review"
    (y,) = assign([make_prediction(0, "Y", 0.95)])
    assert (y.label, y.status) == ("Y", "accepted")


@pytest.mark.parametrize("count", [2, 46, 95, 96, 97, 119, 120, 121, 130, 300])
def test_any_number_of_objects(count: int) -> None:
    predictions = random_predictions(np.random.default_rng(count), count)
    assigned = assign(predictions)
    assert len(assigned) == count
    assert all(0 <= a.confidence <= 1 for a in assigned)
    assert {a.label for a in assigned} <= set(LABELS)


def test_debris_that_all_looks_alike_still_gets_an_answer() -> None:
    assigned = assign(predictions_of(["21"] * 130, 0.9))
    assert len(assigned) == 130
    assert Counter(labels_of(assigned))["21"] >= 4
    assert np.isfinite([a.confidence for a in assigned]).all()


def test_scores_of_zero_are_no_infinite_cost() -> None:
    certain = np.zeros(24, np.float32)
    certain[20] = 1
    assigned = assign([Prediction(k, certain, 1.0, 1.0) for k in range(46)])
    assert all(np.isfinite(a.confidence) for a in assigned)
    assert assigned[0].label == "21"


def test_the_labelling_is_the_cheapest_there_is() -> None:
    """Against all labellings of small cells with three classes or nothing, priced by hand."""
    rng = np.random.default_rng(6)
    dropped = 0
    for _ in range(20):
        cost = np.full((4, 24), 50.0)
        cost[:, :3] = rng.uniform(0, 9, (4, 3))
        odds = rng.normal(0, 3, 4)
        kept, labels = best_labels(cost, odds)
        found = np.full(4, 3)
        found[kept] = labels
        dropped += 4 - len(kept)

        def total(chosen: Sequence[int], cost: np.ndarray = cost, odds: np.ndarray = odds) -> float:
            price = [0.0, -3.0, -6.0, -4.0, 0.0]  # each of two saves 3; a third costs 2, a fourth 2 + 2
            real = 1 / (1 + np.exp(-odds))
            each = sum(-np.log(1 - real[k]) if c == 3 else cost[k, c] - np.log(real[k]) for k, c in enumerate(chosen))
            return float(each + sum(price[chosen.count(c)] for c in set(chosen) - {3}))

        best = min(total(chosen) for chosen in itertools.product(range(4), repeat=4))
        assert total(found.tolist()) == pytest.approx(best)
    assert 0 < dropped < 80


def test_a_doubtful_object_is_kept_where_a_copy_is_missing_and_dropped_where_none_is() -> None:
    doubtful = make_prediction(45, "8", 0.9)
    for normal, count in ((without(NORMAL_FEMALE, "8"), 46), (NORMAL_FEMALE, 46)):
        odds = np.array([5.0] * len(normal) + [-1.0], np.float32)
        assigned = assign([*predictions_of(normal), doubtful], odds)
        assert len(assigned) == count
        assert [a.index for a in assigned] == list(range(46))
        assert labels_of(assigned) == [*normal, "8"][:46]
    sure = assign([*predictions_of(NORMAL_FEMALE), doubtful], np.full(47, 5.0, np.float32))
    assert labels_of(sure) == [*NORMAL_FEMALE, "8"]


def test_what_is_surely_none_is_dropped_and_doubt_lowers_the_confidence() -> None:
    odds = np.array([8.0, -9.0, 0.5], np.float32)
    first, third = assign(predictions_of(["1", "2", "3"]), odds)
    assert (first.index, third.index) == (0, 2)
    assert first.status == "accepted"
    assert third.confidence == pytest.approx(1 / (1 + np.exp(-0.5)), abs=0.01)
    assert third.status == "review"
    assert assign(predictions_of(["1"]), -50.0) == ()


def test_confidence_is_high_where_clear_and_low_where_torn() -> None:
    clear = assign(predictions_of(NORMAL_FEMALE))
    assert min(a.confidence for a in clear) > 0.99
    rest = predictions_of(without(NORMAL_FEMALE, "4", "5"))
    twins = [torn(44, {"4": 0.5, "5": 0.48}), torn(45, {"4": 0.5, "5": 0.48})]
    assigned = assign([*rest, *twins])
    assert sorted(labels_of(assigned)[44:]) == ["4", "5"]
    assert all(a.status == "review" for a in assigned[44:])
    assert all(0.4 < a.confidence < 0.6 for a in assigned[44:])  # which is which is as unsure as before
    assert all(a.status == "accepted" for a in assigned[:44])


def test_status_needs_confidence_and_a_whole_chromosome() -> None:
    def status(probability: float, single: float) -> str:
        return assign([torn(0, {"1": probability}, single=single)])[0].status

    assert ACCEPT_CONFIDENCE == 0.9  # what the documents' shares of accepted labels rest on
    assert status(ACCEPT_CONFIDENCE + 0.01, ACCEPT_SINGLE) == "accepted"
    assert status(ACCEPT_CONFIDENCE - 0.01, ACCEPT_SINGLE) == "review"
    assert status(ACCEPT_CONFIDENCE + 0.01, ACCEPT_SINGLE - 0.01) == "review"


def test_the_cell_overrules_the_likeliest_label() -> None:
    rest = predictions_of(without(NORMAL_FEMALE, "8"))
    assert assign([*rest, torn(45, {"8": 0.42, "X": 0.55})])[45].label == "8"
