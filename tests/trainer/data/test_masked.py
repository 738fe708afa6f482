"""Masks in COCO's run lengths: there and back, and what is none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.records import BoolArray, Box
from tests.trainer.data.forms import HEIGHT_PX, WIDTH_PX, coco_folder, frame, mask_folder
from trainer.data.coco import CrowdWarning
from trainer.data.foreign import GuessedWarning
from trainer.data.masked import masked_frames
from trainer.data.mfish import split_of_slide
from trainer.data.pictures import SkippedWarning
from trainer.data.rle import mask_of_rle, rle_of
from trainer.data.sources import read_all
from trainer.errors import DatasetError

BOX: Box = (10, 12, 30, 60)


def test_columns_come_first_and_zeros_first() -> None:
    mask = np.array([[True, False], [True, True]])
    assert rle_of(mask, (0, 0, 2, 2), 2, 2) == {"counts": [0, 2, 1, 1], "size": [2, 2]}
    assert rle_of(mask, (1, 1, 3, 3), 3, 4)["counts"] == [4, 2, 2, 1, 3]


@pytest.mark.parametrize("box", [(0, 0, 7, 5), (3, 2, 9, 8), (0, 0, 12, 9)])
def test_there_and_back(box: Box) -> None:
    mask: BoolArray = np.random.default_rng(1).random((box[3] - box[1], box[2] - box[0])) < 0.5
    for one in (mask, np.ones_like(mask), np.zeros_like(mask)):
        whole = mask_of_rle(json.loads(json.dumps(rle_of(one, box, 9, 12))), 9, 12, "here")
        assert whole.sum() == one.sum()
        np.testing.assert_array_equal(whole[box[1] : box[3], box[0] : box[2]], one)


def folder_with(folder: Path, segmentation: object, bbox: list[float]) -> Path:
    frame(folder / "a_1.png")
    mark = {"id": 5, "image_id": 1, "category_id": 7, "bbox": bbox, "segmentation": segmentation}
    table: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "a_1.png", "case": "a", "width": WIDTH_PX, "height": HEIGHT_PX}],
        "annotations": [mark],
        "categories": [{"id": 7, "name": "chr7"}],
    }
    (folder / "val.json").write_text(json.dumps(table))
    return folder


def test_a_mask_is_read_into_its_box_whole(tmp_path: Path) -> None:
    mask = np.ones((48, 20), np.bool_)
    mask[0, :4] = False
    data = folder_with(tmp_path, rle_of(mask, BOX, HEIGHT_PX, WIDTH_PX), [8.5, 11.5, 22, 50.2])
    (read,) = masked_frames(data)
    (piece,) = read().pieces
    assert (piece.label, piece.box_px) == ("7", (8, 11, 31, 62))
    np.testing.assert_array_equal(piece.mask[1:49, 2:22], mask)
    assert piece.mask.sum() == mask.sum()
    assert not read().ignored.any()


GOOD = rle_of(np.ones((48, 20), np.bool_), BOX, HEIGHT_PX, WIDTH_PX)


@pytest.mark.parametrize(
    ("segmentation", "bbox", "message"),
    [
        ([[10, 12, 30, 12, 30, 60]], [10, 12, 20, 48], "expected a segmentation in uncompressed run lengths, got poly"),
        (GOOD | {"counts": "abc"}, [10, 12, 20, 48], "uncompressed run lengths, got compressed ones"),
        (None, [10, 12, 20, 48], "uncompressed run lengths, got None"),
        (GOOD | {"size": [WIDTH_PX, HEIGHT_PX]}, [10, 12, 20, 48], r"expected run lengths of 120x90 px in all"),
        (GOOD | {"counts": [5, 6]}, [10, 12, 20, 48], r"got size \[90, 120\] and 11 px"),
        # As many as the picture has, where 64 bits wrap round: NumPy's repeat ended the process.
        (GOOD | {"counts": [2**62, 2**62, 2**62, 2**62 + 120 * 90]}, [10, 12, 20, 48], r"and \d{20} px"),
        (GOOD | {"counts": [10**30]}, [10, 12, 20, 48], "expected run lengths in whole numbers"),
        (GOOD | {"counts": [[1, 2], [3]]}, [10, 12, 20, 48], "expected run lengths in whole numbers"),
        (GOOD, [10, 12, 19, 48], r"expected a mask within its box \[10, 12, 29, 60\]"),
    ],
)
def test_what_is_no_whole_mask_is_one_plain_error(
    tmp_path: Path, segmentation: object, bbox: list[float], message: str
) -> None:
    (read,) = masked_frames(folder_with(tmp_path, segmentation, bbox))
    with pytest.raises(DatasetError, match=message) as error:
        read()
    assert "val.json, annotation 5: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_crowd_is_ignored_and_needs_no_mask(tmp_path: Path) -> None:
    data = folder_with(tmp_path, rle_of(np.ones((48, 20), np.bool_), BOX, HEIGHT_PX, WIDTH_PX), [10, 12, 20, 48])
    table = json.loads((data / "val.json").read_text())
    table["annotations"].append({"id": 6, "image_id": 1, "iscrowd": 1, "bbox": [40, 4.6, 20, 30]})
    (data / "val.json").write_text(json.dumps(table))
    with pytest.warns(CrowdWarning):
        (read,) = masked_frames(data)
    assert (len(read().pieces), read().ignored_px.tolist()) == (1, [[40, 5, 60, 35]])


def test_coco_with_boxes_alone_has_no_masks(tmp_path: Path) -> None:
    read = masked_frames(coco_folder(tmp_path))[0]
    with pytest.raises(DatasetError, match="expected a segmentation"):
        read()


def test_a_frame_without_a_mark_is_left_out(tmp_path: Path) -> None:
    data = folder_with(tmp_path, GOOD, [10, 12, 20, 48])
    table = json.loads((data / "val.json").read_text())
    frame(data / "a_2.png")
    table["images"].append({**table["images"][0], "id": 2, "file_name": "a_2.png"})
    (data / "val.json").write_text(json.dumps(table))
    with pytest.warns(SkippedWarning, match=r"1 frame\(s\) have no mark .*, first a_2\.png"):
        (read,) = masked_frames(data)
    assert read().path.name == "a_1.png"
    (data / "val.json").write_text(json.dumps(table | {"annotations": []}))
    with (
        pytest.warns(SkippedWarning, match=r"2 frame\(s\) have no mark"),
        pytest.raises(DatasetError, match="with masks as run lengths, found neither"),
    ):
        masked_frames(data)


def test_a_picture_of_another_size_than_its_masks(tmp_path: Path) -> None:
    data = folder_with(tmp_path / "coco", GOOD, [10, 12, 20, 48])
    cv2.imwrite(str(data / "a_1.png"), np.zeros((180, 240), np.uint8))
    with pytest.raises(DatasetError, match=r"val\.json, image 1: expected a_1\.png of 120x90 px, got 240x180 px"):
        masked_frames(data)
    data = mask_folder(tmp_path / "mfish")
    cv2.imwrite(str(data / "A01_1_dapi.png"), np.zeros((180, 240), np.uint8))
    (read,) = masked_frames(data)
    with pytest.raises(DatasetError, match=r"mask\.png: expected A01_1_dapi\.png of 120x90 px, got 240x180 px"):
        read()


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (0, r"image 1: expected a_1\.png of 0x90 px, got 120x90 px"),
        ("", r"val\.json: not as COCO has it, ValueError"),
        (None, r"val\.json: not as COCO has it, TypeError"),
    ],
)
def test_masks_whose_size_is_not_stated(tmp_path: Path, width: object, message: str) -> None:
    data = folder_with(tmp_path, None, [10, 12, 20, 48])
    table = json.loads((data / "val.json").read_text())
    table["images"][0]["width"] = width
    (data / "val.json").write_text(json.dumps(table))
    (read,) = masked_frames(data)
    with pytest.raises(DatasetError, match=message):
        read()


def test_pictures_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    data = mask_folder(tmp_path)
    (data / "cases.csv").unlink()
    for end in ("dapi", "mask"):
        shutil.copy(data / f"A01_1_{end}.png", data / f"A02_1_{end}.png")
    picture = data / "A01_1_dapi.png"
    content = bytearray(picture.read_bytes())
    content[len(content) // 2] ^= 0x55
    picture.write_bytes(content)
    with pytest.warns(SkippedWarning, match=r"1 file\(s\) left out: A01_1_dapi\.png \(expected a picture"):
        (read,) = masked_frames(data)
    assert read().path.name == "A02_1_dapi.png"
    (data / "A02_1_mask.png").unlink()
    with pytest.warns(SkippedWarning), pytest.raises(DatasetError, match="no readable picture among 1"):
        masked_frames(data)


def test_one_split_of_the_masks(tmp_path: Path) -> None:
    folder = mask_folder(tmp_path)
    own = split_of_slide("A01")
    assert len(masked_frames(folder, own)) == 1
    with pytest.raises(DatasetError, match="val"):
        masked_frames(folder, "val")


def test_the_masks_of_a_patient_are_of_one_case(tmp_path: Path) -> None:
    for name in ("7_1", "7_2", "8_1", "A020402", "A0205XY"):
        frame(tmp_path / f"{name}_dapi.png", 20)
        shutil.copy(mask_folder(tmp_path / "one") / "A01_1_mask.png", tmp_path / f"{name}_mask.png")
    cases = {"7_1": "7", "7_2": "7", "8_1": "8", "A020402": "A02", "A0205XY": "A02"}
    with pytest.warns(GuessedWarning, match="names: 3 pictures, 2 cases;"):  # the other names say it
        assert {f.image.removesuffix("_dapi.png"): f.case for f in read_all(tmp_path).frames} == cases
    stated = {name: "K0" if case == "7" else "K1" for name, case in cases.items()}
    rows = "".join(f"{name}_dapi.png,{case}\n" for name, case in stated.items())
    (tmp_path / "cases.csv").write_text("image,case\n" + rows)
    assert {f.image.removesuffix("_dapi.png"): f.case for f in read_all(tmp_path).frames} == stated
    for split in ("train", "test"):
        own = [f.image for f in read_all(tmp_path).frames if f.split == split]
        assert [read().path.name for read in masked_frames(tmp_path, split)] == own
