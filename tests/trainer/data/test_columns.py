"""What runs keep beside them is whole or told to be damaged."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge.errors import SinkError
from trainer.data.columns import Columns
from trainer.errors import DatasetError


@dataclass(frozen=True, slots=True, eq=False)
class Pairs(Columns):
    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Singles(Columns):
    one: npt.NDArray[np.int64]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "runs" / "train.npz"
    Pairs(np.arange(900), np.arange(900)).save(path)
    return path


def test_what_is_saved_comes_back_and_nothing_else_is_left(stored: Path) -> None:
    loaded = Pairs.load(stored)
    assert loaded.other.tolist() == list(range(900))
    assert [path.name for path in stored.parent.iterdir()] == ["train.npz"]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "train.npz", []
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.exists()))
    Singles(np.arange(3)).save(path)
    assert synced == [False]
    assert path.exists()


def test_a_place_that_cannot_be_written_is_one_line_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(
        SinkError,
        match=r"cannot write .*runs/train\.npz: (Not a directory|a file has the name of the folder); make its",
    ):
        Singles(np.arange(3)).save(tmp_path / "runs" / "train.npz")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_was_cut_is_one_line(stored: Path, share: float) -> None:
    whole = stored.read_bytes()
    stored.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DatasetError, match=r"train\.npz: expected one, other, cannot read them: .*; remove the file"):
        Pairs.load(stored)


def test_a_flipped_byte_or_another_file_is_one_line(stored: Path) -> None:
    damaged = bytearray(stored.read_bytes())
    damaged[400] ^= 1
    stored.write_bytes(damaged)
    with pytest.raises(DatasetError, match="remove the file"):
        Pairs.load(stored)
    Singles(np.arange(3)).save(stored)
    with pytest.raises(DatasetError, match="expected one, other"):
        Pairs.load(stored)
