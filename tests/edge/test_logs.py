"""Logs are JSON lines, take turns in bounded files, and a full disk does not end the program."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import logs
from edge.errors import SinkError

_log = logging.getLogger("edge.test")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    found = logging.getLogger("edge")
    before, level = list(found.handlers), found.level
    yield found
    for handler in set(found.handlers) - set(before):
        found.removeHandler(handler)
        handler.close()
    found.setLevel(level)


def test_lines(logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "edge.log"
    logs.log_to(path)
    _log.info("taken %d", 3)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        _log.exception("failed")
    _log.debug("too much")
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["level"], first["where"], first["message"]) == ("info", "edge.test", "taken 3")
    assert first["time"].endswith("+00:00")
    assert "two\nlines" in second["traceback"]
    assert second["monotonic_s"] >= first["monotonic_s"]


def test_a_warning_is_one_line_whatever_a_file_is_called() -> None:
    record = logging.makeLogRecord({"msg": "skipped: %s", "args": ("a\nb\x1b[31m.png",)})
    assert logs.WarningLine().format(record) == "warning: skipped: a b\\x1b[31m.png"


def test_files_take_turns(logger: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "BYTES_A_FILE", 2000)
    logs.log_to(tmp_path / "edge.log")
    for _ in range(200):
        _log.warning("x" * 100)
    files = list(tmp_path.iterdir())
    assert len(files) == 1 + logs.OLD_FILES
    assert sum(path.stat().st_size for path in files) <= 2000 * len(files)


def test_a_full_disk_is_said_once(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    handler = logs.log_to(Path("/dev/full"))
    for _ in range(20):
        _log.warning("lost")
    said = capsys.readouterr().err
    assert said.count("cannot write the log /dev/full: [Errno 28] No space left") == 1
    logger.removeHandler(handler)
    with pytest.raises(OSError, match="No space left"):  # its last lines are still waiting for room
        handler.close()


def test_a_place_that_cannot_be_written(logger: logging.Logger) -> None:
    with pytest.raises(SinkError, match=r"cannot write the log /dev/null/edge\.log: "):
        logs.log_to(Path("/dev/null/edge.log"))


def test_a_librarys_failure_is_one_line_and_its_traceback_is_kept_for_debugging(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "edge")
    library = logging.Logger("library")
    library.addHandler(caplog.handler)
    library.addFilter(logs.OneLine("page", _log))
    try:
        raise ValueError("two\nlines")
    except ValueError:
        library.exception("Failed %d times\n", 2)
    kept, told = caplog.records
    assert (told.levelname, told.getMessage()) == ("WARNING", "page: Failed 2 times: ValueError: two lines")
    assert told.exc_info is None
    assert (kept.name, kept.levelname) == ("edge.test", "DEBUG")
    assert kept.exc_info is not None


def test_a_library_that_says_the_same_again_and_again_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    library = logging.Logger("library")
    library.addHandler(caplog.handler)
    library.addFilter(logs.OneLine("page", _log, lambda: now_s))

    def refuse(times: int) -> None:
        for k in range(times):
            library.warning("Refused %d", k)

    refuse(1000)
    library.warning("Something else")
    now_s = 60.0
    refuse(1)
    assert [record.getMessage() for record in caplog.records] == [
        *(f"page: Refused {k}" for k in range(logs.LINES_A_MINUTE)),
        "page: Something else",
        "page: Refused 0 (and 995 more before this one)",
    ]


def test_a_lasting_log_begins_when_its_disk_takes_it(
    logger: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "logs" / "edge.log"
    mkdir = Path.mkdir

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(SinkError, match="Read-only file system; name another file"):
        logs.log_to(path)
    logs.log_to(path, lasting=True)
    _log.warning("lost")
    monkeypatch.setattr(Path, "mkdir", mkdir)
    _log.warning("kept")
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == ["kept"]
    assert (
        capsys.readouterr().err
        == f"warning: cannot write the log {path}: Read-only file system; it begins when it can be\n"
    )


def test_a_lasting_log_at_no_usable_place_is_refused(logger: logging.Logger) -> None:
    with pytest.raises(SinkError, match="name another file with --log"):
        logs.log_to(Path("/dev/null/edge.log"), lasting=True)
