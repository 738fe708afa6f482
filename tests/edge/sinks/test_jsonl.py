"""One line a frame, at once on the disk, and one clear line when the disk will not take it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

import pytest

from edge.errors import SinkError
from edge.sinks.base import Sink
from edge.sinks.jsonl import JsonlSink, LastingJsonlSink, cell_to_json
from tests.builders import make_cell, make_frame
from tests.edge.disks import full


def test_each_line_is_there_before_the_next_frame(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.jsonl"
    sink = JsonlSink(path)
    for index in range(3):
        cell = make_cell(index=index)
        sink.put(make_frame(), cell)
        lines = path.read_text().splitlines()
        assert len(lines) == index + 1
        assert json.loads(lines[-1]) == cell_to_json(cell)
    sink.close()


def test_what_was_seen_is_what_is_written() -> None:
    line = cell_to_json(make_cell(["21", "21", "21"], review=[1], frame="b.png", index=7))
    assert (line["frame"], line["index"], line["count"]) == ("b.png", 7, 3)
    assert [c["status"] for c in line["chromosomes"]] == ["accepted", "review", "accepted"]
    assert line["chromosomes"][0]["box_px"] == [10, 10, 24, 34]
    assert line["chromosomes"][0]["candidates"] == [["21", 0.9], ["1", 0.05]]
    assert line["stage_ms"]["locate"] == 9.12


def test_numbers_are_as_short_as_they_were() -> None:
    cell = make_cell(["21"], um_per_px=0.0654321098)
    sure = replace(cell.chromosomes[0], confidence=0.98765432, candidates=(("21", 0.98765432), ("22", 0.00004321)))
    line = cell_to_json(replace(cell, chromosomes=(sure,)))
    assert (line["um_per_px"], line["chromosomes"][0]["confidence"]) == (0.065432, 0.9877)
    assert line["chromosomes"][0]["candidates"] == [["21", 0.9877], ["22", 0.0]]


@pytest.mark.parametrize(("append", "lines"), [(False, 1), (True, 2)])
def test_an_earlier_file_is_replaced_or_continued(tmp_path: Path, append: bool, lines: int) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("{}\n")
    sink = JsonlSink(path, append=append)
    sink.put(make_frame(), make_cell())
    sink.close()
    assert len(path.read_text().splitlines()) == lines


def test_a_name_that_is_not_unicode_is_written(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "out.jsonl")
    sink.put(make_frame(), make_cell(frame="caf\udce9 染色体.png"))
    sink.close()
    assert json.loads((tmp_path / "out.jsonl").read_bytes())["frame"] == "caf\udce9 染色体.png"


@pytest.mark.parametrize("path", [Path("/proc/out.jsonl"), Path("/dev/null/out.jsonl"), Path("/")])
def test_a_place_that_cannot_be_written(path: Path) -> None:
    with pytest.raises(SinkError, match=r"^cannot write /.*; name another file") as caught:
        JsonlSink(path)
    assert caught.value.exit_code == 7
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_once() -> None:
    sink = JsonlSink(Path("/dev/full"))
    with pytest.raises(
        SinkError, match="cannot write /dev/full: No space left on device; the lines before it are kept"
    ):
        sink.put(make_frame(), make_cell())
    sink.close()


def test_a_full_disk_costs_lines_and_not_the_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("{}\n" * 100)
    sink = LastingJsonlSink(path)

    def put(*indices: int) -> None:
        for index in indices:
            sink.put(make_frame(index=index), make_cell(index=index))

    put(0)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for spare_bytes in (0, 1, 200):
        with full(spare_bytes, path):
            put(1, 2, 3)
        put(4)
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    sink.close()
    lines = path.read_text().splitlines()[100:]
    whole = [json.loads(line)["index"] for line in lines if line.endswith("}") and line.startswith('{"frame"')]
    assert whole == [0, 4, 4, 4]
    assert len(lines) <= 4 + 2  # one torn line each time that a part of it fitted
    said = [("were left out" in message, "until they can be written" in message) for message in caplog.messages]
    assert said == [(False, True), (True, False)] * 3
    assert caplog.messages[1].endswith("lines are written again; 3 were left out")


def test_lines_leave_room_for_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = os.statvfs(tmp_path)
    left = [now.f_blocks // 1000, now.f_blocks // 10]
    disks = [os.statvfs_result((*now[:4], blocks, *now[5:])) for blocks in left]
    sink = LastingJsonlSink(tmp_path / "out.jsonl")
    for index, disk in enumerate(disks):
        monkeypatch.setattr(os, "statvfs", lambda _, disk=disk: disk)
        sink.put(make_frame(), make_cell(index=index))
    sink.close()
    assert [json.loads(line)["index"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [1]
    assert "no space left on the disk" in caplog.messages[0]
    assert caplog.messages[1].endswith("1 were left out")


def test_a_large_disk_with_gigabytes_left_is_not_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = os.statvfs(tmp_path)
    disk = os.statvfs_result((now[0], 4096, 500_000_000, 500_000, 500_000, *now[5:]))  # 2 GB left of 2 TB
    sink = LastingJsonlSink(tmp_path / "out.jsonl")
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    sink.put(make_frame(), make_cell())
    sink.close()
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1
    assert not caplog.messages


def test_the_disk_of_the_lines_is_that_which_a_link_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a stick, from a card that is full."""
    for name in ("card", "stick"):
        (tmp_path / name).mkdir()
    (tmp_path / "card" / "out.jsonl").symlink_to(tmp_path / "stick" / "out.jsonl")
    now = os.statvfs(tmp_path)
    full_disk = os.statvfs_result((*now[:3], 0, 0, *now[5:]))
    sink = LastingJsonlSink(tmp_path / "card" / "out.jsonl")
    monkeypatch.setattr(os, "statvfs", lambda path: full_disk if path == tmp_path / "card" else now)
    sink.put(make_frame(), make_cell())
    sink.close()
    assert len((tmp_path / "stick" / "out.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("make", [LastingJsonlSink, partial(JsonlSink, append=True)])
def test_a_file_that_is_moved_away_is_followed_by_a_new_one(tmp_path: Path, make: Callable[[Path], Sink]) -> None:
    path, moved = tmp_path / "out.jsonl", tmp_path / "out.jsonl.1"
    sink = make(path)
    for index in range(4):
        if index % 2:
            path.replace(moved.with_suffix(f".{index}"))
        sink.put(make_frame(), make_cell(index=index))
    sink.close()
    files = (moved.with_suffix(".1"), moved.with_suffix(".3"), path)
    assert [[json.loads(line)["index"] for line in file.read_text().splitlines()] for file in files] == [
        [0],
        [1, 2],
        [3],
    ]


def test_a_file_that_cannot_be_written_is_told_before_the_first_frame() -> None:
    with pytest.raises(SinkError, match="name another file"):
        LastingJsonlSink(Path("/dev/null/out.jsonl"))


def test_a_disk_that_is_read_only_at_the_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "out.jsonl"
    opened = Path.open

    def read_only(self: Path, mode: str = "r", **words: str) -> IO[str]:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "open", read_only)
    sink = LastingJsonlSink(path)
    sink.put(make_frame(), make_cell(index=0))
    monkeypatch.setattr(Path, "open", opened)
    sink.put(make_frame(), make_cell(index=1))
    sink.close()
    assert [json.loads(line)["index"] for line in path.read_text().splitlines()] == [1]
    assert "Read-only file system" in caplog.messages[0]
    assert caplog.messages[1].endswith("lines are written again; 1 were left out")


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    sink = JsonlSink(Path("-"))
    sink.put(make_frame(), make_cell())
    sink.close()
    print("still open")
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["count"] == 46
    assert second == "still open"


@pytest.mark.parametrize("append", [False, True])
def test_a_file_of_anything_else_stays_as_it_is(tmp_path: Path, append: bool) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG a frame")
    with pytest.raises(SinkError, match=r"a\.png: expected JSON lines there or nothing, got a file that begins with"):
        JsonlSink(path, append=append)
    assert path.read_bytes() == b"\x89PNG a frame"


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{}\n{"frame": "a.p')
    sink = JsonlSink(path, append=True)
    sink.put(make_frame(), make_cell())
    sink.close()
    before, torn, after = path.read_text().splitlines()
    assert (before, torn) == ("{}", '{"frame": "a.p')
    assert json.loads(after) == cell_to_json(make_cell())
    path.write_text('{"frame": "a.p')
    sink = JsonlSink(path)
    sink.put(make_frame(), make_cell())
    sink.close()
    assert json.loads(path.read_text()) == cell_to_json(make_cell())
    assert path.read_text().count("\n") == 1


def test_what_cannot_be_written_at_the_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text('{"frame": "a.p')
    with full(0, path), pytest.raises(SinkError, match=r"cannot write .*out\.jsonl: File too large"):
        JsonlSink(path, append=True).close()


def test_a_reader_that_has_enough_is_no_error_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """``| head -1``: the command line ends quietly on Python's own error."""
    reader, writer = os.pipe()
    os.close(reader)
    out = open(writer, "w")  # noqa: PTH123, SIM115  a descriptor, closed below
    monkeypatch.setattr("sys.stdout", out)
    with pytest.raises(BrokenPipeError):
        JsonlSink(Path("-")).put(make_frame(), make_cell())
    with suppress(BrokenPipeError):
        out.close()


def test_standard_output_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(SinkError, match="standard output: it is closed"):
        JsonlSink(Path("-"))
