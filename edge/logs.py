"""Structured logs: one JSON object a line, in files that take turns, so that months of running fill no disk."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from edge.errors import SinkError
from edge.text import one_line

BYTES_A_FILE, OLD_FILES = 5_000_000, 4


class OneLine(logging.Filter):
    """For a library's logger: its records become one line after ``prefix``, of level warning at most. A traceback goes
    to the logger ``to`` at level debug."""

    def __init__(self, prefix: str, to: logging.Logger) -> None:
        super().__init__()
        self._prefix = prefix
        self._to = to

    def filter(self, record: logging.LogRecord) -> bool:
        said = f"{self._prefix}: {record.getMessage().strip()}"
        if record.exc_info and (error := record.exc_info[1]) is not None:
            self._to.debug("traceback of the next line:", exc_info=error)
            said = f"{said}: {type(error).__name__}: {error}"
        record.msg, record.args, record.exc_info, record.exc_text = one_line(said), None, None, None
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


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

    def handleError(self, record: logging.LogRecord) -> None:
        if not self.said:
            self.said = True
            print(f"warning: cannot write the log {self.baseFilename}: {sys.exc_info()[1]}", file=sys.stderr)


def log_to(path: Path) -> logging.Handler:
    """Adds ``path`` to where the program's messages of level info and above go; five files of 5 MB at most.

    Raises ``SinkError`` when it cannot be opened. The handler is the caller's to remove.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _Rotating(path, maxBytes=BYTES_A_FILE, backupCount=OLD_FILES, encoding="utf-8")
    except OSError as error:
        raise SinkError(f"cannot write the log {path}: {error.strerror}; name another file with --log") from error
    handler.setFormatter(JsonLines())
    handler.setLevel(logging.INFO)
    logger = logging.getLogger("edge")
    logger.setLevel(min(logging.INFO, logger.level or logging.INFO))
    logger.addHandler(handler)
    return handler
