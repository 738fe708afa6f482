"""Replacing a model on a board, and going back: one rename decides, so that no power cut leaves half a model.

In ``models/<role>/`` the current ``bundle.json`` names its files by content, ``previous.json`` is the bundle before it.
What neither names is removed at the next install. A running program holds its model in memory and keeps it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleInvalid, BundleMismatch, ModelError
from edge.runtime.bundle import BUNDLE_FILE, TASKS, Bundle, Task, load_bundle
from edge.runtime.model_file import file_content
from edge.sinks.files import sync_names

PREVIOUS_FILE = "previous.json"


@dataclass(frozen=True, slots=True)
class Installed:
    """A role's bundle, or why it cannot be used; ``previous`` names what a roll-back would bring, or is empty."""

    role: Task
    name: str
    model_id: str
    trouble: str
    previous: str


def list_models(models_dir: Path) -> tuple[Installed, ...]:
    """Every role, verified."""
    return tuple(_look(models_dir / role, role) for role in TASKS)


def role_named(name: str) -> Task:
    """The role of that name. ``ModelError`` for any other name."""
    for role in TASKS:
        if role == name:
            return role
    raise BundleMismatch(f"expected a model for {', '.join(TASKS)}, got {name!r}")


def install(source: Path, models_dir: Path) -> tuple[Installed, ...]:
    """Installs the bundle in ``source``, or those in its folders locator/, classifier/ ...; all are verified first.

    Raises ``ModelError`` for one that is not sound, that this runtime does not take, or that cannot be written; then
    nothing has changed: all are written before the first takes the place of another.
    """
    folders = [source] if _is_file(source / BUNDLE_FILE) else [source / role for role in TASKS]
    folders = [folder for folder in folders if _is_file(folder / BUNDLE_FILE)]
    if not folders:
        raise BundleInvalid(f"{source}: expected {BUNDLE_FILE}, or locator/ or classifier/ with one; found none")
    bundles = [load_bundle(folder, _task_of(folder)) for folder in folders]
    for bundle in bundles:
        _prove(bundle)
        bundle.compiled_for("edgetpu")
    for step in (_put_beside, _replace):
        for bundle in bundles:
            try:
                step(bundle, models_dir / bundle.task)
            except OSError as error:
                raise ModelError(
                    f"cannot write {models_dir / bundle.task}: {error.strerror}; the model before it stays in use"
                ) from error
    return tuple(_look(models_dir / bundle.task, bundle.task) for bundle in bundles)


def rollback(models_dir: Path, role: Task) -> Installed:
    """Swaps a role's bundle with the one before it; a second time swaps back. ``ModelError`` when there is none, or it
    is not sound any more: then nothing has changed."""
    folder = models_dir / role
    previous = folder / PREVIOUS_FILE
    if not _is_file(previous):
        raise ModelError(f"{folder}: expected {PREVIOUS_FILE}, the bundle before this one; none was installed here")
    load_bundle(folder, role, PREVIOUS_FILE)
    try:
        now = (folder / BUNDLE_FILE).read_bytes() if (folder / BUNDLE_FILE).is_file() else b""
        then = previous.read_bytes()
        _write(folder / f"{BUNDLE_FILE}.part", then)
        if now:
            _write(folder / f"{PREVIOUS_FILE}.part", now)
        (folder / f"{BUNDLE_FILE}.part").replace(folder / BUNDLE_FILE)
        if now:
            (folder / f"{PREVIOUS_FILE}.part").replace(previous)
        sync_names(folder)
    except OSError as error:
        raise ModelError(f"cannot write {folder}: {error.strerror}; the model before it stays in use") from error
    return _look(folder, role)


def _look(folder: Path, role: Task) -> Installed:
    previous = _fields(folder / PREVIOUS_FILE)
    before = f"{previous['name']} {str(previous['sha256'])[:12]}" if {"name", "sha256"} <= previous.keys() else ""
    try:
        bundle = load_bundle(folder, role)
    except ModelError as error:
        return Installed(role, "", "", str(error), before)
    return Installed(role, bundle.name, bundle.model_id, "", before)


def _task_of(folder: Path) -> Task:
    return role_named(str(_fields(folder / BUNDLE_FILE).get("task")))


def _prove(bundle: Bundle) -> None:
    """``ModelError`` if the code for its role does not take the model, or it does not answer: now, not in use."""
    from edge.cell.arbiter import Arbiter
    from edge.cell.keep import Keeper
    from edge.classify.classifier import Classifier
    from edge.locate.boxes import BoxFinder
    from edge.locate.separate import Separator
    from edge.runtime.network import open_network

    users: dict[Task, Callable[[Bundle], object]] = {
        "locator": BoxFinder,
        "separator": Separator,
        "classifier": Classifier,
        "verifier": Keeper.of,
        "arbiter": Arbiter,
    }
    users[bundle.task](bundle)
    network = open_network(bundle, 1)
    network.run_uint8(np.zeros(network.input_shape, np.uint8))


def _put_beside(bundle: Bundle, folder: Path) -> None:
    """Writes its files beside those in use, and, still as a .part, the ``bundle.json`` that will name them."""
    folder.mkdir(parents=True, exist_ok=True)
    target = f"{bundle.task}-{bundle.sha256[:8]}{bundle.model_path.suffix}"
    files = {target: bundle.model_bytes}
    fields = _fields(bundle.model_path.parent / BUNDLE_FILE) | {"model": target}
    for delegate, compiled in bundle.compiled.items():
        name = f"{bundle.task}-{compiled.sha256[:8]}_{delegate}{compiled.path.suffix}"
        files[name] = compiled.read()
        fields["compiled"] = fields["compiled"] | {delegate: {"model": name, "sha256": compiled.sha256}}
    for name, content in files.items():
        _write(folder / f"{name}.part", content)
        (folder / f"{name}.part").replace(folder / name)
    _write(folder / f"{BUNDLE_FILE}.part", json.dumps(fields, indent=2).encode() + b"\n")
    sync_names(folder)


def _replace(_: Bundle, folder: Path) -> None:
    """Makes the .part the bundle in use, and removes what neither that nor the one before it names."""
    fields, now = _fields(folder / f"{BUNDLE_FILE}.part"), _fields(folder / BUNDLE_FILE)
    if now and _identity(now) != _identity(fields):  # installed again, it is not the one before itself
        _write(folder / f"{PREVIOUS_FILE}.part", (folder / BUNDLE_FILE).read_bytes())
        (folder / f"{PREVIOUS_FILE}.part").replace(folder / PREVIOUS_FILE)
    sync_names(folder)
    (folder / f"{BUNDLE_FILE}.part").replace(folder / BUNDLE_FILE)
    sync_names(folder)
    named = _names(fields) | _names(_fields(folder / PREVIOUS_FILE))
    for path in folder.iterdir():
        mine = {path.name, path.name.replace("_edgetpu.", ".")}  # also what was compiled by hand from one of them
        if path.suffix in (".tflite", ".onnx", ".part") and not mine & named:
            with suppress(OSError):  # the new model is in use already, whatever stays beside it
                path.unlink()


def _names(fields: dict[str, Any]) -> set[str]:
    """The files that a bundle names; it may be one that nobody has verified."""
    compiled = fields.get("compiled")
    named = (fields, *compiled.values()) if isinstance(compiled, dict) else (fields,)
    return {str(one["model"]) for one in named if isinstance(one, dict) and "model" in one}


def _identity(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that tell bundles apart: all but its file's name and the forms that it was compiled to."""
    return {key: value for key, value in fields.items() if key not in ("model", "compiled")}


def _is_file(path: Path) -> bool:
    """``BundleInvalid`` where nobody can tell, as in a folder that may not be looked into."""
    try:
        return path.is_file()
    except OSError as error:
        raise BundleInvalid(f"{path}: cannot be read: {error.strerror}; check who may read it") from error


def _fields(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(file_content(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        with suppress(OSError):  # a memory stick's file system has no modes
            os.fchmod(file.fileno(), 0o644)  # root installs, the service reads, whatever root's umask
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
