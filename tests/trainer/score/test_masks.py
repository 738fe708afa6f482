"""Labelled cells against masks drawn by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.records import BoolArray, Box, Cell, Chromosome, Frame, UInt8Array
from tests.builders import make_cell, make_chromosome
from tests.trainer.data.forms import mask_folder
from trainer.cli import main
from trainer.data.masked import MaskedFrame, masked_frames
from trainer.data.mfish import OVERLAP, MaskTruth, pieces_of_mask
from trainer.score.masks import mask_figures, mask_ious, outcome_by_mask

NOTHING = np.zeros((0, 4), np.int64)


def drawn(*boxes: tuple[int, Box]) -> UInt8Array:
    """A mask of filled boxes, (class, (x0, y0, x1, y1)) each; where two meet they overlap."""
    mask = np.zeros((90, 120), np.uint8)
    for value, (x0, y0, x1, y1) in boxes:
        part = mask[y0:y1, x0:x1]
        part[...] = np.where(part, OVERLAP, value)
    return mask


def masked(mask: UInt8Array) -> MaskedFrame:
    return MaskedFrame(Path("a_dapi.png"), tuple(pieces_of_mask(mask)), mask == OVERLAP, NOTHING)


def test_a_piece_is_a_chromosome_and_an_overlap_joins_its_arms() -> None:
    mask = drawn((7, (10, 10, 20, 40)), (7, (10, 50, 20, 80)), (23, (5, 20, 60, 26)), (1, (2, 2, 4, 4)))
    pieces = pieces_of_mask(mask)
    assert [(p.label, p.box_px) for p in pieces] == [
        ("7", (10, 10, 20, 40)),
        ("7", (10, 50, 20, 80)),
        ("X", (5, 20, 60, 26)),
    ]
    assert np.count_nonzero(pieces[0].mask) == 30 * 10 - 6 * 10


def test_overlaps_are_ignored_on_both_sides() -> None:
    mask = drawn((7, (10, 10, 20, 40)), (23, (5, 20, 60, 26)))
    found = [make_chromosome(0, "7", box_px=(10, 10, 20, 40)), make_chromosome(1, "X", box_px=(5, 20, 60, 26))]
    np.testing.assert_array_equal(mask_ious(found, masked(mask)), np.eye(2))


def test_masks_that_share_half_are_located_one_to_one() -> None:
    mask = drawn((1, (0, 0, 20, 10)), (2, (0, 30, 20, 40)), (3, (0, 60, 20, 70)))
    found = [
        make_chromosome(0, "1", box_px=(0, 0, 20, 10)),  # all of it
        make_chromosome(1, "1", box_px=(0, 0, 20, 9)),  # once more
        make_chromosome(2, "9", box_px=(0, 30, 15, 40)),  # three quarters, misnamed
        make_chromosome(3, "3", box_px=(0, 60, 9, 70)),  # less than half
    ]
    outcome = outcome_by_mask(found, masked(mask))
    assert outcome.iou.tolist() == pytest.approx([1, 0.75, 0])
    assert outcome.right.tolist() == [True, False, False]
    assert not outcome_by_mask([], masked(mask)).iou.any()
    assert len(outcome_by_mask(found, masked(np.zeros_like(mask))).iou) == 0


def test_figures_over_frames(tmp_path: Path) -> None:
    (read,) = masked_frames(mask_folder(tmp_path))
    masked = read()
    exact = [_exactly(k, p.label, p.box_px, p.mask) for k, p in enumerate(masked.pieces)]

    def label(frame: Frame) -> Cell:
        assert frame.pixels.shape == masked.ignored.shape
        return replace(make_cell([]), chromosomes=tuple(exact[: 2 + 2 * (frame.index == 0)]))

    figures = mask_figures([masked, masked], label)
    assert (figures["frames"], figures["truth"], figures["found"]) == (2, 8, 6)
    assert (figures["located"], figures["precision"], figures["end_to_end"]) == (0.75, 1.0, 0.75)
    assert (figures["mean_mask_iou"], figures["located_boxes"], figures["count_off"]) == (1.0, 0.75, 1.0)
    assert "mean_mask_iou_of_all" not in figures  # masks with an overlap that is ignored are not whole


def test_whole_masks_are_also_scored_by_what_they_cross() -> None:
    boxes: list[Box] = [(10, 10, 20, 40), (5, 20, 60, 26), (62, 20, 70, 60), (80, 60, 90, 80)]
    pieces = tuple(
        MaskTruth(label, box, np.ones((box[3] - box[1], box[2] - box[0]), np.bool_))
        for label, box in zip(("7", "X", "1", "2"), boxes, strict=True)
    )
    frame = MaskedFrame(Path("a.png"), pieces, np.zeros((90, 120), np.bool_), NOTHING)
    found = [
        make_chromosome(0, "7", box_px=(10, 10, 20, 40)),  # all of it, shared pixels too
        make_chromosome(1, "X", box_px=(5, 20, 20, 26)),  # too little of it
        make_chromosome(2, "2", box_px=(62, 20, 70, 50)),  # three quarters, misnamed
    ]
    outcome = outcome_by_mask(found, frame)
    assert outcome.iou.tolist() == [1, 0, 0.75, 0]
    assert outcome.right.tolist() == [True, False, False, False]
    assert outcome.crossing.tolist() == [True, True, False, False]
    assert outcome.touching.tolist() == [False, False, True, False]  # 2 px from the X
    assert outcome.figures(outcome.crossing, "_crossing") == {
        "truth_crossing": 2,
        "located_crossing": 0.5,
        "mean_mask_iou_crossing": 1.0,
        "mean_mask_iou_of_all_crossing": 0.5,
        "end_to_end_crossing": 0.5,
    }
    assert outcome.figures(np.zeros(4, np.bool_), "_none")["mean_mask_iou_none"] is None


def test_what_is_found_at_a_crowd_counts_neither_way(tmp_path: Path) -> None:
    """But for what locates a true one that lies there."""
    (read,) = masked_frames(mask_folder(tmp_path))
    masked = read()
    exact = [_exactly(k, p.label, p.box_px, p.mask) for k, p in enumerate(masked.pieces)]
    height_px, width_px = masked.ignored.shape
    (x0, y0, x1, y1), more = masked.pieces[0].box_px, make_chromosome(9, "5", box_px=(0, 0, 9, 9))
    for crowd, counted in ((x0, y0, x1, y1), 5), ((0, 0, width_px, height_px), 4):
        frame = replace(masked, ignored_px=np.array([crowd]))
        figures = mask_figures([frame], lambda _: replace(make_cell([]), chromosomes=(*exact, more)))
        assert (figures["found"], figures["located"], figures["count_off"]) == (counted, 1.0, counted - 4)


def _exactly(id: int, label: str, box: Box, mask: BoolArray) -> Chromosome:
    chromosome = make_chromosome(id, label, box_px=box)
    return replace(chromosome, region=replace(chromosome.region, mask=mask))


def test_the_command(tmp_path: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = mask_folder(tmp_path / "set")
    words = ["evaluate", "masks", str(data), "--models", str(models_dir), "--json", str(tmp_path / "figures.json")]
    assert main(words) == 0
    assert json.loads((tmp_path / "figures.json").read_text())["truth"] == 4
    assert "mean_mask_iou" in capsys.readouterr().out


def test_a_picture_of_another_size_than_its_mask_is_no_bug(
    tmp_path: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = mask_folder(tmp_path)
    cv2.imwrite(str(data / "A01_1_dapi.png"), np.full((180, 240), 20, np.uint8))
    assert main(["evaluate", "masks", str(data), "--models", str(models_dir)]) == 8
    assert "A01_1_mask.png: expected A01_1_dapi.png of 120x90 px, got 240x180 px" in capsys.readouterr().err


def test_what_is_no_set_of_masks_is_one_plain_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "masks", str(tmp_path)]) == 8
    assert "expected NAME_dapi.png with NAME_mask.png, or COCO's JSON" in capsys.readouterr().err
    cv2.imwrite(str(tmp_path / "a_dapi.png"), np.zeros((64, 64), np.uint8))
    (tmp_path / "a_mask.png").write_bytes(b"")
    assert main(["evaluate", "masks", str(tmp_path)]) == 8
    assert "a_mask.png: expected an 8-bit grey mask" in capsys.readouterr().err
    cv2.imwrite(str(tmp_path / "a_mask.png"), np.full((64, 64), 257, np.uint16))  # 1, if its upper byte were lost
    assert main(["evaluate", "masks", str(tmp_path)]) == 8
    assert "a_mask.png: expected an 8-bit grey mask" in capsys.readouterr().err
