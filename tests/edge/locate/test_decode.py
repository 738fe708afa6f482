"""Maps to boxes and pixel owners, exact on maps drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from edge.locate.decode import (
    CENTRE_STRIDE_PX,
    PIXEL_STRIDE_PX,
    Maps,
    Owners,
    box_iou,
    find_boxes,
    not_doubled,
    share_pixels,
    unfold,
)
from edge.locate.grid import BOX_UNIT_PX, HEADS, STRIDE_PX, VOTE_UNIT_PX
from edge.records import Float32Array

SIDE = 128
Box = tuple[float, float, float, float]


def empty_maps() -> Maps:
    cells, pixels = SIDE // CENTRE_STRIDE_PX, SIDE // PIXEL_STRIDE_PX
    return Maps(
        np.full((cells, cells), -6, np.float32),
        np.zeros((cells, cells, 4), np.float32),
        np.full((pixels, pixels, 2), -6, np.float32),
        np.zeros((pixels, pixels, 2), np.float32),
    )


def draw_box(maps: Maps, box: Box, logit: float) -> None:
    """A peak in the cell of the box's centre, and in all cells around it the distances to the box's sides."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    i, j = int(cy // CENTRE_STRIDE_PX), int(cx // CENTRE_STRIDE_PX)
    for y in range(i - 1, i + 2):
        for x in range(j - 1, j + 2):
            px, py = (x + 0.5) * CENTRE_STRIDE_PX, (y + 0.5) * CENTRE_STRIDE_PX
            maps.box[y, x] = np.array([px - box[0], py - box[1], box[2] - px, box[3] - py]) / BOX_UNIT_PX
            maps.heat[y, x] = max(maps.heat[y, x], logit - 2)
    maps.heat[i, j] = logit


def draw_pixels(maps: Maps, part: Box, centre: tuple[float, float], crossing: bool = False) -> None:
    """A solid part of a chromosome whose pixels vote for ``centre``."""
    x0, y0, x1, y1 = (int(v // PIXEL_STRIDE_PX) for v in part)
    ys, xs = np.mgrid[y0:y1, x0:x1]
    maps.dense[y0:y1, x0:x1, 0] = 5
    maps.dense[y0:y1, x0:x1, 1] = 5 if crossing else -5
    maps.votes[y0:y1, x0:x1, 0] = (centre[0] - (xs + 0.5) * PIXEL_STRIDE_PX) / VOTE_UNIT_PX
    maps.votes[y0:y1, x0:x1, 1] = (centre[1] - (ys + 0.5) * PIXEL_STRIDE_PX) / VOTE_UNIT_PX


def boxes_of(*boxes: Box) -> Float32Array:
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def test_unfold_opens_channels_in_the_order_row_column_value() -> None:
    cells = np.arange(2 * 1 * 8, dtype=np.float32).reshape(2, 1, 8)
    opened = unfold(cells, 2)
    assert opened.shape == (4, 2, 2)
    by_hand = [[[0, 1], [2, 3]], [[4, 5], [6, 7]], [[8, 9], [10, 11]], [[12, 13], [14, 15]]]
    np.testing.assert_array_equal(opened, np.array(by_hand, np.float32))


@pytest.mark.parametrize(("name", "side", "values"), [(n, s, v) for n, (s, v) in HEADS.items()])
def test_unfold_puts_every_value_in_its_place(name: str, side: int, values: int) -> None:
    rng = np.random.default_rng(0)
    cells = rng.random((3, 5, side * side * values), np.float32)
    opened = unfold(cells, side)
    for _ in range(50):
        y, x, v = rng.integers(3 * side), rng.integers(5 * side), rng.integers(values)
        channel = ((y % side) * side + x % side) * values + v
        assert opened[y, x, v] == cells[y // side, x // side, channel]


def test_maps_have_their_strides() -> None:
    outputs = {name: np.zeros((4, 6, side * side * n), np.float32) for name, (side, n) in HEADS.items()}
    maps = Maps.unfold(outputs)
    cells = (4 * STRIDE_PX // CENTRE_STRIDE_PX, 6 * STRIDE_PX // CENTRE_STRIDE_PX)
    pixels = (4 * STRIDE_PX // PIXEL_STRIDE_PX, 6 * STRIDE_PX // PIXEL_STRIDE_PX)
    assert maps.heat.shape == cells
    assert maps.box.shape == (*cells, 4)
    assert maps.dense.shape == maps.votes.shape == (*pixels, 2)


def test_exactly_the_drawn_boxes_best_first() -> None:
    maps = empty_maps()
    drawn = [(10.0, 12.5, 40.0, 90.0), (60.0, 8.0, 75.5, 31.0), (50.0, 70.0, 121.0, 88.0)]
    for box, logit in zip(drawn, (1.0, 4.0, 2.0), strict=True):
        draw_box(maps, box, logit)
    found = find_boxes(maps, least_score=0.3, most_iou=0.7)
    np.testing.assert_allclose(found.boxes, [drawn[1], drawn[2], drawn[0]], atol=1e-4)
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp([-4.0, -2.0, -1.0])), atol=1e-6)
    assert found.boxes.dtype == found.scores.dtype == np.float32


def test_the_score_limit_is_where_it_says() -> None:
    maps = empty_maps()
    draw_box(maps, (20, 20, 40, 60), 0.1)  # a score of 0.525
    assert len(find_boxes(maps, 0.52, 0.7).boxes) == 1
    assert len(find_boxes(maps, 0.53, 0.7).boxes) == 0


def test_a_second_peak_on_the_same_chromosome_is_dropped_and_a_crossing_one_kept() -> None:
    maps = empty_maps()
    tall, wide = (50.0, 20.0, 66.0, 100.0), (18.0, 32.0, 100.0, 48.0)
    draw_box(maps, tall, 3.0)
    draw_box(maps, (50.0, 36.0, 66.0, 101.0), 2.0)  # the same chromosome, 8 px further down
    draw_box(maps, wide, 2.5)
    assert len(find_boxes(maps, 0.3, 0.9).boxes) == 3
    np.testing.assert_allclose(find_boxes(maps, 0.3, 0.7).boxes, [tall, wide], atol=1e-4)


def test_sides_that_the_network_got_wrong_never_turn_a_box_inside_out() -> None:
    maps = empty_maps()
    maps.heat[10, 10] = 3
    maps.box[10, 10] = -5
    (box,) = find_boxes(maps, 0.3, 0.7).boxes
    assert box[0] < box[2]
    assert box[1] < box[3]


def test_empty_maps_give_nothing() -> None:
    maps = empty_maps()
    found = find_boxes(maps, 0.3, 0.7)
    assert found.boxes.shape == (0, 4)
    assert found.scores.shape == (0,)
    owners = share_pixels(maps, found.boxes)
    assert (owners.first == -1).all()
    assert (owners.second == -1).all()


def test_iou_by_hand() -> None:
    a = boxes_of((0, 0, 10, 10), (20, 20, 30, 40))
    b = boxes_of((0, 0, 10, 10), (5, 0, 15, 10), (10, 0, 20, 10), (20, 30, 40, 40))
    expected = [[1, 50 / 150, 0, 0], [0, 0, 0, 100 / 300]]
    np.testing.assert_allclose(box_iou(a, b), expected, atol=1e-6)
    assert box_iou(a[:0], b).shape == (0, 4)
    assert box_iou(boxes_of((3, 3, 3, 3)), boxes_of((3, 3, 3, 3)))[0, 0] == 0


def test_doubles_are_judged_by_kept_boxes_only() -> None:
    """The second covers the third, but is itself dropped for the first, so the third stays."""
    chain = boxes_of((0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10))
    np.testing.assert_array_equal(not_doubled(chain, 0.4), [0, 2])
    np.testing.assert_array_equal(not_doubled(chain, 1.0), [0, 1, 2])
    assert len(not_doubled(chain[:0], 0.4)) == 0


def test_touching_chromosomes_share_by_votes() -> None:
    """Two bars side by side whose boxes overlap: each pixel goes where it points to."""
    maps = empty_maps()
    left, right = (20.0, 10.0, 60.0, 90.0), (40.0, 10.0, 80.0, 90.0)
    draw_pixels(maps, (20, 10, 50, 90), (40, 50))
    draw_pixels(maps, (50, 10, 80, 90), (60, 50))
    owners = share_pixels(maps, boxes_of(left, right))
    drawn = np.full((64, 64), -1)
    drawn[5:45, 10:25], drawn[5:45, 25:40] = 0, 1
    np.testing.assert_array_equal(owners.first, drawn)
    assert (owners.second == -1).all()


def test_two_crossing_boxes_both_own_the_crossing() -> None:
    maps = empty_maps()
    tall, wide = (56.0, 20.0, 72.0, 100.0), (20.0, 56.0, 108.0, 72.0)
    draw_pixels(maps, tall, (64, 60))
    draw_pixels(maps, (20, 56, 56, 72), (64, 64))
    draw_pixels(maps, (72, 56, 108, 72), (64, 64))
    draw_pixels(maps, (56, 56, 72, 72), (64, 61), crossing=True)
    owners = share_pixels(maps, boxes_of(tall, wide))
    crossing = np.zeros((64, 64), bool)
    crossing[28:36, 28:36] = True
    np.testing.assert_array_equal(owners.first >= 0, maps.dense[..., 0] > 0)
    np.testing.assert_array_equal(owners.second >= 0, crossing)
    for index, (x0, y0, x1, y1) in enumerate((tall, wide)):
        bar = np.zeros((64, 64), bool)
        bar[int(y0) // 2 : int(y1) // 2, int(x0) // 2 : int(x1) // 2] = True
        np.testing.assert_array_equal(owners.mask_of(index), bar)


def test_a_pixel_outside_every_box_belongs_to_nobody() -> None:
    maps = empty_maps()
    draw_pixels(maps, (90, 90, 110, 110), (30, 30))
    owners = share_pixels(maps, boxes_of((20, 20, 40, 40)))
    assert (owners.first == -1).all()


def test_boxes_partly_or_wholly_beyond_the_map_do_not_matter() -> None:
    maps = empty_maps()
    draw_pixels(maps, (0, 0, 20, 30), (8, 12))
    owners = share_pixels(maps, boxes_of((-10, -10, 26, 34), (-90, -80, -50, -40), (300, 300, 340, 390)))
    assert owners.mask_of(0).sum() == 10 * 15
    assert owners.mask_of(1).sum() == owners.mask_of(2).sum() == 0


def test_order_of_boxes_does_not_decide_who_owns() -> None:
    rng = np.random.default_rng(4)
    maps = empty_maps()
    maps.dense[:] = rng.normal(0, 3, maps.dense.shape)
    maps.votes[:] = rng.normal(0, 1, maps.votes.shape)
    corners = rng.uniform(0, 100, (12, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 60, (12, 2))], axis=1).astype(np.float32)
    owners = share_pixels(maps, boxes)
    order = rng.permutation(12)
    shuffled = share_pixels(maps, boxes[order])
    named = np.append(order, -1)
    np.testing.assert_array_equal(named[shuffled.first], owners.first)
    np.testing.assert_array_equal(named[shuffled.second], owners.second)


def test_the_owner_and_the_runner_up_are_the_nearest_two() -> None:
    """Against the plain definition, pixel by pixel."""
    rng = np.random.default_rng(5)
    maps = empty_maps()
    maps.dense[:] = 5
    maps.votes[:] = rng.normal(0, 1, maps.votes.shape)
    boxes = boxes_of((-20, -20, 200, 200), (-60, 0, 240, 140), (0, -50, 140, 250), (-9, -9, 150, 170))  # all cover all
    owners = share_pixels(maps, boxes)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    for y, x in rng.integers(0, 64, (60, 2)):
        target = (np.array([x, y]) + 0.5) * PIXEL_STRIDE_PX + maps.votes[y, x] * VOTE_UNIT_PX
        order = np.argsort(np.linalg.norm(centres - target, axis=1))
        assert (owners.first[y, x], owners.second[y, x]) == (order[0], order[1])


def test_masks_of_owners() -> None:
    owners = Owners(np.array([[0, 1, -1]], np.int16), np.array([[1, -1, -1]], np.int16))
    np.testing.assert_array_equal(owners.mask_of(0), [[True, False, False]])
    np.testing.assert_array_equal(owners.mask_of(1), [[True, True, False]])
