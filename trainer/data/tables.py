"""CSV tables with a header, read whole, with messages that name the table, the line and the column."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edge.records import LABELS
from trainer.errors import DatasetError

MOST_BYTES, MOST_LINES = 1 << 26, 1_000_000
"""Of a table: a million short lines take a third of a gigabyte of memory, and fit into a small zip."""
LARGEST = 1_000_000_000
"""The largest whole number in a table: no picture has as many pixels a side."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: the line's number in the file (header = 1) and its cells, one for each of ``columns``."""

    table: str
    line: int
    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def stated(self, column: str) -> str:
        """The cell of ``column`` as it is."""
        return self.cells[self.columns.index(column)]

    def text(self, column: str) -> str:
        """The cell of ``column`` without blanks around it, which would make two donors of one."""
        return self.stated(column).strip()

    def integer(self, column: str) -> int:
        try:
            value = int(self.stated(column))
        except ValueError:
            raise self.wrong(column, "a whole number") from None
        if abs(value) > LARGEST:
            raise self.wrong(column, f"at most {LARGEST}")
        return value

    def label(self, column: str = "label") -> str:
        if self.text(column) not in LABELS:
            raise self.wrong(column, "one of 1..22, X, Y")
        return self.text(column)

    def wrong(self, column: str, expected: str) -> DatasetError:
        return DatasetError(
            f"{self.table}, line {self.line}: column '{column}' must be {expected}, "
            f"got '{self.stated(column)}'; correct the table"
        )


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """Rows of the CSV file at ``path``; ``DatasetError`` if it is missing, not UTF-8 text or lacks a column."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DatasetError(
            f"expected a table at {path}, cannot read it: {error.strerror}; name the data folder"
        ) from error
    return parse_table(data, str(path), columns)


def parse_table(data: bytes, name: str, columns: Sequence[str]) -> list[Row]:
    """The rows as ``read_table`` gives them, from the file's bytes; ``name`` is used in messages only."""
    if len(data) > MOST_BYTES:
        raise DatasetError(f"{name}: expected at most {MOST_BYTES} bytes, got more; make several sets of it")
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{name}: expected UTF-8 text, byte {error.start} is not; save it as UTF-8 CSV") from error
    # Not of the text: StringIO takes four bytes a letter.
    reader = csv.DictReader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), restval="")
    try:
        header = list(reader.fieldnames or ())
    except csv.Error as error:
        raise DatasetError(f"{name}, line 1: not readable as CSV ({error}); correct it") from error
    missing = [c for c in columns if c not in header]
    if missing:
        raise DatasetError(
            f"{name}: expected columns {', '.join(columns)}; "
            f"missing {', '.join(missing)} in header '{','.join(header)}'; name the columns so, with commas between"
        )
    known = tuple(columns)
    try:
        rows = [
            Row(name, reader.line_num, known, tuple(sys.intern(cells[c]) for c in columns))
            for cells in islice(reader, MOST_LINES + 1)
        ]
    except csv.Error as error:
        raise DatasetError(f"{name}, line {reader.line_num}: not readable as CSV ({error}); correct it") from error
    if len(rows) > MOST_LINES:
        raise DatasetError(f"{name}: expected at most {MOST_LINES} lines, got more; make several sets of it")
    return rows
