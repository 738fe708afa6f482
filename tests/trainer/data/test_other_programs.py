"""Sets as other programs and people leave them."""

from __future__ import annotations

import json
import os
import shutil
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image

from tests.trainer.data.forms import BOXES, coco_folder, coco_table, frame, voc_folder, voc_xml
from tests.trainer.drawn import cutouts_zip, rewritten
from trainer.cli import main
from trainer.data.corrections import count_edited
from trainer.data.foreign import ForeignSet, GuessedWarning, foreign_label
from trainer.data.metaphase import read_frames, read_tables
from trainer.data.names import case_of, split_of_case
from trainer.data.pictures import TurnedWarning
from trainer.data.sources import form_of, read_all
from trainer.data.voc import read_voc
from trainer.errors import DatasetError


def test_voc_in_folders_that_cases_are_numbered_by(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    cv2.imwrite(str(tmp_path / "1" / "f_1.png"), np.full((60, 80), 200, np.uint8))
    (tmp_path / "1" / "f_1.xml").write_text(
        "<annotation><filename>f_1.png</filename><object><name>7</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
        "<xmax>9</xmax><ymax>20</ymax></bndbox></object></annotation>"
    )
    assert form_of(tmp_path) == "voc"


def test_an_annotations_own_name_states_no_split(tmp_path: Path) -> None:
    """Patients and tests are called so; lists and folders are what states one."""
    folder = voc_folder(tmp_path / "voc")
    shutil.rmtree(folder / "ImageSets")
    before = {frame.image: frame.split for frame in read_voc(folder)[0]}
    for path in folder.rglob("*.xml"):
        path.rename(path.with_name(f"test-{path.name}"))
    assert {frame.image: frame.split for frame in read_voc(folder)[0]} == before


def test_a_blank_behind_a_donors_name_makes_no_other_donor(tmp_path: Path) -> None:
    source = cutouts_zip(tmp_path / "cutouts.zip")
    spaced = rewritten(source, tmp_path / "spaced.zip", lambda row: row | {"donor": row["donor"] + " "})
    assert {c.donor for c in read_all(spaced).cutouts} == {c.donor for c in read_all(source).cutouts}


@pytest.mark.parametrize(
    "name",
    [
        "0a1b2c3d-103071.jpg",
        "103071_jpg.rf.0a1b2c3d4e5f.jpg",
        "103071_JPG.rf.0a1b2c3d4e5f.jpg",
        "103071_JPG_jpg.rf.0a1b2c3d4e5f.jpg",
    ],
)
def test_the_case_behind_what_label_studio_and_roboflow_add(name: str) -> None:
    assert case_of(name) == case_of("103071.jpg") == "10307"


@pytest.mark.parametrize("form", ["voc", "coco"])
def test_a_folder_a_patient_is_a_case(tmp_path: Path, form: str) -> None:
    names = [f"P{patient}/meta{patient}{number}.png" for patient in range(8) for number in range(3)]
    for level, name in enumerate(names):
        frame(tmp_path / name, 100 + level)
        if form == "voc":
            (tmp_path / name).with_suffix(".xml").write_text(voc_xml(Path(name).name, [("7", (10, 12, 30, 60))]))
    images = [{"id": k, "file_name": name} for k, name in enumerate(names)]
    if form == "coco":
        marks = [{"id": k, "image_id": k, "category_id": 7, "bbox": [10, 12, 20, 48]} for k in range(len(names))]
        table = {"images": images, "annotations": marks, "categories": [{"id": 7, "name": "7"}]}
        (tmp_path / "all.json").write_text(json.dumps(table))
    frames = read_all(tmp_path).frames
    assert len(frames) == 24
    assert all((f.case, f.split) == (f.path.parent.name, split_of_case(f.path.parent.name)) for f in frames)


def test_linked_folders_and_suffixes_in_capitals_are_not_passed_over(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "voc")
    (folder / "Annotations" / "p1_1.xml").rename(folder / "Annotations" / "p1_1.XML")
    (folder / "Annotations").rename(tmp_path / "elsewhere")
    (folder / "Annotations").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(folder)  # a walk without an end
    assert sorted(f.image for f in read_all(folder).frames) == ["p1_1.png", "p1_2.png", "p2_1.png"]

    coco = coco_folder(tmp_path / "coco")
    (coco / "test" / "_annotations.coco.json").rename(coco / "test" / "ALL.JSON")
    assert len(read_all(coco).frames) == 3
    assert len(read_all(coco / "test" / "ALL.JSON").frames) == 1

    (tmp_path / "classes" / "7").mkdir(parents=True)
    (tmp_path / "donors" / "P1").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "donors" / "P1" / "a.png"), np.full((60, 20), 99, np.uint8))
    (tmp_path / "classes" / "7" / "P1").symlink_to(tmp_path / "donors" / "P1")
    assert [(c.file, c.donor) for c in read_all(tmp_path / "classes").cutouts] == [("7/P1/a.png", "P1")]


def test_what_a_folder_holds_twice_by_a_link_is_read_once_and_what_a_disk_has_for_itself_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "classes" / "7"
    (folder / "P1").mkdir(parents=True)
    cv2.imwrite(str(folder / "P1" / "a.png"), np.full((60, 20), 99, np.uint8))
    (folder / "A").mkdir()
    (folder / "A" / "latest").symlink_to(folder / "P1")
    shutil.copytree(folder / "P1", folder / "lost+found")
    shutil.copytree(folder / "P1", folder / ".thumbnails")
    assert [(c.file, c.donor) for c in read_all(tmp_path / "classes").cutouts] == [("7/P1/a.png", "P1")]


def test_frames_of_trainval_alone_are_not_to_test_by(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "voc")
    names = [f"q{case}_1.png" for case in range(40)]
    for level, name in enumerate(names):
        frame(folder / "JPEGImages" / name, 100 + level)
        (folder / "Annotations" / name).with_suffix(".xml").write_text(voc_xml(name, [("7", (10, 12, 30, 60))]))
    frame(folder / "JPEGImages" / "r1_1.png", 90)
    (folder / "Annotations" / "r1_1.xml").write_text(voc_xml("r1_1.png", []))  # in no list, and unmarked
    (folder / "ImageSets" / "Main" / "trainval.txt").write_text(
        "".join(f"{name[:-4]}\n" for name in ["p1_1.png", *names])
    )
    (folder / "cases.csv").unlink()
    with pytest.warns(GuessedWarning):
        splits = {f.image: f.split for f in read_all(folder).frames}
    assert {splits[name] for name in names} == {"train", "val"}
    assert any(split_of_case(case_of(name)) == "test" for name in names)
    assert (splits["p1_1.png"], splits["p2_1.png"]) == ("train", "test")


def test_a_file_of_coco_that_is_named_itself_has_the_splits_of_its_folder(tmp_path: Path) -> None:
    coco = coco_folder(tmp_path / "coco")
    (coco / "train").rename(coco / "dev 2")
    (coco / "dev").mkdir()
    (coco / "dev 2").rename(coco / "dev" / "one")
    inside = next((coco / "dev" / "one").glob("*.json"))
    whole = {f.case: f.split for f in read_all(coco / "dev" / "one").frames}
    assert {f.case: f.split for f in read_all(inside).frames} == whole


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = voc_folder(tmp_path / "voc")
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == "Annotations":  # permissions do not hold back who runs tests as root
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(DatasetError, match=r"Annotations: cannot be listed \(Permission denied\); check its permi"):
        read_voc(folder)


@pytest.mark.parametrize("name", ["train", "instances_train", "instances_train2017"])
def test_coco_with_a_folder_of_images_a_split(tmp_path: Path, name: str) -> None:
    frame(tmp_path / "images" / name.split("_")[-1] / "p1_1.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / f"{name}.json").write_text(json.dumps(coco_table(["p1_1.png"])))
    assert [(f.image, f.split) for f in read_all(tmp_path).frames] == [("p1_1.png", "train")]


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_a_tag_that_turns_a_picture_is_told(tmp_path: Path, suffix: str) -> None:
    folder = voc_folder(tmp_path / "voc")
    picture, exif = folder / "JPEGImages" / "p2_1.png", Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    Image.open(picture).save(picture.with_suffix(suffix), exif=exif)
    picture.unlink()
    for file in (folder / "Annotations" / "p2_1.xml", folder / "cases.csv"):
        file.write_text(file.read_text().replace("p2_1.png", "p2_1" + suffix))
    for read in (read_all, lambda path: read_frames(path, "test")):
        with pytest.warns(
            TurnedWarning, match=r"1 picture\(s\) have an orientation tag, which is not applied, first p2"
        ):
            read(folder)
    read_frames(folder, "train")


@pytest.mark.parametrize("way", [".\\{}", "./{}", "{}"])
def test_paths_of_cut_outs_as_other_systems_write_them(tmp_path: Path, way: str) -> None:
    source = cutouts_zip(tmp_path / "cutouts.zip", donors=1)
    written = rewritten(source, tmp_path / "written.zip", lambda row: row | {"file": way.format(row["file"])})
    backwards = tmp_path / "backwards.zip"
    with zipfile.ZipFile(written) as old, zipfile.ZipFile(backwards, "w") as new:
        for name in old.namelist():
            new.writestr("./" + name.replace("/", "\\"), old.read(name))
    with zipfile.ZipFile(written) as old:
        old.extractall(tmp_path / "unpacked")
    files = [crop.file for crop in read_all(source).cutouts]
    for there in (written, backwards, tmp_path / "unpacked"):
        assert [crop.file for crop in read_all(there).cutouts] == files


@pytest.mark.parametrize("form", ["table", "classes", "voc", "mask"])
def test_a_pipe_among_the_files_is_not_waited_for(tmp_path: Path, form: str) -> None:
    names = {"table": "pipe.png", "classes": "1/pipe.png", "voc": "pipe.xml", "mask": "a_mask.png"}
    pipe = tmp_path / names[form]
    pipe.parent.mkdir(exist_ok=True)
    os.mkfifo(pipe)
    if form == "table":
        (tmp_path / "crops.csv").write_text("file,label,cell,donor,split\npipe.png,1,,,\n")
        assert ["got a folder, a device or a pipe" in s.reason for s in read_all(tmp_path).skipped] == [True]
    elif form == "mask":
        frame(tmp_path / "a_dapi.png")
        assert [s.file for s in read_all(tmp_path).skipped] == ["a_mask.png"]
    elif form == "voc":
        marked(tmp_path / "p1_1.png", 200)
        (tmp_path / "cases.csv").write_text("image,case\np1_1.png,p1\n")
        assert [f.image for f in read_all(tmp_path).frames] == ["p1_1.png"]
    else:
        frame(tmp_path / "1" / "p1_1.png")
        assert [c.file for c in read_all(tmp_path).cutouts] == ["1/p1_1.png"]


def test_check_fails_where_nothing_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = rewritten(
        cutouts_zip(tmp_path / "c.zip", donors=1), tmp_path / "gone.zip", lambda row: row | {"file": row["file"] + "x"}
    )
    assert main(["data", "check", str(gone)]) == DatasetError.exit_code
    assert "found none to learn from (24 left out, first c0/1.pngx: not in the zip)" in capsys.readouterr().err


def marked(picture: Path, level: int) -> None:
    frame(picture, level)
    picture.with_suffix(".xml").write_text(voc_xml(picture.name, [("7", (10, 12, 30, 60))]))


def test_cases_that_are_read_off_files_names_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for second in range(4):
        marked(tmp_path / f"P7_10-42-0{second}_a.png", 100 + second)
    marked(tmp_path / "P8" / "a.png", 110)
    message = "cases were read off the files' names: 4 pictures, 4 cases; state them in cases.csv or give each"
    with pytest.warns(GuessedWarning, match=message) as told:
        assert len({truth.case for truth in read_all(tmp_path).frames}) == 5
    assert len(told) == 1
    for command in ("check", "report"):
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            assert main(["data", command, str(tmp_path)]) == 0
        assert capsys.readouterr().err.count(message) == 1
    rows = [f"{path.name},P7\n" for path in tmp_path.glob("*.png")]
    (tmp_path / "cases.csv").write_text("image,case\na.png,P8\n" + "".join(rows))
    read_all(tmp_path)


@pytest.mark.parametrize("form", ["voc", "coco"])
@pytest.mark.parametrize(
    ("said", "there"),
    [
        (r"C:\Users\Käthe\Bilder\{}.png", "{}.png"),
        (r"images\{}.png", "{}.png"),
        ("{}.PNG", "{}.png"),
        ("{}", "{}.png"),
        ("Ko\u0308ln {}.png", "K\u00f6ln {}.png"),
        ("images/K%C3%B6ln%20{}.png", "K\u00f6ln {}.png"),  # as Label Studio writes it
        ("images%5C{}.PNG", "{}.png"),
        ("images/0a1b2c3d-{}.png", "{}.png"),
        ("0a1b2c3d-Fall%20{}.png", "Fall {}.png"),
    ],
)
def test_a_picture_by_the_name_that_it_has_on_another_system(tmp_path: Path, form: str, said: str, there: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "cases.csv").write_text(
        "image,case\n" + "".join(f"{there.format(Path(n).stem)},{n[:2]}\n" for n in BOXES)
    )
    for name in BOXES:
        frame(folder / "images" / there.format(Path(name).stem))
    if form == "voc":
        for name, marks in BOXES.items():
            (folder / f"{Path(name).stem}.xml").write_text(voc_xml(said.format(Path(name).stem), marks))
    else:
        table = coco_table(list(BOXES))
        for entry in table["images"]:
            entry["file_name"] = said.format(Path(entry["file_name"]).stem)
        (folder / "result.json").write_text(json.dumps(table))
    assert [(f.image, f.case) for f in read_all(folder).frames] == [
        (there.format(Path(name).stem), name[:2]) for name in BOXES
    ]


@pytest.mark.parametrize("wrapper", ["", "job 12"])
def test_voc_with_a_folder_a_case_below_annotations_and_pictures(tmp_path: Path, wrapper: str) -> None:
    """As CVAT writes frames that were uploaded in folders."""
    folder = tmp_path / "set"
    for name, marks in BOXES.items():
        case = f"Fall {name[:2]}"
        frame(folder / wrapper / "JPEGImages" / case / name)
        path = folder / wrapper / "Annotations" / case / f"{Path(name).stem}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(voc_xml(f"{case}/{name}", marks))
    lists = folder / wrapper / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "default.txt").write_text("".join(f"Fall {name[:2]}/{Path(name).stem}\n" for name in BOXES))
    assert [f.case for f in read_all(folder / wrapper).frames] == ["Fall p1", "Fall p1", "Fall p2"]


@pytest.mark.parametrize("lists", [True, False])
def test_two_patients_pictures_may_have_one_name(tmp_path: Path, lists: bool) -> None:
    for case, label in (("Anna", "7"), ("Bert", "X")):
        frame(tmp_path / "JPEGImages" / case / "1.png", 100 + ord(case[0]))
        path = tmp_path / "Annotations" / case / "1.xml"
        path.parent.mkdir(parents=True)
        path.write_text(voc_xml("1.png", [(label, (10, 12, 30, 60))]))
    if lists:
        (tmp_path / "ImageSets" / "Main").mkdir(parents=True)
        for split, line in (("train", "Anna/1"), ("test", "JPEGImages/Bert/1.png 1")):
            (tmp_path / "ImageSets" / "Main" / f"{split}.txt").write_text(line + "\n")
    splits = {"Anna": "train", "Bert": "test"} if lists else {case: split_of_case(case) for case in ("Anna", "Bert")}
    assert {(f.image, f.case, f.split, f.labels) for f in read_all(tmp_path).frames} == {
        ("JPEGImages/Anna/1.png", "Anna", splits["Anna"], ("7",)),
        ("JPEGImages/Bert/1.png", "Bert", splits["Bert"], ("X",)),
    }
    if lists:
        (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("1\n")
        message = r"frame '1' may be that of Annotations/Anna/1\.xml or Annotations/Bert/1\.xml; write its folder"
        with pytest.raises(DatasetError, match=message):
            read_all(tmp_path)


def test_xml_of_another_kind_beside_a_listed_picture_is_not_its_annotation(tmp_path: Path) -> None:
    """As some microscopes write it for each picture."""
    folder = voc_folder(tmp_path / "set")
    for name in ("p1_1", "p2_1", "p3_1"):
        (folder / "JPEGImages" / f"{name}.xml").write_text("<ImageMetadata/>")
    frame(folder / "JPEGImages" / "p3_1.png", 210)
    with (folder / "ImageSets" / "Main" / "test.txt").open("a") as listed:
        listed.write("p3_1\n")
    truths, skipped = read_voc(folder)
    assert {f.image: f.split for f in truths} == {"p1_1.png": "train", "p1_2.png": "train", "p2_1.png": "test"}
    assert [one.file for one in skipped] == ["p3_1.png"]


def test_cases_of_pictures_of_one_name_are_stated_by_their_paths(tmp_path: Path) -> None:
    marked(tmp_path / "images" / "a" / "1.png", 100)
    marked(tmp_path / "images" / "b" / "1.png", 101)
    (tmp_path / "cases.csv").write_text("image,case\nimages/a/1.png,P1\nimages/b/1.png,P2\n")
    assert [f.case for f in read_all(tmp_path).frames] == ["P1", "P2"]
    (tmp_path / "cases.csv").write_text("image,case\nimages\\a\\1.png,P1\n./images/b/1.png,P2\n")
    assert [f.case for f in read_all(tmp_path).frames] == ["P1", "P2"]
    (tmp_path / "cases.csv").write_text("image,case\nimages/a/1.png,P1\n1.png,P2\n")
    assert [f.case for f in read_all(tmp_path).frames] == ["P1", "P2"]
    (tmp_path / "cases.csv").write_text("image,case\n1.png,P1\n")
    with pytest.raises(DatasetError, match=r"cases\.csv: 1\.png may be images/a/1\.png or images/b/1\.png; write a"):
        read_all(tmp_path)
    (tmp_path / "cases.csv").write_text("image,case\n1.png,P1\n1.png,P2\n")
    with pytest.raises(DatasetError, match=r"cases\.csv, line 3: column 'image' must be another in each line; wr"):
        read_all(tmp_path)


def test_an_umlaut_makes_one_case_however_it_is_written(tmp_path: Path) -> None:
    one, two = "K\u00f6ln", "Ko\u0308ln"
    assert {ForeignSet(tmp_path, {}).case(tmp_path / name / "1.png") for name in (one, two)} == {one}
    assert {ForeignSet(tmp_path, {}).case(tmp_path / f"{name} 1.png") for name in (one, two)} == {one}
    (tmp_path / "cases.csv").write_text(f"image,case\n{two}.png,{two}\n", encoding="utf-8")
    assert {ForeignSet.of(tmp_path).case(tmp_path / f"{name}.png") for name in (one, two)} == {one}


def test_a_name_that_no_folder_can_have_is_one_plain_error(tmp_path: Path) -> None:
    for name in ("a" * 300 + "/x.png", "a\0/x.png"):
        with pytest.raises(DatasetError, match=r"its picture .* is not there; looked in "):
            ForeignSet.of(tmp_path).find(name, [tmp_path], tmp_path / "result.json")


def test_what_is_there_as_it_is_written_comes_first(tmp_path: Path) -> None:
    for said, other in (("a%201.png", "a 1.png"), ("0a1b2c3d-b.png", "b.png")):
        frame(tmp_path / said)
        frame(tmp_path / other)
        assert ForeignSet.of(tmp_path).find(said, [tmp_path], tmp_path / "result.json").name == said


def test_of_two_pictures_that_are_alike_none_is_guessed(tmp_path: Path) -> None:
    folder = voc_folder(tmp_path / "set")
    (folder / "JPEGImages" / "p2_1.png").rename(folder / "JPEGImages" / "P2_1.png")
    frame(folder / "JPEGImages" / "P2_1.PNG")
    with pytest.raises(DatasetError, match=r"its picture p2_1\.png is not there; looked in "):
        read_all(folder)


@pytest.mark.parametrize(
    ("written", "label"), [("23", "X"), ("chr24", "Y"), ("C23", "X"), ("Chr 23 ", "X"), ("07", "7"), ("x", "X")]
)
def test_the_sex_chromosomes_by_number(written: str, label: str) -> None:
    assert foreign_label(written, "set") == label
    for wrong in ("25", "123", "A23", "0"):
        with pytest.raises(DatasetError, match=f"class '{wrong}' is none of"):
            foreign_label(wrong, "set")


def test_a_folder_that_makes_all_of_a_set_one_case_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    voc_folder(folder / "Labor 2026" / "x")
    for name in ("JPEGImages", "Annotations"):
        (folder / "Labor 2026" / "x" / name).rename(folder / "Labor 2026" / name)
    with pytest.warns(GuessedWarning, match=r"set: all 3 pictures are taken for one case, 'Labor 2026', .* as the set"):
        assert {frame.case for frame in read_all(folder).frames} == {"Labor 2026"}
    (folder / "cases.csv").write_text("image,case\n" + "".join(f"{name},{name[:2]}\n" for name in BOXES))
    assert {frame.case for frame in read_all(folder).frames} == {"p1", "p2"}


def test_a_folder_that_may_be_a_split_is_told(tmp_path: Path) -> None:
    for level, name in enumerate(("testing", "train", "P1")):
        marked(tmp_path / name / "P9" / f"{name}.png", 100 + level)
    assert {t.image: t.split for t in read_voc(tmp_path)[0] if t.case == "P9"} == {
        "testing.png": "test",
        "train.png": "train",
    }
    marked(tmp_path / "testdata" / "t.png", 120)
    message = r"1 folder\(s\) with a split's name or the like are taken for cases, first 'testdata'; call a split"
    with pytest.warns(GuessedWarning, match=message):
        read_voc(tmp_path)


def test_a_split_below_a_class_is_no_donor(tmp_path: Path) -> None:
    for split in ("train", "testing"):
        (tmp_path / "7" / split).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "7" / split / "a.png"), np.full((60, 20), 99, np.uint8))
    with pytest.raises(DatasetError, match=r"expected SPLIT/LABEL/DONOR/CELL/PICTURE, got a split in the folder of 7"):
        read_all(tmp_path)


def test_a_class_folder_with_pictures_that_is_no_class_is_told(tmp_path: Path) -> None:
    for label in ("22", "23"):
        (tmp_path / label / "P1").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / label / "P1" / "a.png"), np.full((60, 20), 99, np.uint8))
    with pytest.raises(DatasetError, match="class '23' is none of"):
        read_all(tmp_path)


def test_where_a_folder_of_classes_lies_says_nothing(tmp_path: Path) -> None:
    for donor in ("12", "13"):
        (tmp_path / "test" / "set" / "1" / donor).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "test" / "set" / "1" / donor / "a.png"), np.full((60, 20), 99, np.uint8))
    assert {crop.label for crop in read_all(tmp_path / "test" / "set").cutouts} == {"1"}


def test_edits_of_a_frame_that_was_exported_twice_count_once(tmp_path: Path) -> None:
    line = {"image": "a.png", "case": "S1", "chromosomes": [{"label": "1", "box_px": [0, 0, 9, 9], "edited": True}]}
    (tmp_path / "c.jsonl").write_text(2 * (json.dumps(line) + "\n"))
    assert count_edited(tmp_path) == 1


def test_difficult_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text(
        "image,case,split,width_px,height_px,finding,difficult\na.png,c,test,9,9,normal,True\n"
    )
    (tmp_path / "boxes.csv").write_text("image,label,xmin,ymin,xmax,ymax\n")
    with pytest.raises(DatasetError, match="difficult"):
        read_tables(tmp_path)
