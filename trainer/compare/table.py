"""The comparison as ``table.json`` and ``table.md``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.files import write_atomic

Row = Mapping[str, Any]


def _share(form: str, split: str, measure: str) -> Callable[[Row], str]:
    def shown(row: Row) -> str:
        share = row[form][split][measure] if form in row else None
        return "-" if share is None else f"{100 * share:.1f}"

    return shown


def _kib(form: str) -> Callable[[Row], str]:
    return lambda row: f"{row[form]['bytes'] / 1024:.0f}" if form in row else "-"


def _kib_gzip(form: str) -> Callable[[Row], str]:
    return lambda row: f"{row[form]['gzip_bytes'] / 1024:.0f}" if form in row else "-"


def _ms(form: str) -> Callable[[Row], str]:
    return lambda row: f"{row[form]['ms_a_cell']:.1f}" if form in row else "-"


COLUMNS: Mapping[str, Callable[[Row], str]] = {
    "": lambda row: str(row["name"]),
    "crops": lambda row: f"{row['crops']:,}",
    "val alone %": _share("float32", "val", "accuracy"),
    "alone %": _share("float32", "test", "accuracy"),
    "assigned %": _share("float32", "test", "accuracy_assigned"),
    "macro F1 %": _share("float32", "test", "macro_f1"),
    "int8 alone %": _share("int8", "test", "accuracy"),
    "int8 assigned %": _share("int8", "test", "accuracy_assigned"),
    "parameters": lambda row: f"{row['parameters']:,}",
    "MMAC": lambda row: f"{row['macs'] / 1e6:.1f}",
    "KiB": _kib("float32"),
    "KiB int8": _kib("int8"),
    "gzip": _kib_gzip("int8"),
    "ms a cell": _ms("float32"),
    "ms a cell int8": _ms("int8"),
}


def write_table(out: Path, rows: Sequence[Row], facts: Mapping[str, Any]) -> None:
    """Replace both files in ``out``; ``facts`` say how the table was made."""
    text = {**facts, "rows": list(rows)}
    write_atomic(out / "table.json", (json.dumps(text, indent=2) + "\n").encode())
    write_atomic(out / "table.md", (markdown(rows, facts) + "\n").encode())


def markdown(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """A table with a line on what was done; shares of the test split unless they say val."""
    lines = [
        f"`{facts['command']}`: learned from {facts['crops']:,} crop-samples each (traditional: up to that many crops, "
        f"once; compressed ones: the enhanced one, and more), batch "
        f"{facts['batch']}, seed {facts['seed']}. {facts['train']:,} train crops, {facts['val']:,} val, "
        f"{facts['test']:,} test, by donor; calibrated on val. MMAC a reading; the edge reads a crop once, again by "
        f"half a turn where that leaves a doubt, and twice more, mirrored and lower, where doubt is left. "
        f"ms a cell: {facts['cell']} crops, one thread, {facts['runtime']}, {facts['machine']}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|---|{'---:|' * (len(COLUMNS) - 1)}",
    ]
    lines += [f"| {' | '.join(show(row) for show in COLUMNS.values())} |" for row in rows]
    return "\n".join(lines)
