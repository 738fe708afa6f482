"""Drawn metaphases and the scope that shows them: the truth has to be true."""

from __future__ import annotations

import gc
import itertools
import threading
import time
import weakref
from collections import Counter

import numpy as np
import pytest

from edge.camera.metaphase import SimulatedMetaphase, chromosomes_of, draw_metaphase
from edge.camera.simulated import SimulatedCamera
from edge.errors import ConfigError


@pytest.fixture(scope="module")
def cell() -> SimulatedMetaphase:
    return draw_metaphase(11, "47,XY,+21")


@pytest.mark.parametrize(
    ("karyotype", "counts"),
    [
        ("46,XX", {"1": 2, "21": 2, "X": 2, "Y": 0}),
        ("46, XY", {"X": 1, "Y": 1}),
        ("47,XX,+21", {"21": 3, "X": 2}),
        ("45,X", {"X": 1, "Y": 0}),
        ("47,XXY", {"X": 2, "Y": 1}),
        ("46,XX,+8,-22", {"8": 3, "22": 1}),
    ],
)
def test_karyotype_is_read(karyotype: str, counts: dict[str, int]) -> None:
    found = Counter(chromosomes_of(karyotype))
    assert {label: found[label] for label in counts} == counts
    assert found.total() == int(karyotype[:2])


@pytest.mark.parametrize(
    "karyotype", ["", "46", "47,XX", "46,XX,+21", "46,ZZ", "46,XX,t(9;22)", "46,XX,+23", "44,XX,-X"]
)
def test_karyotype_that_is_none(karyotype: str) -> None:
    with pytest.raises(ConfigError, match="right total"):
        chromosomes_of(karyotype)


def test_truth_has_the_karyotype(cell: SimulatedMetaphase) -> None:
    assert tuple(c.label for c in cell.truth) == chromosomes_of("47,XY,+21")
    assert [c.id for c in cell.truth] == list(range(47))


def test_boxes_are_tight_and_inside(cell: SimulatedMetaphase) -> None:
    height, width = cell.pixels.shape
    for c in cell.truth:
        x0, y0, x1, y1 = c.box_px
        assert 0 < x0 < x1 < width
        assert 0 < y0 < y1 < height
        assert c.mask.shape == (y1 - y0, x1 - x0)
        assert all(side.any() for side in (c.mask[0], c.mask[-1], c.mask[:, 0], c.mask[:, -1]))


def test_axis_lies_in_its_own_mask(cell: SimulatedMetaphase) -> None:
    for c in cell.truth:
        x, y = np.rint(c.axis_px - np.array(c.box_px[:2], np.float32)).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < c.mask.shape[1]) & (y < c.mask.shape[0])
        assert inside.mean() > 0.95
        assert c.mask[y[inside], x[inside]].mean() > 0.95


def test_masks_are_the_dark_pixels(cell: SimulatedMetaphase) -> None:
    covered = np.zeros(cell.pixels.shape, bool)
    for c in cell.truth:
        x0, y0, x1, y1 = c.box_px
        covered[y0:y1, x0:x1] |= c.mask
    ground = float(np.median(cell.grey))
    assert np.median(cell.grey[covered]) < 0.8 * ground
    assert (cell.grey[covered] < 0.93 * ground).mean() > 0.9


def test_overlaps_are_mutual_and_exact() -> None:
    truth = draw_metaphase(3, crowding=1.0).truth
    pairs = 0
    for a, b in itertools.combinations(truth, 2):
        canvas = np.zeros((700, 700), np.uint8)
        for c in (a, b):
            x0, y0, x1, y1 = c.box_px
            canvas[y0:y1, x0:x1] += c.mask
        crossed = int((canvas == 2).sum()) >= 12
        assert (b.id in a.overlaps) == (a.id in b.overlaps) == crossed
        pairs += crossed
    assert pairs > 0


def test_crossings_add_optical_density() -> None:
    darker = total = 0
    for seed in range(4):
        cell = draw_metaphase(seed, crowding=1.0)
        layers = np.zeros(cell.pixels.shape, np.uint8)
        for c in cell.truth:
            x0, y0, x1, y1 = c.box_px
            layers[y0:y1, x0:x1] += c.mask
        if (layers >= 2).sum() > 100:
            total += 1
            darker += cell.grey[layers >= 2].mean() < 0.85 * cell.grey[layers == 1].mean()
    assert darker == total > 0


def test_crowding_is_obeyed() -> None:
    def crossed(crowding: float) -> int:
        return sum(len(c.overlaps) for seed in range(3) for c in draw_metaphase(seed, crowding=crowding).truth)

    assert crossed(0.0) < 0.3 * crossed(1.0)


def test_relative_sizes(cell: SimulatedMetaphase) -> None:
    area = {c.label: int(c.mask.sum()) for c in cell.truth}
    assert area["1"] > area["7"] > area["13"] > area["17"] > area["21"]


def test_cells_differ_and_seeds_repeat() -> None:
    one, same, other = (draw_metaphase(seed).pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("size", [(300, 420), (512, 512), (900, 1200)])
def test_other_frame_sizes(size: tuple[int, int]) -> None:
    cell = draw_metaphase(0, size_px=size)
    assert cell.pixels.shape == size
    assert len(cell.truth) == 46


def test_scale_is_true() -> None:
    nominal = draw_metaphase(4).truth
    finer = draw_metaphase(4, size_px=(1400, 1400), um_per_px=0.0325).truth

    def length(axis: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(axis, axis=0), axis=1).sum())

    assert length(finer[0].axis_px) == pytest.approx(2 * length(nominal[0].axis_px), rel=0.2)
    assert SimulatedCamera(um_per_px=0.13).frame(0).pixels.shape == (350, 350)


def test_frame_with_no_room() -> None:
    with pytest.raises(ConfigError, match="at least 300 x 300"):
        draw_metaphase(0, size_px=(200, 700))


@pytest.fixture
def scope() -> SimulatedCamera:
    return SimulatedCamera(seed=5, fps=0, hold_s=0.6, move_s=0.3, karyotypes=["46,XX", "45,X"])


def test_stage_holds_and_moves(scope: SimulatedCamera) -> None:
    assert [len(scope.truth_of(i)) for i in range(18)] == [46] * 6 + [0] * 3 + [45] * 6 + [0] * 3


def test_held_frames_are_alike_and_moving_ones_are_not(scope: SimulatedCamera) -> None:
    frames = [f.pixels.astype(int) for f in itertools.islice(scope.frames(), 8)]

    def change(a: int, b: int) -> float:
        return float(np.abs(frames[a] - frames[b]).mean())

    assert 0 < change(3, 4) < 4
    assert change(6, 7) > 2 * change(3, 4)


def test_frames_do_not_depend_on_what_was_read_before(scope: SimulatedCamera) -> None:
    streamed = [f.pixels for f in itertools.islice(scope.frames(), 11)]
    again = SimulatedCamera(seed=5, fps=0, hold_s=0.6, move_s=0.3, karyotypes=["46,XX", "45,X"])
    np.testing.assert_array_equal(streamed[10], again.frame(10).pixels)
    np.testing.assert_array_equal(streamed[7], again.frame(7).pixels)


def test_close_ends_the_stream(scope: SimulatedCamera) -> None:
    seen = []
    for frame in scope.frames():
        seen.append(frame.index)
        if len(seen) == 3:
            scope.close()
    assert seen == [0, 1, 2]
    scope.close()


def test_pace() -> None:
    scope = SimulatedCamera(seed=1, fps=25, karyotypes=["45,X"])
    scope.frame(0)  # the cell is drawn before time is taken
    started = time.monotonic()
    list(itertools.islice(scope.frames(), 6))
    assert 0.19 < time.monotonic() - started < 3.0


def test_the_next_cell_is_drawn_before_the_stage_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing one takes as long as several frames; the stream must not wait for it."""
    drawn = draw_metaphase(1, size_px=(300, 300))
    drawings = 0

    def slow(*_: object, **__: object) -> SimulatedMetaphase:
        nonlocal drawings
        drawings += 1
        time.sleep(0.2)
        return drawn

    monkeypatch.setattr("edge.camera.simulated.draw_metaphase", slow)
    scope = SimulatedCamera(fps=50, hold_s=0.6, move_s=0.1)
    scope.frame(0)
    taken_s = [frame.captured_s for frame in itertools.islice(scope.frames(), 60)]
    assert drawings == 3
    assert max(np.diff(taken_s)) < 0.2


def test_impossible_scope() -> None:
    with pytest.raises(ConfigError, match="right total"):
        SimulatedCamera(karyotypes=["46,XXY"])
    with pytest.raises(ConfigError, match="um_per_px"):
        SimulatedCamera(um_per_px=1.0)
    with pytest.raises(ConfigError, match="fps"):
        SimulatedCamera(fps=-1)


def test_a_closed_scope_is_gone_with_its_cells_at_once() -> None:
    camera = SimulatedCamera(fps=0)
    next(iter(camera.frames()))
    camera.close()
    there = weakref.ref(camera)
    gc.disable()
    try:
        del camera
        assert there() is None
    finally:
        gc.enable()


def test_a_closed_scope_keeps_no_thread_and_still_tells_the_truth() -> None:
    before = set(threading.enumerate())
    camera = SimulatedCamera(seed=3, fps=0, size_px=(300, 300))
    first = camera.frame(0)
    (pen,) = set(threading.enumerate()) - before
    camera.close()
    pen.join(5)
    assert not pen.is_alive()
    np.testing.assert_array_equal(camera.frame(0).pixels, first.pixels)
    assert camera.frame(10_000).index == 10_000
