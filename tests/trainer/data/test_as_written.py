"""Tables as other hands write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainer.data.forms import coco_folder
from trainer.data.sources import read_all
from trainer.data.tables import parse_table


@pytest.mark.parametrize("written", ["X ", " X", "\tX"])
def test_blanks_around_a_label_do_not_count(written: str) -> None:
    (row,) = parse_table(f"file,label\na.png,{written}\n".encode(), "crops.csv", ("file", "label"))
    assert row.label() == "X"


def test_a_coco_file_that_is_named_itself_has_its_folders_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = coco_folder(tmp_path / "set")
    file = folder / "train" / "_annotations.coco.json"
    assert {frame.split for frame in read_all(file).frames} == {"train"}
    monkeypatch.chdir(folder / "train")
    assert {frame.split for frame in read_all(Path(file.name)).frames} == {"train"}
    assert len(json.loads(file.read_text())["images"]) == len(read_all(file).frames)
