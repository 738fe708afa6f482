"""Augmented crops are still crops: shape, range, the right end up, as long as a laboratory could have made them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from edge.errors import ConfigError
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import Float32Array, UInt8Array
from trainer.augment import CHANGES as SWITCHES
from trainer.augment import Strengths, another_laboratory, augment, cut_end, not_single, occlude, stain, warp


def bar(length: int = 80, level: int = 160) -> UInt8Array:
    """Brighter in its upper third, so that up and down differ."""
    crop = np.zeros((CROP_ROWS, CROP_COLS), np.uint8)
    top = (CROP_ROWS - length) // 2
    crop[top : top + length, 9:23] = level // 2
    crop[top : top + length // 3, 9:23] = level
    return crop


def real(crop: UInt8Array) -> Float32Array:
    return crop.astype(np.float32) / np.float32(255)


def long(x: Float32Array) -> int:
    return int((x.max(axis=1) > 0.2 * x.max()).sum())


def top_heavy(x: Float32Array) -> bool:
    rows = np.flatnonzero(x.max(axis=1) > 0.15 * x.max())
    middle = (rows[0] + rows[-1] + 1) // 2
    return bool(x[:middle].sum() > x[middle:].sum())


CHANGES: list[Callable[[UInt8Array, np.random.Generator], Float32Array]] = [
    lambda crop, rng: augment(crop, rng, flip=False),
    lambda crop, rng: augment(crop, rng, flip=True),
    warp,
    lambda crop, rng: stain(real(crop), rng),
    lambda crop, rng: occlude(real(crop), rng),
    lambda crop, rng: cut_end(real(crop), rng),
    lambda crop, rng: not_single(crop, bar(60), rng),
    lambda crop, rng: another_laboratory(real(crop), rng),
]
NAMES = ["augment", "flipped", "warp", "stain", "occlude", "cut_end", "not_single", "another_laboratory"]


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
@pytest.mark.parametrize("crop", [bar(), bar(126, 254), bar(10), np.zeros_like(bar()), np.full_like(bar(), 255)])
def test_any_change_of_any_crop_is_a_crop(
    change: Callable[[UInt8Array, np.random.Generator], Float32Array], crop: UInt8Array
) -> None:
    before = crop.copy()
    for seed in range(25):
        changed = change(crop, np.random.default_rng(seed))
        assert changed.shape == (CROP_ROWS, CROP_COLS)
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
        assert changed.min() >= 0
        assert changed.max() <= 1
    np.testing.assert_array_equal(crop, before)


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_the_generator_decides(change: Callable[[UInt8Array, np.random.Generator], Float32Array]) -> None:
    np.testing.assert_array_equal(change(bar(), np.random.default_rng(3)), change(bar(), np.random.default_rng(3)))
    several = {change(bar(), np.random.default_rng(seed)).tobytes() for seed in range(10)}
    assert len(several) > 5


def test_flip_puts_the_other_end_up() -> None:
    for flip in (False, True):
        up = [top_heavy(augment(bar(), np.random.default_rng(seed), flip)) for seed in range(60)]
        assert np.mean(np.array(up) != flip) > 0.9  # an occluding neighbour may outweigh it


def test_the_label_survives_size_and_place_change_little() -> None:
    lengths, shifts = [], []
    for seed in range(60):
        changed = warp(bar(), np.random.default_rng(seed))
        lengths.append(long(changed) / 80)
        rows = np.flatnonzero(changed.max(axis=1) > 0.1)
        shifts.append(abs((rows[0] + rows[-1] + 1) / 2 - CROP_ROWS / 2))
    assert np.median(lengths) == pytest.approx(1, abs=0.03)
    assert 0.75 < min(lengths) < 0.95
    assert 1.05 < max(lengths) < 1.3
    assert np.median(shifts) < 3


def test_a_cut_takes_up_to_a_tenth_from_one_end() -> None:
    for seed in range(40):
        cut = cut_end(real(bar(100)), np.random.default_rng(seed))
        left = cut.max(axis=1) > 0
        assert 90 <= left.sum() <= 98
        rows = np.flatnonzero(left)
        assert rows[-1] - rows[0] + 1 == left.sum()
        assert (rows[0] == 14) != (rows[-1] == 113)  # one end is as it was


def test_an_occlusion_covers_a_band_only() -> None:
    changed = [np.mean(occlude(real(bar()), np.random.default_rng(s)) != real(bar())) for s in range(40)]
    assert max(changed) < 0.35
    assert np.mean(np.array(changed) > 0) > 0.8


def test_stain_keeps_ground_dark_and_chromosome_bright() -> None:
    for seed in range(40):
        x = stain(real(bar()), np.random.default_rng(seed))
        assert x[:10].mean() < 0.1
        assert x[30:45, 12:20].mean() > 0.15


def test_another_laboratory_changes_width_and_sharpness_not_length() -> None:
    widths, steepness = [], []
    for seed in range(60):
        x = another_laboratory(real(bar()), np.random.default_rng(seed))
        assert long(x) == pytest.approx(80, abs=8)
        widths.append(int((x[80] > 0.5 * x[80].max()).sum()))
        steepness.append(float(np.abs(np.diff(x[30:70, 15])).max()))
    assert min(widths) <= 12
    assert max(widths) >= 21
    step = 80 / 255  # of the bar
    assert min(steepness) < 0.3 * step
    assert max(steepness) > 0.9 * step


def test_what_is_not_one_chromosome_is_a_piece_or_two() -> None:
    pieces, pairs = 0, 0
    for seed in range(60):
        x = not_single(bar(100), bar(90), np.random.default_rng(seed))
        if (x > 0.25).sum() < 0.75 * 100 * 14 and long(x) < 85:
            pieces += 1
        elif (x > 0.2).sum() > 1.1 * 100 * 14 or (x[:, :6] > 0.2).any() or (x[:, -6:] > 0.2).any():
            pairs += 1
    assert pieces > 15
    assert pairs > 15


# --- strengths


def test_the_default_draws_what_the_shipped_models_learned_with() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (CROP_ROWS, CROP_COLS)).astype(np.uint8)
    rng = np.random.default_rng(7)
    for turn in range(200):
        augment(crop, rng, bool(turn % 2))
        not_single(crop, crop[::-1], rng)
    drawn_after = hashlib.sha256(rng.bytes(16)).hexdigest()  # tells whether there were as many draws as ever
    assert drawn_after[:16] == "37aa32ed46601c29"
    means = [float(augment(crop, np.random.default_rng(seed), False).mean()) for seed in range(6)]
    assert means == pytest.approx([0.518, 0.468, 0.526, 0.372, 0.27, 0.372], abs=2e-3)


@pytest.mark.parametrize("name", SWITCHES)
def test_each_change_alone_changes_and_can_be_switched_off(name: str) -> None:
    shares = {field: 1.0 for field in SWITCHES[name] if field.endswith("_share")}
    alone = replace(Strengths(brightness=0.2).only(name), **shares)
    uneven = bar()
    uneven[40:90, 9:14] += 30
    changed = [not np.allclose(augment(uneven, np.random.default_rng(s), False, alone), real(uneven)) for s in range(8)]
    assert sum(changed) >= 7  # an occlusion may miss it
    off = alone.without([name])
    for seed in range(8):
        np.testing.assert_allclose(augment(uneven, np.random.default_rng(seed), False, off), real(uneven), atol=1e-6)


def test_every_strength_belongs_to_a_change() -> None:
    switched = {field for owned in SWITCHES.values() for field in owned}
    assert {field.name for field in fields(Strengths)} - switched == {"bend_px", "gradient"}  # only with their shares


def test_strengths_are_stated_by_name() -> None:
    stated = Strengths().with_strengths(["brightness=0.08", "defocus=0.2", "zoom_long=0"])
    assert stated == Strengths(brightness=0.08, defocus_share=0.2, zoom_long=0.0)
    assert Strengths().with_strengths([]) == Strengths()
    rng = [np.random.default_rng(1) for _ in range(2)]
    brighter = augment(bar(), rng[0], False, Strengths().with_strengths(["brightness=0.3"]))
    assert not np.allclose(brighter, augment(bar(), rng[1], False))


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ("magic=1", "no augmentation is called 'magic'; there are mirror, shift"),
        ("zoom=0.1", r"more than one strength; say zoom_long=\.\.\. or zoom_wide"),
        ("defocus", "expected an augmentation as NAME=STRENGTH, such as defocus=0.2, got 'defocus'"),
        ("defocus=much", "got 'defocus=much'"),
        ("defocus=1.5", r"defocus_share must be 0 \(off\) or more, a share at most 1; got 1.5"),
    ],
)
def test_strengths_that_cannot_be(stated: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Strengths().with_strengths([stated])


@pytest.mark.parametrize("wrong", [{"noise_share": 1.2}, {"turn_rad": -0.1}])
def test_impossible_strengths(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"must be 0 \(off\) or more, a share at most 1; got"):
        Strengths(**wrong)
    with pytest.raises(ConfigError, match="no augmentation is called 'magic'; there are mirror, shift"):
        Strengths().without(["noise", "magic"])
