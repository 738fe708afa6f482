"""A laboratory's frames that nobody has labelled become a set to learn from, which says what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.cases.edits import SetAside
from edge.cases.files import write_case
from edge.cases.store import CaseStore
from edge.errors import FrameError
from edge.pipeline import Pipeline, load_pipeline
from edge.records import Cell, Frame
from edge.runtime.bundle import BUNDLE_FILE, TASKS
from tests.builders import make_cell, make_frame
from trainer.cli import main
from trainer.data.corrections import UnreviewedWarning
from trainer.data.metaphase import FrameTruth
from trainer.data.pictures import SkippedWarning
from trainer.data.sources import read_all
from trainer.data.unreviewed import LINES, PART, label_unreviewed, pictures_in

TRUTH = {"a": draw_metaphase(3, "46,XX"), "b": draw_metaphase(4, "46,XY")}


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Two cases of one cell each, one of them twice; an empty field; and what is no picture."""
    folder = tmp_path / "laboratory"
    folder.mkdir()
    for case, cell in TRUTH.items():
        (folder / case).mkdir()
        cv2.imwrite(str(folder / case / "1.png"), cell.pixels)
    shutil.copy(folder / "a" / "1.png", folder / "a" / "2.png")
    cv2.imwrite(str(folder / "b" / "empty.png"), np.full((400, 400), 220, np.uint8))
    (folder / "b" / "torn.png").write_bytes(b"\x89PNG")
    return folder


def test_a_linked_folder_is_a_case_too(frames: Path, tmp_path: Path) -> None:
    (frames / "b").rename(tmp_path / "elsewhere")
    (frames / "b").symlink_to(tmp_path / "elsewhere")
    names = [str(path.relative_to(frames)) for path in pictures_in(frames, tmp_path / "out")]
    assert names == ["a/1.png", "a/2.png", "b/1.png", "b/empty.png", "b/torn.png"]


@pytest.mark.filterwarnings("default::trainer.data.pictures.SkippedWarning")
def test_unreviewed_frames_become_a_set_to_learn_from(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "own"
    assert main(["data", "label", str(frames), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert f"{out}: 2 cells of 2 cases" in said.out
    assert "3 file(s) left out" in said.err
    for name in ("a/2.png (the same picture as one before)", "b/empty.png (0 chromosomes", "b/torn.png"):
        assert name in said.err
    frames.rename(frames.with_name("gone"))  # the set holds its pictures itself
    with pytest.warns(UnreviewedWarning, match="2 of 2 cells have the labels that models gave them"):
        contents = read_all(out)
    assert not contents.skipped
    assert {frame.case: right_in(frame) > 0.8 for frame in contents.frames} == {"a": True, "b": True}


def right_in(frame: FrameTruth) -> float:
    """Share of the drawn chromosomes that a frame has a box of, rightly labelled, around."""
    marked = list(zip(frame.labels, frame.boxes_px.tolist(), strict=True))

    def found(label: str, box: tuple[int, int, int, int]) -> bool:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return any(label == n and x0 < x < x1 and y0 < y < y1 for n, (x0, y0, x1, y1) in marked)

    truth = TRUTH[frame.case].truth
    return sum(found(t.label, t.box_px) for t in truth) / len(truth)


@pytest.mark.filterwarnings("default::trainer.data.pictures.SkippedWarning")
@pytest.mark.filterwarnings("default::trainer.data.corrections.UnreviewedWarning")
def test_models_learn_a_laboratory_from_frames_that_nobody_labelled(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "own"
    words = ["adapt", str(frames), "--out", str(out), "--rounds", "1", "--steps", "2", "--batch", "8"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "before: 2 cells of 2 cases" in said
    assert "after round 1: 2 cells of 2 cases" in said
    shipped, learned = (load_pipeline(models) for models in (None, out / "models"))
    assert {n for n in shipped.models if shipped.models[n] != learned.models[n]} == {"classifier"}
    made = {
        path: path.stat().st_mtime_ns for name in ("*.jsonl", BUNDLE_FILE) for path in out.glob(f"round*/**/{name}")
    }
    assert len(made) == 2 + len(TASKS)
    assert main(words) == 0  # what was done is not done again
    assert set(capsys.readouterr().out.splitlines()) == {
        line for line in said.splitlines() if str(out) in line or "2 cells" in line
    }
    assert made == {path: path.stat().st_mtime_ns for path in made}
    (out / "round1" / "models" / "classifier" / "report.json").unlink()  # killed before the end of an export
    assert main([*words, "--rounds", "2"]) == 0  # and goes on from there
    assert "after round 2: 2 cells of 2 cases" in capsys.readouterr().out
    for other in ([*words, "--steps", "3"], [*words, "--models", str(out / "models")]):
        assert main(other) == 2
        assert "what the work in" in capsys.readouterr().err
    (frames / "b" / "torn.png").unlink()
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "what the work in" in said
    assert "name another --out, or give --fresh" in said
    (out / "notes.txt").write_text("precious")
    assert main([*words, "--fresh"]) == 2
    assert "expected the work of trainer adapt alone, got notes.txt too" in capsys.readouterr().err
    (out / "notes.txt").unlink()
    assert main([*words, "--fresh", "--models", str(out / "models")]) == 2
    assert f"{out / 'models'} is to be learned from, and --fresh would remove it" in capsys.readouterr().err
    assert main([*words, "--fresh", "--models", "misspelled"]) == 5
    assert (out / "round2" / "models" / "classifier" / "report.json").exists()
    assert main([*words, "--fresh"]) == 0
    assert not (out / "round2" / "run").exists()
    assert "before: 2 cells of 2 cases" in capsys.readouterr().out


def test_a_model_without_weights_learns_nothing(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], models_dir: Path
) -> None:
    models, out = tmp_path / "models", tmp_path / "own"
    shutil.copytree(models_dir, models, ignore=shutil.ignore_patterns("*.keras"))
    assert main(["adapt", str(frames), "--models", str(models), "--out", str(out)]) == 2
    assert "expected the classifier's weights" in capsys.readouterr().err
    assert not out.exists()


def test_one_case_alone_is_too_few_to_learn_from(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(frames / "b")
    assert main(["adapt", str(frames), "--out", str(tmp_path / "own")]) == 8
    assert "expected frames of two cases or more, to hold one back, got a alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("a", "b", "splits"), [("24-0815", "24-1", "0 to learn from, 2"), ("a", "p11", "1 to learn from, 0")]
)
def test_cases_of_which_none_is_learned_from_or_none_held_back(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], a: str, b: str, splits: str
) -> None:
    (frames / "a").rename(frames / a)
    (frames / "b").rename(frames / b)
    assert main(["adapt", str(frames), "--out", str(tmp_path / "own")]) == 8
    assert splits in capsys.readouterr().err
    assert not (tmp_path / "own").exists()


def test_a_case_that_the_table_lacks_is_told_before_any_cell_is_labelled(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (frames / "cases.csv").write_text("image,case\n1.png,a\n2.png,\n")
    assert main(["data", "label", str(frames), "--out", str(tmp_path / "own")]) == 8
    assert "no case for a/2.png" in capsys.readouterr().err
    assert not (tmp_path / "own").exists()


@pytest.mark.filterwarnings("default::trainer.data.pictures.SkippedWarning")
@pytest.mark.filterwarnings("default::trainer.data.corrections.UnreviewedWarning")
def test_cells_that_were_labelled_before_a_kill_are_not_labelled_again(frames: Path, tmp_path: Path) -> None:
    class Watched(Pipeline):
        """The shipped one, stopped by a person after so many cells."""

        labelled, most = 0, 9

        def label(self, frame: Frame) -> Cell:
            if self.labelled == self.most:
                raise KeyboardInterrupt
            self.labelled += 1
            return super().label(frame)

    def label(out: str, most: int, **changed: str) -> int:
        pipeline = load_pipeline()
        pipeline.__class__, pipeline.most = Watched, most
        pipeline.models |= changed
        label_unreviewed(frames, pictures, pipeline, tmp_path / out, tmp_path / out / "images")
        return pipeline.labelled

    pictures = pictures_in(frames, tmp_path / "out")
    assert label("whole", 9) == 3  # a, b, and an empty field
    with pytest.raises(KeyboardInterrupt):
        label("stopped", 1)
    part = tmp_path / "stopped" / PART
    with part.open("a") as file:
        file.write('{"image": "images/torn')
    assert not (tmp_path / "stopped" / LINES).exists()
    shutil.copytree(tmp_path / "stopped", tmp_path / "by others")
    assert label("stopped", 9) == 2
    assert label("by others", 9, classifier="sha256:other") == 3
    assert not part.exists()
    whole, stopped = (read_all(tmp_path / out).frames for out in ("whole", "stopped"))
    assert [(f.image, f.labels, f.boxes_px.tolist()) for f in whole] == [
        (f.image, f.labels, f.boxes_px.tolist()) for f in stopped
    ]


def test_a_frame_that_is_too_large_to_look_at_is_left_out(frames: Path, tmp_path: Path) -> None:
    class Choosy(Pipeline):
        def label(self, frame: Frame) -> Cell:
            if not frame.index:
                raise FrameError("too large to look at")
            return make_cell()

    pipeline = load_pipeline()
    pipeline.__class__ = Choosy
    with pytest.warns(SkippedWarning, match=r"a/1\.png \(too large to look at\)"):
        label_unreviewed(frames, pictures_in(frames, tmp_path / "out"), pipeline, tmp_path / "out", tmp_path / "out")
    assert (tmp_path / "out" / LINES).exists()


def test_what_is_made_of_frames_is_not_among_them(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["adapt"], ["data", "label"]):
        assert main([*words, str(frames), "--out", str(frames / "own")]) == 2
        assert "expected an --out that is not within" in capsys.readouterr().err
        assert not (frames / "own").exists()


def test_a_folder_of_other_things_is_left_alone(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], models_dir: Path
) -> None:
    out = tmp_path / "runs"
    shutil.copytree(models_dir, out / "models")
    assert main(["adapt", str(frames), "--models", str(out / "models"), "--out", str(out)]) == 2
    assert "got a folder of other things, which it might replace" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {"models"}
    (tmp_path / "a file").touch()
    assert main(["adapt", str(frames), "--out", str(tmp_path / "a file")]) == 7


def test_what_cannot_be_cleared_is_told(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "own"
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "models").symlink_to(tmp_path / "elsewhere")
    (out / "data.json").write_text("[]")
    assert main(["adapt", str(frames), "--out", str(out), "--fresh"]) == 2
    assert f"{out} cannot be cleared: Cannot call rmtree on a symbolic link; name another" in capsys.readouterr().err
    assert (out / "data.json").exists()


def test_an_export_is_no_folder_of_frames(frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (frames / "a" / "corrections").mkdir()
    (frames / "a" / "corrections" / "corrections.jsonl").write_text("")
    assert main(["data", "label", str(frames), "--out", str(tmp_path / "own")]) == 8
    assert "expected frames as the camera took them" in capsys.readouterr().err
    shutil.rmtree(frames / "a" / "corrections")
    shutil.copy(frames / "a" / "1.png", frames / "b" / "001-karyogram.png")
    assert main(["data", "label", str(frames), "--out", str(tmp_path / "own")]) == 8
    assert f"got {frames / 'b'}, an export with karyograms" in capsys.readouterr().err


def test_a_cell_that_a_person_set_aside_teaches_nothing(tmp_path: Path) -> None:
    with CaseStore(tmp_path / "store") as store:
        store.new_case("24-0815", "kim")
        for level in (200, 210):
            store.capture("24-0815", make_frame(300, 340, level=level), make_cell(width_px=340, height_px=300), "kim")
        last = store.case("24-0815").cells[-1]
        store.edit(last, SetAside("two spreads; one of them torn"), based_on=0, actor="kim")
        write_case(store, "24-0815", tmp_path / "frames" / "24-0815", ("ome-tiff",))
    names = ["001.ome.tiff", "002.ome.tiff"]
    assert sorted(path.name for path in (tmp_path / "frames" / "24-0815").glob("*.tiff")) == names
    with pytest.warns(SkippedWarning, match=r"left out: 24-0815/002\.ome\.tiff \(a person set this cell aside\)"):
        assert [path.name for path in pictures_in(tmp_path / "frames", tmp_path / "out")] == names[:1]


def test_a_folder_without_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["data", "label", str(tmp_path / "empty"), "--out", str(tmp_path / "own")]) == 8
    assert "expected a folder with pictures of metaphases, found none in it" in capsys.readouterr().err
    assert not (tmp_path / "own").exists()
