"""Structured logs: one JSON object a line, in files that take turns, so that months of running fill no disk."""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from edge.disk import DISK_ERRORS
from edge.errors import SinkError
from edge.text import one_line

BYTES_A_FILE, OLD_FILES = 5_000_000, 4
LINES_A_MINUTE = 5


class OneLine(logging.Filter):
    """For a library's logger: its records become one line after ``prefix``, of level warning at most. A traceback goes
    to the logger ``to`` at level debug.

    Each place in the library says ``LINES_A_MINUTE`` at most: what whoever connects can bring about, without a token,
    must not fill the log and turn out of it what else happened. The next line tells how many were left out.
    """

    def __init__(self, prefix: str, to: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._prefix = prefix
        self._to = to
        self._clock = clock
        self._lines: defaultdict[tuple[str, int], _Lines] = defaultdict(_Lines)

    def filter(self, record: logging.LogRecord) -> bool:
        left_out = self._lines[record.pathname, record.lineno].left_out_before(self._clock())
        if left_out is None:
            return False
        said = f"{self._prefix}: {record.getMessage().strip()}"
        if record.exc_info and (error := record.exc_info[1]) is not None:
            self._to.debug("traceback of the next line:", exc_info=error)
            said = f"{said}: {type(error).__name__}: {error}"
        if left_out:
            said = f"{said} (and {left_out} more before this one)"
        record.msg, record.args, record.exc_info, record.exc_text = one_line(said), None, None, None
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


class _Lines:
    """What one place has said in the minute that is running."""

    def __init__(self) -> None:
        self._since_s = -math.inf
        self._said = self._left_out = 0

    def left_out_before(self, now_s: float) -> int | None:
        """How many were left out before a line that is said now; None where this one is left out, too."""
        if now_s - self._since_s >= 60:
            self._since_s, self._said = now_s, 0
        if self._said == LINES_A_MINUTE:
            self._left_out += 1
            return None
        self._said += 1
        left_out, self._left_out = self._left_out, 0
        return left_out


class WarningLine(logging.Formatter):
    """``warning: ...``, one line that a terminal only shows: file names may hold line ends and escapes."""

    def format(self, record: logging.LogRecord) -> str:
        said = f"warning: {one_line(record.getMessage())}"
        return f"{said}\n{self.formatException(record.exc_info)}" if record.exc_info else said


class JsonLines(logging.Formatter):
    """``time`` is UTC and follows the wall clock, ``monotonic_s`` does not jump when that is set."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "monotonic_s": round(time.monotonic(), 3),
            "level": record.levelname.lower(),
            "where": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class _Rotating(RotatingFileHandler):
    """A full disk must not end the labelling: it is said once on stderr, and lines are lost until there is room."""

    said = False

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:
        if not self.said:
            self.said = True
            print(f"warning: cannot write the log {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)


def log_to(path: Path, *, lasting: bool = False) -> logging.Handler:
    """Adds ``path`` to where the program's messages of level info and above go; five files of 5 MB at most.

    Raises ``SinkError`` when it cannot be opened; not so a ``lasting`` one, where that is its disk's fault. The handler
    is the caller's to remove.
    """
    handler = _Rotating(path, maxBytes=BYTES_A_FILE, backupCount=OLD_FILES, encoding="utf-8", delay=True)
    try:
        handler.stream = handler._open()
    except OSError as error:
        if not lasting or error.errno not in DISK_ERRORS:
            raise SinkError(f"cannot write the log {path}: {error.strerror}; name another file with --log") from error
        handler.said = True
        print(f"warning: cannot write the log {path}: {error.strerror}; it begins when it can be", file=sys.stderr)
    handler.setFormatter(JsonLines())
    handler.setLevel(logging.INFO)
    logger = logging.getLogger("edge")
    logger.setLevel(min(logging.INFO, logger.level or logging.INFO))
    logger.addHandler(handler)
    return handler
