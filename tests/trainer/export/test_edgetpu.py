"""Ready for the Edge TPU or not, and what is in the way; the compiler where there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.records import LABELS
from edge.runtime.bundle import load_bundle
from edge.runtime.macs import count_macs
from trainer.cli import main
from trainer.errors import ExportError
from trainer.export import edgetpu
from trainer.export.bundle import write_bundle
from trainer.export.edgetpu import Verdict, check, compiled, keep_compiled
from trainer.export.flat import read_flat

TINY = Path(__file__).parents[2] / "edge" / "tiny"
RUNTIME = Path(__file__).parents[2] / "edge" / "runtime"


def verdict_on(path: Path) -> Verdict:
    return check(path.read_bytes())


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    bundle = load_bundle(TINY / "classifier", "classifier")
    copy = write_bundle(
        tmp_path / "classifier",
        "classifier",
        bundle.model_bytes,
        labels=bundle.labels,
        preprocessing=bundle.preprocessing,
        calibration=bundle.calibration,
        data=bundle.data,
        command="tests",
    )
    return copy.model_path


def test_the_classifier_is_ready(classifier: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edgetpu", str(classifier.parent)]) == 0
    assert sorted(path.name for path in classifier.parent.iterdir()) == ["bundle.json", classifier.name]
    verdict = verdict_on(classifier)
    assert verdict.ready
    assert sum(verdict.operators.values()) > 30
    assert "CONV_2D v3" in verdict.operators
    assert "on the Edge TPU: all " in capsys.readouterr().out


def test_the_locator_names_its_resize(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = check(load_bundle(TINY / "locator", "locator").model_bytes)
    assert not verdict.ready
    assert [f.check.split()[0] for f in verdict.findings if not f.ok] == ["RESIZE_NEAREST_NEIGHBOR"]
    assert "depending on its sizes" in verdict.in_the_way
    assert verdict.compilable


def test_how_far_the_chip_goes_ends_at_the_first_that_is_not_surely_mapped() -> None:
    model = load_bundle(TINY / "locator", "locator").model_bytes
    names = [op.name for op in read_flat(model).operators]
    reach = check(model).reach
    assert (reach.mapped, reach.operators) == (names.index("RESIZE_NEAREST_NEIGHBOR"), len(names))
    macs = [op.macs for op in read_flat(model).operators]
    assert sum(macs) == count_macs(model)
    assert reach.macs_share == pytest.approx(sum(macs[: reach.mapped]) / sum(macs))
    assert 0.1 < reach.macs_share < 1
    assert str(reach).endswith("from RESIZE_NEAREST_NEIGHBOR v3 on the processor")


def test_floats_dense_per_channel_and_size_are_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    floats = {f.check: f for f in verdict_on(RUNTIME / "float.tflite").findings}
    assert not floats["integers"].ok
    assert "export with --int8" in floats["integers"].detail
    dense = {f.check: f for f in verdict_on(RUNTIME / "tiny.tflite").findings}
    assert not dense["dense"].ok  # made without the switch that keeps dense layers per tensor
    assert dense["integers"].ok
    assert dense["size"].ok
    monkeypatch.setattr(edgetpu, "MOST_BYTES", 100)
    assert not {f.check: f for f in verdict_on(RUNTIME / "tiny.tflite").findings}["size"].ok


def test_open_shapes_are_in_the_way() -> None:
    tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")
    keras = pytest.importorskip("tf_keras", reason="the trainer's extras are not installed")
    image = keras.Input((8, 8, 1))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, keras.layers.Conv2D(2, 3)(image)))
    shapes = {f.check: f for f in check(bytes(converter.convert())).findings}["shapes"]
    assert not shapes.ok
    assert "open shape" in shapes.detail


def stand_in(folder: Path, script: str) -> None:
    """A compiler that does as the real one does on the outside."""
    folder.mkdir()
    (folder / "edgetpu_compiler").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "edgetpu_compiler").chmod(0o755)


def test_the_compiler_runs_where_it_is(classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", COMPILES)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    verdict = compiled(classifier.read_bytes(), verdict_on(classifier))
    assert verdict.compiler == "Operators mapped: 40"
    keep_compiled(verdict, classifier)
    assert classifier.with_name(f"{classifier.stem}_edgetpu.tflite").read_bytes() == classifier.read_bytes()
    named = load_bundle(classifier.parent, "classifier").compiled_for("edgetpu")
    assert named is not None
    assert named.read() == classifier.read_bytes()


COMPILES = 'for m; do :; done; cp "$m" "$3/$(basename "$m" .tflite)_edgetpu.tflite"; echo "Operators mapped: 40"'


def test_a_model_of_which_some_stays_with_the_processor_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(TINY / "locator", tmp_path / "locator")
    assert main(["edgetpu", str(tmp_path / "locator")]) == ExportError.exit_code  # no compiler: nobody knows
    stand_in(tmp_path / "bin", COMPILES)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert main(["edgetpu", str(tmp_path / "locator")]) == 0
    assert len(list((tmp_path / "locator").glob("*_edgetpu.tflite"))) == 1
    said = capsys.readouterr().out
    assert "Operators mapped: 40" in said
    assert not verdict_on(load_bundle(tmp_path / "locator", "locator").model_path).ready


def test_a_float_model_is_not_given_to_the_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not verdict_on(RUNTIME / "float.tflite").compilable
    stand_in(tmp_path / "bin", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    facts = {"labels": LABELS, "preprocessing": {}, "calibration": {}, "data": {}, "command": "tests"}
    write_bundle(tmp_path / "real", "classifier", (RUNTIME / "float.tflite").read_bytes(), **facts)
    assert main(["edgetpu", str(tmp_path / "real")]) == ExportError.exit_code
    assert not list((tmp_path / "real").glob("*_edgetpu.tflite"))


def test_a_compiler_that_refuses_is_an_export_error(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin", "echo 'Internal compiler error. Aborting!' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(ExportError, match="Internal compiler error"):
        compiled(classifier.read_bytes(), verdict_on(classifier))


def test_without_a_compiler_it_says_so(classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not on PATH" in compiled(classifier.read_bytes(), verdict_on(classifier)).compiler
