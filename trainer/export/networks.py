"""The trained network of a run folder, plain or quantization-aware, or the float one that a bundle keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tf_keras as keras

from edge.runtime.bundle import BUNDLE_FILE, TASKS, Task
from edge.text import first_line
from trainer.compress.layers import quantize_scope
from trainer.errors import ExportError
from trainer.export.bundle import any_bundle
from trainer.networks import arbiter as _arbiter  # noqa: F401  a file's own layers must be known before it is read

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


def load_float(folder: Path) -> Any:
    """The float network; for a quantization-aware run, the one with the same weights and no rounding."""
    return _load(weights_of(folder))


def load_for_int8(folder: Path) -> Any:
    """The quantization-aware network where the run made one, else the float network, to be quantized afterwards."""
    aware = folder / f"{task_of(folder)}.h5"
    return _load(aware) if aware.exists() else load_float(folder)


def _load(path: Path) -> Any:
    try:
        with quantize_scope():
            return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ExportError(f"{path}: not a network that this version can load: {first_line(error)}") from error
