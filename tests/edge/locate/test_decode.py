"""Maps to boxes, exact on maps drawn by hand."""

from __future__ import annotations

import numpy as np

from edge.locate.decode import Maps, find_boxes, firsts
from edge.locate.grid import BOX_UNIT_PX, HEADS, SHAPES, STRIDE_PX
from edge.overlap import box_iou
from edge.records import Float32Array

SIDE = 128
Box = tuple[float, float, float, float]


def empty_maps() -> Maps:
    cells = SIDE // STRIDE_PX
    return Maps(np.full((cells, cells, SHAPES), -6, np.float32), np.zeros((cells, cells, SHAPES, 4), np.float32))


def draw_box(maps: Maps, box: Box, logit: float) -> None:
    """A peak, in the map of the box's shape, in the cell of its centre; around it the distances to the box's sides."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    i, j, shape = int(cy // STRIDE_PX), int(cx // STRIDE_PX), int(box[3] - box[1] > box[2] - box[0])
    for y in range(i - 1, i + 2):
        for x in range(j - 1, j + 2):
            px, py = (x + 0.5) * STRIDE_PX, (y + 0.5) * STRIDE_PX
            maps.box[y, x, shape] = np.array([px - box[0], py - box[1], box[2] - px, box[3] - py]) / BOX_UNIT_PX
            maps.heat[y, x, shape] = max(maps.heat[y, x, shape], logit - 2)
    maps.heat[i, j, shape] = logit


def boxes_of(*boxes: Box) -> Float32Array:
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def test_maps_are_the_networks_outputs() -> None:
    rng = np.random.default_rng(0)
    outputs = {name: rng.random((4, 6, values), np.float32) for name, values in HEADS.items()}
    maps = Maps.of(outputs)
    np.testing.assert_array_equal(maps.heat, outputs["heat"])
    for shape in range(SHAPES):
        np.testing.assert_array_equal(maps.box[:, :, shape], outputs["box"][..., 4 * shape : 4 * shape + 4])


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


def test_two_that_cross_at_their_middles_are_both_found() -> None:
    maps = empty_maps()
    tall, wide = (52.0, 20.0, 68.0, 100.0), (18.0, 52.0, 102.0, 68.0)  # both have their centre at (60, 60)
    draw_box(maps, tall, 3.0)
    draw_box(maps, wide, 2.5)
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


def test_doubles_are_judged_by_kept_boxes_only() -> None:
    """The second covers the third, but is itself dropped for the first, so the third stays."""
    chain = boxes_of((0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10))
    shared = box_iou(chain, chain)
    np.testing.assert_array_equal(firsts(shared > 0.4), [0, 2])
    np.testing.assert_array_equal(firsts(shared > 1.0), [0, 1, 2])
    assert len(firsts(shared[:0, :0] > 0.4)) == 0
