"""A chromosome that another lies across is put together from its arms."""

from __future__ import annotations

import numpy as np
import pytest

from edge.locate.arms import joined_arms
from edge.locate.leftover import darkness_of, left_over
from edge.locate.regions import unlike
from edge.overlap import mask_iou
from edge.records import Frame
from tests.builders import make_region
from tests.edge.locate.bars import bar, crossed

MARGIN_PX = 4.0


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.667])
@pytest.mark.parametrize("lying", [False, True])
def test_two_arms_and_what_is_hidden_between_them_are_one(scale: float, lying: bool) -> None:
    picture, across, hidden = crossed()
    if lying:
        across, hidden = hidden, across
    frame = Frame(np.full([round(side / scale) for side in picture.shape], 210, np.uint8), 0, 0.0, "drawn")
    bridges = left_over(darkness_of(picture), across).bridges
    ((box_px, mask, line),) = joined_arms(bridges, frame, scale, MARGIN_PX)
    whole = np.array([93, 50, 107, 150]) / scale
    around = whole + np.array([-1, -1, 1, 1]) * MARGIN_PX / scale
    ends = np.array([[100, 50], [100, 150]]) / scale
    if lying:
        whole, around, ends = whole[[1, 0, 3, 2]], around[[1, 0, 3, 2]], ends[:, ::-1]
    np.testing.assert_allclose(box_px, around, atol=2 / scale)
    assert mask.shape == (box_px[3] - box_px[1], box_px[2] - box_px[0])
    x0, y0, x1, y1 = np.rint(whole).astype(int).tolist()
    assert mask_iou(box_px, mask, (x0, y0, x1, y1), np.ones((y1 - y0, x1 - x0), np.bool_)) > 0.85
    found = line[[0, -1]] if abs(line[0] - ends[0]).max() < abs(line[-1] - ends[0]).max() else line[[-1, 0]]
    np.testing.assert_allclose(found, ends, atol=3 / scale)


def test_no_bridge_no_chromosome() -> None:
    picture, across, _ = crossed()
    frame = Frame(picture, 0, 0.0, "drawn")
    assert joined_arms(left_over(darkness_of(picture), np.ones_like(across)).bridges, frame, 1.0, MARGIN_PX) == []


def test_at_the_frames_edge_the_box_ends_with_the_frame() -> None:
    picture, across, _ = crossed()
    picture, across = picture[50:150], across[50:150]
    (shape,) = joined_arms(left_over(darkness_of(picture), across).bridges, Frame(picture, 0, 0.0, "a"), 1.0, MARGIN_PX)
    assert (shape[0][1], shape[0][3]) == (0, 100)
    assert shape[1].shape[0] == 100


def test_what_has_the_mask_of_a_region_is_not_new_whatever_its_box() -> None:
    shape = (bar(0, 50, 20, 60).box_px, bar(0, 50, 20, 60).mask, bar(0, 50, 20, 60).axis_px)
    across, same = bar(1, 20, 50, 60, lying=True), bar(2, 51, 22, 60)
    loose = make_region(3, (20, 20, 80, 80))
    empty = np.zeros_like(loose.mask)
    assert unlike([shape], [across]) == [shape]
    assert unlike([shape], [across, same]) == []
    assert mask_iou(loose.box_px, empty, loose.box_px, empty) == 0
    assert unlike([], [across]) == []
