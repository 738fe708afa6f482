"""One JSON line a frame: the stable record that other programs build on."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from edge.disk import DISK_ERRORS, disk_fault
from edge.errors import SinkError
from edge.records import Cell, Chromosome, Frame
from edge.sinks.files import reason

SPARED = 0.01
"""This share of its disk, at most a gigabyte, a live run leaves free: a hundred cells or more of a usual card."""

_log = logging.getLogger(__name__)


def cell_to_json(cell: Cell) -> dict[str, Any]:
    """The line's keys in their fixed order. ``box_px`` is half-open, in the frame's own pixels."""
    return {
        "frame": cell.frame,
        "index": cell.index,
        "width_px": cell.width_px,
        "height_px": cell.height_px,
        "um_per_px": round(float(cell.um_per_px), 6),
        "scale_stated": cell.scale_stated,
        "count": cell.count,
        "karyotype": cell.karyotype,
        "findings": list(cell.findings),
        "chromosomes": [_chromosome_to_json(c) for c in cell.chromosomes],
        "stage_ms": {stage: round(float(ms), 2) for stage, ms in cell.stage_ms.items()},
        "models": dict(cell.models),
    }


def _chromosome_to_json(chromosome: Chromosome) -> dict[str, Any]:
    return {
        "id": chromosome.region.id,
        "box_px": [int(edge) for edge in chromosome.region.box_px],
        "label": chromosome.label,
        "confidence": round(float(chromosome.confidence), 4),
        "status": chromosome.status,
        "candidates": [[label, round(float(probability), 4)] for label, probability in chromosome.candidates],
        "p_arm_up": bool(chromosome.p_arm_up),
    }


def _ends(path: Path) -> tuple[bytes, bytes]:
    """The first and the last byte of the file at ``path``; empty where there is none."""
    if not path.is_file() or not path.stat().st_size:
        return b"", b""
    with path.open("rb") as file:
        first = file.read(1)
        file.seek(-1, os.SEEK_END)
        return first, file.read(1)


class JsonlSink:
    """Writes each cell as a line of ``path`` (``-``: standard output) and flushes it, so nothing waits in a buffer.

    An existing file of JSON lines is replaced, or with ``append`` continued; a last line that a power cut tore stays a
    line of its own, and where the file is moved away, as by logrotate, a new one begins. Raises ``SinkError`` for a
    file of anything else, when the file cannot be opened and when a line cannot be written; a reader that closed the
    pipe is told apart by Python's own ``BrokenPipeError``.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self._path = path
        self._append = append and str(path) != "-"
        self._name = "standard output" if str(path) == "-" else str(path)
        self._failed = False
        self._file = self._opened()

    def _opened(self) -> TextIO:
        path = self._path
        if str(path) == "-":
            if sys.stdout is None:
                raise SinkError("cannot write standard output: it is closed; name a file with --jsonl")
            return sys.stdout
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            first, last = _ends(path)
            if first not in (b"", b"{"):  # the wildcard of --jsonl frames/*.png, for one
                raise SinkError(
                    f"cannot write {path}: expected JSON lines there or nothing, got a file that begins with "
                    f"{first!r}; name another file with --jsonl"
                )
            file = path.open("a" if self._append else "w", encoding="utf-8", newline="\n")
            if self._append and last not in (b"", b"\n"):
                file.write("\n")
            return file
        except OSError as error:
            raise SinkError(f"cannot write {path}: {reason(error)}; name another file with --jsonl") from error

    def put(self, frame: Frame, cell: Cell) -> None:
        line = json.dumps(cell_to_json(cell), allow_nan=False)  # ASCII: any file name survives, whatever the locale
        try:
            if self._append and self._is_moved():
                self._file.close()
                self._file = self._opened()
            self._file.write(line + "\n")
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            self._failed = True
            raise SinkError(f"cannot write {self._name}: {reason(error)}; the lines before it are kept") from error

    def _is_moved(self) -> bool:
        """Whether the file that is written is no longer the one at its path."""
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return True

    def close(self) -> None:
        if self._file is sys.stdout:
            return
        try:
            self._file.close()
        except OSError as error:
            if self._failed:  # closing tries the line again that put() has already reported
                return
            raise SinkError(f"cannot write {self._name}: {reason(error)}") from error


class LastingJsonlSink:
    """Continues the JSON lines of the file ``path`` for as long as the live page labels: a full disk costs lines,
    not the labels. The log says so once, and when there is room again; the next line then begins on one of its own.
    Lines, of which months make a file without end, leave ``SPARED`` of the disk to cases.

    Raises ``SinkError`` when it is made, for any reason but a faulty disk, and when it is closed; not for a line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sink: JsonlSink | None = None
        self._left_out = 0
        try:
            self._sink = JsonlSink(path, append=True)
        except SinkError as why:
            if not isinstance(why.__cause__, OSError) or why.__cause__.errno not in DISK_ERRORS:
                raise  # else each line tries again, and the first says why it is left out

    def put(self, frame: Frame, cell: Cell) -> None:
        try:
            if fault := disk_fault(Path(os.path.realpath(self._path)).parent, spared=SPARED):
                raise SinkError(f"cannot write {self._path}: {fault}")
            if self._sink is None:
                self._sink = JsonlSink(self._path, append=True)
            self._sink.put(frame, cell)
        except SinkError as why:
            if not self._left_out:
                _log.warning("%s; labelling goes on, and lines are left out until they can be written", why)
            self._left_out += 1
            self.close()  # opened again it keeps nothing of the line that failed, and ends what is there of it
        else:
            if self._left_out:
                _log.warning("%s: lines are written again; %d were left out", self._path, self._left_out)
            self._left_out = 0

    def close(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None
