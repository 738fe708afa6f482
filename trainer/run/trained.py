"""What a finished run's folder or a bundle holds: which network, from what settings, in which file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge.errors import BundleMismatch, ConfigError
from edge.runtime.bundle import BUNDLE_FILE, TASKS, Bundle, Task, load_bundle
from trainer.errors import ExportError

WEIGHTS_FILE = "weights.keras"
"""The file of a bundle's float network."""
FIGURES_FILE = "report.json"
"""The file of what the export measured. It is written last and taken away first: a bundle without it was not
finished."""


def is_run(folder: Path) -> bool:
    """Whether ``folder`` is a finished run's rather than a bundle's."""
    return any((folder / f"{task}.keras").exists() for task in TASKS)


def task_of(folder: Path) -> Task:
    """Which network the run folder or bundle holds. ``ExportError``: neither; ``ModelError``: a damaged bundle."""
    for task in TASKS:
        if (folder / f"{task}.keras").exists():
            return task
    if (folder / BUNDLE_FILE).exists() and (folder / WEIGHTS_FILE).exists():
        if not (folder / FIGURES_FILE).exists():
            raise ExportError(
                f"{folder}: its export was interrupted, and its {WEIGHTS_FILE} may be another model's; give that "
                "`trainer export` again"
            )
        return any_bundle(folder).task
    files = ", ".join(f"{task}.keras" for task in TASKS)
    raise ExportError(
        f"{folder}: expected a run folder with one of {files}, or a bundle with {BUNDLE_FILE} and {WEIGHTS_FILE}; "
        "finish `trainer fit` first, or name a folder such as models/classifier"
    )


def weights_of(folder: Path) -> Path:
    """The file of the float network; errors as ``task_of``."""
    own = folder / f"{task_of(folder)}.keras"
    return own if own.exists() else folder / WEIGHTS_FILE


def any_bundle(folder: Path) -> Bundle:
    """The bundle in ``folder``, whatever its task; ``ModelError`` as from ``load_bundle``."""
    first, *others = TASKS
    for task in others:
        try:
            return load_bundle(folder, task)
        except BundleMismatch:
            continue
    return load_bundle(folder, first)


def settings_of(run: Path) -> dict[str, Any]:
    """The settings in a fit's run folder; for a pruned run's, those of the fit that it began with; empty if there are
    none. ``ConfigError`` for a file that cannot be read."""
    seen: set[Path] = set()
    while (path := run / "config.json").is_file() and run not in seen:
        seen.add(run)
        try:
            stored = json.loads(path.read_bytes())
            if "run" not in stored:
                return dict(stored)
            run = Path(stored["run"])
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{path}: expected a run's settings as JSON, cannot read them: {error}") from error
    return {}
