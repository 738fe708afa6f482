"""The trainer's command line: figures that come out, failures in one line."""

import errno
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.trainer.data.forms import mask_folder
from tests.trainer.datasets import UNSPLIT, crops_zip, metaphase_folder
from tests.trainer.drawn import cutouts_zip
from trainer.cli import main
from trainer.commands.line import command_line
from trainer.data.metaphase import read_frames
from trainer.errors import DatasetError
from trainer.files import shipped_models
from trainer.score.evaluate import sample_frames
from trainer.score.lines import read_lines

TINY = Path(__file__).parents[1] / "edge" / "tiny"
LINES = [
    {
        "frame": "b1.png",
        "karyotype": "47,XX,+21",
        "chromosomes": [{"box_px": [10, 10, 20, 40], "label": "21", "status": "accepted"}],
    },
    {"frame": "c1.png", "karyotype": "46,XX", "chromosomes": []},
]


def test_scores_lines_that_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = metaphase_folder(tmp_path / "data")
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    arguments = ["evaluate", "frames", str(data), "--lines", str(tmp_path / "out.jsonl")]
    assert main([*arguments, "--json", str(tmp_path / "figures.json")]) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["end_to_end"] == 0.3333
    assert figures["numerical_stated"] == {"positives": 1, "negatives": 1, "sensitivity": 0.0, "specificity": 1.0}
    assert (figures["difficult"]["frames"], figures["difficult"]["located"]) == (1, 0.0)
    assert figures["by_kind"]["alone"] == {
        "n": 3,
        "located": 0.3333,
        "label_given_located": 1.0,
        "end_to_end": 0.3333,
    }
    assert figures["per_class"]["21"] == {"n": 1, "located": 1.0, "recall": 1.0, "precision": 1.0}
    assert [row["image"] for row in figures["per_frame"]] == ["b1.png", "c1.png"]
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("end_to_end", "crossing", "recall", "c1.png"))
    assert "per_frame" not in printed


def test_pictures_of_the_worst_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = metaphase_folder(tmp_path / "data")
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    arguments = ["evaluate", "frames", str(data), "--lines", str(tmp_path / "out.jsonl"), "--worst"]
    assert main([*arguments, str(tmp_path / "worst")]) == 0
    assert sorted(p.name for p in (tmp_path / "worst").iterdir()) == ["01_b1.png", "02_c1.png"]
    assert main([*arguments, str(tmp_path / "one"), "--worst-count", "1"]) == 0
    assert [p.name for p in (tmp_path / "one").iterdir()] == ["01_b1.png"]
    assert main([*arguments, str(tmp_path / "out.jsonl")]) == 7
    assert "cannot write into" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["evaluate", "frames", "absent"], 8, "absent: expected labelled data (images.csv and boxes.csv"),
        (["evaluate", "frames", "data", "--split", "exam"], 8, "no picture in split 'exam'; splits here: test, train"),
        (["evaluate", "frames", "data", "--lines", "bad.jsonl"], 8, "bad.jsonl, line 2: not readable as JSON"),
        (["edgetpu", "absent"], 5, "at absent, found none; name a bundle's folder, such as models/classifier"),
        (["evaluate", "frames", "data", "--lines", "a", "--jsonl", "b"], 2, "leave them out"),
        (["evaluate", "frames", "data", "--lines", "a", "--live", "1"], 2, "leave them out"),
        (["evaluate", "frames", "data", "--models", "absent"], 5, "expected a model folder at absent/locator"),
        (["evaluate", "frames", "data", "--lines", "good.jsonl", "--json", "data/images.csv/x"], 7, "cannot write"),
        (["evaluate", "crops", "crops.zip", "--model", "absent"], 5, "expected a model folder at absent"),
        (["evaluate", "crops", "crops.zip"], 2, "--model"),
        (["evaluate", "crops.zip", "--model", "absent"], 5, "expected a model folder at absent"),
        (["evaluate", "--model=absent", "crops.zip"], 5, "expected a model folder at absent"),
        (
            ["evaluate", "crops.zip", "--model", str(TINY / "classifier"), "--models", "none"],
            5,
            "expected a folder of models, found",
        ),
        (["evaluate", "crops.zip"], 8, "expected whole metaphases with boxes, got single chromosomes"),
        (["data", "report", "data", "--json", "data/images.csv/x"], 7, "cannot write"),
        (["evaluate", "frames", "absent", "--json", "data"], 7, "cannot write data: Is a directory; name another file"),
        (["evaluate", "crops", "absent", "--model", "absent", "--json", "data"], 7, "another file with --json"),
        (["evaluate", "masks", "absent", "--json", "data"], 7, "another file with --json"),
        (["report", "absent", "--out", "data"], 7, "another file with --out"),
        (["data", "report", "absent", "--json", "data"], 7, "another file with --json"),
        (["data", "report", "absent", "--sheet", "data"], 7, "another file with --sheet"),
        (["data", "preview", "absent", "--out", "data"], 7, "another file with --out"),
        (["simulate", "absent", "--out", "s", "--sheet", "data"], 7, "another file with --sheet"),
        (["export", "absent", "absent", "--out", "data/images.csv/m"], 7, "Not a directory; name another file"),
        (["data", "check", "absent"], 8, "found nothing there"),
        (["data", "preview", "crops.zip", "--out", "p.png", "--split", "val"], 8, "no picture in split 'val'"),
        (["data", "preview", "unsplit.zip", "--out", "p.png", "--split", "exam"], 8, "test, got 'exam'; name one"),
        (["evaluate", "crops", "unsplit.zip", "--model", "absent", "--split", "exam"], 8, "test, got 'exam'; name one"),
        (["report", str(TINY / "classifier"), "unsplit.zip", "--out", "p.html", "--split", "exam"], 8, "got 'exam'"),
        (["evaluate", "masks", "masks", "--split", "exam"], 8, "no picture in split 'exam'"),
        (["simulate", "data", "--out", "s", "--split", "exam"], 8, "no picture in split 'exam'"),
        (["report", "absent", "crops.zip", "--out", "p.html"], 5, "expected a model folder at absent"),
        (["search", "crops.zip", "--out", "s", "--method", "luck"], 2, "--method must be one of grid, random, tpe"),
        (["search", "crops.zip", "--out", "s", "--rates", "fast"], 2, "--rates must be numbers with commas between"),
        (["search", "crops.zip", "--out", "s", "--rates", "nan"], 2, "--rates must be numbers above 0, 1 at most"),
        (["search", "crops.zip", "--out", "s", "--rates", "0.1,inf"], 2, "--rates must be numbers above 0, 1 at most"),
        (["search", "crops.zip", "--out", "s", "--rates", "5"], 2, "--rates must be numbers above 0, 1 at most"),
        (["search", "crops.zip", "--out", "data/images.csv"], 2, "cannot be used"),
        (["fit", "classifier", "crops.zip", "--out", "r", "--unaugmented", "magic"], 2, "no augmentation is called"),
        (["fit", "classifier", "crops.zip", "--out", "r", "--augment", "defocus=2"], 2, "defocus_share must be 0"),
        (["evaluate", "frames", "data", "--wrong"], 2, "--wrong"),
        (["fit", "locator", "data", "--out", "data/images.csv"], 2, "cannot be used"),
        (
            ["fit", "classifier", "crops.zip", "--out", "r", "--network", "lenet"],
            2,
            "expected a network of enhanced, vgg",
        ),
        (
            ["fit", "classifier", "crops.zip", "--out", "r", "--without", "skip"],
            2,
            "an ingredient of filters, residual",
        ),
        (
            ["fit", "classifier", "crops.zip", "--out", "r", "--network", "vgg", "--with", "attention"],
            2,
            "leave them out for vgg",
        ),
        (["fit", "classifier", "crops.zip", "--out", "r", "--mix", "blend"], 2, "none, mixup, cutmix"),
        (["compare", "absent.zip", "--out", "c"], 8, "expected a zip of upright cut-outs with crops.csv at absent.zip"),
        (["compare", "crops.zip", "--out", "c", "--only", "lenet"], 2, "expected a row of traditional, vgg"),
        (["fit", "separator", "absent", "--out", "r"], 8, "absent: expected labelled data (images.csv"),
        (["fit", "classifier", "crops.zip", "--out", "r", "--start", "crops.zip"], 2, "expected Keras weights"),
        (
            ["export", "data", "data", "--out", "m", "--int8"],
            9,
            "expected a run folder with one of locator.keras, separator.keras, classifier.keras, verifier.keras",
        ),
        (["export", "data", "data", "--out", "m", "--int8", "--float32"], 2, "give one of them at a time"),
    ],
)
def test_failures_are_one_line_and_a_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    if arguments[0] in ("fit", "export", "compare", "search"):
        pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")
    metaphase_folder(tmp_path / "data")
    crops_zip(tmp_path / "crops.zip")
    crops_zip(tmp_path / "unsplit.zip", UNSPLIT)
    mask_folder(tmp_path / "masks")
    (tmp_path / "good.jsonl").write_text(json.dumps(LINES[0]) + "\n")
    (tmp_path / "bad.jsonl").write_text(json.dumps(LINES[0]) + '\n{"frame": \n')
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


@pytest.mark.filterwarnings("default::trainer.data.crops.UnsplitWarning")
def test_an_evaluation_of_a_whole_set_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = cutouts_zip(tmp_path / "crops.zip", donors=1)
    arguments = ["evaluate", "crops", str(source), "--model", str(TINY / "classifier"), "--split", "train"]
    assert main(arguments) == 0
    assert "crops.zip, split train" in capsys.readouterr().out
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(source, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data.replace(b"d0,train", b","))
    assert main(arguments) == 0
    said = capsys.readouterr()
    assert "all of it, for no donor or split is stated" in " ".join(said.out.split())
    assert said.err.startswith(f"warning: {source}: expected donors or splits, found none: all 24 cut-outs")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"frame": 3}, "expected the picture's name as 'frame', got 3"),
        ({"chromosomes": None}, "expected a list as 'chromosomes', got None"),
        ({"chromosomes": [7]}, "expected each of 'chromosomes' to be an object, got 7"),
        ({"chromosomes": [{"label": "1"}]}, "expected 4 numbers as a chromosome's 'box_px', got None"),
        ({"chromosomes": [{"label": "1", "box_px": [1, 2, 3]}]}, "'box_px', got [1, 2, 3]"),
        ({"chromosomes": [{"label": "1", "box_px": [1, 2, 3, "4"]}]}, "'box_px', got [1, 2, 3, '4']"),
        ({"chromosomes": [{"label": "1", "box_px": [1, 2, 3, 10**400]}]}, "expected 4 numbers as a chromosome's"),
        (
            {"chromosomes": [{"label": "1", "box_px": [1, 2, 3, 4], "outlines_px": [[[1, 2], [3]]]}]},
            "expected lists of [x, y] as a chromosome's 'outlines_px', got [[[1, 2], [3]]]",
        ),
        ({"chromosomes": [{"box_px": [1, 2, 3, 4]}]}, "expected a word as a chromosome's 'label', got None"),
    ],
)
def test_lines_that_are_of_no_labelled_frame(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (LINES[0], {**LINES[0], **change})))
    with pytest.raises(DatasetError) as caught:
        read_lines(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert fault in str(caught.value)


@pytest.mark.parametrize("out", [["--out", ""], ["--out="]])
def test_an_empty_word_is_not_the_current_folder(out: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As a shell makes of a variable that is not set."""
    assert main(["fit", "locator", "data", *out]) == 2
    assert "expected a word after '--out', got an empty one" in capsys.readouterr().err
    main(["evaluate", "masks", "nowhere", "--split", ""])
    assert "empty" not in capsys.readouterr().err


def test_lines_of_brackets_without_end(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("[" * 200_000)
    with pytest.raises(DatasetError, match=r"out\.jsonl, line 1: not readable as JSON"):
        read_lines(path)


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("arguments", "figure"),
    [
        (["evaluate", "frames", "data", "--lines", "out.jsonl"], "end_to_end"),
        (["data", "report", "data"], "every picture could be read"),
    ],
)
def test_figures_that_cannot_be_written_are_printed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    figure: str,
) -> None:
    metaphase_folder(tmp_path / "data")
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("trainer.files.write_atomic", full_disk)
    assert main([*arguments, "--json", "figures.json"]) == 7
    said = capsys.readouterr()
    assert figure in said.out
    assert "No space left" in said.err


def test_memory_that_tensorflow_does_not_get(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")
    from trainer.fit import classifier as fit_classifier

    def full(*_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(fit_classifier, "fit_classifier", full)
    assert main(["fit", "classifier", "crops.zip", "--out", "r"]) == 1
    assert capsys.readouterr().err.startswith("error: out of memory; ")


def test_an_edge_without_the_trainers_packages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'tf_keras.src'", name="tf_keras.src")

    monkeypatch.setattr("trainer.data.census.census", missing)
    assert main(["data", "report", str(metaphase_folder(tmp_path / "data"))]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "error: this command needs tf_keras, which is not installed; in the project's folder: "
        "pip install -e '.[trainer]'"
    )


def test_help_where_the_current_folder_is_gone(tmp_path: Path) -> None:
    code = "import os, sys; os.rmdir(os.getcwd()); from trainer.cli import main; sys.exit(main(['--help']))"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    (tmp_path / "gone").mkdir()
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path / "gone", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: trainer" in done.stdout


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="expected labelled data"):
        main(["evaluate", "frames", str(tmp_path), "--debug"])


def test_help_is_quick_because_tensorflow_stays_out() -> None:
    code = (
        "import sys; from trainer.cli import main; main(['--help']); "
        "print([m for m in ('tensorflow', 'tf_keras', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.splitlines()[-1] == "[]"


def test_models_default_to_the_shipped_ones_wherever_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_dir: Path
) -> None:
    monkeypatch.chdir(models_dir.parent)
    assert shipped_models() == Path("models")  # a run that holds it goes on after the checkout has moved
    monkeypatch.chdir(tmp_path)
    assert shipped_models() == models_dir
    monkeypatch.setenv("CHROMO_MODELS", str(tmp_path / "mine"))
    assert shipped_models() == Path("mine")


def test_a_sample_is_seeded_and_keeps_the_order(tmp_path: Path) -> None:
    truths = read_frames(metaphase_folder(tmp_path / "d"), "test") * 10
    first, again, other = (sample_frames(truths, 5, seed) for seed in (1, 1, 2))
    assert [id(t) for t in first] == [id(t) for t in again]
    assert len(first) == len(other) == 5
    assert len(sample_frames(truths, None, 0)) == len(sample_frames(truths, 99, 0)) == 20


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["export", "runs/a", "/lab/frames/", "--out=/a/b"], "trainer export runs/a frames --out=b"),
        (["fit", "arbiter", "--weaker", "DATA=/a/b", "--rate=1e-3"], "trainer fit arbiter --weaker DATA=b --rate=1e-3"),
        (["export", "/a/b", "c/d", "--out", "models/x"], "trainer export b c/d --out models/x"),
    ],
)
def test_a_command_is_remembered_without_the_folders_of_this_machine(
    given: list[str], kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/trainer", *given])
    assert command_line() == kept
