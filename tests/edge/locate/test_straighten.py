"""Bent chromosomes come out straight, alone, at their cell's scale and stain."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from edge.camera.ideogram import Look, bend, draw_ideogram
from edge.camera.metaphase import TrueChromosome, draw_metaphase
from edge.locate.geometry import centre_lines
from edge.locate.straighten import (
    CROP_COLS,
    CROP_ROWS,
    FEWEST_FOR_SCALE,
    FULL_ROWS,
    MEDIAN_ROWS,
    NOMINAL_MEDIAN_UM,
    TwofoldCrop,
    read_crops,
    reading_maps,
    rows_per_px,
    straighten,
)
from edge.records import NOMINAL_UM_PER_PX, Frame, Region
from tests.edge.locate.straightened import LIGHT, ON, bands_of, length_of, likeness, region_of, slide_with


def regions_of(truth: Sequence[TrueChromosome]) -> list[Region]:
    lines = centre_lines([t.mask for t in truth])
    return [
        Region(t.id, t.box_px, t.mask, line + np.asarray(t.box_px[:2], np.float32), t.overlaps, 1.0)
        for t, line in zip(truth, lines, strict=True)
    ]


@pytest.mark.parametrize(("label", "length"), [("1", 145.0), ("5", 130.0), ("9", 100.0)])
def test_a_bent_chromosome_comes_out_straight(label: str, length: float) -> None:
    for seed in (0, 1, 2, 3, 5):  # seed 4 folds chromosome 1 into a hairpin: see the centre line's tests
        rng = np.random.default_rng(seed)
        straight = draw_ideogram(label, length, 17, rng, Look(chromatid_gap=0))
        bent = bend(straight, rng, 0.8)
        frame = slide_with([bent], [(60, 60)])
        (crop,) = straighten(frame, [region_of(7, bent, (60, 60))])
        assert crop.region_id == 7
        assert crop.pixels.shape == (CROP_ROWS, CROP_COLS)
        assert max(likeness(crop.pixels, straight)) > 0.9
        scale = MEDIAN_ROWS * NOMINAL_UM_PER_PX / NOMINAL_MEDIAN_UM
        assert length_of(crop.pixels) == pytest.approx(len(straight) * scale, rel=0.06, abs=2)
        # Straight: each row's weight lies on the middle column.
        rows = crop.pixels[crop.pixels.max(axis=1) > ON].astype(float)
        middle = (rows * (np.arange(CROP_COLS) + 0.5)).sum(1) / rows.sum(1) - CROP_COLS / 2
        assert np.abs(middle[4:-4]).max() < 4.5
        assert np.abs(middle).mean() < 1.5


@pytest.mark.parametrize("length", [150.0, 170.0, 200.0])
def test_a_chromosome_longer_than_its_crop_is_had_in_full_too(length: float) -> None:
    """Both ends, at the same scale, around what the classifier sees; one of usual length beside it is as ever."""
    rng = np.random.default_rng(1)
    straight = draw_ideogram("1", length, 17, rng, Look(chromatid_gap=0))
    bents = [bend(straight, rng, 0.5), bend(draw_ideogram("9", 90, 17, rng), rng, 0.0, turn_rad=np.pi / 2)]
    places = [(60, 40), (10, 200)]
    regions = [region_of(k, bent, place) for k, (bent, place) in enumerate(zip(bents, places, strict=True))]
    long, usual = straighten(slide_with(bents, places), regions)
    whole = long.shown
    assert isinstance(long, TwofoldCrop) == (length > 155)
    assert whole.pixels.shape == (FULL_ROWS if length > 155 else CROP_ROWS, CROP_COLS)
    assert (whole.region_id, long.pixels.shape) == (0, (CROP_ROWS, CROP_COLS))
    assert usual.shown is usual
    assert not whole.pixels[[0, -1]].any()
    scale = MEDIAN_ROWS * NOMINAL_UM_PER_PX / NOMINAL_MEDIAN_UM
    assert length_of(whole.pixels) == pytest.approx(len(straight) * scale, rel=0.04, abs=2)
    assert max(likeness(whole.pixels, straight)) > 0.9
    beyond = (len(whole.pixels) - CROP_ROWS) // 2
    np.testing.assert_array_equal(whole.pixels[beyond : beyond + CROP_ROWS], long.pixels)


def hairpin() -> tuple[Frame, Region]:
    """A chromosome 9 px broad that comes back 16 px beside itself."""
    turn = np.linspace(0, np.pi, 17)[1:-1]
    arms = [[(30, y) for y in range(80, 40, -4)], [(46, y) for y in range(44, 84, 4)]]
    line = [*arms[0], *zip(38 - 8 * np.cos(turn), 40 - 8 * np.sin(turn), strict=True), *arms[1]]
    mask = np.zeros((100, 80), np.uint8)
    cv2.polylines(mask, [np.rint(line).astype(np.int32)], False, 1, 9)
    frame = Frame(np.where(mask > 0, 90, LIGHT).astype(np.uint8), 0, 0.0, "drawn.png")
    return frame, Region(0, (0, 0, 80, 100), mask > 0, np.array(line, np.float32), (), 0.9)


def test_beside_an_arm_people_see_no_other() -> None:
    frame, region = hairpin()
    (crop,) = straighten(frame, [region])
    assert isinstance(crop, TwofoldCrop)
    middle = slice(CROP_COLS // 2 - 6, CROP_COLS // 2 + 6)
    np.testing.assert_array_equal(crop.shown.pixels[:, middle], crop.pixels[:, middle])
    beside = np.delete(np.arange(CROP_COLS), np.arange(CROP_COLS)[middle])
    assert (crop.pixels[:, beside] > ON).sum() > 300
    assert (crop.shown.pixels[:, beside] > ON).sum() < 10
    np.testing.assert_array_equal(crop.mirrored.shown.pixels, crop.shown.pixels[:, ::-1])


def test_the_axis_says_which_end_is_up() -> None:
    rng = np.random.default_rng(2)
    straight = draw_ideogram("9", 100, 17, rng, Look(chromatid_gap=0))
    bent = bend(straight, rng, 0.5)
    frame = slide_with([bent], [(60, 60)])
    region = region_of(0, bent, (60, 60))
    p_first = bent.axis_px + np.float32(60.5)
    p_up = Region(0, region.box_px, region.mask, p_first, (), 1.0)
    q_up = Region(0, region.box_px, region.mask, p_first[::-1].copy(), (), 1.0)
    up, down = (straighten(frame, [r])[0].pixels for r in (p_up, q_up))
    assert likeness(up, straight)[0] > 0.9 > likeness(up, straight)[1]
    assert likeness(down, straight)[1] > 0.9 > likeness(down, straight)[0]
    # The same chromosome, turned by half a turn: not mirrored.
    assert np.abs(up[::-1, ::-1].astype(int) - down).mean() < 6


def test_a_touching_neighbour_is_removed() -> None:
    rng = np.random.default_rng(0)
    one = bend(draw_ideogram("7", 100, 17, rng), rng, 0.0, turn_rad=np.pi / 2)
    other = bend(draw_ideogram("8", 90, 17, rng), rng, 0.0, turn_rad=np.pi / 2)
    places = [(80, 80), (80 + one.mask.shape[1] - 5, 90)]  # drawings have a margin of 3 px
    regions = [region_of(k, b, p) for k, (b, p) in enumerate(zip((one, other), places, strict=True))]
    alone = straighten(slide_with([one], places[:1]), regions[:1])[0].pixels
    both = straighten(slide_with([one, other], places), regions)[0].pixels
    unmasked = straighten(slide_with([one, other], places), regions[:1])[0].pixels
    assert np.abs(both.astype(int) - alone).mean() < 5
    assert np.abs(both.astype(int) - alone).mean() < 0.5 * np.abs(unmasked.astype(int) - alone).mean() + 1
    assert both[:, :6].max() < ON
    assert both[:, -6:].max() < ON


def test_what_two_share_stays_in_both() -> None:
    rng = np.random.default_rng(0)
    down = bend(draw_ideogram("7", 100, 17, rng), rng, 0.0, turn_rad=np.pi / 2)
    across = bend(draw_ideogram("8", 100, 17, rng), rng, 0.0, turn_rad=0.0)
    places = [(100, 60), (100 + down.mask.shape[1] // 2 - 50, 60 + down.mask.shape[0] // 2 - 12)]
    regions = [region_of(k, b, p) for k, (b, p) in enumerate(zip((down, across), places, strict=True))]
    for crop in straighten(slide_with([down, across], places), regions):
        inner = crop.pixels[30:98, CROP_COLS // 2 - 2 : CROP_COLS // 2 + 2]
        assert inner.min() > ON  # no hole where they cross
        assert crop.pixels[:, :5].max() < ON  # and no arms


def test_size_order_within_a_cell_and_the_scale_of_its_median() -> None:
    for seed in range(3):
        drawn = draw_metaphase(seed, "46,XY", crowding=0.0)
        crops = straighten(Frame(drawn.pixels, 0, 0.0, "drawn.png"), regions_of(drawn.truth))
        assert [c.region_id for c in crops] == list(range(46))
        lengths: dict[str, list[int]] = {}
        for crop, t in zip(crops, drawn.truth, strict=True):
            lengths.setdefault(t.label, []).append(length_of(crop.pixels))
        assert min(lengths["1"]) > max(lengths["8"]) > min(lengths["8"]) > max(lengths["16"])
        assert min(lengths["16"]) > max(lengths["21"])
        assert np.median([n for both in lengths.values() for n in both]) == pytest.approx(MEDIAN_ROWS, abs=4)


def test_the_same_cell_at_another_scale_gives_the_same_crops() -> None:
    drawn = draw_metaphase(4, size_px=(600, 600), crowding=0.0)
    half = 0.5
    small = cv2.resize(drawn.pixels, None, fx=half, fy=half, interpolation=cv2.INTER_AREA)
    whole = regions_of(drawn.truth)
    shrunk = []
    for r in whole:
        x0, y0, x1, y1 = r.box_px
        full = np.zeros(drawn.pixels.shape, np.uint8)
        full[y0:y1, x0:x1] = r.mask
        mask = cv2.resize(full * 255, None, fx=half, fy=half, interpolation=cv2.INTER_AREA) > 127
        box = (x0 // 2, y0 // 2, -(-x1 // 2), -(-y1 // 2))
        mask = np.ascontiguousarray(mask[box[1] : box[3], box[0] : box[2]])
        shrunk.append(Region(r.id, box, mask, r.axis_px * np.float32(half), (), 1.0))
    large = straighten(Frame(drawn.pixels, 0, 0.0, "a.png"), whole)
    little = straighten(Frame(small, 0, 0.0, "a.png", NOMINAL_UM_PER_PX / half), shrunk)
    for a, b in zip(large, little, strict=True):
        assert abs(length_of(a.pixels) - length_of(b.pixels)) <= 4
        assert np.corrcoef(bands_of(a.pixels), bands_of(b.pixels))[0, 1] > 0.8


def test_scale_by_the_cell_or_by_the_scope() -> None:
    nominal = MEDIAN_ROWS * NOMINAL_UM_PER_PX / NOMINAL_MEDIAN_UM
    few = np.full(FEWEST_FOR_SCALE - 1, 40, np.float32)
    assert rows_per_px(few, NOMINAL_UM_PER_PX) == pytest.approx(nominal)
    assert rows_per_px(few, 2 * NOMINAL_UM_PER_PX) == pytest.approx(2 * nominal)
    assert rows_per_px(np.append(few, np.float32(400)), NOMINAL_UM_PER_PX) == pytest.approx(MEDIAN_ROWS / 40)
    assert rows_per_px(np.zeros(FEWEST_FOR_SCALE, np.float32), NOMINAL_UM_PER_PX) == MEDIAN_ROWS


def test_a_straight_upright_axis_reads_the_picture_as_it_is() -> None:
    """At one row a pixel, exact: row r, column c of the crop is the picture's own pixel."""
    axis = np.stack([np.full(33, 50.0), np.linspace(20, 80, 33)], axis=1).astype(np.float32)
    map_x, map_y = reading_maps(axis[None], 1.0)
    assert map_x.shape == map_y.shape == (1, CROP_ROWS, CROP_COLS)
    rows, cols = np.mgrid[:CROP_ROWS, :CROP_COLS]
    np.testing.assert_allclose(map_y[0], rows + 50 - CROP_ROWS / 2, atol=1e-3)
    np.testing.assert_allclose(map_x[0], cols + 50 - CROP_COLS / 2, atol=1e-3)


def test_a_lying_axis_turns_the_picture_and_never_mirrors_it() -> None:
    axis = np.stack([np.linspace(20, 80, 33), np.full(33, 50.0)], axis=1).astype(np.float32)
    map_x, map_y = reading_maps(axis[None], 1.0)
    rows, cols = np.mgrid[:CROP_ROWS, :CROP_COLS]
    # The crop's top is the picture's left, so the crop's right is the picture's top.
    np.testing.assert_allclose(map_x[0], rows + 50 - CROP_ROWS / 2, atol=1e-3)
    np.testing.assert_allclose(map_y[0], CROP_COLS / 2 + 49 - cols, atol=1e-3)


def test_crops_are_read_wherever_they_meet_their_pictures() -> None:
    """A lying, a slanted and a bent axis, and one beside its picture."""
    at = np.linspace(0, 1, 33)
    bent = np.stack([20 + 15 * np.cos(3 * at), 30 + 25 * np.sin(3 * at)], axis=1)
    axes = np.stack([np.stack([5 + 50 * at, 12 + 9 * at], axis=1), np.stack([3 + 2 * at, 60 * at], axis=1), bent, bent])
    axes[3] += 500
    pictures = [np.random.default_rng(k).random((30 + 9 * k, 60 - 7 * k), np.float32) for k in range(4)]
    crops = read_crops(pictures, axes.astype(np.float32), 1.3, 0.75)
    for crop, picture, map_x, map_y in zip(crops, pictures, *reading_maps(axes.astype(np.float32), 1.3), strict=True):
        whole = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        np.testing.assert_array_equal(crop, np.rint(255 * whole).astype(np.uint8))
    assert all(crop.any() for crop in crops[:3])
    assert not crops[3].any()


def test_no_region_and_an_empty_mask() -> None:
    frame = Frame(np.full((80, 80), 200, np.uint8), 0, 0.0, "a.png")
    assert straighten(frame, []) == ()
    axis = np.array([[10, 5], [10, 35]], np.float32)
    nothing = Region(3, (5, 5, 15, 35), np.zeros((30, 10), np.bool_), axis, (), 0.4)
    (crop,) = straighten(frame, [nothing])
    assert crop.region_id == 3
    assert crop.pixels.max() == 0


def test_a_region_at_the_frames_border() -> None:
    pixels = np.full((60, 80), 200, np.uint8)
    pixels[:40, :12] = 80
    region = Region(0, (0, 0, 12, 40), np.ones((40, 12), np.bool_), np.array([[6, 0], [6, 40]], np.float32), (), 1.0)
    (crop,) = straighten(Frame(pixels, 0, 0.0, "a.png"), [region])
    assert length_of(crop.pixels) == pytest.approx(40 * MEDIAN_ROWS * NOMINAL_UM_PER_PX / NOMINAL_MEDIAN_UM, abs=2)
