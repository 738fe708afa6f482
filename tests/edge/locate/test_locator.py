"""The locator over real frames' sizes and scales: tiles, maps, regions, with the real interpreter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.camera.metaphase import SimulatedMetaphase, draw_metaphase
from edge.cell.verify import looks
from edge.errors import FrameError
from edge.locate.boxes import MOST_BOTH_WAYS, OTHER_WAYS, BoxFinder
from edge.locate.decode import Found, Maps
from edge.locate.grid import LOCATOR_UM_PER_PX, SHAPES, STRIDE_PX
from edge.locate.locator import (
    LEFTOVER_SCORE,
    MARGIN_PX,
    MOST_SIDE_PX,
    OUTLINE_SHARE,
    Locator,
    at_scale,
    load_locator,
    refined,
)
from edge.locate.regions import regions_of
from edge.locate.separate import Separator, roi_matrix
from edge.locate.tiles import tiles
from edge.locate.ways import laid
from edge.overlap import CROSSING_PX, box_iou, crossings
from edge.records import NOMINAL_UM_PER_PX, BoolArray, Box, Float32Array, Frame, Region, UInt8Array
from edge.runtime.bundle import Bundle, load_bundle
from edge.runtime.interpreter import Network
from tests.builders import make_crop
from tests.edge.locate.bars import bar, pair, upright
from tests.edge.locate.perfect import KnownBoxes, ListedAnswers, logit_of, outline_of, turned, with_network

TINY = Path(__file__).parents[1] / "tiny"
SIDE = 128
SCALE = NOMINAL_UM_PER_PX / LOCATOR_UM_PER_PX


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(TINY / "locator", "locator")


@pytest.fixture(scope="module")
def finder(bundle: Bundle) -> BoxFinder:
    return BoxFinder(bundle, threads=1)


@pytest.fixture(scope="module")
def separator() -> Separator:
    return Separator(load_bundle(TINY / "separator", "separator"), threads=1)


@pytest.fixture(scope="module")
def locator() -> Locator:
    return load_locator(TINY, threads=1)


def frame_of(pixels: UInt8Array, um_per_px: float = LOCATOR_UM_PER_PX) -> Frame:
    return Frame(pixels, 0, 0.0, "drawn.png", um_per_px)


def drawn_pixels(height: int, width: int, seed: int = 0) -> UInt8Array:
    return np.ascontiguousarray(
        draw_metaphase(seed, size_px=(max(height, 300), max(width, 300))).pixels[:height, :width]
    )


# --- maps, by the real interpreter


def alone(bundle: Bundle, pixels: UInt8Array, both_ways: bool = True) -> Maps:
    """The network on one picture of its own size, as it lies, or the mean of that and of the picture turned by half."""
    network = Network.of_bundle(bundle, 1)
    if not both_ways:
        return Maps.of({name: cells[0] for name, cells in network.run_uint8(pixels[None]).items()})
    lying, half = (network.run_uint8(np.ascontiguousarray(np.rot90(pixels, way))[None]) for way in (0, 2))
    return Maps.of({name: (lying[name][0] + turned(name, half[name][0])) / 2 for name in lying})


def test_a_picture_of_the_networks_size_is_the_network_itself(bundle: Bundle, finder: BoxFinder) -> None:
    pixels = drawn_pixels(SIDE, SIDE)
    maps, said = finder.maps(pixels), alone(bundle, pixels)
    assert maps.heat.shape == (SIDE // STRIDE_PX, SIDE // STRIDE_PX, SHAPES)
    assert maps.box.shape == (SIDE // STRIDE_PX, SIDE // STRIDE_PX, SHAPES, 4)
    assert np.ptp(maps.heat) > 0  # an untrained network, but not a constant one
    np.testing.assert_array_equal(maps.heat, said.heat)
    np.testing.assert_array_equal(maps.box, said.box)


def test_a_picture_turned_by_half_has_the_same_maps_turned(finder: BoxFinder) -> None:
    pixels = drawn_pixels(SIDE, SIDE)
    maps, half = finder.maps(pixels), finder.maps(np.ascontiguousarray(pixels[::-1, ::-1]))
    np.testing.assert_array_equal(half.heat, maps.heat[::-1, ::-1])
    np.testing.assert_array_equal(half.box, maps.box[::-1, ::-1][..., [2, 3, 0, 1]])


def test_what_is_seen_of_a_turned_picture_lies_where_it_lies_in_the_picture(bundle: Bundle) -> None:
    """By a network that sees the box of all that is dark, as the picture lies before it."""
    pixels = np.full((90, 120), 220, np.uint8)
    pixels[10:40, 70:110] = 30
    pixels[10:60, 70:80] = 30
    asked: list[UInt8Array] = []

    class Dark(BoxFinder):
        def find(self, picture: UInt8Array, both_ways: bool = True) -> Found:
            assert not both_ways
            asked.append(picture)
            ys, xs = np.nonzero(picture < 100)
            box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
            return Found(box, np.ones(1, np.float32))

    boxes = Dark(bundle, threads=1).find_turned(pixels)
    assert {p.tobytes() for p in asked}.isdisjoint({pixels.tobytes(), pixels[::-1, ::-1].tobytes()})
    assert len({(p.shape, p.tobytes()) for p in asked}) == len(OTHER_WAYS) == 6
    np.testing.assert_array_equal(boxes, [[70, 10, 110, 60]])  # six times the same, of which one stays


def test_a_picture_turned_by_half_shows_the_same_turned(finder: BoxFinder) -> None:
    """The other six ways to lay it are then the same six."""
    pixels = drawn_pixels(SIDE, SIDE)
    boxes, half = finder.find_turned(pixels), finder.find_turned(np.ascontiguousarray(pixels[::-1, ::-1]))
    assert len(boxes) > 0
    # Of doubles the first is kept, and equals come in another order.
    assert box_iou(boxes, SIDE - half[:, [2, 3, 0, 1]]).max(1).min() > 0.5


def test_a_picture_of_many_tiles_is_not_turned(finder: BoxFinder) -> None:
    assert len(finder.find_turned(drawn_pixels(200, 312))) == 0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 30), (100, 128), (128, 61)])
def test_a_smaller_picture_is_laid_on_its_own_ground(
    bundle: Bundle, finder: BoxFinder, height: int, width: int
) -> None:
    pixels = drawn_pixels(height, width)
    maps = finder.maps(pixels)
    rows, cols = -(-height // STRIDE_PX), -(-width // STRIDE_PX)
    assert maps.heat.shape == (rows, cols, SHAPES)
    ground = int(np.percentile(pixels[::8, ::8], 80))
    whole = alone(bundle, np.pad(pixels, ((0, SIDE - height), (0, SIDE - width)), constant_values=ground))
    np.testing.assert_array_equal(maps.heat, whole.heat[:rows, :cols])
    np.testing.assert_array_equal(maps.box, whole.box[:rows, :cols])


@pytest.mark.parametrize(("height", "width", "both_ways"), [(SIDE, 200, True), (200, 312, False)])
def test_a_larger_picture_is_answered_tile_by_tile(
    bundle: Bundle, finder: BoxFinder, height: int, width: int, both_ways: bool
) -> None:
    pixels = drawn_pixels(height, width)
    maps = finder.maps(pixels)
    assert maps.heat.shape == (height // STRIDE_PX, width // STRIDE_PX, SHAPES)
    parts = list(tiles((height, width), (SIDE, SIDE)))
    assert len(parts) > 1
    assert (len(parts) <= MOST_BOTH_WAYS) == both_ways
    for (y, x), (y0, x0, y1, x1) in parts:
        tile = alone(bundle, np.ascontiguousarray(pixels[y : y + SIDE, x : x + SIDE]), both_ways)
        there = slice(y0 // STRIDE_PX, y1 // STRIDE_PX), slice(x0 // STRIDE_PX, x1 // STRIDE_PX)
        rows, cols = (slice((a - c) // STRIDE_PX, (b - c) // STRIDE_PX) for a, b, c in ((y0, y1, y), (x0, x1, x)))
        np.testing.assert_array_equal(maps.heat[there], tile.heat[rows, cols])
        np.testing.assert_array_equal(maps.box[there], tile.box[rows, cols])


def test_frames_of_another_scale_are_brought_to_the_networks(locator: Locator) -> None:
    pixels = drawn_pixels(120, 112)
    frame = frame_of(pixels)
    twice = frame_of(np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1), LOCATOR_UM_PER_PX / 2)
    (picture, scale), (smaller, half) = at_scale(frame), at_scale(twice)
    assert (scale, half) == (1.0, 0.5)
    np.testing.assert_array_equal(picture, pixels)
    np.testing.assert_array_equal(smaller, pixels)
    few, many = ([r.box_px for r in locator.locate(f)] for f in (frame, twice))
    assert len(few) == len(many) > 0
    assert np.abs(np.array(many) - 2 * np.array(few)).max() <= 1


def test_a_frame_whose_stated_scale_is_absurd_is_refused_at_once(locator: Locator) -> None:
    with pytest.raises(FrameError, match=r"got 3\.0 x 1\.8 mm by its 9\.99 um a pixel; correct it or crop"):
        locator.prepared(frame_of(drawn_pixels(180, 300), 9.99))


def test_a_strip_that_is_longer_than_opencv_warps_is_refused(locator: Locator) -> None:
    with pytest.raises(FrameError, match=r"expected a frame of one metaphase, got 3\.5 x 0\.0 mm"):
        locator.prepared(frame_of(np.tile(drawn_pixels(64, 300), 120)))


def test_the_longest_strip_is_warped_also_where_it_is_laid_larger(locator: Locator) -> None:
    longest = frame_of(np.tile(drawn_pixels(64, 300), MOST_SIDE_PX // 300))
    regions = locator.regions_for_boxes(longest, np.array([[0, 0, 40, 40]]))
    seen = looks(laid(locator.prepared(longest), "larger"), regions, np.ones(1), np.zeros(1, np.intp))
    assert seen.shape == (1, 64, 64, 3)


def test_the_nominal_frame_is_two_thirds() -> None:
    picture, scale = at_scale(frame_of(drawn_pixels(180, 300), NOMINAL_UM_PER_PX))
    assert scale == pytest.approx(2 / 3)
    assert picture.shape == (120, 200)


# --- regions


def test_regions_hold_what_they_promise_and_come_best_first(locator: Locator) -> None:
    frame = frame_of(drawn_pixels(300, 420), NOMINAL_UM_PER_PX)
    regions = locator.locate(frame)  # the records check themselves
    assert len(regions) > 3
    assert [r.id for r in regions] == list(range(len(regions)))
    scores = [r.score for r in regions]
    assert scores == sorted(scores, reverse=True)
    assert sum(score >= 0.5 for score in scores) > 3
    for region in regions:
        x0, y0, x1, y1 = region.box_px
        assert 0 <= x0 < x1 <= 420
        assert 0 <= y0 < y1 <= 300
        assert np.isfinite(region.axis_px).all()
        assert region.id not in region.overlaps
        assert all(region.id in regions[other].overlaps for other in region.overlaps)


def test_known_boxes_keep_their_order_and_place(locator: Locator) -> None:
    frame = frame_of(drawn_pixels(300, 420), NOMINAL_UM_PER_PX)
    boxes = np.array([[100, 50, 140, 120], [0, 0, 30, 60], [390, 270, 420, 300], [101, 50, 140, 120]])
    regions = locator.regions_for_boxes(frame, boxes)
    np.testing.assert_array_equal([r.box_px for r in regions], boxes)
    assert [r.id for r in regions] == [0, 1, 2, 3]
    assert all(r.score == 1 for r in regions)
    assert locator.regions_for_boxes(frame, boxes[:0]) == ()


def test_the_calibration_moves_boxes_to_where_people_draw_them(
    bundle: Bundle, separator: Separator, locator: Locator
) -> None:
    moving = replace(bundle, calibration={**bundle.calibration, "box_shift_x_px": -2.0, "box_shift_y_px": 4.0})
    moved = Locator(BoxFinder(moving, threads=1), separator)
    frame = frame_of(drawn_pixels(300, 420), NOMINAL_UM_PER_PX)
    before, after = (np.array([r.box_px for r in one.locate(frame)]) for one in (locator, moved))
    inside = ((before > 8) & (before < np.array([412, 292] * 2))).all(axis=1)
    assert inside.sum() > 3
    # 1.5 frame pixels a network pixel
    assert np.abs(after[inside] - before[inside] - np.array([-3, 6, -3, 6])).max() <= 1
    known = np.array([[100, 50, 140, 120], [200, 60, 230, 110]])  # as people drew them
    np.testing.assert_array_equal([r.box_px for r in moved.regions_for_boxes(frame, known)], known)


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (40, 40)])
def test_a_frame_with_no_room_for_a_chromosome(locator: Locator, shape: tuple[int, int]) -> None:
    for region in locator.locate(frame_of(np.full(shape, 128, np.uint8), NOMINAL_UM_PER_PX)):
        assert region.box_px[2] <= shape[1]
        assert region.box_px[3] <= shape[0]


def test_it_names_its_models(bundle: Bundle, locator: Locator) -> None:
    separator = load_bundle(TINY / "separator", "separator")
    assert locator.models == {"locator": bundle.model_id, "separator": separator.model_id}


# --- boxes around outlines


def test_a_box_is_drawn_around_its_outline_and_tempered_with_the_separators() -> None:
    logit = np.full((64, 64), -3, np.float32)
    matrix = roi_matrix(np.array([10, 20, 36, 30], np.float32))  # two to one
    own = np.array([11, 18, 35, 31])
    empty = outline_of(logit.copy(), matrix, own.tolist())
    np.testing.assert_array_equal(refined([empty]), own[None])
    logit[20:40, 10:50] = 2
    around = np.array([12, 19, 32, 29]) + MARGIN_PX * np.array([-1, -1, 1, 1])
    expected = OUTLINE_SHARE * around + (1 - OUTLINE_SHARE) * own
    np.testing.assert_allclose(refined([outline_of(logit, matrix, own.tolist())]), expected[None], atol=1e-4)


def bar_mask(shape: tuple[int, int], rows: slice, cols: slice) -> BoolArray:
    mask = np.zeros(shape, np.bool_)
    mask[rows, cols] = True
    return mask


@pytest.mark.parametrize(("shared", "crosses"), [(CROSSING_PX - 1, False), (CROSSING_PX, True)])
def test_masks_that_share_few_pixels_only_touch(shared: int, crosses: bool) -> None:
    boxes: list[Box] = [(10, 10, 40, 30), (30, 5, 60, 45), (70, 10, 80, 20)]
    masks = [np.zeros((b[3] - b[1], b[2] - b[0]), np.bool_) for b in boxes]
    masks[0][:, 20:].flat[:shared] = True  # frame columns 30 to 40, rows from 10 on
    masks[1][5:25, :10] = True  # the same, whole
    masks[2][:] = True
    assert crossings(boxes, masks) == ([(1,), (0,), ()] if crosses else [(), (), ()])
    assert crossings(boxes, masks, 1) == crossings(boxes, masks)
    assert crossings(boxes, masks, 2) == [(), (), ()]


def test_what_is_new_is_numbered_on_and_crossed_with_what_is_known(separator: Separator) -> None:
    lying, standing = bar_mask((90, 90), slice(40, 52), slice(10, 62)), bar_mask((90, 90), slice(20, 72), slice(30, 42))
    sides: list[Box] = [(10, 40, 62, 52), (30, 20, 42, 72)]
    boxes = np.array(sides, np.float32)
    outlines = knowing(separator, [lying, standing], boxes, 1.0).outlines(np.zeros((90, 90), np.uint8), boxes)
    stain = np.zeros((90, 90), np.uint8)
    known = regions_of(outlines[:1], sides[:1], [0.9], stain, 1.0)
    both = regions_of(outlines[1:], sides[1:], [0.1], stain, 1.0, known)
    assert [(r.id, r.box_px, r.overlaps, r.score) for r in both] == [
        (0, sides[0], (1,), 0.9),
        (1, sides[1], (0,), 0.1),
    ]
    assert [r.overlaps for r in known] == [()]


# --- with networks that know the truth


FRAME_MARGIN_PX = np.array([-6, -6, 6, 6])


def full_mask(mask: BoolArray, box: Box, shape: tuple[int, ...]) -> BoolArray:
    full = np.zeros(shape, np.bool_)
    full[box[1] : box[3], box[0] : box[2]] = mask
    return full


def full_masks(drawn: SimulatedMetaphase) -> list[BoolArray]:
    return [full_mask(t.mask, t.box_px, drawn.pixels.shape) for t in drawn.truth]


def known_boxes(drawn: SimulatedMetaphase) -> Float32Array:
    """In frame pixels, with the usual margin, as people draw them."""
    return np.array([np.array(t.box_px) + FRAME_MARGIN_PX for t in drawn.truth], np.float32)


def knowing(separator: Separator, masks: list[BoolArray], boxes: Float32Array, scale: float = SCALE) -> Separator:
    """Asked for ``boxes`` (n, 4) in the picture, in their order, it answers with ``masks``."""
    said = [logit_of(mask, box, scale) for mask, box in zip(masks, boxes.tolist(), strict=True)]
    return with_network(separator, ListedAnswers(said))


def gap_of(region: Region, axis_px: Float32Array) -> float:
    """How far the drawn centre line, less its ends, strays from the one found."""
    inner = axis_px[len(axis_px) // 8 : -len(axis_px) // 8] + 0.5
    return float(np.linalg.norm(inner[:, None] - region.axis_px[None], axis=2).min(1).max())


@pytest.mark.parametrize("crowding", [0.0, 0.6])
def test_with_perfect_answers_the_regions_are_the_drawn_chromosomes(
    finder: BoxFinder, separator: Separator, crowding: float
) -> None:
    drawn = draw_metaphase(11, "46,XY", size_px=(660, 720), crowding=crowding)
    frame, boxes, masks = frame_of(drawn.pixels, NOMINAL_UM_PER_PX), known_boxes(drawn), full_masks(drawn)
    locator = Locator(finder, knowing(separator, masks, boxes * np.float32(SCALE)))
    regions = locator.regions_for_boxes(frame, boxes.astype(np.int64))
    assert len(regions) == 46
    ious, gaps = [], []
    for region, t, true in zip(regions, drawn.truth, masks, strict=True):
        found = full_mask(region.mask, region.box_px, frame.pixels.shape)
        ious.append((true & found).sum() / (true | found).sum())
        gaps.append(gap_of(region, t.axis_px))
    assert np.median(ious) > 0.93
    assert min(ious) > 0.85
    assert np.median(gaps) < 2.5
    if crowding:
        stated = {(t.id, other) for t in drawn.truth for other in t.overlaps}
        told = {(r.id, other) for r in regions for other in r.overlaps}
        assert len(stated) > 10
        assert len(stated & told) >= 0.9 * len(stated)
        assert len(told - stated) <= 0.2 * len(told)  # masks a hair wider than drawn
    else:
        assert all(r.overlaps == () for r in regions)


def test_with_perfect_answers_locating_finds_the_drawn_chromosomes(bundle: Bundle, separator: Separator) -> None:
    drawn = draw_metaphase(12, "46,XX", size_px=(660, 720), crowding=0.0)
    frame, boxes, masks = frame_of(drawn.pixels, NOMINAL_UM_PER_PX), known_boxes(drawn), full_masks(drawn)
    shift = replace(bundle, calibration={**bundle.calibration, "box_shift_x_px": -1.0, "box_shift_y_px": 2.0})
    centred = boxes * np.float32(SCALE)
    picture, _ = at_scale(frame)
    height, width = (-(-n // STRIDE_PX) * STRIDE_PX for n in picture.shape)
    finder = BoxFinder(shift, 1)
    finder.tile_px = (320, 320)  # four of these: of more, the stained part alone would be read
    finder = with_network(finder, KnownBoxes(centred, (height, width), finder.tile_px))
    regions = Locator(finder, knowing(separator, masks, centred)).locate(frame)
    assert [r.id for r in regions] == list(range(len(regions)))
    regions = tuple(r for r in regions if r.score > 0.5)  # less what lies about on the slide
    assert len(regions) == 46
    limits = np.array(frame.pixels.shape[::-1] * 2)
    for region, box, t in zip(regions, boxes, drawn.truth, strict=True):
        people = np.clip(box + np.array([-1, 2, -1, 2]) / SCALE, 0, limits)
        np.testing.assert_allclose(region.box_px, people, atol=3)
        assert gap_of(region, t.axis_px) < 6
    assert [r.score for r in regions] == sorted((r.score for r in regions), reverse=True)


@pytest.mark.parametrize("angle", [0, 30, 60, 90, 120, 150])
@pytest.mark.parametrize("opening", [30, 60, 90])
def test_two_that_cross_both_keep_what_they_share(
    finder: BoxFinder, separator: Separator, angle: float, opening: float
) -> None:
    ys, xs = np.mgrid[:160, :160] + 0.5 - 80

    def rod(degrees: float) -> BoolArray:
        way = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        return (np.abs(xs * way[0] + ys * way[1]) < 50) & (np.abs(ys * way[0] - xs * way[1]) < 8)

    masks = [rod(angle), rod(angle + opening)]
    shared = masks[0] & masks[1]
    places = [np.argwhere(mask)[:, ::-1] for mask in masks]
    boxes = np.array([np.concatenate([p.min(0) - 6, p.max(0) + 7]) for p in places])
    locator = Locator(finder, knowing(separator, masks, boxes * np.float32(SCALE)))
    regions = locator.regions_for_boxes(frame_of(np.full((160, 160), 200, np.uint8), NOMINAL_UM_PER_PX), boxes)
    assert [r.overlaps for r in regions] == [(1,), (0,)]
    for region, mask, degrees in zip(regions, masks, (angle, angle + opening), strict=True):
        found = full_mask(region.mask, region.box_px, mask.shape)
        assert (mask & found).sum() / (mask | found).sum() > 0.9
        assert (shared & found).sum() > 0.97 * shared.sum()
        across = (region.axis_px - 80) @ np.array([-np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))])
        assert np.abs(across).max() < 2


@pytest.mark.parametrize("shift", [(0.0, 0.0), (4.0, -6.0)])
def test_a_mask_lies_where_its_pixels_are(bundle: Bundle, separator: Separator, shift: tuple[float, float]) -> None:
    """To the pixel: a bar in a frame at 1.5 frame pixels a picture pixel, whatever lies between the networks' boxes
    and people's."""
    moving = replace(bundle, calibration={**bundle.calibration, "box_shift_x_px": shift[0], "box_shift_y_px": shift[1]})
    drawn = bar_mask((90, 90), slice(15, 63), slice(24, 36))
    box = np.array([[18, 0, 42, 78]])  # its middle is the bar's, its longer side 52 px in the picture: one to one
    seen = (box * SCALE - np.tile(shift, 2)).astype(np.float32)
    locator = Locator(BoxFinder(moving, 1), knowing(separator, [drawn], seen))
    (region,) = locator.regions_for_boxes(frame_of(np.full((90, 90), 200, np.uint8), NOMINAL_UM_PER_PX), box)
    assert region.box_px == (18, 0, 42, 78)
    found = full_mask(region.mask, region.box_px, (90, 90))
    np.testing.assert_array_equal(found, drawn)
    assert sorted(region.axis_px[[0, -1], 1].tolist()) == pytest.approx([15, 63], abs=1.5)
    assert np.abs(region.axis_px[:, 0] - 30).max() < 0.75


def test_a_chromosome_that_the_separator_does_not_see_is_a_region_without_pixels(
    finder: BoxFinder, separator: Separator
) -> None:
    box = np.array([[18, 0, 42, 78], [40, 10, 60, 70]])
    masks = [np.zeros((90, 90), np.bool_), bar_mask((90, 90), slice(15, 63), slice(45, 55))]
    locator = Locator(finder, knowing(separator, masks, box * np.float32(SCALE)))
    unseen, seen = locator.regions_for_boxes(frame_of(np.full((90, 90), 200, np.uint8), NOMINAL_UM_PER_PX), box)
    assert not unseen.mask.any()
    assert unseen.box_px == (18, 0, 42, 78)
    assert np.isfinite(unseen.axis_px).all()
    assert seen.mask.any()
    assert seen.overlaps == unseen.overlaps == ()


def test_looking_again_thoroughly_finds_what_the_turned_picture_shows(
    locator: Locator, separator: Separator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it is new; where the first looks found nothing at all, there is nothing."""
    frame, regions = frame_of(np.full((400, 400), 220, np.uint8)), (bar(0, 200, 40, 60),)
    crops, nothing = (make_crop(0),), np.zeros(1, np.float32)
    known, new = np.array(regions[0].box_px, np.float32), np.array([100, 300, 140, 380], np.float32)
    monkeypatch.setattr(BoxFinder, "find_turned", lambda *_: np.stack([known + 1, new]))
    asked = Locator(locator._boxes, with_network(separator, ListedAnswers([np.full((64, 64), 9, np.float32)])))
    assert asked.look_again(frame, regions, crops, nothing - 9, nothing, thorough=False) == regions
    assert asked.look_again(frame, (), (), nothing[:0], nothing[:0], thorough=True) == ()
    first, seen = asked.look_again(frame, regions, crops, nothing - 9, nothing, thorough=True)
    assert (first.box_px, seen.score) == (regions[0].box_px, LEFTOVER_SCORE)
    assert box_iou([seen.box_px], [new]).item() > 0.4  # a mask that fills the separator's input


def test_looking_again_parts_what_may_be_two_and_joins_what_may_be_one(locator: Locator, separator: Separator) -> None:
    """Two bars end to end give both; two halves give the box that the separator draws about them."""
    frame = frame_of(np.full((400, 400), 220, np.uint8))
    regions = (upright(), bar(1, 200, 40, 60), bar(2, 200, 106, 60))
    crops = (pair(), make_crop(1), make_crop(2))
    odds, believed = np.array([4, 1, 1], np.float32), np.array([0.5, 0, 0], np.float32)
    asked = with_network(separator, ListedAnswers([np.full((64, 64), 9, np.float32)]))
    seen = Locator(locator._boxes, asked).look_again(frame, regions, crops, odds, believed, thorough=False)
    assert [r.box_px for r in seen[:3]] == [r.box_px for r in regions]
    assert [(r.id, r.score) for r in seen[3:]] == [(k, LEFTOVER_SCORE) for k in (3, 4, 5)]
    joined, upper, lower = (r.box_px for r in seen[3:])
    assert joined[1] < 60
    assert joined[3] > 150
    assert (upper[1], lower[3]) == (50, 124)
    assert upper[3] - lower[1] == 6
    sure = np.full(3, 9, np.float32)
    assert len(Locator(locator._boxes, asked).look_again(frame, regions, crops, sure, believed, thorough=False)) == 3
