"""Files that a full disk cuts short: what was there before stays."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("tf_keras", reason="the trainer's extras are not installed")

from edge.errors import SinkError
from trainer.files import copy_file, share

LEAST_BYTES = 2048


@contextmanager
def nearly_full() -> Iterator[None]:
    """No file grows beyond ``LEAST_BYTES``: the system refuses the write, as that of a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LEAST_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


SAVED_TWICE = """
import sys
from pathlib import Path
import tf_keras as keras
from edge.errors import SinkError
from tests.trainer.test_files import nearly_full
from trainer.files import save_network

network = keras.Sequential([keras.layers.Input((40,)), keras.layers.Dense(100)])
for path in map(Path, sys.argv[1:]):
    save_network(network, path)
    before = path.read_bytes()
    assert keras.models.load_model(path, compile=False).count_params() == 4100
    try:
        with nearly_full():
            save_network(network, path)
    except SinkError as error:
        print(path.name, path.read_bytes() == before, error, flush=True)
"""


def test_a_network_that_the_disk_does_not_take_leaves_the_one_before(tmp_path: Path) -> None:
    """In a process of its own, whose end does not count: h5py may crash there over the file that it had to give up."""
    paths = [tmp_path / "locator.keras", tmp_path / "locator.h5"]
    command = [sys.executable, "-c", SAVED_TWICE, *map(str, paths)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    lines = said.stdout.splitlines()
    assert len(lines) == len(paths), said.stderr
    for path, line in zip(paths, lines, strict=True):
        assert re.match(rf"{path.name} True cannot write .*{path.name}: .+; free some space", line)
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_copy_that_the_disk_does_not_take_leaves_the_file_before(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"x" * 2 * LEAST_BYTES)
    target.write_text("before")
    with nearly_full(), pytest.raises(SinkError, match=r"cannot write .*target: File too large; free some space"):
        copy_file(source, target)
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_what_is_shared_by_a_copy_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of it would be taken for the whole the next time."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    source, target = tmp_path / "train.npz", tmp_path / "run.npz"
    source.write_bytes(bytes(2 * LEAST_BYTES))
    with nearly_full(), pytest.raises(SinkError, match=r"cannot write .*run\.npz"):
        share(source, target)
    assert not target.exists()
    share(source, target)
    assert target.read_bytes() == source.read_bytes()
