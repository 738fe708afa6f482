"""A file is replaced whole or not at all, and what is no file is never replaced."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from edge.errors import SinkError
from edge.sinks.files import check_replaced, replacing, sync_names, writable_folder, write_bytes
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


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, os.stat_result]]:
    """What the disk was told to keep, as it was by then."""
    kept: list[tuple[int, os.stat_result]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        kept.append((descriptor, os.fstat(descriptor)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return kept


def test_all_of_it_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, on_disk: list[tuple[int, os.stat_result]]
) -> None:
    write_bytes(tmp_path / "file", b"x" * 1000)
    assert [seen.st_size for _, seen in on_disk] == [1000]


def test_a_folders_names_are_on_the_disk_and_it_is_let_go(
    tmp_path: Path, on_disk: list[tuple[int, os.stat_result]]
) -> None:
    sync_names(tmp_path)
    ((descriptor, seen),) = on_disk
    assert stat.S_ISDIR(seen.st_mode)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_folder_is_made_with_those_above_it_and_may_be_there(tmp_path: Path) -> None:
    for _ in range(2):
        assert writable_folder(tmp_path / "a" / "b").is_dir()


def test_what_is_in_the_way_is_told(tmp_path: Path) -> None:
    """Not by the system's "File exists", and no space need be freed for it."""
    (tmp_path / "a").touch()
    with pytest.raises(SinkError, match="a: a file has the name of the folder; name another folder"):
        writable_folder(tmp_path / "a")
    with pytest.raises(SinkError, match="Not a directory; name another file"):
        write_bytes(tmp_path / "a" / "b", b"")


def test_only_an_earlier_result_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    for content in (None, b"", b"%PDF-1.7", b"%PDF"):
        if content is not None:
            path.write_bytes(content)
        check_replaced(path, "a PDF", b"%PDF")
    check_replaced(Path("/dev/null"), "a PDF", b"%PDF")
    for other in (b"SQLite format 3", b"%P"):
        path.write_bytes(other)
        with pytest.raises(SinkError, match=r"report\.pdf: expected a PDF there or nothing, got a file"):
            check_replaced(path, "a PDF", b"%PDF")
    with pytest.raises(SinkError, match="File name too long; name another file"):
        check_replaced(tmp_path / ("n" * 300), "a PDF", b"%PDF")


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
