"""How large chromosomes are, told by drawn cells, and what a frame of another magnification becomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.locate.decode import Found
from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.locate.leftover import darkness_of
from edge.locate.locator import CLEARLY_OFF, FURTHEST_OFF, Locator, at_scale, load_locator, resized
from edge.locate.scale import relative_size, shrunk, size_at_a_glance
from edge.records import NOMINAL_UM_PER_PX, Frame, UInt8Array

TINY = Path(__file__).parents[1] / "tiny"
SCALE = 2 / 3


def size_of(pixels: UInt8Array) -> float:
    size = relative_size(darkness_of(pixels))
    assert size is not None
    return size


@pytest.mark.parametrize(("size", "times"), [((8, 12), 4), ((11, 14), 4), ((7, 5), 2), ((1, 9), 2)])
def test_shrinking_takes_means_of_whole_squares(size: tuple[int, int], times: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    small = shrunk(picture, times)
    assert small.shape == tuple(max(1, side // times) for side in size)
    if min(size) >= times:
        height, width = small.shape
        squares = picture[: height * times, : width * times].reshape(height, times, width, times)
        np.testing.assert_allclose(small, squares.mean((1, 3)), atol=0.51)


@pytest.mark.parametrize("seed", range(4))
def test_a_cell_enlarged_reads_as_much_larger(seed: int) -> None:
    drawn = draw_metaphase(seed, crowding=0.2).pixels
    usual = size_of(resized(drawn, SCALE))
    assert 0.6 < usual < 1.5
    for zoom in (0.5, 0.7, 1.4, 2.0):
        assert size_of(resized(drawn, SCALE * zoom)) == pytest.approx(zoom * usual, rel=0.2)


@pytest.mark.parametrize("seed", range(4))
def test_a_glance_tells_the_usual_from_the_enlarged(seed: int) -> None:
    drawn = draw_metaphase(seed, crowding=0.2).pixels
    for zoom in (1.0, 1.4, 2.0):
        darkness = darkness_of(resized(drawn, SCALE * zoom))
        assert size_at_a_glance(darkness) == pytest.approx(relative_size(darkness), rel=0.15)
    shrunk = size_at_a_glance(darkness_of(resized(drawn, SCALE * 0.5)))
    assert shrunk is not None
    assert shrunk < 0.75


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (200, 2)])
def test_a_sliver_has_no_size_and_no_traceback(shape: tuple[int, int]) -> None:
    assert size_at_a_glance(np.zeros(shape, np.uint8)) is None


def test_nuclei_and_specks_do_not_count() -> None:
    drawn = resized(draw_metaphase(1, crowding=0.2).pixels, SCALE)
    usual = size_of(drawn)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: drawn.shape[0], : drawn.shape[1]]
    dirty = drawn.copy()
    for cx, cy in ((20, 30), (440, 60)):
        dirty[(x - cx) ** 2 + (y - cy) ** 2 < 45**2] = 70
    for cx, cy in rng.integers(0, drawn.shape, (150, 2)):
        dirty[cy : cy + 2, cx : cx + 2] = 90
    assert size_of(dirty) == pytest.approx(usual, rel=0.15)


def test_where_little_stands_alone_the_width_of_all_stain_tells() -> None:
    picture = np.full((300, 300), 230, np.uint8)
    picture[60:72, 20:280] = picture[140:152, 20:280] = 90  # two bars, 12 px wide
    assert 0.8 < size_of(picture) < 1.4


@pytest.mark.parametrize("level", [0, 128, 255])
def test_without_stain_there_is_no_size(level: int) -> None:
    assert relative_size(darkness_of(np.full((200, 200), level, np.uint8))) is None


class Believing(Locator):
    """A locator that believes in one scale, and counts how often it is asked."""

    def believe(self, um_per_px: float) -> Believing:
        self.believed, self.asked = um_per_px, 0
        return self

    def _looks_better(self, other: Frame, frame: Frame) -> bool:
        self.asked += 1
        return bool(other.um_per_px == pytest.approx(self.believed, rel=0.25))


@pytest.fixture(scope="module")
def believing() -> Believing:
    tiny = load_locator(TINY, threads=1)
    return Believing(tiny._boxes, tiny._separator)


def taken_at(zoom: float, um_per_px: float = NOMINAL_UM_PER_PX) -> Frame:
    drawn = draw_metaphase(2, crowding=0.2).pixels
    usual = size_of(resized(drawn, SCALE))
    return Frame(resized(drawn, zoom / usual), 0, 0.0, "drawn.png", um_per_px)


def test_a_usual_frame_comes_back_itself_and_costs_no_look(believing: Believing) -> None:
    frame = taken_at(1)
    assert believing.believe(NOMINAL_UM_PER_PX).prepared(frame) is frame
    assert believing.asked == 0


@pytest.mark.parametrize("zoom", [0.5, 0.7, 1.5, 2.0])
def test_a_frame_of_another_magnification_gets_its_own_scale(believing: Believing, zoom: float) -> None:
    frame = taken_at(zoom)
    prepared = believing.believe(NOMINAL_UM_PER_PX / zoom).prepared(frame)
    assert prepared.um_per_px == pytest.approx(NOMINAL_UM_PER_PX / zoom, rel=0.2)
    assert prepared.pixels is frame.pixels
    assert at_scale(prepared)[0].shape[0] == pytest.approx(at_scale(taken_at(1))[0].shape[0], rel=0.2)
    limit = FURTHEST_OFF * 1.001
    assert NOMINAL_UM_PER_PX / limit <= prepared.um_per_px <= NOMINAL_UM_PER_PX * limit


def test_what_the_boxes_do_not_confirm_is_not_changed(believing: Believing) -> None:
    frame = taken_at(2)
    assert believing.believe(NOMINAL_UM_PER_PX).prepared(frame) is frame
    assert believing.asked == 1


@pytest.mark.parametrize(("shape", "span"), [((100, 400), (100, 256)), ((400, 400), (256, 256)), ((40, 50), (40, 50))])
def test_the_middle_tile_lies_about_the_stain_within_the_picture(
    believing: Believing, shape: tuple[int, int], span: tuple[int, int]
) -> None:
    darkness = np.zeros((shape[0] * 2, shape[1] * 2), np.uint8)  # another size than the picture's
    darkness[shape[0] - 10 : shape[0] + 10, -60:] = 90
    rows, cols = believing._boxes.middle_tile(shape, 0.5, darkness)  # the tile's 128 px are 256 of the picture's
    assert (rows.stop - rows.start, cols.stop - cols.start) == span
    assert cols.stop == shape[1]  # as far right as it can lie
    assert rows.start == pytest.approx((shape[0] - span[0]) // 2, abs=1)


@pytest.mark.parametrize("zoom", [0.5, 2.0])
def test_a_rival_scale_is_believed_by_the_boxes_of_one_tile_read_once(
    believing: Believing, monkeypatch: pytest.MonkeyPatch, zoom: float
) -> None:
    frame = taken_at(zoom)
    other = replace(frame, um_per_px=NOMINAL_UM_PER_PX / zoom)
    scale = other.um_per_px / LOCATOR_UM_PER_PX
    rows, cols = believing._boxes.middle_tile(frame.pixels.shape, scale, darkness_of(at_scale(frame)[0]))
    x, y = (side.start + np.array([1.0, 60.0, -1.0]) for side in (cols, rows))  # the last lies outside of the tile
    centres = np.stack([x, y], axis=1) * SCALE
    found = np.concatenate([centres - 5, centres + 5], axis=1).astype(np.float32)
    monkeypatch.setattr(believing, "_found", lambda _: Found(found, np.array([0.7, 0.99, 0.99], np.float32)))
    asked = []
    for sure, better in ((0.95, True), (0.6, False)):

        def find(picture: UInt8Array, both_ways: bool, sure: float = sure) -> Found:
            asked.append((picture.shape, both_ways))
            return Found(found[:3], np.array([sure, sure, sure], np.float32))

        monkeypatch.setattr(believing._boxes, "find", find)
        assert Locator._looks_better(believing, other, frame) is better
    assert all(max(shape) <= 128 and not twice for shape, twice in asked)


@pytest.mark.parametrize(("score", "asked"), [(0.8, 0), (0.7, 1)])
def test_boxes_that_convince_leave_no_doubt_about_the_scale(
    believing: Believing, monkeypatch: pytest.MonkeyPatch, score: float, asked: int
) -> None:
    frame = taken_at(2)
    found = Found(np.zeros((9, 4), np.float32), np.full(9, score, np.float32))
    monkeypatch.setattr(believing, "_found", lambda _: found)
    believed = believing.believe(NOMINAL_UM_PER_PX / 2).prepared(frame)
    assert believing.asked == asked
    assert (believed is frame) is (asked == 0)


def test_a_stated_scale_is_trusted(believing: Believing) -> None:
    frame = taken_at(2, um_per_px=0.07)
    assert believing.believe(NOMINAL_UM_PER_PX / 2).prepared(frame) is frame
    assert believing.asked == 0


def test_noise_is_not_taken_for_a_magnification(believing: Believing) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (400, 400)).astype(np.uint8)
    frame = Frame(pixels, 0, 0.0, "noise.png")
    assert believing.believe(NOMINAL_UM_PER_PX * CLEARLY_OFF).prepared(frame).um_per_px == frame.um_per_px
    assert believing.asked == 0
