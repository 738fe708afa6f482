"""Folders of pictures: each frame its own file, whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge.errors import SinkError
from edge.records import Cell, Frame, UInt8Array
from edge.sinks.pictures import PictureSink, karyogram_sink, overlay_sink
from tests.builders import make_cell, make_frame


def flat(frame: Frame, cell: Cell) -> UInt8Array:
    """A picture whose grey level is the frame's index."""
    return np.full((4, 5, 3), frame.index, np.uint8)


def level(path: Path) -> int:
    return int(np.asarray(Image.open(path))[0, 0, 0])


def test_both_pictures_can_be_opened(tmp_path: Path) -> None:
    for sink in (overlay_sink(tmp_path / "o"), karyogram_sink(tmp_path / "k")):
        sink.put(make_frame(300, 340, source="1057342.jpg"), make_cell())
        sink.close()
    for folder in "ok":
        with Image.open(tmp_path / folder / "1057342.png") as picture:
            assert picture.mode == "RGB"
            assert min(picture.size) > 300


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    sink = PictureSink(tmp_path, lambda *_: np.full((2, 2, 3), (200, 100, 50), np.uint8))
    sink.put(make_frame(), make_cell())
    assert Image.open(tmp_path / "a.png").getpixel((0, 0)) == (200, 100, 50)


def test_one_stem_from_two_folders_gives_two_pictures(tmp_path: Path) -> None:
    sink = PictureSink(tmp_path, flat)
    for index, source in enumerate(["a.png", "a.jpg", "A.tif", "b.png"]):
        sink.put(make_frame(index=index, source=source), make_cell())
    assert {p.name: level(p) for p in tmp_path.iterdir()} == {"a.png": 0, "a-1.png": 1, "A-2.png": 2, "b.png": 3}


def test_a_name_that_looks_numbered_is_safe_too(tmp_path: Path) -> None:
    sink = PictureSink(tmp_path, flat)
    for index, source in enumerate(["a-2.png", "a.png", "a.png"]):
        sink.put(make_frame(index=index, source=source), make_cell())
    assert sorted(level(p) for p in tmp_path.iterdir()) == [0, 1, 2]


def test_an_earlier_runs_picture_is_replaced(tmp_path: Path) -> None:
    for index in (1, 2):
        PictureSink(tmp_path, flat).put(make_frame(index=index), make_cell())
    assert [level(p) for p in tmp_path.iterdir()] == [2]


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_frame_is_not_replaced(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(make_frame().pixels).save(path)
    if content is not None:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(
        SinkError, match=r"a\.png: a picture that chromo-edge did not make is there; name another folder"
    ):
        PictureSink(tmp_path, flat).put(make_frame(), make_cell())
    assert path.read_bytes() == before


@pytest.mark.parametrize("folder", [Path("/proc/pictures"), Path("/dev/null/pictures"), Path("/dev/null")])
def test_a_folder_that_cannot_be_written_is_told_before_the_work(folder: Path) -> None:
    with pytest.raises(SinkError, match=r"^cannot write into /.*; name another folder$"):
        PictureSink(folder, flat)


def test_a_full_disk_leaves_no_half_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = PictureSink(tmp_path, flat)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SinkError, match=r"a\.png: No space left on device"):
        sink.put(make_frame(), make_cell())
    assert list(tmp_path.iterdir()) == []
