"""Box by box to masks: the network's input to the pixel, its answer back in the frame, with the real interpreter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.locate.geometry import line_length
from edge.locate.separate import (
    BOX_PX,
    CROWDED_IOU,
    FEWEST_PIXELS,
    ROI_PX,
    Answers,
    Outline,
    Separator,
    in_picture,
    lines_of,
    make_rois,
    roi_matrix,
    unfold_mask,
)
from edge.overlap import box_iou
from edge.records import BoolArray, Float32Array, UInt8Array
from edge.runtime.bundle import load_bundle
from tests.edge.locate.perfect import ListedAnswers, folded, outline_of, places_of, with_network

TINY = Path(__file__).parents[1] / "tiny"


@pytest.fixture(scope="module")
def separator() -> Separator:
    return Separator(load_bundle(TINY / "separator", "separator"), threads=1)


def box_of(*sides: float) -> Float32Array:
    return np.array(sides, np.float32)


def noise(height: int, width: int) -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8)


def roi_of(picture: UInt8Array, box: Float32Array) -> UInt8Array:
    return make_rois(picture, box[None], roi_matrix(box)[None])[0]


def outlines_of(separator: Separator, mask: BoolArray, box: Float32Array) -> Outline:
    """What becomes of a network's answer that is this mask, bool (64, 64)."""
    said = ListedAnswers([np.where(mask, 5, -5).astype(np.float32)])
    (outline,) = with_network(separator, said).outlines(noise(100, 100), box[None])
    return outline


# --- the network's input


@pytest.mark.parametrize("sides", [(10, 20, 36, 30), (0, 0, 7, 90), (-30, 12.5, 200.25, 60), (3, 3, 3.5, 3.25)])
def test_the_boxs_middle_is_the_inputs_and_its_longer_side_52(sides: tuple[float, ...]) -> None:
    box = box_of(*sides)
    matrix = roi_matrix(box)
    corners = box.reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(corners.mean(0), [ROI_PX / 2, ROI_PX / 2], atol=1e-3)
    longer = max(sides[2] - sides[0], sides[3] - sides[1])
    assert (corners[1] - corners[0]).max() == pytest.approx(BOX_PX * min(longer, 1), rel=1e-4)
    assert matrix[0, 0] == matrix[1, 1]
    assert matrix[0, 1] == matrix[1, 0] == 0


def test_at_one_to_one_the_input_is_the_picture_itself() -> None:
    picture, box = noise(120, 140), box_of(40, 50, 92, 76)  # its middle: (66, 63)
    roi = roi_of(picture, box)
    assert roi.dtype == np.uint8
    np.testing.assert_array_equal(roi[..., 0], picture[31:95, 34:98])
    inside = np.zeros((ROI_PX, ROI_PX), np.uint8)
    inside[50 - 31 : 76 - 31, 40 - 34 : 92 - 34] = 255
    np.testing.assert_array_equal(roi[..., 1], inside)


def test_at_half_size_each_pixel_is_the_mean_of_four() -> None:
    picture, box = noise(200, 200), box_of(51, 40, 79, 144)  # its middle: (65, 92)
    roi = roi_of(picture, box)
    four = picture[28:156, 1:129].reshape(64, 2, 64, 2).mean((1, 3))
    assert np.abs(roi[..., 0] - four).max() <= 1
    assert (roi[..., 1] == 255).sum() == 52 * 14
    assert roi[6:58, 24:25, 1].max() == 0
    assert roi[6:58, 25:39, 1].min() == 255


def test_beyond_the_pictures_edge_the_edge_goes_on() -> None:
    picture = noise(60, 70)
    padded = np.pad(picture, 150, mode="edge")
    for x0, y0 in ((-20, -9), (40, 31), (-30, 45), (-80, -90)):
        box = box_of(x0, y0, x0 + 52, y0 + 30)
        y, x = y0 + 15 - 32 + 150, x0 + 26 - 32 + 150
        roi = roi_of(picture, box)
        np.testing.assert_array_equal(roi[..., 0], padded[y : y + 64, x : x + 64])
        assert (roi[..., 1] == 255).sum() == 52 * 30  # the box is whole, wherever it lies


# --- the network's answer


def test_unfolding_puts_every_sub_cell_in_its_place() -> None:
    cells = np.random.default_rng(1).random((3, 32, 32, 4), np.float32)
    opened = unfold_mask(cells)
    assert opened.shape == (3, 64, 64)
    for k in range(4):
        np.testing.assert_array_equal(opened[:, k // 2 :: 2, k % 2 :: 2], cells[..., k])


def test_a_mask_at_one_to_one_comes_back_to_the_pixel() -> None:
    box = box_of(40, 50, 92, 76)
    logit = np.random.default_rng(2).normal(0, 3, (ROI_PX, ROI_PX)).astype(np.float32)
    outline = outline_of(logit, roi_matrix(box))
    np.testing.assert_array_equal(outline.odds_in((40, 50, 92, 76), 1.0) > 0, logit[19:45, 6:58] > 0)
    np.testing.assert_array_equal(outline.odds_in((34, 31, 98, 95), 1.0) > 0, logit > 0)
    around = outline.odds_in((0, 0, 140, 120), 1.0) > 0  # nothing is beyond what the network saw
    assert around.sum() == (logit > 0).sum()
    np.testing.assert_array_equal(around[31:95, 34:98], logit > 0)


@pytest.mark.parametrize(
    ("box_px", "scale"), [((60, 75, 138, 114), 2 / 3), ((20, 25, 46, 38), 2.0), ((9, 9, 99, 69), 1)]
)
def test_a_mask_goes_into_frames_of_any_scale(box_px: tuple[int, int, int, int], scale: float) -> None:
    """An ellipse that fills the box; only pixels that its rim passes through may differ."""
    x0, y0, x1, y1 = box_px
    box = np.array(box_px, np.float32) * np.float32(scale)
    matrix = roi_matrix(box)
    middle, half = box.reshape(2, 2).mean(0), (box[2:] - box[:2]) / 2
    ys, xs = np.mgrid[:ROI_PX, :ROI_PX] + 0.5
    places = (np.stack([xs, ys], axis=-1) - matrix[:, 2]) / matrix[0, 0]
    logit = (4 - 4 * np.linalg.norm((places - middle) / half, axis=-1)).astype(np.float32)
    mask = outline_of(logit, matrix).odds_in(box_px, scale) > 0
    assert mask.shape == (y1 - y0, x1 - x0)
    ys, xs = np.mgrid[y0:y1, x0:x1] + 0.5
    away = np.hypot((xs - (x0 + x1) / 2) / (x1 - x0) * 2, (ys - (y0 + y1) / 2) / (y1 - y0) * 2)
    assert mask[away < 0.96].all()
    assert not mask[away > 1.04].any()


def test_bounds_are_the_masks_in_the_picture() -> None:
    logit = np.full((ROI_PX, ROI_PX), -3, np.float32)
    assert not outline_of(logit, roi_matrix(box_of(10, 20, 36, 30))).bounds.any()
    logit[20:40, 10:50] = 2
    outline = outline_of(logit, roi_matrix(box_of(10, 20, 36, 30)))  # two to one, middle (23, 25)
    np.testing.assert_allclose(outline.bounds, [12, 19, 32, 29], atol=1e-4)


def test_the_centre_line_is_the_masks_in_the_picture(separator: Separator) -> None:
    mask = np.zeros((ROI_PX, ROI_PX), np.bool_)
    mask[26:38, 6:58] = True
    outline = outlines_of(separator, mask, box_of(100, 40, 204, 64))  # one to two, middle (152, 52)
    (line,) = lines_of([outline])
    assert sorted(line[[0, -1], 0].tolist()) == pytest.approx([100, 204], abs=2)
    assert np.abs(line[:, 1] - 52).max() < 1
    np.testing.assert_array_equal(outline.logit > 0, mask)


def test_each_of_many_has_its_own_mask_and_line(separator: Separator) -> None:
    boxes = np.array([[100, 40, 204, 64], [10, 10, 36, 20], [300, 200, 326, 252]], np.float32)
    bars = np.full((3, ROI_PX, ROI_PX), -4, np.float32)
    bars[0, 26:38, 6:58] = bars[1, 22:42, 6:58] = bars[2, 6:58, 22:42] = 4
    outlines = with_network(separator, ListedAnswers(list(bars))).outlines(noise(400, 400), boxes)
    for outline, line, bar, box in zip(outlines, lines_of(outlines), bars, boxes, strict=True):
        np.testing.assert_array_equal(outline.logit > 0, bar > 0)
        assert line_length(line) == pytest.approx(max(box[2] - box[0], box[3] - box[1]), rel=0.06)
        np.testing.assert_allclose(line.mean(0), box.reshape(2, 2).mean(0), atol=1)


# --- the box that it would draw, and the second look


def test_answers_are_the_middles_of_what_the_network_says() -> None:
    sides = np.array([[6, 20, 58, 44], [1, 1, 63, 63], [10.5, 12.25, 33, 60.75]], np.float32)
    outputs = folded(np.full((3, ROI_PX, ROI_PX), -9, np.float32)) | places_of(sides)
    answers = Answers.of(outputs)
    np.testing.assert_allclose(answers.sides, sides, atol=1e-3)
    spread = {name: np.zeros_like(outputs[name]) for name in ("rows", "cols")}  # anywhere, for all it knows
    np.testing.assert_allclose(Answers.of(outputs | spread).sides, ROI_PX / 2, atol=1e-3)


def test_the_box_that_it_would_draw_lies_in_the_picture(separator: Separator) -> None:
    given = box_of(100, 40, 204, 64)  # one to two, middle (152, 52)
    said = ListedAnswers([np.full((ROI_PX, ROI_PX), -9, np.float32)], [box_of(10, 20, 50, 40)])
    (outline,) = with_network(separator, said).outlines(noise(300, 300), given[None])
    np.testing.assert_allclose(outline.box, [152 - 44, 52 - 24, 152 + 36, 52 + 16], atol=0.05)


def test_a_box_that_is_off_is_looked_at_again_where_it_should_be(separator: Separator) -> None:
    boxes = np.array([[40, 50, 92, 76], [100, 40, 204, 64]], np.float32)
    bars = np.full((3, ROI_PX, ROI_PX), -4, np.float32)
    bars[0, 22:42, 6:58] = bars[2, 6:58, 22:42] = 4  # the second answer is thrown away
    said = ListedAnswers(list(bars), [box_of(6, 19, 58, 45), box_of(6, 2, 58, 62)])
    first, second = with_network(separator, said).mended(noise(300, 300), boxes)
    assert said.asked == 3
    np.testing.assert_array_equal(first.matrix, roi_matrix(boxes[0]))
    np.testing.assert_allclose(first.box, boxes[0], atol=0.05)
    mended = box_of(152 - 52, 52 - 60, 152 + 52, 52 + 60)
    np.testing.assert_allclose(second.matrix, roi_matrix(mended), atol=0.01)
    np.testing.assert_array_equal(second.logit > 0, bars[2] > 0)
    np.testing.assert_allclose(second.box, mended, atol=2.5)


def test_boxes_that_are_right_are_looked_at_once(separator: Separator) -> None:
    boxes = np.array([[40, 50, 92, 76], [100, 40, 204, 64]], np.float32)
    before = boxes.copy()
    said = ListedAnswers([])
    mended = with_network(separator, said).mended(noise(300, 300), boxes)
    assert said.asked == 2
    once = with_network(separator, ListedAnswers([])).outlines(noise(300, 300), boxes)
    for a, b in zip(mended, once, strict=True):
        np.testing.assert_array_equal(a.box, b.box)
        np.testing.assert_array_equal(a.logit, b.logit)
    np.testing.assert_array_equal(boxes, before)
    assert separator.mended(noise(50, 50), np.zeros((0, 4), np.float32)) == ()


def test_specks_are_not_part_of_the_chromosome(separator: Separator) -> None:
    mask = np.zeros((ROI_PX, ROI_PX), np.bool_)
    mask[26:38, 6:58] = True
    speckled = mask.copy()
    speckled[2:4, 2:4] = speckled[60, 60] = True
    outline = outlines_of(separator, speckled, box_of(0, 0, 52, 30))
    np.testing.assert_array_equal(outline.logit > 0, mask)


@pytest.mark.parametrize(("pixels", "is_one"), [(0, False), (FEWEST_PIXELS - 1, False), (FEWEST_PIXELS, True)])
def test_a_mask_of_too_few_pixels_is_none(separator: Separator, pixels: int, is_one: bool) -> None:
    mask = np.zeros(ROI_PX * ROI_PX, np.bool_)
    mask[32 * ROI_PX + 20 : 32 * ROI_PX + 20 + pixels] = True
    outline = outlines_of(separator, mask.reshape(ROI_PX, ROI_PX), box_of(30, 40, 60, 100))
    assert (outline.odds_in((0, 0, 100, 140), 1.0) > 0).any() == is_one
    (line,) = lines_of([outline])
    assert np.isfinite(line).all()
    assert line_length(line) > 1
    if not is_one:
        np.testing.assert_allclose(line.mean(0), [45, 70], atol=0.1)  # through the box's middle


# --- by the real interpreter


def test_no_boxes(separator: Separator) -> None:
    assert separator.outlines(noise(50, 50), np.zeros((0, 4), np.float32)) == ()


def test_many_boxes_at_once_are_as_each_alone_and_in_order(separator: Separator) -> None:
    drawn = draw_metaphase(4, size_px=(500, 500))
    boxes = np.array([t.box_px for t in drawn.truth], np.float32)
    together = separator.outlines(drawn.pixels, boxes)
    assert len(together) == 46
    assert len({outline.logit.tobytes() for outline in together}) > 40  # each its own
    shared = box_iou(boxes, boxes) - np.eye(46)
    lone = np.flatnonzero(shared.max(1) <= CROWDED_IOU)
    assert len(lone) > 4
    for k in lone[[0, -1, 2, 1]]:
        (alone,) = separator.outlines(drawn.pixels, boxes[k : k + 1])
        np.testing.assert_allclose(together[k].logit, alone.logit, atol=1e-5)
        np.testing.assert_array_equal(together[k].matrix, roi_matrix(boxes[k]))


def test_more_boxes_than_go_through_at_once(separator: Separator) -> None:
    boxes = np.random.default_rng(0).uniform(0, 80, (150, 2))
    boxes = np.concatenate([boxes, boxes + 20], axis=1).astype(np.float32)
    boxes[-1] += 200  # out of the crowd
    outlines = separator.outlines(noise(100, 100), boxes)
    assert len(outlines) == 150
    (last,) = separator.outlines(noise(100, 100), boxes[-1:])
    np.testing.assert_allclose(outlines[-1].logit, last.logit, atol=1e-5)


class TopHalf:
    """A network that takes the upper half of whatever it sees for the chromosome, and the box with it."""

    def run_uint8(self, rois: UInt8Array) -> dict[str, Float32Array]:
        logit = np.full((len(rois), ROI_PX, ROI_PX), -2, np.float32)
        logit[:, : ROI_PX // 2] = 4
        return folded(logit) | places_of(np.tile(np.array([4, 2, 50, 20], np.float32), (len(rois), 1)))


def test_what_lies_in_a_crowd_is_read_twice_and_the_mean_counts(separator: Separator) -> None:
    boxes = np.array([[20, 20, 60, 60], [24, 24, 64, 64], [200, 200, 240, 240]], np.float32)
    crowded, _, lone = with_network(separator, TopHalf()).outlines(noise(300, 300), boxes)
    assert (lone.logit > 0).mean() == 0.5
    np.testing.assert_allclose(crowded.logit, 1.0)
    for outline, sides in ((lone, [4, 2, 50, 20]), (crowded, [9, 23, 55, 41])):
        drawn = in_picture(np.array([sides], np.float32), outline.matrix[None])[0]
        np.testing.assert_allclose(outline.box, drawn, atol=0.2)


def test_boxes_off_the_picture_are_answered_too(separator: Separator) -> None:
    boxes = np.array([[-40, -40, -10, 5], [90, 90, 130, 170], [500, 500, 510, 560], [10, 10, 10, 10]], np.float32)
    outlines = separator.outlines(noise(100, 100), boxes)
    assert np.isfinite(lines_of(outlines)).all()
    for outline in outlines:
        assert np.isfinite(outline.logit).all()


def test_it_names_its_model(separator: Separator) -> None:
    assert separator.model_id == load_bundle(TINY / "separator", "separator").model_id
