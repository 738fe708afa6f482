"""Training windows: the targets are what the decoder reads back, wherever the window lies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.files import read_frame
from edge.locate.decode import Maps, find_boxes
from edge.locate.grid import STRIDE_PX
from edge.records import Float32Array
from tests.trainer.data.forms import corrections_folder
from tests.trainer.drawn import frames_folder
from trainer.data import framecache
from trainer.data.framecache import SCALE, CachedFrame, box_margin, box_offset, load_cache, train_frames
from trainer.data.metaphase import read_frames
from trainer.data.pixels import MAX_CANDIDATES, NOBODY
from trainer.data.windows import (
    FREE,
    PIXEL_STRIDE_PX,
    VOTE_UNIT_PX,
    WINDOW_PX,
    Window,
    _targets,
    make_window,
    paste,
    place,
)
from trainer.errors import DatasetError

HALF = WINDOW_PX // PIXEL_STRIDE_PX
CERTAIN = 9.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return frames_folder(tmp_path_factory.mktemp("drawn") / "data", ("train", "train", "val"))


@pytest.fixture(scope="module")
def frames(folder: Path) -> list[CachedFrame]:
    return load_cache(read_frames(folder, "train"), folder / "run" / "frames.cache")


def read_back(window: Window) -> Float32Array:
    """The boxes (n, 4) that the decoder makes of the targets, said with certainty."""
    heat = np.where(window.heat >= 1, CERTAIN, window.heat - CERTAIN).astype(np.float32)
    return find_boxes(Maps(heat, window.box[..., :4]), 0.5, 0.95).boxes


def vote_ends(window: Window, ys: np.ndarray, xs: np.ndarray) -> np.ndarray:
    """Where the first votes of these pixels point to, (n, 2)."""
    return (np.stack([xs, ys], axis=1) + 0.5) * PIXEL_STRIDE_PX + window.votes[ys, xs, :2] * VOTE_UNIT_PX


def centres(boxes: Float32Array) -> Float32Array:
    return boxes.reshape(-1, 2, 2).mean(axis=1)


# --- the cache


def empty_correction(folder: Path) -> Path:
    """One frame, of train, in which a person found no chromosome."""
    file = corrections_folder(folder) / "corrections.jsonl"
    line = json.loads(file.read_text().splitlines()[0])
    file.write_text(json.dumps({**line, "case": "case1", "chromosomes": []}) + "\n")
    return folder


def test_nothing_is_learned_where_no_chromosome_is_marked(tmp_path: Path) -> None:
    folder = empty_correction(tmp_path / "set")
    with pytest.raises(
        DatasetError, match=r"none in the 1 frame\(s\) of split 'train'; mark some, or name another set"
    ):
        train_frames(folder, tmp_path)
    assert not list(tmp_path.glob("*.cache"))


def test_the_cache_has_frames_at_locator_scale(folder: Path, frames: Sequence[CachedFrame]) -> None:
    truths = read_frames(folder, "train")
    assert [f.name for f in frames] == [t.image for t in truths]
    for frame, truth in zip(frames, truths, strict=True):
        assert frame.pixels.shape == (280, 280)  # two thirds of 420
        assert frame.candidates.shape == (140, 140, MAX_CANDIDATES)
        np.testing.assert_allclose(frame.boxes, truth.boxes_px * SCALE, atol=1e-3)
        assert len(frame.cutouts) > 10
        assert 0.05 < frame.density < 1
        for cut in frame.cutouts:
            assert cut.ratio.shape == cut.mask.shape
            assert cut.ratio[[0, -1]].min() > 225  # it ends in clear ground
            assert cut.ratio[:, [0, -1]].min() > 225
            assert cut.ratio[cut.mask].mean() < 0.85 * 255


def test_a_stored_cache_is_used_if_it_is_of_these_frames_and_made_anew_if_not(folder: Path, tmp_path: Path) -> None:
    truths = read_frames(folder, "train")[:1]
    store = tmp_path / "frames.cache"
    made = load_cache(truths, store)
    whole = store.read_bytes()
    moved = [replace(truths[0], path=Path(shutil.copy(truths[0].path, tmp_path / "moved.png")))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framecache, "prepared", None)
        np.testing.assert_array_equal(load_cache(moved, store)[0].candidates, made[0].candidates)
    moved_away = whole.replace(b"trainer.data.framecache", b"trainer.data.framecachf")
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2], whole[:-1], moved_away):
        store.write_bytes(damaged)
        np.testing.assert_array_equal(load_cache(truths, store)[0].pixels, made[0].pixels)
        assert store.read_bytes() == whole
    other = read_frames(folder, "val")
    assert [f.name for f in load_cache(other, store)] == [other[0].image]


def test_a_stored_cache_is_made_anew_for_frames_of_the_same_names(folder: Path, tmp_path: Path) -> None:
    (truth,), (other,) = read_frames(folder, "train")[:1], read_frames(folder, "val")
    store = tmp_path / "frames.cache"
    load_cache([truth], store)
    (fewer,) = load_cache([replace(truth, boxes_px=truth.boxes_px[1:], labels=truth.labels[1:])], store)
    np.testing.assert_allclose(fewer.boxes, truth.boxes_px[1:] * SCALE, atol=1e-3)
    (elsewhere,) = load_cache([replace(truth, path=other.path)], store)
    np.testing.assert_array_equal(elsewhere.pixels, framecache.shrink(read_frame(other.path, 0).pixels))


# --- targets, exact


def drawn_targets(
    boxes: Sequence[Sequence[float]],
    candidates: np.ndarray | None = None,
    ignored: Sequence[Sequence[float]] = (),
) -> Window:
    owners = np.full((HALF, HALF, MAX_CANDIDATES), NOBODY, np.uint8) if candidates is None else candidates
    image = np.zeros((WINDOW_PX, WINDOW_PX, 1), np.float32)
    crossing = np.zeros((HALF, HALF), np.uint8)
    known, free = (np.array(some, np.float32).reshape(-1, 4) for some in (boxes, ignored))
    return _targets(image, owners, crossing, *np.ones((2, HALF, HALF), bool), known, free)


def test_the_decoder_reads_the_boxes_back() -> None:
    boxes = [(10, 20, 50, 90), (100.5, 33.25, 140, 47), (300, 200, 320, 330), (0, 0, 9, 9), (400, 400, 448, 448)]
    window = drawn_targets(boxes)
    found = read_back(window)
    assert sorted(map(tuple, np.round(found, 2).tolist())) == sorted(tuple(map(float, b)) for b in boxes)
    assert (window.heat == 1).sum() == len(boxes)
    for box in boxes:
        cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        i, j = int(cy // STRIDE_PX), int(cx // STRIDE_PX)
        shape = int(box[3] - box[1] > box[2] - box[0])
        assert window.heat[i, j, shape] == 1
        assert window.box[i, j, shape, 4] == 1
    assert window.heat.max() == 1
    assert window.heat.min() == 0


def test_of_two_centres_in_one_cell_each_has_its_map() -> None:
    boxes = [(92, 20, 108, 180), (20, 92, 180, 108)]
    window = drawn_targets(boxes)
    assert sorted(map(tuple, read_back(window).tolist())) == sorted(tuple(map(float, b)) for b in boxes)
    assert (window.heat[..., 0] == 1).sum() == (window.heat[..., 1] == 1).sum() == 1


def test_what_is_neither_wide_nor_tall_may_show_in_both_maps() -> None:
    for box, free in (((100, 100, 150, 153), True), ((100, 100, 150, 149), True), ((100, 100, 150, 170), False)):
        window = drawn_targets([box])
        own = int(box[3] - box[1] > box[2] - box[0])
        i, j = (box[1] + box[3]) // 2 // STRIDE_PX, (box[0] + box[2]) // 2 // STRIDE_PX
        assert window.heat[i, j, own] == 1
        assert window.heat[i, j, 1 - own] == pytest.approx(FREE if free else 0)
        if free:
            np.testing.assert_array_equal(window.box[i, j, 0], window.box[i, j, 1])


def test_where_something_is_ignored_nothing_is_asked_for() -> None:
    boxes, ignored = [(100, 100, 120, 180)], [(200, 200, 260, 220), (100, 100, 121, 180)]
    window, alone = drawn_targets(boxes, ignored=ignored), drawn_targets(boxes)
    assert window.heat[210 // STRIDE_PX, 230 // STRIDE_PX].tolist() == pytest.approx([FREE, FREE])
    assert (window.heat == 1).sum() == 1  # nor is it a peak, or takes one away
    np.testing.assert_array_equal(window.box, alone.box)


def test_what_is_ignored_is_neither_a_chromosome_nor_ground(frames: list[CachedFrame]) -> None:
    everywhere = np.array([[-1000, -1000, 9000, 9000]], np.float32)
    for seed in range(3):
        plain, ignoring = (
            make_window([replace(frames[0], ignored=boxes)], np.random.default_rng(seed), 0.0)
            for boxes in (frames[0].ignored, everywhere)
        )
        assert plain.dense[..., 3].all()
        assert not ignoring.dense[..., 2:].any()
        assert ignoring.heat.min() >= FREE
        np.testing.assert_array_equal(ignoring.box, plain.box)
        pasted = make_window([replace(frames[0], ignored=everywhere)], np.random.default_rng(seed), 1.0).dense
        assert 0 < (pasted[..., 3] > 0).mean() < 0.5  # what is pasted is known for sure
        assert (pasted[..., 0] >= pasted[..., 3]).all()


def test_only_the_place_of_what_is_ignored_is_left_open(frames: list[CachedFrame]) -> None:
    one = replace(frames[0], boxes=frames[0].boxes[1:], ignored=frames[0].boxes[:1])
    for seed in range(6):
        placed = place(one, np.random.default_rng(seed), 1.2)
        ys, xs = np.indices((HALF, HALF)) * PIXEL_STRIDE_PX + 1
        x0, y0, x1, y1 = placed.ignored[0]
        deep = (xs > x0 + 2) & (xs < x1 - 2) & (ys > y0 + 2) & (ys < y1 - 2)
        near = (xs > x0 - 2) & (xs < x1 + 2) & (ys > y0 - 2) & (ys < y1 + 2)
        assert (placed.open | ~deep).all()
        assert (near | ~placed.open).all()


def test_boxes_beyond_the_window_are_asked_for_only_if_their_centre_is_in_it() -> None:
    window = drawn_targets([(-30, 10, 20, 60), (-20, 100, 40, 130), (440, 440, 500, 500)])
    found = read_back(window)
    np.testing.assert_allclose(found, [(-20, 100, 40, 130)], atol=1e-3)


def test_two_centres_side_by_side_keep_a_peak_each() -> None:
    window = drawn_targets([(100, 100, 120, 180), (108, 100, 128, 180)])
    assert len(read_back(window)) == 2


def test_votes_point_to_the_candidates_centres() -> None:
    owners = np.full((HALF, HALF, MAX_CANDIDATES), NOBODY, np.uint8)
    owners[20:40, 30:36] = 0
    owners[20:40, 30:36, 2] = 1
    window = drawn_targets([(50, 30, 80, 90), (10, 40, 90, 60)], owners)
    y, x = 25, 33
    here = (np.array([x, y]) + 0.5) * PIXEL_STRIDE_PX
    np.testing.assert_allclose(window.votes[y, x, :2] * VOTE_UNIT_PX + here, (65, 60), atol=1e-3)
    np.testing.assert_allclose(window.votes[y, x, 4:] * VOTE_UNIT_PX + here, (50, 50), atol=1e-3)
    assert (window.dense[..., 0] == (owners[..., 0] == 0)).all()


def test_a_window_without_a_box() -> None:
    window = drawn_targets([])
    assert window.heat.max() == 0
    assert window.box[..., 4].max() == 0


# --- whole windows


@pytest.mark.parametrize("paste", [0.0, 1.0])
def test_windows_of_drawn_frames(frames: list[CachedFrame], paste: float) -> None:
    for seed in range(4):
        window = make_window(frames, np.random.default_rng(seed), paste)
        assert window.image.shape == (WINDOW_PX, WINDOW_PX, 1)
        assert window.heat.shape == (WINDOW_PX // STRIDE_PX, WINDOW_PX // STRIDE_PX, 2)
        assert window.box.shape == (WINDOW_PX // STRIDE_PX, WINDOW_PX // STRIDE_PX, 2, 5)
        assert window.dense.shape == (HALF, HALF, 4)
        assert window.votes.shape == (HALF, HALF, 2 * MAX_CANDIDATES)
        assert all(getattr(window, n).dtype == np.float32 for n in ("image", "heat", "box", "dense", "votes"))
        assert 0 <= window.image.min() <= window.image.max() <= 1
        found = read_back(window)
        assert len(found) >= 10
        # Turned, zoomed and stained, the pixels that are asked for are still the dark ones.
        grey = window.image[..., 0].reshape(HALF, 2, HALF, 2).mean((1, 3))
        solid = window.dense[..., 0] > 0
        assert np.median(grey[solid]) < np.median(grey[~solid]) - 0.05
        dark = grey < (np.median(grey[solid]) + np.median(grey[~solid])) / 2
        assert (dark & solid).sum() / solid.sum() > 0.75
        # Each vote ends in some box's centre, and that box holds the pixel.
        ys, xs = np.nonzero(solid)
        ends = vote_ends(window, ys, xs)
        inside = (ends >= 0).all(1) & (ends < WINDOW_PX).all(1)
        gaps = np.linalg.norm(ends[inside, None] - centres(found)[None], axis=2)
        assert (gaps.min(1) < 0.1).mean() > 0.97
        here = (np.stack([xs, ys], axis=1)[inside] + 0.5) * PIXEL_STRIDE_PX
        owner = found[gaps.argmin(1)]
        held = ((here >= owner[:, :2] - 2) & (here <= owner[:, 2:] + 2)).all(1)
        assert held[gaps.min(1) < 0.1].mean() > 0.97


def test_boxes_sit_centred_on_their_chromosomes_under_every_turn(frames: list[CachedFrame]) -> None:
    """People draw them further up and left; turned at random that would be noise."""
    offsets = []
    for seed in range(12):
        window = make_window(frames, np.random.default_rng(seed), 0.0)
        found = read_back(window)
        ys, xs = np.nonzero(window.dense[..., 0] > 0)
        gaps = np.linalg.norm(vote_ends(window, ys, xs)[:, None] - centres(found)[None], axis=2)
        owner = np.where(gaps.min(1) < 0.1, gaps.argmin(1), -1)
        turned = []
        for k, box in enumerate(found):
            own_xs, own_ys = xs[owner == k], ys[owner == k]
            if len(own_ys) and box.min() > 5 and box.max() < WINDOW_PX - 5:
                middle = (
                    np.array([own_xs.min() + own_xs.max() + 1, own_ys.min() + own_ys.max() + 1]) * PIXEL_STRIDE_PX / 2
                )
                turned.append(middle - box.reshape(2, 2).mean(0))
        offsets.append(np.median(turned, axis=0))
    assert np.median(np.abs(offsets), axis=0).max() < 0.4  # as drawn by people it would be 0.7 and more


def test_the_same_seed_gives_the_same_window_and_another_another(frames: list[CachedFrame]) -> None:
    one, same, other = (make_window(frames, np.random.default_rng(seed)) for seed in ((5, 1), (5, 1), (5, 2)))
    for name in ("image", "heat", "box", "dense", "votes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert not np.array_equal(one.image, other.image)


def test_making_windows_leaves_the_frames_alone(frames: list[CachedFrame]) -> None:
    before = [(f.pixels.copy(), f.candidates.copy(), f.boxes.copy()) for f in frames]
    for seed in range(3):
        make_window(frames, np.random.default_rng(seed), 1.0)
    for frame, (pixels, candidates, boxes) in zip(frames, before, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels)
        np.testing.assert_array_equal(frame.candidates, candidates)
        np.testing.assert_array_equal(frame.boxes, boxes)


def test_pasting_adds_chromosomes_and_known_crossings(frames: list[CachedFrame]) -> None:
    added, crossings = 0, 0
    for seed in range(8):
        plain = make_window(frames, np.random.default_rng(seed), 0.0)
        pasted = make_window(frames, np.random.default_rng(seed), 1.0)
        added += int((pasted.heat == 1).sum() - (plain.heat == 1).sum())
        chromosome, crossing, known = (pasted.dense[..., k] > 0 for k in range(3))
        assert not (crossing & ~chromosome).any()
        assert not (crossing & ~known).any()
        crossings += int(crossing.sum())
        assert (plain.dense[..., 1] == 0).all()
        assert (chromosome | (plain.dense[..., 0] == 0)).all()  # nothing that was there is gone
    assert added > 15
    assert crossings > 100


def test_what_is_pasted_is_where_it_says_it_is(frames: list[CachedFrame]) -> None:
    """The picture darkens on the mask, stays as it was beyond its blurred rim, and the box frames the mask."""
    rng = np.random.default_rng(3)
    count = 0
    for cut in frames[0].cutouts[:12]:
        image = np.full((WINDOW_PX, WINDOW_PX), 200, np.float32)
        pasted = paste(image, cut, np.array([200.0, 240.0]), frames[0].density, rng)
        assert pasted is not None
        x, y = pasted.corner
        mask = np.zeros((WINDOW_PX, WINDOW_PX), bool)
        mask[y : y + len(pasted.mask), x : x + len(pasted.mask)] = pasted.mask > 0
        near = cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
        assert image[mask].mean() < 0.85 * 200
        assert image[~near].min() > 0.97 * 200
        assert (image[mask] < 0.95 * 200).mean() > 0.9
        ys, xs = np.nonzero(mask)
        bounds = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
        np.testing.assert_allclose(pasted.box - bounds, np.concatenate([-box_margin(), box_margin()]), atol=1e-3)
        np.testing.assert_allclose(centres(pasted.box)[0], (200, 240), atol=12)  # of a bent one, the middle lies aside
        count += 1
    assert count > 5


def test_what_does_not_fit_whole_is_not_pasted(frames: list[CachedFrame]) -> None:
    rng = np.random.default_rng(0)
    for target in ((2, 200), (200, WINDOW_PX - 2), (-50, -50), (WINDOW_PX + 90, 100)):
        image = np.full((WINDOW_PX, WINDOW_PX), 200, np.float32)
        assert paste(image, frames[0].cutouts[0], np.array(target, float), 0.25, rng) is None
        assert (image == 200).all()


def test_boxes_are_placed_with_their_picture(frames: list[CachedFrame]) -> None:
    """Without a zoom, a window is the frame turned: the boxes frame the same pixels."""
    for seed in range(6):
        placed = place(frames[0], np.random.default_rng(seed), 1.0)
        image, boxes = placed.image, placed.boxes
        looked = 0
        for box, stated in zip(boxes, frames[0].boxes + np.tile(box_offset(), 2), strict=True):
            np.testing.assert_allclose(sorted(box[2:] - box[:2]), sorted(stated[2:] - stated[:2]), atol=1e-3)
            if box.min() > 1 and box.max() < WINDOW_PX - 1 and stated.min() > 1 and stated.max() < 278:
                there, here = (
                    a[int(b[1]) : int(b[3]), int(b[0]) : int(b[2])]
                    for a, b in ((frames[0].pixels, stated), (image, box))
                )
                assert here.mean() == pytest.approx(there.mean(), abs=8)
                looked += 1
        assert looked > 5


def test_frames_without_cut_outs_paste_nothing(frames: list[CachedFrame]) -> None:
    bare = [replace(f, cutouts=()) for f in frames]
    window = make_window(bare, np.random.default_rng(0), 1.0)
    assert (window.dense[..., 1] == 0).all()


def test_a_frame_without_boxes_is_a_window_of_ground_to_paste_on(frames: list[CachedFrame]) -> None:
    nobody = np.full_like(frames[0].candidates, NOBODY)
    empty = replace(frames[0], boxes=np.zeros((0, 4), np.float32), candidates=nobody, cutouts=())
    window = make_window([empty], np.random.default_rng(0), 1.0)
    assert window.heat.max() == 0
    assert window.dense[..., 0].max() == 0
    pasted = make_window([replace(empty, cutouts=frames[0].cutouts)], np.random.default_rng(0), 1.0)
    assert pasted.heat.max() == 1


def test_a_frame_that_is_known_to_be_empty_can_be_cached(tmp_path: Path) -> None:
    (frame,) = load_cache(read_frames(empty_correction(tmp_path / "data"), "train"), tmp_path / "cache")
    assert frame.boxes.shape == (0, 4)
    assert frame.cutouts == ()
    assert (frame.candidates == NOBODY).all()
