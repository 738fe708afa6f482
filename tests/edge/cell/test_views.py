"""The views by which an object is judged, each on objects that differ in it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge.cell.views import MOST_WIDTH, VIEWS, views
from edge.records import Crop, Float32Array, Region
from tests.builders import make_crop, make_prediction, make_region


def seen(
    regions: Sequence[Region], crops: Sequence[Crop] = (), singles: Sequence[float] = (), tops: Sequence[float] = ()
) -> dict[str, Float32Array]:
    n = len(regions)
    said = [make_prediction(k, "1", tops[k] if tops else 0.9) for k in range(n)]
    said = [replace(p, single=s) for p, s in zip(said, singles or [0.5] * n, strict=True)]
    table = views(regions, crops or [make_crop(k) for k in range(n)], said)
    assert table.dtype == np.float32
    return dict(zip(VIEWS, table.T, strict=True))


def apart(n: int, scores: Sequence[float] = ()) -> list[Region]:
    return [make_region(k, (40 * k, 0, 40 * k + 20, 60), score=scores[k] if scores else 0.5) for k in range(n)]


def test_probabilities_become_log_odds_that_stay_finite() -> None:
    said = seen(apart(3, [0.5, 1.0, 0.0]), singles=[0.9, 0.0, 1.0], tops=[0.8, 1.0, 0.5])
    most = float(np.log((1 - 1e-4) / 1e-4))
    assert said["score"] == pytest.approx([0, most, -most], abs=1e-2)
    assert said["single"] == pytest.approx([np.log(9), -most, most], abs=1e-2)
    assert said["certain"] == pytest.approx([np.log(4), most, 0], abs=1e-2)


def test_a_piece_of_a_likelier_one_is_covered_and_a_neighbour_is_not() -> None:
    whole = make_region(0, (0, 0, 20, 100), score=0.9)
    piece, beside = make_region(1, (0, 60, 20, 100), score=0.6), make_region(2, (30, 0, 50, 100), score=0.6)
    said = seen([piece, whole, beside])
    assert said["covered"][0] > 0.9
    assert said["covered"][1] == said["covered"][2] == 0
    assert said["stronger"].tolist() == pytest.approx([0.4, 0, 0])
    assert said["weaker"].tolist() == pytest.approx([0, 0.4, 0])


def test_stain_and_width_are_the_cells_own_and_length_is_not() -> None:
    looks = [make_crop(0, 60, 10, 100), make_crop(1, 60, 10, 100), make_crop(2, 30, 15, 50), make_crop(3, 60, 32, 100)]
    looks.append(make_crop(4, 60, 10, 100))
    said = seen(apart(5), looks)
    assert said["stain"] == pytest.approx([1, 1, 0.5, 1, 1])
    assert said["length"] == pytest.approx(np.array([60, 60, 30, 60, 60]) / 128)
    assert said["width"] == pytest.approx([1, 1, 1.5, MOST_WIDTH, 1])


def test_an_empty_crop_is_no_error() -> None:
    said = seen(apart(1), [make_crop(0, 0, 0, 0)])
    assert all(np.isfinite(value).all() for value in said.values())
    assert said["length"] == 0


def test_nothing_located() -> None:
    assert views([], [], []).shape == (0, len(VIEWS))
