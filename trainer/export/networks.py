"""The trained network of a run folder, plain or quantization-aware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tf_keras as keras

from edge.runtime.bundle import TASKS, Task
from trainer.compress.layers import quantize_scope
from trainer.errors import ExportError, first_line


def task_of(run: Path) -> Task:
    """Which network the run folder holds."""
    for task in TASKS:
        if (run / f"{task}.keras").exists():
            return task
    files = ", ".join(f"{task}.keras" for task in TASKS)
    raise ExportError(f"{run}: expected one of {files}; finish `trainer fit` first")


def load_float(run: Path) -> Any:
    """The float network; of a quantization-aware run, the one with the same weights and no rounding."""
    return _load(run / f"{task_of(run)}.keras")


def load_for_int8(run: Path) -> Any:
    """The quantization-aware network where the run made one, else the float network, to be quantized afterwards."""
    aware = run / f"{task_of(run)}.h5"
    return _load(aware) if aware.exists() else load_float(run)


def _load(path: Path) -> Any:
    try:
        with quantize_scope():
            return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ExportError(f"{path}: not a network that this version can load: {first_line(error)}") from error
