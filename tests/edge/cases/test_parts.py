"""Chromosomes made by hand: cut, joined, outlined, and read like all others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.cases.codec import chromosome_from_json, chromosome_to_json
from edge.cases.edits import Join, Split
from edge.cases.parts import cut, joined, outlined, read
from edge.cases.state import Captured, fold
from edge.errors import EditRefused
from edge.locate.geometry import line_length
from edge.records import Crop, Frame, Prediction, Region
from tests.builders import make_cell, make_prediction, make_region


def nines(crops: list[Crop]) -> list[Prediction]:
    return [make_prediction(crop.region_id, "9", 0.8, p_arm_up=0.2) for crop in crops]


def test_a_cut_shares_out_every_pixel() -> None:
    region = make_region(0, (10, 10, 24, 110))
    upper, lower = cut(region, [(5, 50), (30, 52)])
    assert (upper.box_px[:3], lower.box_px[3]) == ((10, 10, 24), 110)
    assert upper.mask.sum() + lower.mask.sum() == region.mask.sum()
    assert abs(int(upper.mask.sum()) - 41 * 14) < 28
    assert line_length(upper.axis_px) == pytest.approx(41, abs=4)


@pytest.mark.parametrize("line", [[(5, 50)], [(12, 50), (16, 50)], [(50, 0), (50, 90)], [(5, 10), (30, 10)]])
def test_a_cut_that_parts_nothing_is_refused(line: list[tuple[float, float]]) -> None:
    with pytest.raises(EditRefused):
        cut(make_region(0, (10, 10, 24, 110)), line)


def test_a_join_covers_both_and_runs_through() -> None:
    whole = joined([make_region(0, (10, 10, 24, 60)), make_region(1, (12, 62, 26, 110))])
    assert whole.box_px == (10, 10, 26, 110)
    assert int(whole.mask.sum()) == 14 * 50 + 14 * 48
    assert line_length(whole.axis_px) == pytest.approx(100, abs=6)
    with pytest.raises(EditRefused, match="at least two"):
        joined([whole])


def test_an_outline_is_filled_and_kept_in_the_frame() -> None:
    region = outlined([(-5, 20), (12, 20), (12, 60), (-5, 60)], 100, 80)
    assert region.box_px == (0, 20, 13, 61)
    assert region.mask.all()
    for points in ([(1, 1), (2, 2)], [(1, 1), (2, 2), (1, 2)], [(200, 200), (250, 200), (250, 280)]):
        with pytest.raises(EditRefused):
            outlined(points, 100, 80)


def test_parts_are_read_at_the_cells_scale_and_wait_for_review() -> None:
    frame = Frame(np.full((300, 340), 220, np.uint8), 0, 0.0, "a.png")
    state = fold(Captured(1, "A-1", 1, make_cell(), "ab" * 32, "2026-01-02"), [])
    upper, lower = cut(state.places[0].chromosome.region, [(5, 22), (30, 22)])
    parts = read(frame, state, [upper, lower], [0], nines)
    assert [(p.label, p.status, p.p_arm_up, p.crop.pixels.shape) for p in parts] == [
        ("9", "review", False, (128, 32))
    ] * 2
    assert Split(0, parts).parts == parts
    (whole,) = read(frame, state, [joined([upper, lower])], [0], nines)
    assert Join((0, 1), whole).whole is whole


def test_one_longer_than_its_crop_is_shown_from_end_to_end() -> None:
    """But the classifier is asked as it has learned."""
    pixels = np.full((300, 340), 220, np.uint8)
    pixels[40:240, 300:316] = 60
    state = fold(Captured(1, "A-1", 1, make_cell([]), "ab" * 32, "2026-01-02"), [])
    asked: list[Crop] = []

    def classify(crops: Sequence[Crop]) -> list[Prediction]:
        asked.extend(crops)
        return nines(list(crops))

    line = outlined([(300, 40), (315, 40), (315, 239), (300, 239)], 340, 300)
    (whole,) = read(Frame(pixels, 0, 0.0, "a.png"), state, [line], [], classify)
    assert [crop.pixels.shape for crop in asked] == [(128, 32)]
    assert asked[0].pixels[[0, -1]].any()
    assert not whole.crop.pixels[[0, -1]].any()
    assert chromosome_from_json(chromosome_to_json(whole)).crop.pixels.tolist() == whole.crop.pixels.tolist()


def test_parts_of_a_fluorescent_frame_are_read_as_those_of_a_bright_field_one() -> None:
    """The store keeps the frame as it was taken."""
    drawn = draw_metaphase(3, crowding=0.2)
    truth = [Region(t.id, t.box_px, t.mask, t.axis_px, t.overlaps, 0.9) for t in drawn.truth]
    seen: list[Crop] = []

    def classify(crops: Sequence[Crop]) -> list[Prediction]:
        seen.extend(crops)
        return nines(list(crops))

    state = fold(Captured("c", "case", 1, make_cell([]), "sha", "2026-01-01T00:00:00Z"), [])
    for pixels in (drawn.pixels, 255 - drawn.pixels):
        read(Frame(pixels, 0, 0.0, "a.png"), state, truth, [], classify)
    half = len(seen) // 2
    off = [np.abs(a.pixels.astype(int) - b.pixels).mean() for a, b in zip(seen[:half], seen[half:], strict=True)]
    assert half == len(truth)
    assert np.mean(off) < 12
