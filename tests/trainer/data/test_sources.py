"""Every form comes through the one entrance with the same frames in it; what is wrong is said in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.files import read_frame
from edge.cases.edits import Accept, Mark
from edge.cases.files import EVERY_FORM, write_case
from edge.cases.store import CaseStore
from tests.builders import make_cell, make_frame
from tests.trainer.data.forms import (
    BOXES,
    HEIGHT_PX,
    WIDTH_PX,
    coco_folder,
    coco_table,
    corrections_folder,
    frame,
    mask_folder,
    voc_folder,
    voc_xml,
)
from tests.trainer.datasets import BOXES as METAPHASE_BOXES
from tests.trainer.datasets import CROPS, crops_zip, metaphase_folder, webp
from trainer.cli import main
from trainer.data.coco import CrowdWarning
from trainer.data.crops import UnsplitWarning, read_crops
from trainer.data.foreign import GuessedWarning
from trainer.data.framecache import prepared
from trainer.data.metaphase import read_frames
from trainer.data.mfish import split_of_slide
from trainer.data.names import split_of_case
from trainer.data.pictures import UNMARKED, SkippedWarning
from trainer.data.sources import form_of, holds_cutouts, kept_at, marked_owners, read_all, splits_at, stamp_of
from trainer.errors import DatasetError

ABSENT = object()
FORMS = {"voc": voc_folder, "coco": coco_folder, "corrections": corrections_folder}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_frames_in_every_form(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path / "set")
    assert form_of(folder) == form
    contents = read_all(folder)
    assert not contents.skipped
    assert not contents.cutouts
    assert sorted(f.image for f in contents.frames) == sorted(BOXES)
    for one in contents.frames:
        assert list(zip(one.labels, map(tuple, one.boxes_px.tolist()), strict=True)) == BOXES[one.image]
        assert (one.case, one.width_px, one.height_px) == (one.image[:2], 120, 90)
        stated = "train" if one.case == "p1" else "test"
        assert one.split == (split_of_case(one.case) if form == "corrections" else stated)
    split = contents.frames[0].split
    assert [f.image for f in read_frames(folder, split)] == [f.image for f in contents.frames if f.split == split]


def test_the_other_forms(tmp_path: Path) -> None:
    assert form_of(metaphase_folder(tmp_path / "tables")) == "tables"
    assert form_of(crops_zip(tmp_path / "crops.zip")) == "crops"
    assert form_of(corrections_folder(tmp_path / "c") / "corrections.jsonl") == "corrections"
    coco = coco_folder(tmp_path / "coco") / "test" / "_annotations.coco.json"
    assert form_of(coco) == "coco"
    assert [f.image for f in read_all(coco).frames] == ["p2_1.png"]
    (tmp_path / "classes" / "chrX").mkdir(parents=True)
    assert form_of(tmp_path / "classes") == "classes"
    assert holds_cutouts(tmp_path / "classes")
    assert not holds_cutouts(tmp_path / "tables")
    assert splits_at(tmp_path / "tables") == ["test", "train"]
    assert splits_at(tmp_path / "crops.zip") == ["test", "train"]


def test_masks_become_boxes(tmp_path: Path) -> None:
    (one,) = read_all(mask_folder(tmp_path / "set")).frames
    found = sorted(zip(one.labels, map(tuple, one.boxes_px.tolist()), strict=True))
    assert found == [
        ("7", (10, 10, 20, 40)),
        ("7", (10, 50, 20, 80)),
        ("X", (5, 20, 60, 26)),
        ("Y", (100, 70, 110, 80)),
    ]
    assert one.case == "A01"


@pytest.mark.parametrize(
    "make",
    [lambda p: p / "absent", lambda p: p, lambda p: (p / "a.txt").write_text("x") and p / "a.txt"],
    ids=["absent", "empty folder", "some file"],
)
def test_what_is_no_set(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(DatasetError, match=r"expected labelled data \(images\.csv and boxes\.csv, .*\), found "):
        form_of(make(tmp_path))


@pytest.mark.parametrize("make", [*FORMS.values(), mask_folder])
def test_what_a_mac_leaves_beside_each_file_is_passed_over(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path / "set")
    seen = read_all(folder)
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X")
    again = read_all(folder)
    assert [f.path for f in again.frames] == [f.path for f in seen.frames]
    assert again.skipped == seen.skipped


def test_broken_frames_and_xml_are_listed_and_left_out(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    picture = folder / "JPEGImages" / "p1_1.png"
    picture.write_bytes(picture.read_bytes()[:-30])
    (folder / "Annotations" / "p3_1.xml").write_text("<annotation><object>")
    contents = read_all(folder)
    assert [f.image for f in contents.frames] == ["p1_2.png", "p2_1.png"]
    assert [s.file for s in contents.skipped] == ["Annotations/p3_1.xml", "p1_1.png"]
    assert "damaged" in contents.skipped[1].reason
    with pytest.warns(SkippedWarning, match=r"2 file\(s\) left out: Annotations/p3_1\.xml .*p1_1\.png"):
        assert [f.image for f in read_frames(folder, "train")] == ["p1_2.png"]


def test_a_case_in_two_splits_is_named(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    (folder / "cases.csv").write_text("image,case\np1_1.png,a\np1_2.png,b\np2_1.png,a\n")
    with pytest.raises(DatasetError, match=r"1 case\(s\) in more than one split, first 'a' in test and train"):
        read_all(folder)
    (folder / "cases.csv").write_text("image,case\np1_1.png,a\n")
    with pytest.raises(DatasetError, match=r"no case for JPEGImages/p1_2\.png"):
        read_all(folder)
    (folder / "cases.csv").write_text("image,case\np1_1.png,a\np1_2.png,\np2_1.png,c\n")
    with pytest.raises(DatasetError, match=r"no case for JPEGImages/p1_2\.png"):
        read_all(folder)


def test_a_frame_in_two_image_sets(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    (folder / "ImageSets" / "Main" / "val.txt").write_text("p2_1\n")
    with pytest.raises(DatasetError, match=r"frame 'p2_1' is in test too"):
        read_all(folder)


@pytest.mark.parametrize(
    "line",
    [
        "p2_1.png",
        "JPEGImages/p2_1.png",
        r"data\p2_1.PNG",
        '"p2_1.png" 1',
        "'p2_1'",
        "p2_1  -1\r",
        "\ufeffp2_1",
        " p2_1",
    ],
)
def test_a_list_names_frames_as_programs_do(tmp_path: Path, line: str) -> None:
    folder = voc_folder(tmp_path / "set")
    (folder / "ImageSets" / "Main" / "test.txt").write_text(line + "\n", encoding="utf-8")
    assert {f.image: f.split for f in read_all(folder).frames}["p2_1.png"] == "test"


def test_a_listed_name_with_a_dot_and_a_blank(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    for file in (folder / "JPEGImages" / "p2_1.png", folder / "Annotations" / "p2_1.xml"):
        file.rename(file.with_name("p2.3 1" + file.suffix))
    (folder / "Annotations" / "p2.3 1.xml").write_text(voc_xml("p2.3 1.png", [("7", (10, 12, 30, 60))]))
    (folder / "cases.csv").unlink()
    for line in ("p2.3 1", "p2.3 1 1", "p2.3 1.png"):
        (folder / "ImageSets" / "Main" / "test.txt").write_text(line + "\n")
        with pytest.warns(GuessedWarning):
            assert {f.image: f.split for f in read_all(folder).frames}["p2.3 1.png"] == "test"


def test_lists_and_frames_that_do_not_belong_together(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    lists = folder / "ImageSets" / "Main"
    (lists / "test.txt").write_text("p2_1\np9_1\n")
    with pytest.raises(DatasetError, match=r"test\.txt: frame 'p9_1' has neither XML nor a picture; add them, or "):
        read_all(folder)
    (lists / "test.txt").write_text("")
    with pytest.raises(DatasetError, match=r"p2_1\.xml: its frame is in no list of .*ImageSets/Main; add it to that"):
        read_all(folder)
    for path in lists.iterdir():
        path.rename(lists / "default.txt")  # as a program does that knows of no splits
    assert {f.split for f in read_all(folder).frames} == {split_of_case("p1"), split_of_case("p2")}


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ([("99", (1, 1, 9, 9))], r"p1_1\.xml, object 1: class 'chr99' is none of 1\.\.22, X, Y"),
        ([("9", (500, 1, 600, 9))], r"boxes with an area within their frame of 120x90 px, got \[500, 1, 600, 9\]"),
        ([("9", (10, 10, 10, 50))], r"boxes with an area within their frame of 120x90 px, got \[10, 10, 10, 50\]"),
        (
            [("9", (1, 1, 10**30, 9))],
            r"p1_1\.xml: a box must be four numbers of pixels, got \[1\.0, 1\.0, 1e\+30, 9\.0\]",
        ),
    ],
)
def test_wrong_voc_objects(tmp_path: Path, marks: list[tuple[str, tuple[int, ...]]], message: str) -> None:
    folder = voc_folder(tmp_path / "set")
    (folder / "Annotations" / "p1_1.xml").write_text(voc_xml("p1_1.png", marks))
    with pytest.raises(DatasetError, match=message):
        read_all(folder)


@pytest.mark.parametrize("encoding", ["gb2312", "utf-32", "xyz", "rot13"])
def test_xml_in_an_encoding_that_the_parser_lacks_is_left_out(tmp_path: Path, encoding: str) -> None:
    folder = voc_folder(tmp_path / "set")
    path = folder / "Annotations" / "p1_1.xml"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?>' + path.read_text())
    (skipped,) = read_all(folder).skipped
    assert (skipped.file, "not readable as XML" in skipped.reason) == ("Annotations/p1_1.xml", True)


def test_a_side_and_a_name_that_are_too_long(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    path = folder / "Annotations" / "p1_1.xml"
    sound = path.read_text()
    path.write_text(sound.replace("</annotation>", f"<size><width>{'9' * 5000}</width></size></annotation>"))
    assert len(read_all(folder).frames) == 3
    path.write_text(voc_xml("x" * 300, [("7", (10, 12, 30, 60))]))
    with pytest.raises(DatasetError, match=r"its picture x{300} is not there"):
        read_all(folder)


def test_a_missing_voc_picture(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    (folder / "JPEGImages" / "p2_1.png").unlink()
    with pytest.raises(DatasetError, match=r"p2_1\.xml: its picture p2_1\.png is not there; looked in "):
        read_all(folder)


def test_wrong_coco_tables(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "set")
    file = folder / "test" / "_annotations.coco.json"
    table = coco_table(["p2_1.png"])
    file.write_text(json.dumps(table | {"annotations": [{"id": 4, "image_id": 99}]}))
    with pytest.raises(
        DatasetError, match=r"annotation 4: expected 'image_id' to be the id of one of the 1 images, got 99"
    ):
        read_all(folder)
    for text in ("{", "[" * 100_000):
        file.write_text(text)
        with pytest.raises(DatasetError, match=r"expected COCO's JSON, cannot read it"):
            read_all(folder)


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        (
            "annotations",
            "category_id",
            24,
            "annotation 0: expected 'category_id' to be the id of one of the 4 categories",
        ),
        ("annotations", "bbox", None, r"annotation 0: expected 'bbox' to be \[x, y, width, height\] in px, got None"),
        ("annotations", "bbox", ABSENT, "annotation 0: expected an object with 'bbox'"),
        ("annotations", "image_id", ABSENT, "annotations: expected an object with 'image_id'"),
        ("annotations", "category_id", [1], "not as COCO has it, .*give numbers as ids"),
        ("images", "width", "120", "image 10: expected 'width' to be a number of pixels, got '120'"),
        ("images", "file_name", None, "image 10: expected 'file_name' to be text, got None"),
        ("images", "id", 11, "image 11: expected 'id' to be another for each image, got 11"),
        ("categories", "name", ABSENT, "categories: expected an object with 'name'"),
    ],
)
def test_a_coco_field_that_is_none(tmp_path: Path, part: str, field: str, value: object, message: str) -> None:
    names = ["p2_1.png", "p1_2.png"]
    for name in names:
        frame(tmp_path / name)
    table = coco_table(names)
    table[part][0] = {k: v for k, v in {**table[part][0], field: value}.items() if v is not ABSENT}
    (tmp_path / "all.json").write_text(json.dumps(table))
    with pytest.raises(DatasetError, match=rf"all\.json(, |: ){message}"):
        read_all(tmp_path)


def test_marks_of_a_crowd_are_no_chromosomes(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "set")
    table = coco_table(["p2_1.png"])
    table["annotations"][1] |= {"iscrowd": 1, "bbox": [3, 4.4, 20, 30]}
    (folder / "test" / "_annotations.coco.json").write_text(json.dumps(table))
    with pytest.warns(CrowdWarning, match=r"set: 1 annotation\(s\) with iscrowd 1 mark several") as told:
        (one,) = (frame for frame in read_all(folder).frames if frame.image == "p2_1.png")
    assert one.labels == ("X",)
    assert one.ignored_px.tolist() == [[3, 4, 23, 34]]
    assert len(told) == 1


@pytest.mark.parametrize(
    "box", [[1, 2], [1.5, 1, 10**400, 3], [1, 1, float("inf"), 3], [float("nan"), 1, 2, 3], [1, 1, 10**400, 3]]
)
def test_a_coco_box_that_is_none(tmp_path: Path, box: list[float]) -> None:
    folder = coco_folder(tmp_path / "set")
    table = coco_table(["p2_1.png"])
    table["annotations"][0]["bbox"] = box
    (folder / "test" / "_annotations.coco.json").write_text(json.dumps(table))
    with pytest.raises(DatasetError, match=r"annotation 0: expected 'bbox' to be \[x, y, width, height\] in px"):
        read_all(folder)


def test_a_voc_list_that_is_no_text(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    (folder / "ImageSets" / "Main" / "train.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"train\.txt: expected the frames' names as UTF-8 text"):
        read_all(folder)


def test_coco_may_state_the_case(tmp_path: Path) -> None:
    frame(tmp_path / "images" / "p2_1.png")
    table = coco_table(["p2_1.png"])
    for stated, case in (("K7", "K7"), (" K7 ", "K7"), (12, "12"), (0, "0")):
        table["images"][0]["case"] = stated
        (tmp_path / "all.json").write_text(json.dumps(table))
        (one,) = read_all(tmp_path).frames
        assert (one.case, one.split) == (case, split_of_case(case))


@pytest.mark.parametrize("count", [255, 256])
def test_a_frame_of_many_metaphases(tmp_path: Path, count: int) -> None:
    folder = voc_folder(tmp_path / "set")
    marks = [("7", (k % 100, k // 100, k % 100 + 9, k // 100 + 9)) for k in range(count)]
    (folder / "Annotations" / "p1_1.xml").write_text(voc_xml("p1_1.png", marks))
    if count < 256:
        assert len(prepared(read_frames(folder, "train"))[0].boxes) == count
    else:
        with pytest.raises(DatasetError, match=r"at most 255 chromosomes in a frame, got 256 in p1_1\.png; cut out a"):
            read_frames(folder, "train")


def test_two_frames_of_one_name(tmp_path: Path) -> None:
    folder = coco_folder(tmp_path / "set")
    frame(folder / "valid" / "p2_1.png")
    table = coco_table(["p2_1.png"])
    table["images"][0]["case"] = "another"
    (folder / "valid" / "a.json").write_text(json.dumps(table))
    cases = {f.image: f.case for f in read_all(folder).frames}
    assert cases == {"p1_1.png": "p1", "p1_2.png": "p1", "test/p2_1.png": "p2", "valid/p2_1.png": "another"}
    (folder / "valid" / "b.json").write_text(json.dumps(table))
    with pytest.raises(DatasetError, match=r"1 picture\(s\) are there more than once, first valid/p2_1\.png; list"):
        read_all(folder)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"frame": ', "line 4: not readable as JSON"),
        ('{"image": "frames/p1_1.png", "case": "a"}', "line 4: expected a corrected frame .*; lacks chromosomes"),
        ('{"image": "gone.png", "case": "a", "chromosomes": []}', r"line 4: its frame .*gone\.png is not there"),
        ('{"image": "frames/p1_1.png", "case": "a", "chromosomes": [{"label": "1"}]}', "needs label and box_px"),
        (
            '{"image": "frames/p1_1.png", "case": "a", "chromosomes": [{"label": "1", "box_px": [0, 0]}]}',
            r"line 4: a box must be four numbers of pixels, got \[0, 0\]",
        ),
        ("[" * 100_000, "line 4: not readable as JSON"),
        (
            '{"image": "frames/p1_1.png", "case": "a", "chromosomes": [{"label": "mar", "box_px": [0, 0, 9, 9]}]}',
            "label must be one of 1..22, X, Y, got 'mar'",
        ),
        (
            '{"image": "frames/p1_1.png", "case": "a", "chromosomes": '
            '[{"label": "8", "box_px": [0, 0, 9, 9], "p_end_px": 4}]}',
            "p_end_px must be two numbers of pixels",
        ),
        *(
            (
                '{"image": "frames/p1_1.png", "case": "a", "chromosomes": '
                f'[{{"label": "8", "box_px": [0, 0, 9, 9], "p_end_px": [{end}, 4]}}]}}',
                "p_end_px must be two numbers of pixels",
            )
            for end in ("NaN", "9" * 400)
        ),
        (json.dumps({"image": "x" * 300, "case": "a", "chromosomes": []}), "line 4: its frame .* is not there"),
    ],
)
def test_wrong_corrections(tmp_path: Path, line: str, message: str) -> None:
    folder = corrections_folder(tmp_path / "set")
    with (folder / "corrections.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=message):
        read_all(folder)


def test_corrections_that_lie_deeper_than_others_are_told(tmp_path: Path) -> None:
    corrections_folder(tmp_path / "set" / "S24-117" / "corrections")
    corrections_folder(tmp_path / "set" / "2024" / "S24-118" / "corrections")
    with pytest.raises(DatasetError, match=r"2024/S24-118/corrections/corrections\.jsonl lies deeper than .*S24-117"):
        read_all(tmp_path / "set")


def test_one_picture_in_two_cases_is_told_with_both(tmp_path: Path) -> None:
    first = corrections_folder(tmp_path / "set" / "a")
    shutil.copytree(first, tmp_path / "set" / "b")
    lines = (first / "corrections.jsonl").read_text()
    (tmp_path / "set" / "b" / "corrections.jsonl").write_text(lines.replace('"case": "p1"', '"case": "q1"'))
    with pytest.raises(DatasetError, match=r"first p1_1\.png; it is in cases p1 and q1: set it aside where"):
        read_all(tmp_path / "set")


def test_the_later_of_two_corrections_holds_and_changes_the_stamp(tmp_path: Path) -> None:
    folder = corrections_folder(tmp_path / "set")
    before = stamp_of(folder)
    again = {"image": "frames/p1_1.png", "case": "p1", "chromosomes": [{"label": "8", "box_px": [10, 12, 30, 60]}]}
    with (folder / "corrections.jsonl").open("a") as file:
        file.write(json.dumps(again) + "\n")
    assert {f.image: f.labels for f in read_all(folder).frames}["p1_1.png"] == ("8",)
    assert (then := stamp_of(folder)) != before
    again["chromosomes"] = [{"label": "8", "box_px": [10, 12, 30, 60], "p_end_px": [20, 12]}]
    with (folder / "corrections.jsonl").open("a") as file:
        file.write(json.dumps(again) + "\n")
    assert stamp_of(folder) not in (before, then)


@pytest.mark.parametrize("form", ["tables", "voc", "zip", "classes"])
def test_a_stamp_is_of_what_the_set_says_and_shows_not_of_where_it_lies(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "a" / "set"
    folder.parent.mkdir()
    if form == "tables":
        first = metaphase_folder(folder) / "images" / "a1.png"
    elif form == "voc":
        first = voc_folder(folder) / "JPEGImages" / "p1_1.png"
    elif form == "classes":
        picture(folder / "7" / "d1" / "a.webp", 9)
        picture(first := folder / "X" / "d2" / "a.webp", 9)
    else:
        first = crops_zip(folder)
    before = stamp_of(folder)
    assert len(before) == 8
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert stamp_of(tmp_path / "b" / "set") == before
    if form == "zip":
        crops_zip(folder, CROPS.replace("k/X_1.webp,X", "k/X_1.webp,Y"))
    elif form == "classes":
        picture(first, 10)
    else:
        cv2.imwrite(str(first), cv2.imread(str(first), cv2.IMREAD_GRAYSCALE) - 1)
    assert stamp_of(folder) != before


@pytest.mark.parametrize(("before", "after"), [("a1.png,1,", "a1.png,2,"), (",40", ",41")])
def test_what_was_made_of_tables_is_made_anew_when_they_are_corrected(tmp_path: Path, before: str, after: str) -> None:
    folder = metaphase_folder(tmp_path / "set")
    kept = kept_at(tmp_path, folder, "train", ["sha256:0123456789"])
    assert kept_at(tmp_path, folder, "train", ["sha256:0123456789"]) == kept
    (folder / "boxes.csv").write_text((folder / "boxes.csv").read_text().replace(before, after))
    assert kept_at(tmp_path, folder, "train", ["sha256:0123456789"]) != kept


def test_splits_are_marked_where_a_chromosome_has_a_box(tmp_path: Path) -> None:
    folder = metaphase_folder(tmp_path / "set")
    assert marked_owners(folder) == {"train": {"a"}, "test": {"b", "c"}}
    (folder / "boxes.csv").write_text("image,label,xmin,ymin,xmax,ymax\nb1.png,21,10,10,20,40\n")
    assert marked_owners(folder) == {"test": {"b"}}


@pytest.mark.parametrize("form", ["tables", "voc", "coco"])
def test_a_frame_that_nobody_has_marked_is_left_out(tmp_path: Path, form: str) -> None:
    folder = {"tables": metaphase_folder, **FORMS}[form](tmp_path / "set")
    whole = stamp_of(folder)
    if form == "tables":
        (folder / "boxes.csv").write_text(METAPHASE_BOXES.replace("a2.png,3,10,10,30,50\n", ""))
    elif form == "voc":
        (folder / "Annotations" / "p1_2.xml").write_text(voc_xml("p1_2.png", []))
    else:
        table = coco_table(["p1_1.png", "p1_2.png"])
        table["annotations"] = [mark for mark in table["annotations"] if mark["image_id"] == 10]
        (folder / "train" / "_annotations.coco.json").write_text(json.dumps(table))
    marked, bare = ("a1.png", "a2.png") if form == "tables" else ("p1_1.png", "p1_2.png")
    assert stamp_of(folder) != whole
    assert [(s.file, s.reason) for s in read_all(folder).skipped] == [(bare, UNMARKED)]
    with pytest.warns(SkippedWarning, match=rf"set: 1 frame\(s\) have no mark .*, first {bare}; mark them") as told:
        assert [f.image for f in read_frames(folder, "train")] == [marked]
    assert len(told) == 1


@pytest.mark.parametrize("list_name", ["train.txt", "default.txt"])
def test_a_listed_picture_without_xml_is_left_out(tmp_path: Path, list_name: str) -> None:
    folder = voc_folder(tmp_path / "set")
    for name in ("p1_3.png", "p1_4.png"):  # the second is in no list
        cv2.imwrite(str(folder / "JPEGImages" / name), np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8))
    listed = folder / "ImageSets" / "Main" / list_name
    listed.write_text("p1_1\r\np1_2\r\nJPEGImages\\p1_3.png\r\n")
    found = read_all(folder)
    assert [f.image for f in found.frames] == list(BOXES)
    assert [(s.file, s.reason) for s in found.skipped] == [("p1_3.png", UNMARKED)]
    with pytest.warns(SkippedWarning, match=r"set: 1 frame\(s\) have no mark .*, first p1_3.png; mark them"):
        assert [f.image for f in read_frames(folder, "train")] == ["p1_1.png", "p1_2.png"]


def test_a_split_without_a_mark_is_told(tmp_path: Path) -> None:
    folder = metaphase_folder(tmp_path / "set", boxes=METAPHASE_BOXES.replace("c1.png", "b1.png").replace("a1", "b1"))
    (folder / "boxes.csv").write_text((folder / "boxes.csv").read_text().replace("a2.png", "c1.png"))
    with pytest.raises(DatasetError, match=r"no marked picture in split 'train'; splits here: test"):
        read_frames(folder, "train")


def test_a_frame_in_which_a_person_found_no_chromosome_stays(tmp_path: Path) -> None:
    folder = corrections_folder(tmp_path / "set")
    lines = [json.loads(line) for line in (folder / "corrections.jsonl").read_text().splitlines()]
    lines[1]["chromosomes"] = []
    (folder / "corrections.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert {f.image: f.labels for f in read_all(folder).frames}["p1_2.png"] == ()


def test_the_exports_of_several_cases_are_one_set(tmp_path: Path) -> None:
    with CaseStore(tmp_path / "store") as store:
        for level, case in enumerate(("P1", "P2"), 200):
            store.new_case(case, "kim")
            state = store.capture(case, make_frame(300, 340, level=level), make_cell(), "kim")
            store.edit(state.id, Accept((0,)), based_on=0, actor="kim")
            write_case(store, case, tmp_path / "exports" / case, EVERY_FORM)
    contents = read_all(tmp_path / "exports")
    assert contents.form == "corrections"
    assert [(f.case, f.split, len(f.labels)) for f in contents.frames] == [
        (case, split_of_case(case), 46) for case in ("P1", "P2")
    ]
    for place in ("P1", "P1/corrections", "P1/corrections/corrections.jsonl"):
        assert [f.case for f in read_all(tmp_path / "exports" / place).frames] == ["P1"]


def test_a_frame_with_a_marker_or_a_derivative_is_no_training_data(tmp_path: Path) -> None:
    marks = {"P1": Accept((0,)), "P2": Mark(3, "marker"), "P3": Mark(4, "derivative")}
    with CaseStore(tmp_path / "store") as store:
        for level, (case, mark) in enumerate(marks.items(), 200):
            store.new_case(case, "kim")
            state = store.capture(case, make_frame(300, 340, level=level), make_cell(), "kim")
            store.edit(state.id, mark, based_on=state.revision, actor="kim")
            write_case(store, case, tmp_path / "exports" / case, EVERY_FORM)
    contents = read_all(tmp_path / "exports")
    assert [frame.case for frame in contents.frames] == ["P1"]
    karyotypes = [skipped.reason.split(":")[0].split(",")[-1] for skipped in contents.skipped]
    assert karyotypes == ["+mar", "der(3)"]
    with pytest.warns(SkippedWarning, match=r"2 file\(s\) left out: .*no class for markers and derivatives"):
        assert len(read_frames(tmp_path / "exports", contents.frames[0].split)) == 1


def halved(path: Path) -> None:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(path), picture[::2, ::2])


def stated_voc(folder: Path) -> Path:
    file = voc_folder(folder) / "Annotations" / "p1_1.xml"
    size = f"<size><width>{WIDTH_PX}</width><height>{HEIGHT_PX}</height></size>"
    file.write_text(file.read_text().replace("<object>", size + "<object>", 1))
    return folder


def stated_corrections(folder: Path) -> Path:
    file = corrections_folder(folder) / "corrections.jsonl"
    size = {"width_px": WIDTH_PX, "height_px": HEIGHT_PX}
    file.write_text("".join(json.dumps(json.loads(line) | size) + "\n" for line in file.read_text().splitlines()))
    return folder


@pytest.mark.parametrize(
    ("make", "picture", "where"),
    [
        (metaphase_folder, "images/a1.png", r"images\.csv, line 2"),
        (coco_folder, "train/p1_1.png", r"_annotations\.coco\.json, image 10"),
        (stated_voc, "JPEGImages/p1_1.png", r"p1_1\.xml"),
        (stated_corrections, "frames/p1_1.png", r"corrections\.jsonl, line 1"),
        (mask_folder, "A01_1_dapi.png", r"A01_1_mask\.png"),
    ],
)
def test_a_frame_of_another_size_than_the_marked_one(
    tmp_path: Path, make: Callable[[Path], Path], picture: str, where: str
) -> None:
    folder = make(tmp_path / "set")
    read_all(folder)
    halved(folder / picture)
    message = (
        rf"{where}: expected \w+\.png of (120x90|100x80) px, got (60x45|50x40) px; give the picture that was marked"
    )
    with pytest.raises(DatasetError, match=message):
        read_all(folder)
    for split in ("train", "test"):
        with pytest.raises(DatasetError, match=message):
            read_frames(folder, split)
    assert main(["data", "check", str(folder)]) == DatasetError.exit_code


def test_a_size_that_nobody_knows_is_not_compared(tmp_path: Path) -> None:
    folder = stated_voc(tmp_path / "set")
    file = folder / "Annotations" / "p1_1.xml"
    file.write_text(file.read_text().replace(f"{WIDTH_PX}<", "0<"))
    assert len(read_all(folder).frames) == 3


def test_a_frame_that_is_damaged_in_its_middle_is_left_out(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    picture = folder / "JPEGImages" / "p1_1.png"
    content = bytearray(picture.read_bytes())
    content[len(content) // 2] ^= 0x55
    picture.write_bytes(content)
    with pytest.warns(SkippedWarning, match=r"1 file\(s\) left out: p1_1\.png \(expected a picture .*damaged"):
        frames = read_frames(folder, "train")
    assert [read_frame(frame.path).source for frame in frames] == ["p1_2.png"]


# --- folders of classes


def picture(path: Path, level: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(webp(level))


def test_a_folder_of_classes_by_donor_and_cell(tmp_path: Path) -> None:
    for donor in ("d1", "d2", "d3", "d4", "d5", "d6"):
        picture(tmp_path / "7" / donor / "c1" / "a.webp", 9)
        picture(tmp_path / "chrX" / donor / "c1" / "b.webp", 8)
    contents = read_all(tmp_path)
    assert [(c.label, c.donor, c.cell) for c in contents.cutouts if c.donor == "d2"] == [
        ("7", "d2", "d2/c1"),
        ("X", "d2", "d2/c1"),
    ]
    assert all(c.split == split_of_case(c.donor) for c in contents.cutouts)
    assert {c.donor for c in read_crops(tmp_path, "train")} == {
        d for d in ("d1", "d2", "d3", "d4", "d5", "d6") if split_of_case(d) == "train"
    }


def test_a_folder_of_classes_by_split(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "7" / "d1" / "a.webp", 9)
    picture(tmp_path / "valid" / "7" / "d2" / "a.webp", 8)
    assert form_of(tmp_path) == "classes"
    assert [(c.file, c.split) for c in read_crops(tmp_path, "val")] == [("valid/7/d2/a.webp", "val")]
    picture(tmp_path / "valid" / "7" / "d1" / "b.webp", 7)
    with pytest.raises(DatasetError, match=r"1 donor\(s\) in more than one split, first 'd1' in train and val"):
        read_all(tmp_path)


def test_an_unpacked_zip(tmp_path: Path) -> None:
    (tmp_path / "crops.csv").write_text("file,label,cell,donor,split\nk/1.webp,1,k,d,train\nk/2.webp,2,k,d,train\n")
    picture(tmp_path / "k" / "1.webp", 5)
    contents = read_all(tmp_path)
    assert [c.file for c in contents.cutouts] == ["k/1.webp"]
    assert [(s.file, s.reason) for s in contents.skipped] == [("k/2.webp", "No such file or directory")]


def test_grey_levels_come_through(tmp_path: Path) -> None:
    picture(tmp_path / "7" / "a.webp", 42)
    with pytest.warns(UnsplitWarning):
        (crop,) = read_crops(tmp_path, "test")
    np.testing.assert_array_equal(crop.pixels, cv2.imdecode(np.frombuffer(webp(42), np.uint8), 0))
    assert (crop.split, crop.donor, crop.cell) == ("", "", "")


def test_half_of_the_slides_with_masks_are_to_learn_from() -> None:
    slides = [f"{probe}{number:02d}" for probe in "APV" for number in range(40)]
    splits = [split_of_slide(slide) for slide in slides]
    assert set(splits) == {"train", "test"}
    assert 45 <= splits.count("train") <= 75
    assert splits == [split_of_slide(slide) for slide in slides]  # whatever else is there
