"""Cut-outs from a zip and from a folder of classes."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.trainer.datasets import CROPS, UNSPLIT, crops_zip, webp
from trainer.data import crops, tables
from trainer.data.crops import CropWarning, UnsplitWarning, all_crops, by_cell, donors_of, read_crops
from trainer.data.names import split_of_case
from trainer.errors import DatasetError


def test_reads_one_split_of_a_zip(tmp_path: Path) -> None:
    found = read_crops(crops_zip(tmp_path / "crops.zip"), "test")
    assert [(c.file, c.label, c.cell, c.donor, c.split) for c in found] == [
        ("m/1_0.webp", "1", "m", "d2", "test"),
        ("m/2_1.webp", "2", "m", "d2", "test"),
    ]
    assert found[0].pixels.shape == (20, 8)
    assert found[0].pixels[5, 5] == 30
    assert list(by_cell(found)) == [("d2", "m")]


def test_a_donor_without_a_stated_split_has_its_own(tmp_path: Path) -> None:
    donors = [f"p{k}" for k in range(12)]
    rows = [f"{donor}.webp,1,{donor},{donor}," for donor in donors]
    source = crops_zip(tmp_path / "crops.zip", "\n".join([CROPS.splitlines()[0], *rows]))
    splits = [split_of_case(donor) for donor in donors]
    assert [c.split for c in all_crops(source)[0]] == splits
    assert {"train", "test"} <= set(splits)
    for split in set(splits):
        assert [c.donor for c in read_crops(source, split)] == [d for d in donors if split_of_case(d) == split]


def test_a_donor_has_one_split_though_not_every_row_states_it(tmp_path: Path) -> None:
    assert split_of_case("d2") != "test"
    source = crops_zip(tmp_path / "crops.zip", CROPS.replace("m,d2,test", "m,d2,", 1))
    assert [c.file for c in read_crops(source, "test")] == ["m/1_0.webp", "m/2_1.webp"]


def test_where_others_are_split_those_of_nobody_are_to_learn_from(tmp_path: Path) -> None:
    source = crops_zip(tmp_path / "crops.zip", CROPS + "n/3_0.webp,3,n,,\n")
    assert [c.file for c in read_crops(source, "train")] == ["k/1_0.webp", "k/X_1.webp", "n/3_0.webp"]
    assert [c.file for c in read_crops(source, "test")] == ["m/1_0.webp", "m/2_1.webp"]
    for name in ("test/1/d1/a.webp", "1/b.webp"):
        (tmp_path / "classes" / name).parent.mkdir(parents=True)
        (tmp_path / "classes" / name).write_bytes(webp(7))
    assert [c.file for c in read_crops(tmp_path / "classes", "test")] == ["test/1/d1/a.webp"]
    assert [c.file for c in read_crops(tmp_path / "classes", "train")] == ["1/b.webp"]


def test_a_set_that_nobody_split_is_read_as_a_whole_and_says_so(tmp_path: Path) -> None:
    source = crops_zip(tmp_path / "crops.zip", UNSPLIT)
    for split in ("train", "test"):
        with pytest.warns(UnsplitWarning, match=rf"found none: all 4 cut-outs are taken for '{split}'; state them"):
            assert [c.split for c in read_crops(source, split)] == [""] * 4
    assert donors_of(source) == {"": {""}}
    with pytest.raises(DatasetError, match="expected a split of train, val, test, got 'exam'"):
        read_crops(source, "exam")


def test_damaged_pictures_are_named_and_left_out(tmp_path: Path) -> None:
    source = crops_zip(tmp_path / "crops.zip", damaged=("k/X_1.webp",))
    with pytest.warns(CropWarning, match=r"1 unreadable picture\(s\) left out: k/X_1\.webp"):
        found = read_crops(source, "train")
    assert [c.file for c in found] == ["k/1_0.webp"]


def test_a_picture_whose_compressed_bytes_are_damaged(tmp_path: Path) -> None:
    source = crops_zip(tmp_path / "crops.zip")
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        start = archive.getinfo("k/X_1.webp").header_offset + 30 + len("k/X_1.webp")
    content = bytearray(source.read_bytes())
    content[start] |= 6  # a kind of block that deflate does not have
    source.write_bytes(content)
    with pytest.warns(CropWarning, match=r"1 unreadable picture\(s\) left out: k/X_1\.webp"):
        assert [c.file for c in read_crops(source, "train")] == ["k/1_0.webp"]


def test_an_encrypted_zip(tmp_path: Path) -> None:
    source = crops_zip(tmp_path / "crops.zip")
    content = bytearray(source.read_bytes())
    content[content.find(b"PK\1\2") + 8] |= 1
    source.write_bytes(content)
    with pytest.raises(DatasetError, match=r"crops\.csv: cannot be read: .*encrypted"):
        read_crops(source, "train")


def test_a_picture_that_unpacks_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "MOST_BYTES", 1000)
    source = crops_zip(tmp_path / "crops.zip")
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("bomb", bytes(1001))
    with zipfile.ZipFile(source) as archive, pytest.raises(OSError, match="1001 bytes, expected at most 1000"):
        crops._member(archive, "bomb")


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    source = crops_zip(tmp_path / "crops.zip", damaged=("m/1_0.webp", "m/2_1.webp"))
    with pytest.raises(DatasetError, match=r"picture in split 'test' \(2 unreadable, first m/1_0\.webp: expected a p"):
        read_crops(source, "test")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (CROPS.replace("m,d2", "m,d1"), r"1 donor\(s\) in more than one split, first 'd1'"),
        (CROPS.replace("m,d2", "k,").replace("k,d1", "k,"), r"1 cell\(s\) in more than one split, first 'k'"),
        (CROPS.replace("m,d2,test", "m,,test", 1).replace("d2,test", ","), r"1 cell\(s\) in more than one split"),
        (CROPS.replace(",2,m", ",23,m"), "column 'label' must be one of 1..22, X, Y"),
        (
            CROPS.replace("donor", "patient"),
            "missing donor in header 'file,label,cell,patient,split'; name the columns so",
        ),
        (CROPS.replace("test", "val"), "no picture in split 'test'"),
        (
            CROPS + "n/3_0.webp,3,n,,tset\n",
            r"crops\.csv, line 6: column 'split' must be one of train, val, test, or empty, got 'tset'",
        ),
        (CROPS + CROPS.splitlines()[1] + "\n", "'k/1_0.webp' is listed more than once"),
    ],
)
def test_wrong_tables(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_crops(crops_zip(tmp_path / "crops.zip", table), "test")


def test_a_table_that_unpacks_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = crops_zip(tmp_path / "crops.zip")
    monkeypatch.setattr(tables, "MOST_LINES", 3)
    with pytest.raises(DatasetError, match=r"crops\.csv: expected at most 3 lines, got more; make several sets of it"):
        all_crops(source)
    monkeypatch.setattr(tables, "MOST_BYTES", 99)
    with pytest.raises(DatasetError, match=r"crops\.csv: expected at most 99 bytes, got more"):
        all_crops(source)


def test_what_is_no_zip(tmp_path: Path) -> None:
    (tmp_path / "crops.zip").write_bytes(b"%PDF-1.7")
    for name in ("crops.zip", "absent.zip"):
        with pytest.raises(DatasetError, match="expected a zip of crops or a folder of classes"):
            read_crops(tmp_path / name, "test")


def test_a_zip_of_classes_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "classes.zip", "w") as archive:
        archive.writestr("7/a.webp", webp(7))
    with pytest.raises(DatasetError, match=r"expected crops\.csv at the top of the zip, found none; put it there"):
        read_crops(tmp_path / "classes.zip", "train")


def test_a_folder_of_classes(tmp_path: Path) -> None:
    for label in ("X", "2"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.webp").write_bytes(webp(7))
    (tmp_path / "X" / "notes.txt").write_text("no picture")
    with pytest.warns(UnsplitWarning):
        crops = read_crops(tmp_path, "test")
    assert [(c.file, c.label, c.cell) for c in crops] == [("2/a.webp", "2", ""), ("X/a.webp", "X", "")]
    with pytest.raises(DatasetError, match="no readable picture"):
        read_crops(tmp_path / "X", "test")


@pytest.mark.parametrize("misplaced", ["1/chr7_a.png", "1/X_3.png", "1/X/a.png", "train/2/d/chr1/a.png"])
def test_folders_that_are_cells_are_not_taken_for_classes(tmp_path: Path, misplaced: str) -> None:
    """Many number their cells, with pictures or folders named by the class in each."""
    for name in ("1/chr1_a.png", "1/2/b.png", misplaced):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(webp(7))
    with pytest.raises(DatasetError, match=r"expected a folder a class, .* got chromosome \w+ by its name in the fold"):
        read_crops(tmp_path, "train")


def test_what_is_transparent_around_a_cut_out_is_white(tmp_path: Path) -> None:
    grey = np.full((20, 8), 60, np.uint8)
    alpha = np.zeros_like(grey)
    alpha[4:16, 2:6] = 255
    (tmp_path / "7").mkdir()
    cv2.imwrite(str(tmp_path / "7" / "a.png"), np.dstack([np.where(alpha, grey, 0)] * 3 + [alpha]))
    cv2.imwrite(
        str(tmp_path / "7" / "deep.png"), np.dstack([np.where(alpha, grey, 0)] * 3 + [alpha]).astype("<u2") * 257
    )
    crops, _ = all_crops(tmp_path)
    np.testing.assert_array_equal(crops[0].pixels, np.where(alpha, 60, 255))
    assert (crops[1].pixels[alpha == 0] == 255).all()


def test_deep_cut_outs_of_a_cell_are_scaled_alike(tmp_path: Path) -> None:
    pictures = {"1/d/k/dark.png": 400, "1/d/k/pale.png": 2000, "1/d/m/dark.png": 400, "1/d/k/known.png": 77}
    for name, level in pictures.items():
        pixels = np.full((20, 8), 4000 if name == "1/d/k/dark.png" else level, np.uint16)
        pixels[5:15, 2:6] = level
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), pixels.astype(np.uint8) if level == 77 else pixels)
    crops = {crop.file: crop.pixels for crop in all_crops(tmp_path)[0]}
    assert (crops["1/d/k/dark.png"].min(), crops["1/d/k/dark.png"].max()) == (26, 255)  # of 12 bits in 16
    assert set(crops["1/d/k/pale.png"].ravel()) == {128}
    assert set(crops["1/d/m/dark.png"].ravel()) == {255}  # another cell may have had another exposure
    assert set(crops["1/d/k/known.png"].ravel()) == {77}
