"""Logs are JSON lines, take turns in bounded files, and a full disk does not end the program."""

from __future__ import annotations

import json
import logging
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
