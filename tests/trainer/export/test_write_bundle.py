"""What the trainer writes, the edge reads."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edge.records import LABELS
from edge.runtime.bundle import Bundle, load_bundle
from trainer.errors import ExportError
from trainer.export import bundle as bundle_module
from trainer.export.bundle import git_commit, write_bundle

RUNTIME = Path(__file__).parents[2] / "edge" / "runtime"


def write(folder: Path, model: str = "tiny.tflite", labels: tuple[str, ...] = LABELS) -> Bundle:
    return write_bundle(
        folder,
        "classifier",
        (RUNTIME / model).read_bytes(),
        labels=labels,
        preprocessing={"um_per_px": 0.065},
        calibration={"temperature": 1.1},
        data={"name": "gband_crops", "split": "train"},
        command="trainer fit classifier",
    )


def test_round_trip(tmp_path: Path) -> None:
    bundle = write(tmp_path / "enhanced")
    again = load_bundle(tmp_path / "enhanced", "classifier")
    assert (again.name, again.sha256, again.labels) == ("enhanced", bundle.sha256, LABELS)
    assert (again.input_height_px, again.input_width_px) == (16, 12)
    assert again.data == {"name": "gband_crops", "split": "train"}
    assert again.git_commit == git_commit()
    assert again.model_path.name == f"classifier-{again.sha256[:8]}.tflite"


def test_a_copy_in_another_projects_checkout_has_no_commit_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> None:
        name = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", str(tmp_path), *name, *words], check=True, capture_output=True)

    (tmp_path / "theirs.py").write_text("")
    git("init")
    git("add", "theirs.py")
    git("commit", "-m", "theirs")
    installed = tmp_path / "venv" / "trainer" / "export" / "bundle.py"
    installed.parent.mkdir(parents=True)
    shutil.copy(bundle_module.__file__, installed)
    monkeypatch.setattr(bundle_module, "__file__", str(installed))
    assert git_commit() == ""
    git("add", str(installed))
    git("commit", "-m", "as if it were its own")
    assert len(git_commit()) == 40


def test_writing_again_leaves_one_model_and_nothing_half_done(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "card.md").write_text("mine")
    second = write(tmp_path, "fixed.tflite")
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["bundle.json", "card.md", second.model_path.name]


def test_what_the_edge_would_refuse_is_an_export_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"the bundle written is refused: .*24 labels"):
        write(tmp_path, labels=LABELS[:5])
    with pytest.raises(ExportError, match="does not load"):
        write_bundle(tmp_path, "locator", b"no model", labels=(), preprocessing={}, calibration={}, data={}, command="")


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"cannot write the model bundle: .*; name another --out"):
        write(tmp_path / "file" / "model")
