"""What a data report says, by its command."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.forms import coco_folder, corrections_folder, voc_folder, voc_xml
from tests.trainer.datasets import BOXES, CROPS, IMAGES, UNSPLIT, crops_zip, metaphase_folder
from tests.trainer.drawn import cutouts_zip, frames_folder
from trainer.cli import main
from trainer.data.names import split_of_case
from trainer.sheet import Tile, draw_sheet

TINY = Path(__file__).parents[2] / "edge" / "tiny"


def test_a_report_counts_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = voc_folder(tmp_path / "set")
    (data / "Annotations" / "broken.xml").write_text("<annotation>")
    arguments = ["data", "report", str(data), "--json", str(tmp_path / "r.json"), "--sheet", str(tmp_path / "s.png")]
    assert main(arguments) == 0
    figures = json.loads((tmp_path / "r.json").read_text())
    assert figures["form"] == "voc"
    assert figures["splits"]["train"] == {"pictures": 2, "cases": 1, "chromosomes": 2}
    assert figures["splits"]["test"] == {"pictures": 1, "cases": 1, "chromosomes": 2}
    assert {k: n for k, n in figures["counts"]["test"].items() if n} == {"21": 1, "X": 1}
    assert figures["length_px"]["21"]["p50"] == 62
    assert figures["size_px"]["width"]["p50"] == 120
    assert [s["file"] for s in figures["skipped"]] == ["Annotations/broken.xml"]
    assert "left out: Annotations/broken.xml" in capsys.readouterr().out
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size[1] > 3 * 96  # a row for each of the three classes


def test_a_report_of_cut_outs(tmp_path: Path) -> None:
    data = crops_zip(tmp_path / "crops.zip", damaged=("k/X_1.webp",))
    assert main(["data", "report", str(data), "--json", str(tmp_path / "r.json")]) == 0
    figures = json.loads((tmp_path / "r.json").read_text())
    assert figures["splits"]["train"] == {"pictures": 1, "cases": 1, "cells": 1, "chromosomes": 1}
    assert [s["file"] for s in figures["skipped"]] == ["k/X_1.webp"]
    assert figures["skipped"][0]["reason"].startswith(
        "expected a picture (PNG, JPEG, TIFF, WebP or BMP), got a file that"
    )
    data = crops_zip(
        tmp_path / "numbered.zip", CROPS.replace(",k,", ",1,").replace(",m,", ",1,").replace("test", "train")
    )
    assert main(["data", "report", str(data), "--json", str(tmp_path / "r.json")]) == 0
    assert json.loads((tmp_path / "r.json").read_text())["splits"]["train"]["cells"] == 2  # each donor's cell 1


def test_a_report_of_corrections_counts_the_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corrections_folder(tmp_path / "export" / "K1")
    assert main(["data", "report", str(tmp_path / "export")]) == 0
    assert "1 chromosomes corrected by a person" in capsys.readouterr().out


def test_check_passes_honest_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(crops_zip(tmp_path / "crops.zip")), str(coco_folder(tmp_path / "coco"))]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "crops.zip, train: 2 pictures, 1 cases, 1 cells, 2 chromosomes"
    assert said[-2:] == [
        "coco, test: 1 pictures, 1 cases, 2 chromosomes",
        "coco, learned from: p1; to choose by: none; held back to test on: p2",
    ]


def test_check_counts_frames_that_nobody_has_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = voc_folder(tmp_path / "set")
    (data / "Annotations" / "p1_2.xml").write_text(voc_xml("p1_2.png", []))
    assert main(["data", "check", str(data)]) == 0
    assert "set: 1 file(s) left out, 1 of them for want of a mark; trainer data report" in capsys.readouterr().out
    assert main(["data", "report", str(data)]) == 0
    assert "left out: p1_2.png: no chromosome is marked in it" in capsys.readouterr().out


def test_a_small_laboratory_is_told_which_cases_teach(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"24-08{number}" for number in range(26, 34)]
    for level, name in enumerate(names):
        picture = tmp_path / "out" / name / "images" / f"{name}.png"
        picture.parent.mkdir(parents=True)
        cv2.imwrite(str(picture), np.full((90, 120), 200 + level, np.uint8))
        line = {"image": f"images/{name}.png", "case": name, "chromosomes": [{"label": "7", "box_px": [1, 1, 9, 40]}]}
        (tmp_path / "out" / name / "corrections.jsonl").write_text(json.dumps(line) + "\n")
    by_split = {split: [n for n in names if split_of_case(n) == split] for split in ("train", "val", "test")}
    assert all(by_split[split] for split in ("train", "test"))
    told = "learned from: {}; to choose by: {}; held back to test on: {} (a case's name decides)".format(
        *(", ".join(some) or "none" for some in by_split.values())
    )
    assert main(["data", "report", str(tmp_path / "out"), "--json", str(tmp_path / "f.json")]) == 0
    assert told in capsys.readouterr().out
    cases = json.loads((tmp_path / "f.json").read_text())["cases"]
    assert cases == {split: some for split, some in by_split.items() if some}
    assert main(["data", "check", str(tmp_path / "out")]) == 0
    assert f"out, {told}" in capsys.readouterr().out.splitlines()


def test_check_compares_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    read_bytes = Path.read_bytes

    def counted(path: Path) -> bytes:
        opened.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counted)
    assert main(["data", "check", str(coco_folder(tmp_path / "coco"))]) == 0
    assert sorted(name for name in opened if name.endswith(".png")) == ["p1_1.png", "p1_2.png", "p2_1.png"]


def test_check_names_a_case_and_a_picture_in_two_splits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(metaphase_folder(tmp_path / "same"))]) == 8  # all its frames are alike
    assert "3 picture(s) in more than one split" not in (said := capsys.readouterr().err)
    same = tmp_path / "same"
    assert f"2 picture(s) in more than one split, first {same}: a1.png (train) and {same}: b1.png (test)" in said
    folder = voc_folder(tmp_path / "voc")
    (folder / "cases.csv").write_text("image,case\np1_1.png,a\np1_2.png,b\np2_1.png,a\n")
    assert main(["data", "check", str(folder)]) == 8
    assert "first 'a' in test and train" in capsys.readouterr().err


@pytest.mark.filterwarnings("default::trainer.data.splits.NamesakeWarning")
def test_check_compares_the_pictures_of_all_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (crops_zip(tmp_path / name) for name in ("a.zip", "b.zip"))
    assert main(["data", "check", str(one), str(other)]) == 0  # the same ones, each in the same split
    swapped = CROPS.replace("train", "TRAIN").replace("test", "train").replace("TRAIN", "test")
    other = crops_zip(tmp_path / "swapped.zip", swapped)
    assert main(["data", "check", str(other)]) == 0
    capsys.readouterr()
    assert main(["data", "check", str(one), str(other)]) == 8
    assert f"4 picture(s) in more than one split, first {one}: k/1_0.webp (train) and {other}: k/1_0.webp (test)" in (
        capsys.readouterr().err
    )


@pytest.mark.filterwarnings("default::trainer.data.splits.NamesakeWarning")
def test_check_warns_of_one_name_in_two_splits_of_two_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = metaphase_folder(
        tmp_path / "frames", "\n".join(IMAGES.splitlines()[:2]) + "\n", "\n".join(BOXES.splitlines()[:3])
    )
    cutouts = crops_zip(tmp_path / "crops.zip", CROPS.replace("m,d2", "m,a"))
    assert main(["data", "check", str(frames), str(cutouts)]) == 0
    assert capsys.readouterr().err == (
        f"warning: 1 case(s) or donor(s) of one name in more than one split, first 'a', train in {frames} and test in "
        f"{cutouts}; if they are the same, put them into one\n"
    )
    other = crops_zip(tmp_path / "nobody.zip", UNSPLIT)
    assert main(["data", "check", str(frames), str(other)]) == 0
    assert capsys.readouterr().err == ""  # without a name there are no namesakes


@pytest.mark.parametrize("kind", ["cut-outs", "frames"])
def test_a_preview_shows_each_augmentation(tmp_path: Path, kind: str) -> None:
    data = cutouts_zip(tmp_path / "c.zip") if kind == "cut-outs" else frames_folder(tmp_path / "f", ("train",))
    for name in ("a.png", "b.png"):
        arguments = ["data", "preview", str(data), "--out", str(tmp_path / name), "--count", "5"]
        assert main([*arguments, "--models", str(TINY)]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()  # seeded
    sheet = np.asarray(Image.open(tmp_path / "a.png"))
    rows = [sheet[6 + k * 149 : 6 + k * 149 + 128, 110:296] for k in range(20)]
    assert all((row < 200).any() for row in rows[:-1])
    assert sum((row != rows[0]).any() for row in rows) >= 18  # each row is changed; a cut may be too small to see


def test_a_sheet_keeps_small_pictures_and_shrinks_large_ones() -> None:
    dark, small = np.zeros((400, 100), np.uint8), np.zeros((10, 10), np.uint8)
    sheet = np.asarray(Image.open(io.BytesIO(draw_sheet([("", [Tile(dark), Tile(small)])], (40, 80), title_px=0))))
    assert int((sheet == 0).sum()) == 20 * 80 + 100
    assert cv2.connectedComponents((sheet < 100).astype(np.uint8))[0] == 3
    assert Image.open(io.BytesIO(draw_sheet([], (40, 80)))).size == (90 + 46 + 6, 86 + 6)
