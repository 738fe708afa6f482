"""A bench as tables for a terminal, beside other models' and other boards' figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge.errors import ConfigError


def read_references(folder: Path) -> dict[str, dict[str, Any]]:
    """Board to its ``chromo-edge bench --json``, from ``folder``; none where the folder is not there."""
    return {path.stem: read_bench(path) for path in sorted(folder.glob("*.json"))}


def read_bench(path: Path) -> dict[str, Any]:
    """An earlier ``--json`` file. ``ConfigError`` when it is not one."""
    try:
        found = json.loads(path.read_bytes())
        found["frame_ms"]["median"], found["stage_ms"], found["board"]["name"], found["models"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: expected what 'chromo-edge bench --json' writes, cannot use it ({error})") from None
    return dict(found)


def show(console: Console, columns: Mapping[str, Mapping[str, Any]]) -> None:
    """``columns``: a title to a bench's JSON; the first is this run."""
    first = next(iter(columns.values()))
    board = first["board"]
    warm = f", {board['temperature_c']:.0f} °C" if board["temperature_c"] is not None else ""
    held = f", held back: {', '.join(board['throttled'])}" if board["throttled"] else ""
    console.print(
        f"[bold]{board['name']}[/]  {board['cpu']}, {board['cores']} cores, governor {board['governor']}{warm}{held}\n"
        f"{board['system']}, Python {board['python']}, {board['runtime']}",
        highlight=False,
    )
    if board["load"] > 0.5 * board["cores"]:
        console.print(
            f"[yellow]other programs keep this machine busy (load {board['load']:.1f}): it can do better than this[/]"
        )
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for title in columns:
        table.add_column(title, justify="right")
    for name, cells in _rows(first, list(columns.values())):
        table.add_row(name, *cells)
    console.print(table)


def _rows(first: Mapping[str, Any], benches: list[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    def row(name: str, *path: str, form: str = "{:.1f}") -> tuple[str, list[str]]:
        return name, [_at(bench, path, form) for bench in benches]

    rows = [
        row("frame, median ms", "frame_ms", "median"),
        row("frame, p95 ms", "frame_ms", "p95"),
        *(row(f"  {stage}", "stage_ms", stage) for stage in first["stage_ms"]),
        *(
            row(f"frame with {n} thread{'s' * (n != '1')}", "frame_ms", "by_threads", n, "median")
            for n in first["frame_ms"]["by_threads"]
        ),
        row("frame read thoroughly, ms", "thorough_ms", "median"),
        row("cold start to first label, s", "cold_start_s", form="{:.2f}"),
        row("resident memory at most, MB", "rss_mb", form="{:.0f}"),
        row("peak int8, GMAC/s", "board", "peak_gmacs_per_s", "int8"),
        row("peak float32, GMAC/s", "board", "peak_gmacs_per_s", "float32"),
    ]
    for role, model in first["models"].items():
        rows.append(row(f"{role}, type", "models", role, "dtype", form="{}"))
        rows.append((f"{role}, MMAC", [_mega(_at(bench, ("models", role, "macs"), "{}")) for bench in benches]))
        rows.append(
            (f"{role}, of peak", [_share(_at(bench, ("models", role, "peak_share"), "{}")) for bench in benches])
        )
        rows += [
            row(f"{role}, {n} thread{'s' * (n != '1')}, ms", "models", role, "threads_ms", n)
            for n in model["threads_ms"]
        ]
        rows += [row(f"{role}, batch {n}, ms", "models", role, "batch_ms", n) for n in model["batch_ms"]]
    return rows


def _at(bench: Mapping[str, Any], path: tuple[str, ...], form: str) -> str:
    value: Any = bench
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return "-" if value is None else form.format(value)


def _mega(text: str) -> str:
    return text if text == "-" else f"{int(text) / 1e6:.1f}"


def _share(text: str) -> str:
    return text if text == "-" else f"{float(text):.0%}"
