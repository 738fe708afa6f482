"""Writes what ``edge/runtime/bundle.py`` reads."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.errors import ModelError
from edge.runtime.bundle import BUNDLE_FILE, SCHEMA, Bundle, Task, load_bundle
from edge.runtime.model_file import TFLITE_MARK
from edge.runtime.network import cpu_network
from trainer.errors import ExportError
from trainer.files import write_atomic


def write_bundle(
    folder: Path,
    task: Task,
    model: bytes,
    *,
    labels: Sequence[str],
    preprocessing: Mapping[str, float | str],
    calibration: Mapping[str, float],
    data: Mapping[str, str],
    command: str,
    name: str = "",
) -> Bundle:
    """Write ``model``, TFLite or ONNX, and its ``bundle.json`` into ``folder`` and return the bundle as the edge reads
    it back.

    The input's height and width are read off the model. ``name`` is the folder's unless given. The model's file carries
    its hash in its name and ``bundle.json`` is replaced last, so a reader sees the old bundle or the new one, whenever
    the process dies. ``ExportError``: the folder cannot be written, or what was written is refused by the edge.
    """
    sha256 = hashlib.sha256(model).hexdigest()
    suffix = suffix_of(model)
    file = f"{task}-{sha256[:8]}{suffix}"
    try:
        _, height, width, _ = cpu_network(model, suffix, threads=1).input_shape
    except ModelError as error:
        raise ExportError(f"{folder}: the exported model does not load: {error}") from error
    fields = {
        "schema": SCHEMA,
        "name": name or folder.name,
        "task": task,
        "model": file,
        "sha256": sha256,
        "labels": list(labels),
        "input": {"height_px": height, "width_px": width},
        "preprocessing": dict(preprocessing),
        "calibration": dict(calibration),
        "data": dict(data),
        "command": command,
        "git_commit": git_commit(),
    }
    try:
        write_atomic(folder / file, model)
        write_atomic(folder / BUNDLE_FILE, (json.dumps(fields, indent=2) + "\n").encode())
        bundle = load_bundle(folder, task)
        for old in folder.glob(f"{task}-*"):
            if old.suffix in (".tflite", ".onnx") and old.name != file:
                old.unlink()
    except OSError as error:
        raise ExportError(f"{folder}: cannot write the model bundle: {error.strerror}; name another --out") from error
    except ModelError as error:
        raise ExportError(f"{folder}: the bundle written is refused: {error}") from error
    return bundle


def provisional_bundle(task: Task, model: bytes, calibration: Mapping[str, float], **facts: Any) -> Bundle:
    """The bundle that ``write_bundle`` would make, with a ``calibration`` to measure by, in memory only: on the disk
    among the models it might be taken for a calibrated one."""
    with tempfile.TemporaryDirectory() as folder:
        return write_bundle(Path(folder), task, model, calibration=calibration, **facts)


def suffix_of(model: bytes) -> str:
    """The suffix of a file of ``model``."""
    return ".tflite" if model[4:8] == TFLITE_MARK else ".onnx"


def git_commit() -> str:
    """The commit of the code that runs, with ``-dirty`` if it was changed since; "" outside a git checkout."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # not another project's, which this was installed into
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return ""
