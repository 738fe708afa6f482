"""A bundle is used whole and unchanged, or refused in one line."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.cell.verify import Verifier
from edge.classify.classifier import Classifier
from edge.errors import BundleInvalid, BundleMismatch, ModelError
from edge.locate.boxes import BoxFinder
from edge.locate.separate import Separator
from edge.records import LABELS
from edge.runtime.bundle import Bundle, Task, load_bundle
from edge.runtime.interpreter import Network

TINY = Path(__file__).parents[1] / "tiny"
MODEL = (Path(__file__).parent / "tiny.tflite").read_bytes()


def fields() -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "tiny",
        "task": "classifier",
        "model": "tiny.tflite",
        "sha256": hashlib.sha256(MODEL).hexdigest(),
        "labels": list(LABELS),
        "input": {"height_px": 16, "width_px": 12},
        "preprocessing": {"um_per_px": 0.065, "ground": "black"},
        "calibration": {"temperature": 1.25},
        "data": {"name": "none", "split": "none"},
        "command": "python tests/edge/runtime/make_models.py",
        "git_commit": "",
    }


def write(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "tiny.tflite").write_bytes(MODEL)
    (folder / "bundle.json").write_text(json.dumps({**fields(), **changes}))
    return folder


def pipe_at(path: Path) -> None:
    """Who opens it waits for somebody to write."""
    path.unlink()
    os.mkfifo(path)


def device_at(path: Path) -> None:
    """Who reads it comes to no end."""
    path.unlink()
    path.symlink_to("/dev/zero")


def test_a_sound_bundle(tmp_path: Path) -> None:
    bundle = load_bundle(write(tmp_path), "classifier")
    assert bundle.labels == LABELS
    assert bundle.model_bytes == MODEL
    assert bundle.calibration["temperature"] == 1.25
    assert Network.of_bundle(bundle).input_shape == (1, 16, 12, 1)
    with pytest.raises(TypeError):
        bundle.preprocessing["um_per_px"] = 1.0  # type: ignore[index]


@pytest.mark.parametrize(
    "changes",
    [
        {"calibration": {"temperature": 1.26}},
        {"preprocessing": {**fields()["preprocessing"], "um_per_px": 0.2}},
        {"input": {"height_px": 16, "width_px": 13}},
    ],
)
def test_what_decides_what_a_model_answers_is_in_its_name(tmp_path: Path, changes: Any) -> None:
    named = load_bundle(write(tmp_path / "a"), "classifier").model_id
    assert re.fullmatch("sha256:[0-9a-f]{64}", named)
    assert load_bundle(write(tmp_path / "b", name="other", command="other"), "classifier").model_id == named
    assert load_bundle(write(tmp_path / "c", **changes), "classifier").model_id != named


def test_a_model_made_for_other_inputs_is_refused(tmp_path: Path) -> None:
    bundle = load_bundle(write(tmp_path), "classifier")
    bundle.made_for("um_per_px", 0.065)
    with pytest.raises(BundleMismatch, match=r"json: expected preprocessing\.um_per_px 0\.0975, got 0\.065; use"):
        bundle.made_for("um_per_px", 0.0975)
    with pytest.raises(BundleMismatch, match=r"expected preprocessing\.length_px 60, got None"):
        bundle.made_for("length_px", 60.0)


def test_a_calibration_beyond_its_range_is_refused(tmp_path: Path) -> None:
    bundle = load_bundle(write(tmp_path, calibration={"temperature": 0.0}), "classifier")
    assert bundle.calibrated("temperature") == 0.0
    assert bundle.calibrated("temperature", 0, 1) == 0.0
    assert bundle.calibrated("temperature", -1, 0) == 0.0
    with pytest.raises(BundleInvalid, match=r"expected calibration\.temperature from 0\.01 to 100, got 0; export"):
        bundle.calibrated("temperature", 0.01, 100.0)


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("locator", {"preprocessing": {"um_per_px": 1e-9}}),
        ("locator", {"calibration": {"most_iou": -3.0}}),
        ("locator", {"calibration": {"least_score": 0.0}}),
        ("locator", {"calibration": {"box_shift_x_px": 1e308}}),
        ("locator", {"calibration": {"box_shift_y_px": -1e308}}),
        ("separator", {"preprocessing": {"box_px": 51.0}}),
        ("classifier", {"preprocessing": {"median_rows": 1e9}}),
        ("classifier", {"calibration": {"temperature": -1.0}}),
        ("verifier", {"preprocessing": {"object_px": 40.0}}),
    ],
)
def test_no_stage_takes_a_model_that_was_made_for_another(task: Task, settings: dict[str, dict[str, float]]) -> None:
    users: dict[str, Callable[[Bundle], object]] = {
        "locator": BoxFinder,
        "separator": Separator,
        "classifier": Classifier,
        "verifier": Verifier,
    }
    sound = load_bundle(TINY / task, task)
    users[task](sound)
    (field, changed), *_ = settings.items()
    with pytest.raises(ModelError, match=f"{field}.{next(iter(changed))}"):
        users[task](replace(sound, **{field: {**getattr(sound, field), **changed}}))


def test_the_compiled_file_is_named_with_its_hash(tmp_path: Path) -> None:
    folder = write(tmp_path, compiled={"edgetpu": {"model": "tpu.tflite", "sha256": fields()["sha256"]}})
    named = load_bundle(folder, "classifier").compiled_for("edgetpu")
    assert named is not None
    with pytest.raises(BundleInvalid, match="cannot be read"):
        named.read()
    (folder / "tpu.tflite").write_bytes(MODEL)
    assert named.read() == MODEL
    (folder / "tpu.tflite").write_bytes(MODEL[:-1])
    with pytest.raises(BundleInvalid, match="truncated or changed"):
        named.read()
    for wrong in (
        "tpu.tflite",
        {"edgetpu": "tpu.tflite"},
        {"edgetpu": {"model": "../tpu.tflite", "sha256": fields()["sha256"]}},
    ):
        with pytest.raises(BundleInvalid, match="field 'compiled' must be an object of model and sha256"):
            load_bundle(write(tmp_path, compiled=wrong), "classifier")


def test_what_an_accelerator_is_given(tmp_path: Path) -> None:
    bundle = load_bundle(write(tmp_path), "classifier")
    assert bundle.given_to("gpu") == (MODEL, ".tflite", "")
    with pytest.raises(BundleInvalid, match="expected a model compiled for edgetpu, found none"):
        bundle.given_to("edgetpu")
    onnx = replace(bundle, model_path=bundle.model_path.with_suffix(".onnx"))
    assert onnx.given_to("edgetpu") == (MODEL, ".onnx", "")  # no compiler takes it: the accelerator says what to do
    (tmp_path / "tiny_edgetpu.tflite").write_bytes(MODEL)
    with pytest.raises(BundleInvalid, match="expected its SHA-256 under 'compiled'"):
        bundle.given_to("edgetpu")
    digest = hashlib.sha256(MODEL + b" ").hexdigest()
    (tmp_path / "tpu.tflite").write_bytes(MODEL + b" ")
    compiled = load_bundle(
        write(tmp_path, compiled={"edgetpu": {"model": "tpu.tflite", "sha256": digest}}), "classifier"
    )
    assert compiled.given_to("edgetpu") == (MODEL + b" ", ".tflite", f"sha256:{digest}")


def flip(folder: Path) -> None:
    changed = bytearray(MODEL)
    changed[len(changed) // 2] ^= 1
    (folder / "tiny.tflite").write_bytes(changed)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no bundle.json": (lambda f: (f / "bundle.json").unlink(), "found none; name one such as `trainer export` makes"),
    "a folder as bundle.json": (
        lambda f: ((f / "bundle.json").unlink(), (f / "bundle.json").mkdir()),
        "bundle.json: cannot be read: a folder, a device or a pipe",
    ),
    "no model": (lambda f: (f / "tiny.tflite").unlink(), "tiny.tflite: cannot be read"),
    "empty json": (lambda f: (f / "bundle.json").write_text(""), "not readable as JSON"),
    "truncated json": (lambda f: (f / "bundle.json").write_text(json.dumps(fields())[:100]), "not readable as JSON"),
    "binary json": (lambda f: (f / "bundle.json").write_bytes(b"\xff\xfe\x00"), "not readable as JSON"),
    "deep json": (lambda f: (f / "bundle.json").write_text("[" * 200_000), "not readable as JSON"),
    "a list": (lambda f: (f / "bundle.json").write_text("[1, 2]"), "expected a JSON object, got list"),
    "foreign json": (lambda f: (f / "bundle.json").write_text('{"version": 3}'), "field 'schema' is missing"),
    "flipped byte": (flip, "truncated or changed; copy the model folder again"),
    "truncated model": (lambda f: (f / "tiny.tflite").write_bytes(MODEL[:100]), "100 bytes with sha256"),
    "a path as name": (lambda f: write(f, model="../tiny.tflite"), "a plain file name ending in .tflite"),
    "a hidden name": (lambda f: write(f, model=".tflite"), "a plain file name ending in .tflite"),
    "a number as name": (lambda f: write(f, model=5), "a plain file name ending in .tflite"),
    "a number as hash": (lambda f: write(f, sha256=5), "64 hex digits"),
    "a short hash": (lambda f: write(f, sha256="abc"), "64 hex digits"),
    "a hash in capitals": (lambda f: write(f, sha256="A" * 64), "64 hex digits, a to f in lower case"),
    "no size": (lambda f: write(f, input={"height_px": 0, "width_px": 12}), "height_px and width_px, whole numbers"),
    "a yes as size": (lambda f: write(f, input={"height_px": 16, "width_px": True}), "height_px and width_px, whole"),
    "labels as text": (lambda f: write(f, labels="X"), "a list of texts"),
    "a calibration that is no number": (
        lambda f: write(f, calibration={"temperature": float("nan")}),
        "an object of numbers",
    ),
    "a calibration that no float holds": (
        lambda f: write(f, calibration={"temperature": 10**400}),
        "an object of numbers",
    ),
    "a pipe as bundle.json": (lambda f: pipe_at(f / "bundle.json"), "a device or a pipe in the place of a file"),
    "a device as model": (lambda f: device_at(f / "tiny.tflite"), "a device or a pipe in the place of a file"),
    "text as calibration": (lambda f: write(f, calibration={"temperature": "hot"}), "an object of numbers"),
    "an unknown task": (lambda f: write(f, task="segmenter"), "verifier or arbiter, got 'segmenter'"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_bundles_are_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    write(tmp_path)
    harm, message = DAMAGES[damage]
    harm(tmp_path)
    with pytest.raises(BundleInvalid) as caught:
        load_bundle(tmp_path, "classifier")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match=r"expected a model folder at .*; name one that holds bundle\.json"):
        load_bundle(tmp_path / "absent", "locator")


@pytest.mark.parametrize("field", sorted(set(fields()) - {"schema"}))
def test_every_field_is_needed(tmp_path: Path, field: str) -> None:
    write(tmp_path)
    (tmp_path / "bundle.json").write_text(json.dumps({k: v for k, v in fields().items() if k != field}))
    with pytest.raises(BundleInvalid, match=f"field '{field}' is missing"):
        load_bundle(tmp_path, "classifier")


def test_a_file_that_is_no_tflite_though_its_hash_agrees(tmp_path: Path) -> None:
    foreign = b"PK\x03\x04 a zip, perhaps"
    write(tmp_path, sha256=hashlib.sha256(foreign).hexdigest())
    (tmp_path / "tiny.tflite").write_bytes(foreign)
    with pytest.raises(BundleInvalid, match="not a TFLite model"):
        load_bundle(tmp_path, "classifier")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "locator"}, "expected a classifier, got a locator"),
        ({"schema": 2}, "expected schema 1, got 2; use models made for this version"),
        ({"labels": [*LABELS[:-1]]}, "expected the 24 labels 1..22, X, Y in that order, got 23"),
        ({"labels": [*LABELS[:-2], "Y", "X"]}, "in that order"),
    ],
)
def test_sound_but_for_something_else(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleMismatch, match=message):
        load_bundle(write(tmp_path, **changes), "classifier")


def test_input_size_that_is_not_the_models(tmp_path: Path) -> None:
    bundle = load_bundle(write(tmp_path, input={"height_px": 16, "width_px": 16}), "classifier")
    with pytest.raises(BundleMismatch, match=r"says an input of \(16, 16\) px .* the model has \(16, 12\)"):
        Network.of_bundle(bundle)


def test_a_folder_that_cannot_be_looked_at(tmp_path: Path) -> None:
    """Another user's, as a rule; a name that is too long is refused to root, too."""
    with pytest.raises(BundleInvalid, match="cannot be read: File name too long"):
        load_bundle(tmp_path / ("x" * 300), "classifier")
