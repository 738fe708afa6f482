"""Models are replaced whole or not at all, and the one before comes back."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.board.model_store import install, list_models, rollback
from edge.cli import main
from edge.errors import BundleInvalid, BundleMismatch, ModelError
from edge.runtime.bundle import load_bundle

TRIES = 20


@pytest.fixture
def other(tiny_models: Path, tmp_path: Path) -> Path:
    """A classifier that differs from the tiny one by a byte at its end, under a plain file name."""
    folder = tmp_path / "other"
    shutil.copytree(tiny_models / "classifier", folder)
    (model,) = folder.glob("*.tflite")
    content = model.read_bytes() + b"\0"
    model.unlink()
    (folder / "model.tflite").write_bytes(content)
    path = folder / "bundle.json"
    digest = hashlib.sha256(content).hexdigest()
    fields = json.loads(path.read_text()) | {"model": "model.tflite", "sha256": digest, "name": "other"}
    path.write_text(json.dumps(fields))
    return folder


def name_of(models: Path) -> str:
    return load_bundle(models / "classifier", "classifier").name


def test_install_and_back_and_forth(tiny_models: Path, other: Path) -> None:
    first = name_of(tiny_models)
    (done,) = install(other, tiny_models)
    assert (done.role, done.name, done.trouble) == ("classifier", "other", "")
    assert done.previous.startswith(first)
    for expected in (first, "other", first):
        assert rollback(tiny_models, "classifier").name == expected
        assert name_of(tiny_models) == expected


def changed(folder: Path, name: str, **fields: object) -> Path:
    """A copy of a bundle that differs by its file's last byte, and in what is given."""
    copy = folder.parent / name
    shutil.copytree(folder, copy)
    content = (copy / "model.tflite").read_bytes() + b"\1"
    (copy / "model.tflite").write_bytes(content)
    known = json.loads((copy / "bundle.json").read_text())
    known |= {"sha256": hashlib.sha256(content).hexdigest(), "name": name} | fields
    (copy / "bundle.json").write_text(json.dumps(known))
    return copy


def test_old_files_go_but_for_the_one_before(tiny_models: Path, other: Path) -> None:
    (tiny_models / "classifier" / "older.tflite").write_bytes(b"")
    (tiny_models / "classifier" / "half.part").write_bytes(b"")
    install(other, tiny_models)
    install(changed(other, "third"), tiny_models)
    assert len(list((tiny_models / "classifier").glob("*.tflite"))) == 2
    assert not list((tiny_models / "classifier").glob("*.part"))
    assert rollback(tiny_models, "classifier").name == "other"


def test_what_cannot_be_removed_stays(tiny_models: Path, other: Path) -> None:
    (tiny_models / "classifier" / "backup.tflite").mkdir()
    (done,) = install(other, tiny_models)
    assert (done.name, name_of(tiny_models)) == ("other", "other")


def test_the_service_reads_what_root_installs(tiny_models: Path, other: Path) -> None:
    before = os.umask(0o077)
    try:
        install(other, tiny_models)
    finally:
        os.umask(before)
    bundle = load_bundle(tiny_models / "classifier", "classifier")
    for name in (bundle.model_path.name, "bundle.json", "previous.json"):
        assert (tiny_models / "classifier" / name).stat().st_mode & 0o777 == 0o644


def test_the_one_before_is_on_the_disk_before_it_is_named(
    tiny_models: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut leaves it empty, and the next install removes its model."""
    now = (tiny_models / "classifier" / "bundle.json").stat().st_size
    on_disk = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        on_disk.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, os.fstat(descriptor).st_size))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    install(other, tiny_models)
    assert ("previous.json.part", now) in on_disk


def test_installed_twice_the_one_before_is_still_there(tiny_models: Path, other: Path) -> None:
    first = name_of(tiny_models)
    for _ in range(2):
        (done,) = install(other, tiny_models)
        assert done.previous.startswith(first)
    assert rollback(tiny_models, "classifier").name == first


def test_the_compiled_form_comes_along(tiny_models: Path, other: Path) -> None:
    (other / "tpu.tflite").write_bytes((other / "model.tflite").read_bytes())
    digest = hashlib.sha256((other / "tpu.tflite").read_bytes()).hexdigest()
    path = other / "bundle.json"
    compiled = {"compiled": {"edgetpu": {"model": "tpu.tflite", "sha256": digest}}}
    path.write_text(json.dumps(json.loads(path.read_text()) | compiled))
    install(other, tiny_models)
    install(changed(other, "third", compiled={}), tiny_models)
    assert load_bundle(tiny_models / "classifier", "classifier").compiled_for("edgetpu") is None
    rollback(tiny_models, "classifier")
    named = load_bundle(tiny_models / "classifier", "classifier").compiled_for("edgetpu")
    assert named is not None
    assert named.read() == (other / "tpu.tflite").read_bytes()


def test_what_was_compiled_by_hand_stays(tiny_models: Path, other: Path) -> None:
    install(other, tiny_models)
    model = load_bundle(tiny_models / "classifier", "classifier").model_path
    by_hand = model.with_name(f"{model.stem}_edgetpu.tflite")
    by_hand.write_bytes(b"by hand")
    install(other, tiny_models)
    assert by_hand.exists()
    (other / "model_edgetpu.tflite").write_bytes(b"by hand")
    with pytest.raises(BundleInvalid, match="compile it again with 'trainer edgetpu"):
        install(other, tiny_models)


def test_installing_what_is_in_use_keeps_the_one_before(tiny_models: Path, other: Path) -> None:
    first = name_of(tiny_models)
    install(other, tiny_models)
    (again,) = install(other, tiny_models)
    assert (again.name, again.trouble) == ("other", "")
    assert rollback(tiny_models, "classifier").name == first


def test_a_model_that_claims_another_role(tiny_models: Path, other: Path) -> None:
    before = load_bundle(tiny_models / "locator", "locator").sha256
    path = other / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"task": "locator"}))
    with pytest.raises(BundleMismatch, match="use models made for this version"):
        install(other, tiny_models)
    assert load_bundle(tiny_models / "locator", "locator").sha256 == before


def test_brackets_without_end(tiny_models: Path, other: Path) -> None:
    (other / "bundle.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="expected a model for"):
        install(other, tiny_models)
    (tiny_models / "classifier" / "previous.json").write_text("[" * 100_000)
    assert not any(one.previous for one in list_models(tiny_models))


@pytest.mark.parametrize("before", [{"compiled": []}, {"compiled": {"edgetpu": 5}}])
def test_a_strange_bundle_before_stops_no_install(
    tiny_models: Path, other: Path, tmp_path: Path, before: dict[str, object]
) -> None:
    install(other, tiny_models)
    (tiny_models / "classifier" / "previous.json").write_text(json.dumps(before))
    (one,) = install(other, tiny_models)
    assert (one.role, one.trouble) == ("classifier", "")


def test_both_at_once(tiny_models: Path, tmp_path: Path) -> None:
    roles = [one.role for one in install(tiny_models, tmp_path / "new")]
    assert {"locator", "classifier"} <= set(roles)
    assert [(one.role, one.trouble) for one in list_models(tmp_path / "new")] == [(role, "") for role in roles]


def test_what_is_not_sound_changes_nothing(tiny_models: Path, other: Path, tmp_path: Path) -> None:
    first = name_of(tiny_models)
    model = other / "model.tflite"
    sound = model.read_bytes()
    model.write_bytes(sound[:-5])
    with pytest.raises(BundleInvalid, match="truncated or changed"):
        install(other, tiny_models)
    foreign = b"\0\0\0\0TFL3" + b"\0" * 200
    model.write_bytes(foreign)
    fields = json.loads((other / "bundle.json").read_text())
    (other / "bundle.json").write_text(json.dumps(fields | {"sha256": hashlib.sha256(foreign).hexdigest()}))
    with pytest.raises(BundleInvalid, match="refuses the model"):
        install(other, tiny_models)
    with pytest.raises(BundleInvalid, match="found none"):
        install(tmp_path, tiny_models)
    with pytest.raises(ModelError, match="none was installed here"):
        rollback(tiny_models, "classifier")
    assert name_of(tiny_models) == first


def test_a_folder_that_may_not_be_looked_into(tiny_models: Path) -> None:
    """A name that is too long is refused to root, too."""
    shut = tiny_models / ("x" * 300)
    for act in (lambda: install(shut, tiny_models), lambda: rollback(shut, "classifier")):
        with pytest.raises(BundleInvalid, match="cannot be read: File name too long; check who may read it"):
            act()
    assert all("too long; check its permissions or copy it again" in one.trouble for one in list_models(shut))


def test_a_damaged_model_before_is_not_brought_back(tiny_models: Path, other: Path) -> None:
    before = load_bundle(tiny_models / "classifier", "classifier").model_path
    install(other, tiny_models)
    before.write_bytes(b"rot")
    with pytest.raises(BundleInvalid, match="truncated or changed"):
        rollback(tiny_models, "classifier")
    assert name_of(tiny_models) == "other"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tiny_models: Path, other: Path) -> None:
    (tiny_models / "classifier").chmod(0o500)
    with pytest.raises(ModelError, match="stays in use"):
        install(other, tiny_models)


def test_a_set_is_installed_whole_or_not_at_all(tiny_models: Path, other: Path, tmp_path: Path) -> None:
    """The classifier can be written, what comes after it cannot."""
    source = shutil.copytree(tiny_models, tmp_path / "set")
    shutil.rmtree(source / "classifier")
    shutil.copytree(other, source / "classifier")
    before = name_of(tiny_models)
    shutil.rmtree(tiny_models / "verifier")
    (tiny_models / "verifier").write_text("no folder")
    with pytest.raises(ModelError, match=r"verifier: .*stays in use"):
        install(source, tiny_models)
    assert name_of(tiny_models) == before


def test_the_power_goes_while_installing(tiny_models: Path, other: Path) -> None:
    """kill -9 at random moments: what is there is always a sound model, the old or the new."""
    code = (
        "import sys; from pathlib import Path; from edge.board import model_store as m; m._prove = lambda b: None\n"
        "print(flush=True)\n"
        "while True: m.install(Path(sys.argv[1]), Path(sys.argv[2])); m.rollback(Path(sys.argv[2]), 'classifier')"
    )
    names = {name_of(tiny_models), "other"}
    for number in range(TRIES):
        command = [sys.executable, "-c", code, str(other), str(tiny_models)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.003 * number)
            process.send_signal(signal.SIGKILL)
        assert name_of(tiny_models) in names


def test_the_commands(tiny_models: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = ("--models", str(tiny_models))
    assert main(["models", "install", str(other), *there]) == 0
    assert main(["models", "rollback", "classifier", *there]) == 0
    assert main(["models", "list", *there]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("classifier other sha256:")
    assert "before: other" in next(line for line in reversed(said) if line.startswith("classifier"))
    next((tiny_models / "locator").glob("*.tflite")).write_bytes(b"")
    assert main(["models", "list", *there]) == 5
    assert main(["models", "rollback", "clasifier", *there]) == 5
    assert "cannot be used" in capsys.readouterr().out
