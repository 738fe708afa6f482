"""Chromosomes that somebody has cut out give the crops that located ones give, at any resolution."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.camera.ideogram import Look, bend, draw_ideogram
from edge.locate import cutouts, geometry
from edge.locate.cutouts import crops_from_cutouts
from edge.locate.straighten import CROP_COLS, CROP_ROWS, MEDIAN_ROWS, straighten
from edge.records import BoolArray, Float32Array, UInt8Array
from tests.edge.locate.straightened import DEPTH, length_of, likeness, region_of, slide_with


def cutout_of(straight: Float32Array) -> UInt8Array:
    """Dark on white, as a laboratory's karyogram has it, one upright chromosome with a little room."""
    return np.asarray(np.pad(np.rint(255 * 10 ** (-DEPTH * straight)).astype(np.uint8), 4, constant_values=255))


def test_cut_outs_keep_the_p_arm_on_top_and_their_sizes() -> None:
    rng = np.random.default_rng(8)
    labels = ["1", "1", "3", "5", "7", "9", "11", "13", "15", "17", "19", "21", "2", "4", "6", "8", "10", "12"]
    px = {"1": 165, "2": 158, "3": 132, "4": 126, "5": 120, "6": 112, "7": 106, "8": 96, "9": 92, "10": 90}
    lengths = [px.get(label, 170 - 6.4 * int(label)) for label in labels]
    straights = [draw_ideogram(k, n, 17, rng, Look(chromatid_gap=0)) for k, n in zip(labels, lengths, strict=True)]
    crops = crops_from_cutouts([cutout_of(s) for s in straights])
    assert [c.region_id for c in crops] == list(range(len(labels)))
    for crop, straight, length in zip(crops, straights, lengths, strict=True):
        up, down = likeness(crop.pixels, straight)
        assert up > 0.8
        assert up > down
        assert length_of(crop.pixels) == pytest.approx(length * MEDIAN_ROWS / np.median(lengths), rel=0.06, abs=2)


def test_cut_outs_on_grey_are_as_those_on_white() -> None:
    """Rectangles cut from a frame keep its ground, in bright field and, bright on black, with its glow."""
    rng = np.random.default_rng(8)
    on_white = [cutout_of(draw_ideogram("7", n, 17, rng, Look(chromatid_gap=0))) for n in range(60, 160, 5)]
    noise = [rng.normal(0, 2, picture.shape) for picture in on_white]
    on_grey = [np.rint(0.8 * p + n).astype(np.uint8) for p, n in zip(on_white, noise, strict=True)]
    glowing = [np.uint8(255) - p for p in on_grey]
    wanted = crops_from_cutouts(on_white)
    for pictures in (on_grey, glowing):
        for crop, white in zip(crops_from_cutouts(pictures), wanted, strict=True):
            assert length_of(crop.pixels) == pytest.approx(length_of(white.pixels), abs=4)
            assert np.abs(crop.pixels.astype(float) - white.pixels).mean() < 6


def test_cut_outs_and_frames_give_the_same_crop() -> None:
    """What the classifier learns from is what it will see."""
    rng = np.random.default_rng(1)
    straight = draw_ideogram("9", 100, 17, rng, Look(chromatid_gap=0))
    bent = bend(straight, rng, 0.0, turn_rad=np.pi / 2)
    frame = slide_with([bent], [(100, 100)])
    (of_frame,) = straighten(frame, [region_of(0, bent, (100, 100))])
    (of_cutout,) = crops_from_cutouts([cutout_of(straight)])
    either = [of_frame.pixels, np.ascontiguousarray(of_frame.pixels[::-1, ::-1])]
    best = min(either, key=lambda p: float(np.abs(p.astype(int) - of_cutout.pixels).mean()))
    assert np.abs(best.astype(int) - of_cutout.pixels).mean() < 5


def test_small_cut_outs_keep_their_bands() -> None:
    """Less than half as many pixels a chromosome, as Q-banded sets have them."""
    rng = np.random.default_rng(3)
    straights = [draw_ideogram(label, 100, 17, rng, Look(chromatid_gap=0)) for label in ("1", "9", "16")]
    whole = [cutout_of(s) for s in straights]
    halved = [cv2.resize(p, None, fx=0.42, fy=0.42, interpolation=cv2.INTER_AREA) for p in whole]
    for crop, straight in zip(crops_from_cutouts(halved), straights, strict=True):
        up, down = likeness(crop.pixels, straight)
        assert up > 0.85
        assert up > down


def test_a_blank_cut_out_does_not_stop_its_cell() -> None:
    straight = draw_ideogram("9", 100, 17, np.random.default_rng(1))
    crops = crops_from_cutouts([cutout_of(straight), np.full((60, 20), 255, np.uint8)])
    assert [c.pixels.shape for c in crops] == [(CROP_ROWS, CROP_COLS)] * 2
    assert crops[1].pixels.max() == 0


def test_a_coarse_cell_is_cut_as_the_fine_one_that_it_was() -> None:
    rng = np.random.default_rng(5)
    bents = [
        bend(draw_ideogram("3", n, 17, rng, Look(chromatid_gap=0)), rng, 1.0, turn_rad=np.pi / 2)
        for n in range(90, 170, 4)
    ]
    fine = [cutout_of(bent.absorbance) for bent in bents]
    coarse = [cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA) for p in fine]
    both = zip(crops_from_cutouts(fine), crops_from_cutouts(coarse), strict=True)
    assert np.mean([np.abs(was.pixels.astype(int) - crop.pixels).mean() for was, crop in both]) < 3.5


def test_what_is_no_chromosome_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole metaphase among cut-outs; and cut-outs in the middle of much white."""
    pictures = [cutout_of(draw_ideogram("3", n, 17, np.random.default_rng(5))) for n in range(100, 130)]
    seen = []

    def watched(masks: list[BoolArray]) -> Float32Array:
        seen.extend(max(mask.shape) for mask in masks)
        return geometry.centre_lines(masks)

    monkeypatch.setattr(cutouts, "centre_lines", watched)
    stray = np.pad(np.full((900, 700), 190, np.uint8), 20, constant_values=255)
    wanted = crops_from_cutouts(pictures)
    crops = crops_from_cutouts([*pictures, stray])
    spacious = crops_from_cutouts([np.pad(p, 700, constant_values=255) for p in pictures])
    assert max(seen) <= cutouts.MOST_SIDE_PX / cutouts.LINE_PITCH
    for alone, beside, roomy in zip(wanted, crops, spacious, strict=False):
        assert np.abs(alone.pixels.astype(int) - beside.pixels).mean() < 6
        assert np.abs(alone.pixels.astype(int) - roomy.pixels).mean() < 6


def test_many_are_read_part_by_part_as_one_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    pictures = [cutout_of(draw_ideogram("3", n, 17, rng, Look(chromatid_gap=0))) for n in range(60, 170, 5)]
    at_once = crops_from_cutouts(pictures)
    monkeypatch.setattr(cutouts, "AT_ONCE", 4)
    for part, whole in zip(crops_from_cutouts(pictures), at_once, strict=True):
        assert part.region_id == whole.region_id
        assert np.abs(part.pixels.astype(int) - whole.pixels).max() <= 4
