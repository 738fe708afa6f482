"""Metaphases put together from lone chromosomes: what is said of them is what is there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.camera.metaphase import chromosomes_of
from edge.errors import SinkError
from edge.overlap import BOX_MARGIN_PX, CROSSING_PX
from edge.records import BoolArray, Box, Cell, Chromosome, Frame
from tests.builders import make_cell, make_chromosome
from tests.trainer.drawn import frames_folder
from trainer.cli import main
from trainer.data.masked import MaskedFrame, masked_frames
from trainer.data.metaphase import read_frames
from trainer.data.rle import mask_of_rle
from trainer.errors import DatasetError
from trainer.score.masks import mask_figures
from trainer.simulate.compose import Composite, bases_of, composites, gather
from trainer.simulate.donors import Donor
from trainer.simulate.layout import Spread, lay_out
from trainer.simulate.store import store

SPLITS = ("val", "val", "val", "train", "test")
CASES = {"case0", "case1", "case2"}
"""Those of the val frames."""


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return frames_folder(tmp_path_factory.mktemp("drawn") / "frames", SPLITS, side_px=560)


@pytest.fixture(scope="module")
def donors(frames: Path) -> list[Donor]:
    return gather(read_frames(frames, "val"), 3)


def simulated(donors: list[Donor], out: Path, seed: int = 3, cells: int = 2) -> Path:
    store(composites(bases_of(donors, cells, seed), donors, 0.2, seed), out, "val")
    return out


@pytest.fixture(scope="module")
def folder(donors: list[Donor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(donors, tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="module")
def table(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "annotations" / "val.json").read_text())
    return content


def marks_of(table: dict[str, Any], image: dict[str, Any]) -> list[dict[str, Any]]:
    return [mark for mark in table["annotations"] if mark["image_id"] == image["id"]]


def whole(mark: dict[str, Any], image: dict[str, Any]) -> BoolArray:
    return mask_of_rle(mark["segmentation"], image["height"], image["width"], "a test")


def test_each_is_a_whole_normal_cell_that_our_own_reader_takes(folder: Path, table: dict[str, Any]) -> None:
    truths = read_frames(folder, "val")
    assert len(truths) == 2
    for truth, image in zip(truths, table["images"], strict=True):
        assert Counter(truth.labels) == Counter(chromosomes_of(image["karyotype"]))
        assert (truth.case, truth.split) == (image["case"], "val")
        np.testing.assert_array_equal(truth.boxes_px, truth.stated_boxes_px)


def test_only_frames_of_the_split_give_anything(table: dict[str, Any]) -> None:
    own = {"val0.png", "val1.png", "val2.png"}
    assert {image["base"] for image in table["images"]} <= own
    assert {mark["source"] for mark in table["annotations"]} <= own
    assert {image["case"] for image in table["images"]} <= CASES


def test_an_interrupted_rerun_leaves_no_table_of_other_pictures(donors: list[Donor], tmp_path: Path) -> None:
    folder = simulated(donors, tmp_path / "out", seed=3)

    def interrupted() -> Iterator[Composite]:
        yield next(composites(bases_of(donors, 1, 4), donors, 0.2, 4))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(interrupted(), folder, "val")
    with pytest.raises(DatasetError, match="found neither"):
        masked_frames(folder)
    assert len(masked_frames(simulated(donors, folder, seed=4))) == 2


def test_a_table_that_cannot_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "annotations" / "val.json").mkdir(parents=True)
    with pytest.raises(SinkError, match=r"cannot replace .*val\.json: .*; name another folder with --out"):
        store([], tmp_path, "val")


def test_masks_are_dark_and_what_is_in_no_mask_is_not(folder: Path, table: dict[str, Any]) -> None:
    for image in table["images"]:
        pixels = cv2.imread(str(folder / "images" / image["file_name"]), cv2.IMREAD_GRAYSCALE)
        union = np.any([whole(mark, image) for mark in marks_of(table, image)], axis=0)
        away = cv2.dilate(union.astype(np.uint8), np.ones((11, 11), np.uint8)) == 0
        light = np.median(pixels[away])
        assert (pixels[union] < 0.9 * light).mean() > 0.97
        inner = cv2.erode(away.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert (pixels[inner] < 0.7 * light).mean() < 0.08  # nuclei and specks


def test_crossing_ones_keep_the_pixels_that_they_share_and_are_darker_there(
    folder: Path, table: dict[str, Any]
) -> None:
    seen = 0
    for image in table["images"]:
        pixels = cv2.imread(str(folder / "images" / image["file_name"]), cv2.IMREAD_GRAYSCALE)
        marks = marks_of(table, image)
        masks = np.stack([whole(mark, image) for mark in marks])
        for mark, one in zip(marks, masks, strict=True):
            ys, xs = np.nonzero(one)
            assert mark["area"] == len(ys)
            shared = masks[:, ys, xs].sum(1)
            over = [m["id"] for m, px in zip(marks, shared, strict=True) if px >= CROSSING_PX and m is not mark]
            assert mark["overlaps"] == over
            seen += len(over)
        count = masks.sum(0)
        assert pixels[count > 1].mean() < 0.8 * pixels[count == 1].mean()
    assert seen >= 2 * 2 * 9 * 0.7  # a fifth of 46 was laid across another, in each of two cells, both told


def test_boxes_have_the_margin_that_people_leave_and_lines_run_within(table: dict[str, Any]) -> None:
    left, top, right, bottom = BOX_MARGIN_PX
    for image in table["images"]:
        for mark in marks_of(table, image):
            ys, xs = np.nonzero(whole(mark, image))
            x0, y0, x1, y1 = xs.min() - left, ys.min() - top, xs.max() + 1 + right, ys.max() + 1 + bottom
            assert mark["bbox"] == [x0, y0, x1 - x0, y1 - y0]
            assert 0 <= x0 < x1 <= image["width"]
            assert 0 <= y0 < y1 <= image["height"]
            x, y = np.array(mark["centre_line"]).T
            within = (x > x0) & (x < x1) & (y > y0) & (y < y1)
            assert within.mean() > 0.9


def test_the_same_seed_makes_the_same_bytes(frames: Path, folder: Path, donors: list[Donor], tmp_path: Path) -> None:
    again = simulated(gather(read_frames(frames, "val"), 3), tmp_path / "again", cells=1)
    other = simulated(donors, tmp_path / "other", seed=4, cells=1)
    first = (folder / "images" / "val-0001.png").read_bytes()
    assert (again / "images" / "val-0001.png").read_bytes() == first
    assert (other / "images" / "val-0001.png").read_bytes() != first
    table, whole_table = (json.loads((f / "annotations" / "val.json").read_text()) for f in (again, folder))
    assert table["annotations"] == whole_table["annotations"][:46]


def answer(frames: list[MaskedFrame], change: Callable[[Box, int], Box]) -> Callable[[Frame], Cell]:
    """A labeller that knows the truth, and lays each mask where ``change`` says."""

    def label(frame: Frame) -> Cell:
        truth = frames[frame.index]
        found = [_found(k, p.label, change(p.box_px, k), p.mask) for k, p in enumerate(truth.pieces)]
        height_px, width_px = frame.pixels.shape
        return replace(make_cell([], width_px=width_px, height_px=height_px), chromosomes=tuple(found))

    return label


def _found(id: int, label: str, box: Box, mask: BoolArray) -> Chromosome:
    chromosome = make_chromosome(id, label, box_px=box)
    return replace(chromosome, region=replace(chromosome.region, mask=mask))


def test_a_perfect_answer_scores_one_everywhere(folder: Path, table: dict[str, Any]) -> None:
    frames = [read() for read in masked_frames(folder)]
    figures = mask_figures(frames, answer(frames, lambda box, _: box))
    assert figures["truth"] == figures["found"] == 92
    for name in ("located", "mean_mask_iou", "mean_mask_iou_of_all", "end_to_end"):
        assert figures[name] == 1.0
    for kind in ("crossing", "touching_or_crossing", "alone"):
        assert figures[f"mean_mask_iou_{kind}"] == figures[f"mean_mask_iou_of_all_{kind}"] == 1.0
        assert figures[f"end_to_end_{kind}"] == 1.0
    assert figures["truth_crossing"] == sum(bool(mark["overlaps"]) for mark in table["annotations"])
    assert figures["truth_crossing"] < figures["truth_touching_or_crossing"] < 92
    assert figures["truth_alone"] + figures["truth_touching_or_crossing"] == 92


def test_a_shifted_answer_scores_less_and_a_missed_one_counts_as_nothing(folder: Path) -> None:
    frames = [read() for read in masked_frames(folder)]

    def moved(box: Box, k: int) -> Box:
        by = 40 if k == 0 else 2
        return (
            (box[0] - by, box[1], box[2] - by, box[3])
            if box[0] >= by
            else (box[0] + by, *box[1:2], box[2] + by, box[3])
        )

    figures = mask_figures(frames, answer(frames, moved))
    assert 0.6 < figures["mean_mask_iou"] < 0.95
    assert figures["located"] <= 90 / 92 + 1e-4
    assert figures["mean_mask_iou_of_all"] == pytest.approx(figures["mean_mask_iou"] * figures["located"], abs=2e-3)
    assert figures["mean_mask_iou_alone"] < 0.95


def test_lone_ones_lie_apart_touching_ones_do_not_cross() -> None:
    masks = [np.ones((12, 50 + k), np.bool_) for k in range(10)]
    blocked = np.zeros((500, 500), np.bool_)
    blocked[:, :100] = True
    spread = Spread((250.0, 250.0), (240.0, 240.0))

    def covered(crossing: float) -> np.ndarray:
        count = np.zeros(blocked.shape, int)
        for mask, (x, y) in zip(
            masks, lay_out(masks, blocked, spread, crossing, np.random.default_rng(5)), strict=True
        ):
            count[y : y + mask.shape[0], x : x + mask.shape[1]] += mask
        return count

    alone, half = covered(0.0), covered(0.3)
    assert alone.max() == 1
    assert not alone[blocked].any()
    pieces, _ = cv2.connectedComponents(cv2.dilate(alone.astype(np.uint8), np.ones((5, 5), np.uint8)))
    assert pieces - 1 == 10
    assert (half == 2).sum() >= 3 * CROSSING_PX
    pieces, _ = cv2.connectedComponents(cv2.dilate((half > 0).astype(np.uint8), np.ones((3, 3), np.uint8)))
    assert pieces - 1 == 4


def test_without_a_lone_chromosome_there_is_one_plain_error(tmp_path: Path) -> None:
    empty = frames_folder(tmp_path / "d", ("val",))
    boxes = (empty / "boxes.csv").read_text().splitlines()
    # One box around everything: nothing lies alone in it.
    (empty / "boxes.csv").write_text("\n".join([boxes[0], "val0.png,1,0,0,420,420", "val0.png,2,0,0,420,420"]) + "\n")
    with pytest.raises(DatasetError, match=r"^expected frames with chromosomes that lie alone, found none in 1 frame"):
        gather(read_frames(empty, "val"), 0)


def test_a_class_that_never_lies_alone_is_named(donors: list[Donor]) -> None:
    less = [replace(donor, lone=tuple(one for one in donor.lone if one.label != "7")) for donor in donors]
    with pytest.raises(DatasetError, match=r"^expected a chromosome 7 that lies alone, found none in 3 frame"):
        next(composites(bases_of(less, 1, 0), less, 0.1, 0))


def test_cells_have_the_karyotypes_asked_for_in_turn(donors: list[Donor]) -> None:
    made = list(composites(bases_of(donors, 3, 0), donors, 0.1, 0, ["47,XX,+21", "45,X"]))
    assert [cell.karyotype for cell in made] == ["47,XX,+21", "45,X", "47,XX,+21"]
    counts = [Counter(one.label for one in cell.chromosomes) for cell in made]
    assert [(c["21"], c["X"], c.total()) for c in counts] == [(3, 2, 47), (2, 1, 45), (3, 2, 47)]


def test_the_command(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, sheet = tmp_path / "out", tmp_path / "sheet.png"
    assert main(["simulate", str(frames), "--out", str(out), "--cells", "1", "--sheet", str(sheet)]) == 0
    assert "val.json: 1 cells, 46 chromosomes" in capsys.readouterr().out
    assert cv2.imread(str(sheet)).shape[1] > 900
    assert len(masked_frames(out)) == 1
    assert main(["data", "check", str(out)]) == 0
    assert main(["simulate", str(frames), "--out", str(out), "--karyotype", "46,XX,t(9;22)"]) == 2
    assert "expected a karyotype of whole chromosomes" in capsys.readouterr().err
    assert main(["simulate", str(frames), "--out", str(sheet)]) == 7
    assert "name another folder with --out" in capsys.readouterr().err
    assert main(["simulate", str(frames), "--out", str(out), "--split", "exam"]) == 8
    assert capsys.readouterr().err.count("\n") == 1
