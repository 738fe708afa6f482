"""Files that a full disk cuts short: what was there before stays."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

keras = pytest.importorskip("tf_keras", reason="the trainer's extras are not installed")

from edge.errors import SinkError  # noqa: E402
from trainer.files import copy_file, save_network  # noqa: E402

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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # h5py's, as it gives the file up
@pytest.mark.parametrize("name", ["locator.keras", "locator.h5"])
def test_a_network_that_the_disk_does_not_take_leaves_the_one_before(tmp_path: Path, name: str) -> None:
    network = keras.Sequential([keras.layers.Input((40,)), keras.layers.Dense(100)])
    save_network(network, tmp_path / name)
    before = (tmp_path / name).read_bytes()
    assert keras.models.load_model(tmp_path / name, compile=False).count_params() == 4100
    with nearly_full(), pytest.raises(SinkError, match=rf"cannot write .*{name}: .+; free some space"):
        save_network(network, tmp_path / name)
    assert (tmp_path / name).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_copy_that_the_disk_does_not_take_leaves_the_file_before(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"x" * 2 * LEAST_BYTES)
    target.write_text("before")
    with nearly_full(), pytest.raises(SinkError, match=r"cannot write .*target: File too large; free some space"):
        copy_file(source, target)
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]
