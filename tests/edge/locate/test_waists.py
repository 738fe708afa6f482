"""Two bars end to end are parted where they meet; one bar is not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edge.locate.geometry import line_length
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.locate.waists import DOUBTED_NATS, parted, parts, stretches, waists
from edge.records import Crop
from tests.builders import make_crop
from tests.edge.locate.bars import pair, upright

ALL = 99


def depths(*least: float) -> npt.NDArray[np.float64]:
    return np.array(least)


def test_the_deepest_waist_is_where_two_meet() -> None:
    ((at,),) = waists([pair()], depths(0.1), ALL)
    assert at == pytest.approx(42 / 68, abs=0.02)


def test_of_two_necks_the_paler_comes_first() -> None:
    pixels = pair(30, 50, neck_stain=140, neck_cols=10).pixels.copy()
    pixels[90:94] = pixels[90:94] // 4
    ((first, other),) = waists([Crop(0, pixels)], depths(0.1), ALL)
    assert first > 0.6 > 0.4 > other


@pytest.mark.parametrize("least", [0.1, 0.9])
def test_a_waist_must_be_deep_enough(least: float) -> None:
    (found,) = waists([pair(neck_stain=140)], depths(least), ALL)
    assert len(found) == (least < 0.5)


@pytest.mark.parametrize(
    "crop", [make_crop(rows=60), make_crop(rows=12), Crop(0, np.zeros((CROP_ROWS, CROP_COLS), np.uint8))]
)
def test_bars_short_ones_and_nothing_have_none(crop: Crop) -> None:
    assert waists([crop], depths(0.1), ALL) == [()]


def test_each_is_measured_by_itself() -> None:
    """Whatever is asked beside it, and each by its own least depth."""
    crops = [make_crop(rows=60), pair(), pair(30, 50), pair(), make_crop(rows=12), pair(24, 24, neck_stain=100)]
    together = waists(crops, depths(0.1, 0.1, 0.1, 2.0, 0.1, 0.1), ALL)
    alone = [waists([crop], depths(0.1), ALL)[0] for crop in crops]
    assert together == [*alone[:3], (), *alone[4:]]
    assert [len(at) for at in alone] == [0, 1, 1, 1, 0, 1]
    assert waists([], depths(), ALL) == []


def test_of_too_many_the_clearest_stay() -> None:
    crops = [pair(neck_stain=100), pair(), pair(30, 50)]
    least = depths(0.1, 0.8, 0.1)
    found = waists(crops, least, ALL)
    assert [len(at) for at in found] == [1, 1, 1]
    assert waists(crops, least, 2) == [found[0], (), found[2]]
    assert waists(crops, least, 1) == [(), (), found[2]]
    assert waists(crops, least, 0) == [(), (), ()]


def test_parts_keep_the_margin_share_the_mask_and_follow_the_line() -> None:
    region = upright()
    upper, lower = found = parts(region, [40 / 68])
    line, further = stretches(found)
    np.testing.assert_allclose([upper.box_px, lower.box_px], [(100, 50, 118, 96), (106, 90, 124, 124)], atol=6)
    assert (upper.box_px[:2], lower.box_px[2:]) == ((100, 50), (124, 124))
    assert np.count_nonzero(upper.mask) + np.count_nonzero(lower.mask) == 68 * 12
    assert np.count_nonzero(upper.mask) == pytest.approx(40 * 12, abs=12)
    assert (line.shape, further.shape) == (region.axis_px.shape,) * 2
    np.testing.assert_array_equal(line[[0, -1]], [[112, 53], [112, 93]])
    np.testing.assert_allclose(further[0], line[-1])
    assert float(line_length(line)) + float(line_length(further)) == pytest.approx(68, abs=0.1)


def test_a_part_of_next_to_nothing_is_none() -> None:
    assert parts(upright(), [0.02]) == []


def test_each_waist_gives_two_parts() -> None:
    found = parts(upright(), [0.3, 0.7])
    assert [part.ends for part in found] == [(0.0, 0.3), (0.3, 1.0), (0.0, 0.7), (0.7, 1.0)]
    assert stretches([]).shape == (0, *upright().axis_px.shape)


@pytest.mark.parametrize(
    ("odds", "believed", "count"),
    [
        (DOUBTED_NATS[0] - 1, 0.0, 0),
        (DOUBTED_NATS[1] + 1, 0.0, 0),
        (2.0, 0.0, 2),
        (2.0, 1.0, 0),
    ],
)
def test_only_what_is_doubted_is_parted(odds: float, believed: float, count: int) -> None:
    """The waist is too shallow for one whose label is believed."""
    crops, said = [pair(neck_stain=100, neck_cols=10)], np.array([odds], np.float32)
    assert len(parted([upright()], crops, said, np.array([believed], np.float32), ALL)) == count
