"""A model and what must be known to use it: ``models/<name>/bundle.json`` and the model file that it names.

``bundle.json`` (schema 1)::

    {"schema": 1, "name": "...", "task": "locator" | "separator" | "classifier" | "verifier" | "arbiter",
     "model": "<file>.tflite" or "<file>.onnx", "sha256": "<64 hex digits>",
     "labels": ["1", ...], "input": {"height_px": 128, "width_px": 64},
     "preprocessing": {"<setting>": number | text},    how a picture becomes the input; checked by made_for()
     "calibration": {"<setting>": number},             how an output becomes a probability
     "data": {"name": "...", "split": "...", ...},     what it learned from
     "command": "...", "git_commit": "...",            how to make it again
     "compiled": {"edgetpu": {"model": "<file>", "sha256": "..."}}}   optional: the same for an accelerator

A bundle is verified whole before the interpreter sees a byte of it: the file's hash, then every field. A compiled file
is verified when its accelerator is asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

from edge.errors import BundleInvalid, BundleMismatch
from edge.records import LABELS
from edge.runtime.model_file import Compiled, file_content, read_model

SCHEMA = 1
BUNDLE_FILE = "bundle.json"
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(tflite|onnx)")
NEEDS_COMPILED = ("edgetpu",)
"""These delegates compute nothing of a .tflite that was not compiled for them: the CPU would do all of it, unseen."""

Task = Literal["locator", "separator", "classifier", "verifier", "arbiter"]
TASKS: tuple[Task, ...] = get_args(Task)
"""Every model that the pipeline needs, in the order in which they are used and made."""


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified model. ``model_bytes`` is what ``sha256`` was taken of; ``labels`` is ``LABELS`` for a classifier.

    ``preprocessing`` holds numbers and text, ``calibration`` numbers; an empty ``git_commit`` means unknown.
    """

    task: Task
    name: str
    schema: int
    model_path: Path
    model_bytes: bytes
    sha256: str
    labels: tuple[str, ...]
    input_height_px: int
    input_width_px: int
    preprocessing: Mapping[str, float | str]
    calibration: Mapping[str, float]
    data: Mapping[str, str]
    command: str
    git_commit: str
    compiled: Mapping[str, Compiled]

    @property
    def model_id(self) -> str:
        """How results name the model: ``sha256:<hex>`` of the file's hash and all that decides with it what is
        answered. Calibrated anew it is another model, whose confidences mean something else."""
        decides = {
            "sha256": self.sha256,
            "labels": self.labels,
            "input_px": (self.input_height_px, self.input_width_px),
            "preprocessing": dict(self.preprocessing),
            "calibration": dict(self.calibration),
        }
        return f"sha256:{hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()}"

    def compiled_for(self, delegate: str) -> Compiled | None:
        """What the bundle names for ``delegate``. ``BundleInvalid``: a compiled file lies there that it does not
        name."""
        named = self.compiled.get(delegate)
        stray = self.model_path.with_name(f"{self.model_path.stem}_{delegate}.tflite")
        if named is None and stray.is_file():
            raise BundleInvalid(
                f"{stray}: expected its SHA-256 under 'compiled' in {BUNDLE_FILE}, found none; compile it again with "
                f"'trainer {delegate} {stray.parent}', which writes it there"
            )
        return named

    def given_to(self, delegate: str) -> tuple[bytes, str, str]:
        """The model that ``delegate`` computes, its file's suffix, and its id where it is a compiled one, else "".

        ``BundleInvalid``: the compiled model is not sound, or is needed and not there.
        """
        compiled = self.compiled_for(delegate)
        if compiled is not None:
            return compiled.read(), compiled.path.suffix, compiled.model_id
        if delegate in NEEDS_COMPILED and self.model_path.suffix == ".tflite":
            folder = self.model_path.parent
            raise BundleInvalid(
                f"{folder}: expected a model compiled for {delegate}, found none; compile it with "
                f"'trainer {delegate} {folder}'"
            )
        return self.model_bytes, self.model_path.suffix, ""

    def made_for(self, setting: str, value: float) -> None:
        """``BundleMismatch`` unless ``preprocessing`` says that the model takes its input so."""
        stated = self.preprocessing.get(setting)
        if stated != value:
            raise BundleMismatch(
                f"{self.model_path.parent / BUNDLE_FILE}: expected preprocessing.{setting} {value:g}, got {stated!r}; "
                "use models made for this version"
            )

    def calibrated(self, setting: str, least: float = -math.inf, most: float = math.inf) -> float:
        """A number of ``calibration`` from ``least`` to ``most``; ``BundleInvalid`` if it is not there or beyond."""
        if setting not in self.calibration:
            raise BundleInvalid(
                f"{self.model_path.parent / BUNDLE_FILE}: expected calibration.{setting}, which is not there; "
                "export the model again"
            )
        value = self.calibration[setting]
        if not least <= value <= most:
            raise BundleInvalid(
                f"{self.model_path.parent / BUNDLE_FILE}: expected calibration.{setting} from {least:g} to {most:g}, "
                f"got {value:g}; export the model again"
            )
        return value


def load_bundle(folder: Path, task: Task, file: str = BUNDLE_FILE) -> Bundle:
    """The bundle that ``file`` in ``folder`` describes, verified.

    ``BundleInvalid``: something is missing, truncated, changed or not a bundle. ``BundleMismatch``: a sound bundle,
    but for another task, with other labels or of another schema.
    """
    path = folder / file
    fields = _read_json(folder, path)
    if fields.get("schema") != SCHEMA and isinstance(fields.get("schema"), int):
        raise BundleMismatch(
            f"{path}: expected schema {SCHEMA}, got {fields['schema']}; use models made for this version"
        )
    _check_fields(path, fields)
    if fields["task"] != task:
        raise BundleMismatch(f"{path}: expected a {task}, got a {fields['task']}; name the {task}'s folder")
    labels = tuple(fields["labels"])
    if task == "classifier" and labels != LABELS:
        raise BundleMismatch(
            f"{path}: expected the {len(LABELS)} labels 1..22, X, Y in that order, "
            f"got {len(labels)}: {_short(','.join(labels))}; use models made for this version"
        )
    model_path = folder / fields["model"]
    model_bytes = read_model(model_path, fields["sha256"])
    return Bundle(
        task=task,
        name=fields["name"],
        schema=SCHEMA,
        model_path=model_path,
        model_bytes=model_bytes,
        sha256=fields["sha256"],
        labels=labels,
        input_height_px=fields["input"]["height_px"],
        input_width_px=fields["input"]["width_px"],
        preprocessing=MappingProxyType(fields["preprocessing"]),
        calibration=MappingProxyType(fields["calibration"]),
        data=MappingProxyType(fields["data"]),
        command=fields["command"],
        git_commit=fields["git_commit"],
        compiled=MappingProxyType(
            {name: Compiled(folder / one["model"], one["sha256"]) for name, one in fields.get("compiled", {}).items()}
        ),
    )


def _read_json(folder: Path, path: Path) -> dict[str, Any]:
    try:
        if not folder.is_dir():
            raise BundleInvalid(
                f"expected a model folder at {folder}, found none; name one that holds {BUNDLE_FILE}, "
                "or with --models the folder above it"
            )
        fields = json.loads(file_content(path))
    except FileNotFoundError:
        raise BundleInvalid(
            f"{folder}: expected {BUNDLE_FILE} in a model folder, found none; name one such as `trainer export` makes "
            "of a run, or copy it again"
        ) from None
    except OSError as error:
        raise BundleInvalid(
            f"{path}: cannot be read: {error.strerror}; check its permissions or copy it again"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BundleInvalid(f"{path}: not readable as JSON ({error}); copy the model folder again") from error
    if not isinstance(fields, dict):
        raise BundleInvalid(f"{path}: expected a JSON object, got {type(fields).__name__}; not a model bundle")
    return cast(dict[str, Any], fields)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    # Not by math.isfinite, which fails on a whole number of hundreds of digits.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_model_name(value: object) -> bool:
    return isinstance(value, str) and MODEL_NAME.fullmatch(value) is not None


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_compiled(value: object) -> bool:
    return isinstance(value, dict) and _is_model_name(value.get("model")) and _is_sha256(value.get("sha256"))


def _mapping_of(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(holds(v) for v in value.values())


CHECKS: tuple[tuple[str, str, Callable[[object], bool]], ...] = (
    ("schema", "a whole number", _is_size),
    ("name", "text", _is_text),
    ("task", "locator, separator, classifier, verifier or arbiter", lambda v: v in TASKS),
    ("model", "a plain file name ending in .tflite or .onnx", _is_model_name),
    ("sha256", "64 hex digits, a to f in lower case", _is_sha256),
    ("labels", "a list of texts", lambda v: isinstance(v, list) and all(_is_text(x) for x in v)),
    (
        "input",
        "height_px and width_px, whole numbers",
        lambda v: isinstance(v, dict) and _is_size(v.get("height_px")) and _is_size(v.get("width_px")),
    ),
    ("preprocessing", "an object of numbers and texts", _mapping_of(lambda v: _is_number(v) or _is_text(v))),
    ("calibration", "an object of numbers", _mapping_of(_is_number)),
    ("data", "an object of texts", _mapping_of(_is_text)),
    ("command", "text", _is_text),
    ("git_commit", "text", _is_text),
    ("compiled", "an object of model and sha256 an accelerator", _mapping_of(_is_compiled)),
)
OPTIONAL = {"compiled"}


def _check_fields(path: Path, fields: dict[str, Any]) -> None:
    for name, expected, holds in CHECKS:
        if name not in fields:
            if name in OPTIONAL:
                continue
            raise BundleInvalid(f"{path}: field '{name}' is missing; not a model bundle, or a damaged one")
        if not holds(fields[name]):
            raise BundleInvalid(f"{path}: field '{name}' must be {expected}, got {_short(repr(fields[name]))}")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
