"""Which reading of a cell stands, and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge.cell.assign import assign, price_of
from edge.cell.readings import LIKELIER_NATS, MOST_DISPUTED, MOST_OBJECTS, Reading, likeliest
from edge.records import LABELS, Box, Crop, Prediction, Region
from tests.builders import NORMAL_FEMALE

Object = tuple[Box, str, float, float]
"""Box, label, how much the crop looks like it, log odds of being a chromosome."""


def cell(**strange: Object | None) -> list[Object]:
    """46 in a row, each 20 px from the next; ``at_3=None`` leaves one out, or puts another in its place."""
    usual: list[Object | None] = [
        ((20 * k, 0, 20 * k + 12, 40), label, 0.9, 5.0) for k, label in enumerate(NORMAL_FEMALE)
    ]
    for place, instead in strange.items():
        usual[int(place.removeprefix("at_"))] = instead
    return [each for each in usual if each is not None]


def reading(objects: Sequence[Object]) -> Reading:
    regions, predictions = [], []
    for k, ((x0, y0, x1, y1), label, sure, _) in enumerate(objects):
        scores = np.full(len(LABELS), (1 - sure) / (len(LABELS) - 1), np.float32)
        scores[LABELS.index(label)] = sure
        axis = np.array([[(x0 + x1) / 2, y0], [(x0 + x1) / 2, y1]], np.float32)
        regions.append(Region(k, (x0, y0, x1, y1), np.ones((y1 - y0, x1 - x0), np.bool_), axis, (), 0.9))
        predictions.append(Prediction(k, scores, 1.0, 1.0))
    odds = np.array([each[3] for each in objects], np.float32)
    crops = [Crop(k, np.full((y1 - y0, x1 - x0), 9, np.uint8)) for k, ((x0, y0, x1, y1), *_) in enumerate(objects)]
    return Reading(tuple(regions), crops, predictions, odds, assign(predictions, odds))


def box_at(place: int, left: int = 0) -> Box:
    return (20 * place + left, 0, 20 * place + 12 + left, 40)


def price(of: Reading) -> float:
    return price_of(of.predictions, of.odds)


def test_where_they_agree_the_cheapest_stands() -> None:
    dear, cheap, empty = reading(cell(at_4=(box_at(4), "3", 0.6, 5.0))), reading(cell()), reading([])
    assert price(cheap) < price(dear)
    assert likeliest([dear, cheap, empty], assign) is cheap
    assert likeliest([dear], assign) is dear


def test_each_place_is_of_the_reading_that_is_likelier_there() -> None:
    """The first has lost number 7 and has a 12 where number 30 is; the second doubts more of the others."""
    first = cell(at_7=None, at_30=(box_at(30, 1), "12", 0.9, 1.0))
    second = cell(**{f"at_{k}": (box_at(k, 2), NORMAL_FEMALE[k], 0.5, 5.0) for k in range(10, 26)})
    whole = likeliest([reading(first), reading(second)], assign)
    assert price(reading(first)) < price(reading(second))
    assert sorted(assigned.label for assigned in whole.assigned) == sorted(NORMAL_FEMALE)
    boxes = [region.box_px for region in whole.regions]
    assert set(boxes) == {each[0] for each in cell()}  # nothing else of the second's
    assert price(whole) < price(reading(first)) - LIKELIER_NATS


def test_what_is_put_together_knows_its_numbers_its_crops_and_what_it_crosses() -> None:
    """The first has lost number 7; both have an object across numbers 20 and 21."""
    across: Object = ((396, 10, 440, 22), "21", 0.9, 3.0)
    unsure = {f"at_{k}": (box_at(k), "1", 0.2, 5.0) for k in range(10, 19)}
    whole = likeliest([reading([*cell(at_7=None), across]), reading([*cell(**unsure), across])], assign)
    assert [region.id for region in whole.regions] == list(range(47))
    assert [crop.region_id for crop in whole.crops] == [said.region_id for said in whole.predictions] == list(range(47))
    for region, crop in zip(whole.regions, whole.crops, strict=True):
        assert crop.pixels.shape == region.mask.shape
    numbers = {region.box_px: region.id for region in whole.regions}
    crossed = (numbers[box_at(20)], numbers[box_at(21)])
    assert set(whole.regions[numbers[across[0]]].overlaps) == set(crossed)
    assert all(whole.regions[k].overlaps == (numbers[across[0]],) for k in crossed)


@pytest.mark.parametrize(("sure", "taken"), [(0.15, False), (0.5, True)])
def test_a_little_likelier_is_not_enough(sure: float, taken: bool) -> None:
    """Of what is missing in the first the second has seen something."""
    unsure = {f"at_{k}": (box_at(k), NORMAL_FEMALE[k], 0.5, 5.0) for k in range(10, 19)}
    second = cell(**unsure, at_7=(box_at(7), NORMAL_FEMALE[7], sure, 0.0))
    whole = likeliest([reading(cell(at_7=None)), reading(second)], assign)
    assert (len(whole.assigned) == 46) is taken
    assert len(reading(second).assigned) == 46


@pytest.mark.parametrize(
    ("beside", "disputed", "whole"), [(0, 2, False), (0, MOST_DISPUTED + 1, True), (MOST_OBJECTS, 2, True)]
)
def test_where_no_cell_is_seen_nothing_is_tried(beside: int, disputed: int, whole: bool) -> None:
    """Of noise there are hundreds of objects, in any of which readings may differ: trying them would take minutes."""
    noise: list[Object] = [((2000 + 20 * k, 0, 2012 + 20 * k, 40), "1", 0.1, -9.0) for k in range(beside)]
    unsure = {f"at_{k}": (box_at(k), NORMAL_FEMALE[k], 0.5, 5.0) for k in range(20, 45)}
    first = reading([*cell(**dict.fromkeys(f"at_{k}" for k in range(disputed))), *noise])
    second = reading(cell(**unsure, **dict.fromkeys(("at_45",) * (disputed > 2))))
    assert (likeliest([first, second], assign) in (first, second)) is whole
