"""What a search has found so far, as a table (JSON, Markdown) and a picture."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.files import write_atomic
from trainer.search.trials import SECONDS, fault_of, folder_of

if TYPE_CHECKING:
    import optuna

MOST_TICKS = 6
AXES = {"rate": "learning rate", "batch": "batch size", "depth": "residual blocks a size"}


def results_of(study: optuna.Study) -> dict[str, Any]:
    """The search's ``settings`` and its finished ``trials``, the best first: number of its folder, rate, batch, depth,
    steps, val_accuracy, seconds; ``running``: the numbers of those that processes are working on; ``failed``: the
    numbers of those that failed, each with the reason."""
    trials = study.get_trials(deepcopy=False)
    done = [t for t in trials if t.state.name == "COMPLETE" and t.value is not None]
    rows = [
        {
            "trial": int(folder_of(t)),
            **{name: t.params[name] for name in AXES},
            "steps": t.user_attrs["steps"],
            "val_accuracy": round(t.value, 4),
            "seconds": round(t.user_attrs.get(SECONDS, 0.0) + (t.duration.total_seconds() if t.duration else 0.0), 1),
        }
        for t in done
        if t.value is not None
    ]
    return {
        "settings": study.user_attrs.get("settings", {}),
        "running": [int(folder_of(t)) for t in trials if t.state.name == "RUNNING"],
        "failed": {int(folder_of(t)): fault_of(t) for t in trials if fault_of(t)},
        "trials": sorted(rows, key=lambda row: (-row["val_accuracy"], row["trial"])),
    }


def write_results(results: dict[str, Any], out: Path) -> None:
    """Writes ``results.json``, ``results.md`` and ``results.png`` to ``out``."""
    write_atomic(out / "results.json", (json.dumps(results, indent=2) + "\n").encode())
    write_atomic(out / "results.md", markdown(results).encode())
    if results["trials"]:
        write_atomic(out / "results.png", picture(results["trials"]))


def markdown(results: dict[str, Any]) -> str:
    """The trials as a table, the best first, then which are running and which failed."""
    columns = ("trial", *AXES, "steps", "val_accuracy", "seconds")
    shown = [[f"{row[c]:.3g}" if c == "rate" else str(row[c]) for c in columns] for row in results["trials"]]
    settings = results["settings"]
    head = f"{len(shown)} trials on {', '.join(settings['data'])}, {settings['samples']} crops each\n"
    lines = [columns, ["---:"] * len(columns), *shown]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    numbers = ", ".join(map(str, results["running"]))
    rest = f"\nstill running in another process, not in the table: trial {numbers}\n" if numbers else ""
    failed = "".join(f"\nfailed: trial {number}: {why}\n" for number, why in results["failed"].items())
    return f"{head}\n{table}{rest}{failed}"


def picture(trials: list[dict[str, Any]]) -> bytes:
    """PNG: the accuracy on val against each of the three settings, a dot a trial, a ring around the best."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    best = trials[0]
    for axes, (name, title) in zip(figure.subplots(1, 3, sharey=True), AXES.items(), strict=True):
        axes.scatter([t[name] for t in trials], [t["val_accuracy"] for t in trials], s=28, alpha=0.7)
        axes.scatter([best[name]], [best["val_accuracy"]], s=140, facecolors="none", edgecolors="tab:red")
        axes.set_xlabel(title)
        axes.grid(alpha=0.3)
        if name != "depth":
            axes.set_xscale("log", base=10 if name == "rate" else 2)
        ticks = sorted({t[name] for t in trials})
        if len(ticks) <= MOST_TICKS:
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.set_xticks([], minor=True)
    figure.axes[0].set_ylabel("accuracy on val")
    png = io.BytesIO()
    FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()
