"""A file is replaced whole or not at all, and what is no file is never replaced."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from edge.errors import SinkError
from edge.sinks.files import replacing, write_bytes
from trainer.files import write_atomic


def test_a_name_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".png")
    write_bytes(path, b"here")
    assert path.read_bytes() == b"here"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_bytes, write_atomic])
def test_a_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path: Path, write: object) -> None:
    """So does /dev/null, which a program of root's could replace by a file."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
    reader.start()
    write(path, b"here")  # type: ignore[operator]
    reader.join(10)
    assert got == [b"here"]
    assert path.is_fifo()


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"before")
    (tmp_path / "link").symlink_to("file")
    write_bytes(tmp_path / "link", b"after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"after"


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fill() -> None:
        with replacing(path) as file:
            file.write(b"half of ")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        fill()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_that_is_full() -> None:
    with pytest.raises(SinkError, match="/dev/full: No space left on device; free some space, or name another file"):
        write_bytes(Path("/dev/full"), b"x")


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_who_may_read_what_is_replaced_may_read_what_comes(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    path.chmod(mode)
    write_bytes(path, b"after")
    assert path.stat().st_mode & 0o777 == mode


def test_a_new_file_is_as_open_as_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
