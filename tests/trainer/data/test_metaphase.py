"""Metaphase tables: what is read, and what is said when something is wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.datasets import BOXES, IMAGES, metaphase_folder
from trainer.data.metaphase import read_frames
from trainer.errors import DatasetError


def test_reads_one_split_in_order(tmp_path: Path) -> None:
    train, test = (read_frames(metaphase_folder(tmp_path / s), s) for s in ("train", "test"))
    assert [frame.image for frame in train] == ["a1.png", "a2.png"]
    assert train[0].labels == ("1", "X")
    np.testing.assert_array_equal(train[0].boxes_px, [[10, 10, 20, 40], [50, 10, 60, 40]])
    assert [(frame.case, frame.finding, frame.difficult) for frame in test] == [
        ("b", "numerical", False),
        ("c", "normal", True),
    ]


def test_boxes_beyond_the_border_are_clipped_and_kept_as_stated(tmp_path: Path) -> None:
    frame = read_frames(metaphase_folder(tmp_path / "d"), "test")[0]
    assert frame.boxes_px[1].tolist() == [0, 50, 30, 80]
    assert frame.stated_boxes_px[1].tolist() == [-1, 50, 30, 81]


@pytest.mark.parametrize(
    ("images", "boxes", "message"),
    [
        (IMAGES, BOXES.replace("21,10", "23,10"), r"boxes\.csv, line 5: column 'label' must be one of 1\.\.22, X, Y"),
        (IMAGES, BOXES.replace("xmin", "x0"), "missing xmin in header 'image,label,x0,"),
        (IMAGES, BOXES.replace("21,10,", "21,ten,"), "column 'xmin' must be a whole number, got 'ten'"),
        (IMAGES, BOXES + "z.png,1,0,0,9,9\n", "a picture listed in images.csv, got 'z.png'"),
        (IMAGES, BOXES + "c1.png,1,9,0,9,9\n", "the left side of a box within 100x80 px, got '9'"),
        (IMAGES, BOXES + "c1.png,1\n", "column 'xmin' must be a whole number, got ''"),
        (IMAGES.replace("b1.png,b", "b1.png,a"), BOXES, r"1 case\(s\) in more than one split, first 'a' in test and"),
        (IMAGES.replace("c,test", "c,exam"), BOXES, "split must be one of train, val, test, got 'exam'"),
        (IMAGES.replace("test", "val"), BOXES, "no picture in split 'test'; splits here: train, val"),
        (IMAGES.replace("numerical", "trisomy"), BOXES, "column 'finding' must be normal, numerical, structural"),
        ("", BOXES, "expected columns image, case, split"),
        (IMAGES, BOXES + BOXES.splitlines()[2] + "\n", r"a1\.png has the box \[50, 10, 60, 40\] of a X more than once"),
        (IMAGES, BOXES.replace("X,50", "X," + "9" * 30), "column 'xmin' must be at most 1000000000, got '999"),
        (IMAGES, BOXES + "c" * 200_000 + "\n", r"boxes\.csv, line \d: not readable as CSV \(field larger"),
    ],
)
def test_wrong_tables_name_the_line(tmp_path: Path, images: str, boxes: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        read_frames(metaphase_folder(tmp_path / "d", images, boxes), "test")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("gone", ["images.csv", "boxes.csv", "images/c1.png"])
def test_missing_files_are_named(tmp_path: Path, gone: str) -> None:
    folder = metaphase_folder(tmp_path / "d")
    (folder / gone).unlink()
    with pytest.raises(DatasetError, match=gone.split("/")[-1]):
        read_frames(folder, "test")


def test_a_table_in_another_encoding(tmp_path: Path) -> None:
    folder = metaphase_folder(tmp_path / "d")
    (folder / "images.csv").write_bytes(IMAGES.encode("utf-16"))
    with pytest.raises(DatasetError, match="expected UTF-8 text, byte 0 is not"):
        read_frames(folder, "test")
