"""A run's log: a CSV table, one row a logged step, one column a value. A kill costs the last row at most."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigError
from trainer.files import write_atomic

STEP = "step"


@dataclass(frozen=True, slots=True)
class RunLog:
    """The log in the file ``path``, which is there from the first row on. ``ConfigError`` if it is no run's log."""

    path: Path

    def append(self, step: int, **values: float) -> None:
        """Add one row; a value seen for the first time adds its column. The file is whole after each call."""
        columns, rows = self._read()
        row = {STEP: str(step), **{name: f"{value:.6g}" for name, value in values.items()}}
        added = [name for name in row if name not in columns]
        if added:
            self._write([*columns, *added], [*rows, row])
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, columns, restval="", lineterminator="\n").writerow(row)

    def history(self) -> dict[str, list[tuple[int, float]]]:
        """Every column as (step, value) pairs, in order."""
        columns, rows = self._read()
        return {c: [(int(r[STEP]), float(r[c])) for r in rows if r[c]] for c in columns if c != STEP}

    def cut_after(self, step: int) -> None:
        """Drop the rows of later steps than this."""
        columns, rows = self._read()
        kept = [row for row in rows if int(row[STEP]) <= step]
        if len(kept) < len(rows):
            self._write(columns, kept)

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        if not self.path.exists():
            return [STEP], []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]  # a kill cut off a last line that has no end
        reader = csv.DictReader(io.StringIO(whole), restval="")
        columns = list(reader.fieldnames or [STEP])
        if STEP not in columns:
            raise ConfigError(f"{self.path}: expected a run's log with a column {STEP}; start with --fresh")
        rows = [row for row in reader if row[STEP].isdecimal()]
        if whole != text:
            self._write(columns, rows)
        return columns, rows

    def _write(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomic(self.path, text.getvalue().encode())
