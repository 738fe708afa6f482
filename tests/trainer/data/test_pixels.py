"""What boxes and darkness tell of each pixel, against drawings that know it all."""

from __future__ import annotations

import numpy as np
import pytest

from edge.camera.metaphase import SimulatedMetaphase, draw_metaphase
from edge.records import BoolArray
from tests.trainer.drawn import boxes_of
from trainer.data.pixels import MAX_CANDIDATES, NOBODY, PixelTruth, pixel_truth

GROUND, DARK = 210, 90


def masks_of(drawn: SimulatedMetaphase) -> BoolArray:
    full = np.zeros((len(drawn.truth), *drawn.pixels.shape), np.bool_)
    for t in drawn.truth:
        x0, y0, x1, y1 = t.box_px
        full[t.id, y0:y1, x0:x1] = t.mask
    return full


def on_frame(truth: PixelTruth, index: int) -> BoolArray:
    (x0, y0, x1, y1), mask = truth.isolated[index]
    full = np.zeros(truth.chromosome.shape, np.bool_)
    full[y0:y1, x0:x1] = mask
    return full


def iou(a: BoolArray, b: BoolArray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def bars(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    frame = np.full((200, 240), GROUND, np.uint8)
    for x0, y0, x1, y1 in boxes:
        frame[y0:y1, x0:x1] = DARK
    return frame


def boxes_around(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(boxes, np.int64).reshape(-1, 4) + np.array([-7, -8, 5, 4])


@pytest.mark.parametrize(("crowding", "fewest_alone"), [(0.0, 30), (0.5, 15)])
def test_drawn_cells(crowding: float, fewest_alone: int) -> None:
    for seed in range(2):
        drawn = draw_metaphase(seed, crowding=crowding)
        truth, masks = pixel_truth(drawn.pixels, boxes_of(drawn)), masks_of(drawn)
        assert iou(truth.chromosome, masks.any(0)) > 0.88
        assert len(truth.isolated) >= fewest_alone
        ious = [iou(on_frame(truth, k), masks[k]) for k in truth.isolated]
        assert np.median(ious) > 0.9
        assert min(ious) > 0.75
        # Wherever a chromosome truly is, one of its true owners is among the candidates.
        ys, xs = np.nonzero(truth.chromosome & masks.any(0))
        owned = np.zeros(len(ys), bool)
        for k in range(MAX_CANDIDATES):
            owned |= masks[truth.candidates[ys, xs, k], ys, xs]
        assert owned.mean() > 0.999


def test_crossing_chromosomes_are_not_isolated() -> None:
    drawn = draw_metaphase(1, crowding=0.7)
    truth = pixel_truth(drawn.pixels, boxes_of(drawn))
    crossed = {t.id for t in drawn.truth if t.overlaps}
    assert len(crossed) > 5
    assert not crossed & set(truth.isolated)


def test_a_lone_bar_is_its_boxs_own() -> None:
    bar = (60, 40, 76, 120)
    truth = pixel_truth(bars(bar), boxes_around(bar))
    drawn = bars(bar) == DARK
    assert list(truth.isolated) == [0]
    assert iou(on_frame(truth, 0), drawn) > 0.85  # the blurred rim is in
    np.testing.assert_array_equal(truth.chromosome, on_frame(truth, 0))
    assert (truth.candidates[truth.chromosome] == 0).all()
    assert (truth.candidates[~truth.chromosome] == NOBODY).all()
    assert truth.ground[100, 68] == GROUND


def test_dark_pixels_shared_by_two_boxes_have_both_as_candidates() -> None:
    tall, wide = (100, 30, 116, 150), (50, 80, 170, 96)
    truth = pixel_truth(bars(tall, wide), boxes_around(tall, wide))
    assert truth.isolated == {}
    assert set(truth.candidates[88, 108]) == {0, 1}
    assert set(truth.candidates[40, 108]) == {0}  # a lone candidate fills every slot
    assert set(truth.candidates[88, 60]) == {1}
    assert set(truth.candidates[20, 20]) == {NOBODY}


def test_what_no_box_claims_is_ground() -> None:
    bar, debris = (60, 40, 76, 120), (150, 50, 166, 110)
    truth = pixel_truth(bars(bar, debris), boxes_around(bar))
    assert truth.chromosome[60:100, 62:74].all()
    assert not truth.chromosome[:, 140:].any()


def test_a_box_much_larger_than_its_component_does_not_isolate_it() -> None:
    bar = (60, 40, 76, 120)
    loose = np.array([[30, 10, 110, 150]])
    truth = pixel_truth(bars(bar), loose)
    assert truth.isolated == {}
    assert set(truth.candidates[80, 68]) == {0}


def test_a_piece_beyond_four_overlapping_boxes_keeps_three_candidates() -> None:
    boxes = np.array([[20 + k, 20, 180 + k, 180] for k in range(5)])
    truth = pixel_truth(bars((60, 40, 76, 120)), boxes)
    assert sorted(truth.candidates[80, 68]) == [0, 1, 2]


def test_a_pale_band_does_not_cut_and_a_loop_is_not_filled() -> None:
    pale = bars((60, 40, 76, 120))
    pale[78:81, 64:71] = GROUND  # a hole of 21 px
    assert pixel_truth(pale, boxes_around((60, 40, 76, 120))).chromosome[79, 67]
    ring = bars((60, 40, 120, 120))
    ring[55:105, 75:105] = GROUND
    assert not pixel_truth(ring, boxes_around((60, 40, 120, 120))).chromosome[80, 90]


def test_a_frame_without_boxes_and_one_without_chromosomes() -> None:
    frame = bars((60, 40, 76, 120))
    nothing = pixel_truth(frame, np.zeros((0, 4), np.int64))
    assert not nothing.chromosome.any()
    assert nothing.isolated == {}
    blank = pixel_truth(bars(), boxes_around((60, 40, 76, 120)))
    assert not blank.chromosome.any()
