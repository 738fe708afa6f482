"""Boxes that are nearly right: they stray to all sides alike, and among neighbours as a locator's do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.locate.locator import load_locator
from edge.overlap import box_iou
from edge.records import Float32Array
from tests.trainer.drawn import frames_folder
from trainer.data import proposals
from trainer.data.framecache import load_cache
from trainer.data.metaphase import read_frames
from trainer.data.proposals import (
    LEAST_SIDE_PX,
    POOR_WEIGHT,
    SLOPPY,
    SLOPPY_PX,
    STRANGE_WEIGHT,
    asked,
    framed_by,
    picked_proposals,
    proposal,
    sloppy,
)

TINY = Path(__file__).parents[2] / "edge" / "tiny"
CROSS = np.array([[100, 140, 200, 160], [140, 100, 160, 200], [400, 400, 440, 500]], np.float32)


def test_boxes_stray_as_told_to_either_side_and_now_and_then_far() -> None:
    rng = np.random.default_rng(0)
    box = np.array([100, 50, 140, 150], np.float32)
    off = np.stack([sloppy(box, rng) for _ in range(4000)]) - box
    assert off.dtype == np.float32
    most = SLOPPY * 100 + SLOPPY_PX
    assert np.abs(off.mean(0)).max() < 0.4
    sides = off.std(0)
    assert sides.max() / sides.min() < 1.15  # no side more than another
    assert 0.5 * most < sides.mean() < 1.2 * most
    assert 0.5 < np.median(np.abs(off)) < most
    assert (np.abs(off).max(1) > 3 * most).mean() > 0.005  # some are far off
    small = np.stack([sloppy(box * np.float32(0.2), rng) for _ in range(1000)]) - box * np.float32(0.2)
    assert small.std() < 0.6 * off.std()


def drawn(index: int, count: int = 3000) -> Float32Array:
    rng = np.random.default_rng(1)
    return np.stack([proposal(CROSS, index, rng) for _ in range(count)])


def test_most_proposals_frame_their_chromosome_and_some_do_not() -> None:
    shares = box_iou(drawn(2), CROSS)[:, 2]
    assert 0.7 < np.median(shares) < 0.95
    assert 0.02 < (shares < 0.6).mean() < 0.3


def test_among_neighbours_sides_are_borrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "sloppy", lambda box, rng: box)
    borrowed = drawn(0)
    sides = [set(np.round(borrowed[:, k]).tolist()) for k in range(4)]
    for k in range(4):
        assert {CROSS[0, k], CROSS[1, k]} <= sides[k]
    alone = drawn(2)
    whole = (alone == CROSS[2]).all(1)
    assert whole.mean() == pytest.approx(1 - proposals.SHORT - proposals.LONG, abs=0.03)
    short = (alone[:, :2] > CROSS[2, :2]).any(1) | (alone[:, 2:] < CROSS[2, 2:]).any(1)
    assert short.mean() == pytest.approx(proposals.SHORT, abs=0.03)


def test_no_proposal_is_turned_inside_out() -> None:
    tiny = np.array([[10, 10, 12, 11], [10, 10, 30, 31]], np.float32)
    rng = np.random.default_rng(2)
    for _ in range(500):
        box = proposal(tiny, 0, rng)
        assert box.dtype == np.float32
        assert (box[2:] - box[:2] >= LEAST_SIDE_PX - 1e-4).all()


def test_which_is_framed_best() -> None:
    assert framed_by(np.array([100, 140, 200, 160], np.float32), CROSS) == (0, 1.0)
    index, share = framed_by(np.array([140, 100, 160, 150], np.float32), CROSS)
    assert index == 1
    assert share == pytest.approx(0.5)
    assert framed_by(np.array([0, 0, 5, 5], np.float32), CROSS)[1] == 0


def test_picked_proposals_are_all_there_and_the_poor_ones_come_first() -> None:
    right = CROSS[2]
    poor = right + np.array([0, 0, 0, -35], np.float32)
    strange = np.array([600, 600, 640, 640], np.float32)
    given = np.stack([right, right + 1, poor, strange])
    rng = np.random.default_rng(4)
    drawn_first = []
    for _ in range(400):
        order = picked_proposals(given, CROSS, rng)
        assert sorted(order.tolist()) == sorted(given.tolist())
        drawn_first.append(int((given == order[0]).all(1).argmax()))
    share = np.bincount(drawn_first, minlength=4) / len(drawn_first)
    total = 2 + POOR_WEIGHT + STRANGE_WEIGHT
    assert share == pytest.approx(np.array([1, 1, POOR_WEIGHT, STRANGE_WEIGHT]) / total, abs=0.07)


def test_frames_are_told_what_a_real_locator_proposes_for_them(tmp_path: Path) -> None:
    folder = frames_folder(tmp_path / "data", ("train",))
    frames = load_cache(read_frames(folder, "train"), tmp_path / "frames.cache")
    told = asked(frames, TINY)
    assert [frame.name for frame in told] == [frame.name for frame in frames]
    locator = load_locator(TINY)
    for frame in told:
        assert frame.proposals.dtype == np.float32
        assert np.array_equal(frame.proposals, locator.proposals(frame.pixels))
    assert not len(frames[0].proposals)
