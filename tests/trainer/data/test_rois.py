"""The separator's training samples: masks are exact, boxes stray as a locator's do, everything is seeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.locate.separate import BOX_PX, ROI_PX
from edge.records import Float32Array, UInt8Array
from tests.trainer.drawn import frames_folder
from trainer.data import rois as rois_module
from trainer.data.framecache import CachedFrame, CutOut, load_cache
from trainer.data.metaphase import read_frames
from trainer.data.pixels import NOBODY
from trainer.data.rois import OPEN, PROPOSED_SHARE, Rois, draw_rois
from trainer.errors import DatasetError


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[CachedFrame]:
    folder = frames_folder(tmp_path_factory.mktemp("drawn") / "data", ("train", "train"))
    return load_cache(read_frames(folder, "train"), folder / "frames.cache")


def bare_frame(cutouts: Sequence[CutOut]) -> CachedFrame:
    """Nothing but light, to paste on."""
    ground = np.full((300, 300), 220, np.uint8)
    nobody = np.full((150, 150, 3), NOBODY, np.uint8)
    return CachedFrame("bare.png", ground, nobody, np.zeros((0, 4), np.float32), tuple(cutouts), 0.3)


def bar_cutout(length: int = 60, width: int = 13) -> CutOut:
    mask = np.zeros((length + 8, width + 8), np.bool_)
    mask[4:-4, 4:-4] = True
    return CutOut(np.where(mask, 110, 255).astype(np.uint8), mask, float(-np.log10(110 / 255)))


@pytest.fixture
def plain_light(monkeypatch: pytest.MonkeyPatch) -> None:
    """No staining, and boxes just as they are: what is left is geometry."""
    monkeypatch.setattr(rois_module, "stain", lambda image, rng: (image / 255).astype(np.float32)[..., None])
    monkeypatch.setattr(rois_module, "proposal", lambda boxes, index, rng: boxes[index])


def pasted(frames: Sequence[CachedFrame], seed: int, count: int) -> tuple[UInt8Array, UInt8Array]:
    rois = draw_rois(frames, np.random.default_rng(seed), count, real_share=0.0)
    return rois.inputs, rois.masks


def test_samples_are_pictures_boxes_and_masks(frames: list[CachedFrame]) -> None:
    rois, masks = pasted(frames, 1, 40)
    assert rois.shape == (40, ROI_PX, ROI_PX, 2)
    assert masks.shape == (40, ROI_PX, ROI_PX)
    assert rois.dtype == masks.dtype == np.uint8
    assert set(np.unique(masks)) == {0, 1}
    assert set(np.unique(rois[..., 1])) == {0, 255}
    assert (masks.sum((1, 2)) > 20).all()
    inside = (masks > 0) & (rois[..., 1] > 0)
    assert inside.sum() / masks.sum() > 0.93  # the box frames its chromosome
    darker = [
        roi[..., 0][mask > 0].mean() < roi[..., 0][mask == 0].mean() for roi, mask in zip(rois, masks, strict=True)
    ]
    assert np.mean(darker) > 0.9
    assert len({roi.tobytes() for roi in rois}) == 40


@pytest.mark.usefixtures("plain_light")
def test_a_lone_chromosomes_mask_is_where_the_picture_darkened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rois_module, "NEAR_SHARE", 0.0)
    rois, masks = pasted([bare_frame([bar_cutout()])], 2, 60)
    ious, alone = [], 0
    for roi, mask in zip(rois, masks, strict=True):
        dark = (roi[..., 0] < (220 + 220 * 110 / 255) / 2).astype(np.uint8)
        if cv2.connectedComponents(dark)[0] == 2 and dark.sum() < 1.2 * mask.sum():  # no other is in the picture
            ious.append((dark & mask).sum() / (dark | mask).sum())
            alone += 1
    assert alone >= 10
    assert np.median(ious) > 0.93
    assert min(ious) > 0.85


@pytest.mark.usefixtures("plain_light")
def test_what_crosses_another_keeps_its_whole_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one heap: each mask is still a whole bar, and where two lie it is darker still."""
    monkeypatch.setattr(rois_module, "NEAR_SHARE", 1.0)
    monkeypatch.setattr(rois_module, "NEAR_PX", 6.0)
    rois, masks = pasted([bare_frame([bar_cutout()])], 3, 60)
    darkest = []
    for roi, mask in zip(rois, masks, strict=True):
        assert cv2.connectedComponents(mask)[0] == 2  # one piece
        (_, (long, short), _) = cv2.minAreaRect(np.argwhere(mask).astype(np.float32))
        assert mask.sum() > 0.9 * long * short  # a full bar, nothing taken from it
        assert max(long, short) / max(min(long, short), 1) == pytest.approx(60 / 13, rel=0.25)
        darkest.append(roi[..., 0][mask > 0].min())
    assert np.median(darkest) < 220 * (110 / 255) ** 1.5


@pytest.mark.usefixtures("plain_light")
def test_the_box_has_the_usual_margin_and_its_place_in_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    rois, masks = pasted([bare_frame([bar_cutout()])], 4, 30)
    for roi, mask in zip(rois, masks, strict=True):
        framed, own = (cv2.boundingRect(v) for v in (roi[..., 1], mask))
        assert max(framed[2:]) == pytest.approx(BOX_PX, abs=1)
        for axis in (0, 1):
            middles = [r[axis] + r[axis + 2] / 2 for r in (framed, own)]
            assert middles[0] == pytest.approx(ROI_PX / 2, abs=1)
            assert middles[1] == pytest.approx(ROI_PX / 2, abs=1.5)
        gaps = [framed[axis] - own[axis] for axis in (2, 3)]  # twice 4 px, at zooms from a half to one and a bit
        assert all(3 <= gap <= 10 for gap in gaps)
        assert gaps[0] == pytest.approx(gaps[1], abs=2.5)


def test_the_same_seed_gives_the_same_samples_and_another_others(frames: list[CachedFrame]) -> None:
    def drawn(*seed: int) -> Rois:
        return draw_rois(frames, np.random.default_rng(seed), 12)

    first, again = drawn(5, 1), drawn(5, 1)
    for name in ("inputs", "masks", "sides", "shares"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.inputs, drawn(5, 2).inputs)


def test_drawing_leaves_the_frames_alone(frames: list[CachedFrame]) -> None:
    before = [(f.pixels.copy(), f.boxes.copy(), f.cutouts[0].mask.copy()) for f in frames]
    draw_rois(frames, np.random.default_rng(0), 30)
    for frame, (pixels, boxes, mask) in zip(frames, before, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels)
        np.testing.assert_array_equal(frame.boxes, boxes)
        np.testing.assert_array_equal(frame.cutouts[0].mask, mask)


def test_frames_without_cut_outs_borrow_from_the_others(frames: list[CachedFrame]) -> None:
    bare = replace(frames[0], cutouts=())
    assert len(draw_rois([bare, frames[1]], np.random.default_rng(0), 10, real_share=0.0)) == 10


@pytest.mark.usefixtures("plain_light")
def test_real_ones_have_the_box_that_people_drew_and_a_mask_as_far_as_it_is_known(frames: list[CachedFrame]) -> None:
    rois = draw_rois(frames, np.random.default_rng(6), 60, real_share=1.0)
    np.testing.assert_allclose(rois.shares, 1)  # given as they are
    longer = (rois.sides[:, 2:] - rois.sides[:, :2]).max(1)
    np.testing.assert_allclose(longer, BOX_PX, rtol=1e-3)
    np.testing.assert_allclose((rois.sides[:, :2] + rois.sides[:, 2:]) / 2, ROI_PX / 2, atol=0.01)
    own = rois.masks == 1
    assert (own.sum((1, 2)) > 20).mean() > 0.8
    assert (own & (rois.inputs[..., 1] > 0)).sum() / own.sum() > 0.97
    darker = [
        roi[..., 0][m].mean() < roi[..., 0][o].mean()
        for roi, m, o in zip(rois.inputs, own, rois.masks == 0, strict=True)
        if m.any()
    ]
    assert np.mean(darker) > 0.95


@pytest.mark.usefixtures("plain_light")
def test_pixels_in_two_boxes_are_left_open() -> None:
    pixels = np.full((300, 300), 220, np.uint8)
    candidates = np.full((150, 150, 3), NOBODY, np.uint8)
    boxes = np.array([[100, 140, 200, 160], [140, 100, 160, 200]], np.float32)  # a cross
    candidates[72:78, 52:98] = 0
    candidates[52:98, 72:78] = 1
    candidates[72:78, 72:78] = (0, 1, 0)
    frame = CachedFrame("cross.png", pixels, candidates, boxes, (), 0.3)
    rois = draw_rois([frame], np.random.default_rng(0), 12, real_share=1.0)
    for roi, mask in zip(rois.inputs, rois.masks, strict=True):
        zoom = BOX_PX / max(cv2.boundingRect(roi[..., 1])[2:]) * (BOX_PX / 100)
        assert (mask == OPEN).sum() == pytest.approx((12 * zoom) ** 2, rel=0.5)
        ys, xs = np.nonzero(mask == OPEN)
        assert abs(ys.mean() - ROI_PX / 2) < 3
        assert abs(xs.mean() - ROI_PX / 2) < 3
        assert (mask == 1).sum() > 3 * (mask == OPEN).sum()
        assert (mask == 0).sum() > 2000


def test_both_kinds_come_and_boxes_that_are_off_say_how_much(frames: list[CachedFrame]) -> None:
    rois = draw_rois(frames, np.random.default_rng(8), 200)
    assert rois.inputs.shape == (200, ROI_PX, ROI_PX, 2)
    assert rois.shares.min() >= 0
    assert 0.2 < (rois.shares < 0.7).mean() < 0.7
    framed = np.stack([cv2.boundingRect(roi[..., 1]) for roi in rois.inputs]).astype(np.float32)
    framed[:, 2:] += framed[:, :2]
    for box, sides, share in zip(framed, rois.sides, rois.shares, strict=True):
        if (sides >= 0).all() and (sides <= ROI_PX).all():
            both = np.clip(np.minimum(box[2:], sides[2:]) - np.maximum(box[:2], sides[:2]), 0, None).prod()
            either = (box[2:] - box[:2]).prod() + (sides[2:] - sides[:2]).prod() - both
            assert both / either == pytest.approx(share, abs=0.12)  # the input's box is in whole pixels


def test_a_locators_own_boxes_are_mended_where_it_was_asked(frames: list[CachedFrame]) -> None:
    told = [replace(f, proposals=f.boxes + np.array([3, -2, 9, 4], np.float32)) for f in frames]

    def shares(some: list[CachedFrame]) -> Float32Array:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rois_module, "proposal", lambda boxes, index, rng: boxes[index])
            return draw_rois(some, np.random.default_rng(9), 900, real_share=1.0).shares

    assert (shares(frames) > 0.999).all()
    off = shares(told) < 0.95
    assert off.mean() == pytest.approx(PROPOSED_SHARE, abs=0.15)


@pytest.mark.usefixtures("plain_light")
def test_what_is_to_be_ignored_is_left_open_and_its_boxes_are_not_asked_for(frames: list[CachedFrame]) -> None:
    strange = np.array([[2, 2, 12, 12]], np.float32)
    told = replace(frames[0], proposals=np.concatenate([strange, frames[0].boxes]))
    ignoring = replace(told, ignored=strange)
    assert (draw_rois([told], np.random.default_rng(1), 400, real_share=1.0).shares < 0.1).any()
    assert (draw_rois([ignoring], np.random.default_rng(1), 400, real_share=1.0).shares > 0.5).all()
    everywhere = replace(frames[0], ignored=np.array([[0, 0, 999, 999]], np.float32))
    masks = draw_rois([everywhere], np.random.default_rng(6), 60, real_share=1.0).masks
    assert set(np.unique(masks)) == {0, OPEN}
    assert ((masks == OPEN).sum((1, 2)) > 20).mean() > 0.8


def test_a_frame_without_a_chromosome_may_have_a_locators_boxes(frames: list[CachedFrame]) -> None:
    empty = replace(frames[0], boxes=frames[0].boxes[:0], proposals=frames[0].boxes)
    assert len(draw_rois([empty, frames[1]], np.random.default_rng(0), 40, real_share=1.0)) == 40


def test_what_cannot_be_drawn_is_said() -> None:
    bare = bare_frame([])
    with pytest.raises(DatasetError, match="lone chromosomes to paste"):
        draw_rois([bare], np.random.default_rng(0), 4)
    with pytest.raises(DatasetError, match="expected frames with boxes"):
        draw_rois([bare], np.random.default_rng(0), 4, real_share=1.0)
