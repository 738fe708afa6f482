"""What file and class names of others are taken for."""

from pathlib import PurePath

import pytest

from trainer.data.names import case_folder, case_of, label_of, label_said_by, split_named, split_of_case


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("7", "7"),
        ("chr7", "7"),
        ("Chromosome 21", "21"),
        ("chr_X", "X"),
        ("C7", "7"),
        ("G22", "22"),
        ("GY", "Y"),
        ("CX", "X"),
        ("y", "Y"),
        ("07", "7"),
        ("A7", None),
        ("23", None),
        ("0", None),
        ("chromosomes", None),
        ("XY", None),
        ("", None),
    ],
)
def test_class_names(name: str, label: str | None) -> None:
    assert label_of(name) == label


@pytest.mark.parametrize(
    ("file", "case"),
    [
        ("103071.jpg", "10307"),
        ("P12_03.png", "P12"),
        ("P12-cell 4.tif", "P12-cell"),
        ("97002023.12.png", "97002023"),
        ("spread.png", "spread"),
        ("7.png", "7"),
    ],
)
def test_case_names(file: str, case: str) -> None:
    assert case_of(file) == case


@pytest.mark.parametrize(
    ("path", "case"),
    [
        ("patient105203/metaphase0.jpg", "patient105203"),
        ("train/images/P105203/meta0.webp", "P105203"),
        ("P105203/slide 2/images/meta0.webp", "P105203"),
        ("12/meta0.webp", "12"),
        ("1023/meta0.webp", "1023"),
        ("meta0.webp", None),
        ("JPEGImages/meta0.webp", None),
        ("VOC2012/JPEGImages/meta0.webp", None),
        ("train2017/meta0.webp", None),
        ("testing/meta0.webp", None),
        ("testdata/meta0.webp", "testdata"),
        ("../images/default/meta0.webp", None),
    ],
)
def test_folders_that_name_a_case(path: str, case: str | None) -> None:
    assert case_folder(PurePath(path)) == case


def test_a_case_keeps_its_split_and_most_are_for_training() -> None:
    splits = [split_of_case(f"case{k}") for k in range(2000)]
    assert splits == [split_of_case(f"case{k}") for k in range(2000)]
    assert splits[:6] == ["test", "train", "train", "train", "train", "train"]  # for ever: corrections come in later
    assert 0.77 < splits.count("train") / 2000 < 0.83
    assert 0.08 < splits.count("val") / 2000 < 0.12


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("annotations/instances_val2017.json", "val"),
        ("valid/_annotations.coco.json", "val"),
        ("ImageSets/Main/test.txt", "test"),
        ("ImageSets/Main/trainval.txt", None),
        ("Annotations/a.xml", None),
        ("testimony/a.xml", None),
        ("training/a.xml", "train"),
        ("Training Set/a.xml", "train"),
        ("trainset/a.xml", "train"),
        ("testing/a.xml", "test"),
        ("TestSet/a.xml", "test"),
        ("valset/a.xml", "val"),
        ("dev/a.xml", "val"),
        ("eval/a.xml", "test"),
        ("evaluation/a.xml", "test"),
        ("holdout/a.xml", "test"),
        ("annotations/instances_training.json", "train"),
        ("VOCdevkit/a.xml", None),
        ("Dev K/a.xml", None),
        ("Eva L/Evaluation 2/a.xml", None),
    ],
)
def test_splits_stated_by_paths(path: str, split: str | None) -> None:
    assert split_named(PurePath(path)) == split


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cell3_chr7_a", "7"),
        ("chr7", "7"),
        ("CHR07-2", "7"),
        ("Chromosome 21", "21"),
        ("chrx", "X"),
        ("X_1", "X"),
        ("Y", "Y"),
        ("7_1", None),
        ("12", None),
        ("Xray", None),
        ("x-12", None),
        ("chr123", None),
        ("chr23", None),
        ("anchr7", None),
    ],
)
def test_a_name_that_says_a_class_outright(name: str, label: str | None) -> None:
    assert label_said_by(name) == label
