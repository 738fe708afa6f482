"""Sets of crops: made from cut-outs and frames, kept on disk, joined and picked."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.camera.files import read_frame
from edge.locate.locator import load_locator
from edge.locate.straighten import CROP_COLS, CROP_ROWS, MEDIAN_ROWS
from edge.records import LABELS
from tests.trainer.drawn import cutouts_zip, frames_folder
from trainer.data.crops import read_crops
from trainer.data.cropset import DOWN, NOTHING, UNKNOWN, UP, CropSet, crops_of, crops_of_cutouts, crops_of_frames
from trainer.data.labelled import labelled_cells
from trainer.data.metaphase import read_frames

TINY = Path(__file__).parents[2] / "edge" / "tiny"


def small_set(count: int, cells: list[int], case: str) -> CropSet:
    rng = np.random.default_rng(count)
    return CropSet(
        rng.integers(0, 255, (count, CROP_ROWS, CROP_COLS)).astype(np.uint8),
        rng.integers(0, 24, count),
        np.full(count, UP, np.int8),
        np.array(cells),
        np.array([case] * count),
    )


def test_cut_outs_become_crops_in_the_tables_order(tmp_path: Path) -> None:
    source = cutouts_zip(tmp_path / "crops.zip", donors=2)
    crops, truths = crops_of_cutouts(source, "train", TINY), read_crops(source, "train")
    assert len(crops) == len(truths) == 48
    assert crops.pixels.shape == (48, CROP_ROWS, CROP_COLS)
    assert crops.pixels.dtype == np.uint8
    assert [LABELS[k] for k in crops.label] == [t.label for t in truths]
    assert crops.case.tolist() == [t.donor for t in truths]
    assert crops.cell.tolist() == [0] * 24 + [1] * 24
    assert (crops.polarity == UP).all()
    lengths = (crops.pixels.max(2) > 40).sum(1)
    assert lengths[LABELS.index("1")] > lengths[LABELS.index("X")] > lengths[LABELS.index("21")]
    assert np.median(lengths[:24]) == pytest.approx(MEDIAN_ROWS, abs=5)


def rewritten(source: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """The zip with the rows of its table changed."""
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    head, *rows = files["crops.csv"].decode().splitlines()
    files["crops.csv"] = "\n".join([head, *change(rows)]).encode()
    with zipfile.ZipFile(path := source.with_name("changed.zip"), "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("how", ["shuffled", "numbered within donors"])
def test_a_cell_is_its_donors_wherever_its_rows_stand(tmp_path: Path, how: str) -> None:
    def change(rows: list[str]) -> list[str]:
        if how == "shuffled":
            return random.Random(0).sample(rows, len(rows))
        return [",".join([*row.split(",")[:2], "1", *row.split(",")[3:]]) for row in rows]

    source = cutouts_zip(tmp_path / "crops.zip", donors=3)
    other = rewritten(source, change)
    crops, again = (crops_of_cutouts(s, "train", TINY) for s in (source, other))
    assert again.case.tolist() == [truth.donor for truth in read_crops(other, "train")]
    assert np.bincount(again.cell).tolist() == [24, 24, 24]
    by_chromosome = {(c, n): p for c, n, p in zip(crops.case, crops.label, crops.pixels, strict=True)}
    for case, label, pixels in zip(again.case, again.label, again.pixels, strict=True):
        np.testing.assert_array_equal(pixels, by_chromosome[case, label])
    judged = list(labelled_cells(other, "train", TINY))
    assert [len(cell.crops) for cell in judged] == [24, 24, 24]
    assert len({cell.cell for cell in judged}) == 3
    for cell, number in zip(judged, range(3), strict=True):
        np.testing.assert_array_equal([c.pixels for c in cell.crops], again.pixels[again.cell == number])


def test_bright_cut_outs_are_the_same_crops_with_no_known_end(tmp_path: Path) -> None:
    dark = crops_of_cutouts(cutouts_zip(tmp_path / "dark.zip", donors=1), "train", TINY)
    bright = crops_of_cutouts(cutouts_zip(tmp_path / "bright.zip", donors=1, bright=True), "train", TINY)
    np.testing.assert_array_equal(bright.pixels, dark.pixels)
    assert set(bright.polarity) == {UNKNOWN}
    assert set(dark.polarity) == {UP}


def test_frames_become_crops_of_their_boxes(tmp_path: Path) -> None:
    source = frames_folder(tmp_path / "frames", ("train", "train", "val"))
    crops = crops_of_frames(source, "train", load_locator(TINY, 1))
    mistaken = crops.pick(crops.label == NOTHING)  # of an untrained locator, many
    assert set(mistaken.cell.tolist()) == {0}  # collected from one frame in a few
    assert len(mistaken) > 3
    assert (mistaken.polarity == UNKNOWN).all()
    crops = crops.pick(crops.label != NOTHING)
    truths = read_frames(source, "train")
    assert crops.pixels.shape == (92, CROP_ROWS, CROP_COLS)
    names = [LABELS[k] for k in crops.label]
    assert names[46:] == list(truths[1].labels)  # by the people's boxes
    assert sorted(names[:46]) == sorted(truths[0].labels)  # located ones first
    assert crops.cell.tolist() == [0] * 46 + [1] * 46
    assert crops.case.tolist() == ["case0"] * 46 + ["case1"] * 46
    assert (crops.polarity == UNKNOWN).all()


def test_whose_p_arm_a_person_told_lies_so(tmp_path: Path) -> None:
    locator, source = load_locator(TINY, 1), frames_folder(tmp_path / "frames", ("train", "train"), side_px=400)
    first, second = read_frames(source, "train")
    frame = locator.prepared(read_frame(second.path))
    lines = [region.axis_px for region in locator.regions_for_boxes(frame, second.boxes_px)]
    told = replace(second, p_ends_px={0: tuple(lines[0][0].tolist()), 1: tuple(lines[1][-1].tolist())})
    crops = crops_of([first, told], locator, "crops")
    assert crops.polarity[crops.cell == 1].tolist() == [UP, DOWN] + [UNKNOWN] * 44
    told = replace(first, p_ends_px=dict.fromkeys(range(46), (0.0, 0.0)))  # in the picture's corner
    crops = crops_of([told, second], locator, "crops")  # located ones first, and what is none
    there = crops.pick(crops.cell == 0)
    assert ((there.polarity == UNKNOWN) == (there.label == NOTHING)).all()
    assert {UP, DOWN} <= set(there.polarity.tolist())


def test_saved_and_loaded(tmp_path: Path) -> None:
    crops = small_set(5, [0, 0, 1, 1, 2], "a")
    crops.save(tmp_path / "new" / "train.npz")
    again = CropSet.load(tmp_path / "new" / "train.npz")
    for name in ("pixels", "label", "polarity", "cell", "case"):
        np.testing.assert_array_equal(getattr(again, name), getattr(crops, name))
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["train.npz"]


def test_joined_sets_number_their_cells_anew() -> None:
    a, b, c = small_set(3, [0, 0, 1], "a"), small_set(2, [0, 1], "long name"), small_set(2, [0, 0], "c")
    joined = CropSet.join([a, b, c])
    assert joined.cell.tolist() == [0, 0, 1, 2, 3, 4, 4]
    assert joined.case.tolist() == ["a"] * 3 + ["long name"] * 2 + ["c"] * 2
    np.testing.assert_array_equal(joined.pixels[3:5], b.pixels)
    np.testing.assert_array_equal(joined.label, np.concatenate([a.label, b.label, c.label]))


def test_an_empty_set_joins_as_nothing() -> None:
    """A split without a chromosome, beside another set."""
    some = small_set(3, [0, 0, 1], "a")
    nothing = small_set(1, [4], "b").pick(np.array([False]))
    for sets in ([nothing, some, some], [some, nothing, some]):
        assert CropSet.join(sets).cell.tolist() == [0, 0, 1, 2, 2, 3]


def test_picking_keeps_rows_together() -> None:
    crops = small_set(4, [0, 1, 2, 3], "a")
    picked = crops.pick(np.array([True, False, False, True]))
    assert len(picked) == 2
    assert picked.cell.tolist() == [0, 3]
    np.testing.assert_array_equal(picked.pixels, crops.pixels[[0, 3]])
