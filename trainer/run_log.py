"""What a training logs: CSV with one row a logged step and one column a value, whole whenever the process dies."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigError
from trainer.files import write_atomic


@dataclass(frozen=True, slots=True)
class RunLog:
    """The log at ``path``, which need not be there yet. ``ConfigError`` where it is a file of something else."""

    path: Path

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Append one row; a value seen for the first time adds its column."""
        columns, rows = self._read()
        row = {"step": str(step), **{name: f"{value:.6g}" for name, value in values.items()}}
        added = [name for name in row if name not in columns]
        if added:
            self._write([*columns, *added], [*rows, row])
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, columns, restval="", lineterminator="\n").writerow(row)

    def history(self) -> dict[str, list[tuple[int, float]]]:
        """Every column as (step, value) pairs, in order."""
        columns, rows = self._read()
        return {c: [(int(r["step"]), float(r[c])) for r in rows if r[c]] for c in columns if c != "step"}

    def cut(self, step: int) -> None:
        """Rows of later steps go."""
        columns, rows = self._read()
        kept = [row for row in rows if int(row["step"]) <= step]
        if len(kept) < len(rows):
            self._write(columns, kept)

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        if not self.path.exists():
            return ["step"], []
        text = self.path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]  # a last line without its end was cut by a kill
        reader = csv.DictReader(io.StringIO(whole), restval="")
        if "step" not in (reader.fieldnames or ["step"]):
            raise ConfigError(f"{self.path}: expected a run's log with a column step; start with --fresh")
        rows = [row for row in reader if row["step"].isdecimal()]
        if whole != text:
            self._write(list(reader.fieldnames or ["step"]), rows)
        return list(reader.fieldnames or ["step"]), rows

    def _write(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomic(self.path, text.getvalue().encode())
