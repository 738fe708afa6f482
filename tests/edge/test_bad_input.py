"""The table of bad input: each one clear line and its exit code, never a traceback; in a batch the others come out."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edge.pipeline
from edge.cli import main
from edge.runtime.bundle import TASKS
from tests.edge.stages import bar_pipeline, draw_bars


def save(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def empty_file(folder: Path) -> Path:
    (folder / "empty.png").touch()
    return folder / "empty.png"


def truncated_jpeg(folder: Path) -> Path:
    whole = save(folder / "cut.jpg", np.random.default_rng(0).integers(0, 255, (300, 300), np.uint8)).read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return folder / "cut.jpg"


def one_pixel(folder: Path) -> Path:
    return save(folder / "dot.png", np.zeros((1, 1), np.uint8))


def too_many_channels(folder: Path) -> Path:
    """Of which Pillow logs an error of its own."""
    tags = ((256, 100), (257, 100), (258, 8), (259, 1), (262, 1), (273, 0), (277, 200), (278, 100), (279, 0))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    (folder / "channels.tif").write_bytes(b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0" * 4)
    return folder / "channels.tif"


def far_too_large(folder: Path) -> Path:
    Image.new("1", (20_000, 20_000)).save(folder / "huge.png", compress_level=1)
    return folder / "huge.png"


def pdf_named_png(folder: Path) -> Path:
    (folder / "paper.png").write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n")
    return folder / "paper.png"


def folder_without_pictures(folder: Path) -> Path:
    (folder / "notes").mkdir()
    (folder / "notes" / "notes.txt").write_text("no picture")
    return folder / "notes"


def link_to_itself(folder: Path) -> Path:
    (folder / "circle").mkdir()
    (folder / "circle" / "a.png").symlink_to("a.png")
    return folder / "circle"


def no_such_file(folder: Path) -> Path:
    return folder / "nowhere.png"


BAD_FRAMES = {
    empty_file: "empty file",
    truncated_jpeg: "damaged",
    one_pixel: "1 x 1 px",
    far_too_large: "megapixels",
    too_many_channels: "begins with b'II*",
    pdf_named_png: "%PDF",
    link_to_itself: "symbolic links",
    folder_without_pictures: "found none",
    no_such_file: "found nothing",
}


def one_error_line(errors: str) -> str:
    """The error, which must be all that was said."""
    assert "Traceback" not in errors
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages for bars in the place of the models: these failures come before any model is asked."""
    monkeypatch.setattr(edge.pipeline, "load_pipeline", lambda *_: bar_pipeline())


@pytest.mark.parametrize("make", BAD_FRAMES, ids=lambda make: make.__name__)
@pytest.mark.usefixtures("bars")
def test_a_bad_frame_alone(make: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path)
    assert main(["label", str(path), "--jsonl", str(tmp_path / "out.jsonl")]) == 3
    line = one_error_line(capsys.readouterr().err)
    assert path.name in line
    assert BAD_FRAMES[make] in line


@pytest.mark.usefixtures("bars")
def test_a_library_says_nothing_beside_our_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    main(["label", str(too_many_channels(tmp_path))])
    assert not caplog.messages


@pytest.mark.usefixtures("bars")
def test_all_bad_frames_in_one_batch_with_good_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = [save(tmp_path / f"good{i}.png", draw_bars([i + 1])) for i in range(2)]
    bad = [make(tmp_path) for make in BAD_FRAMES]
    out = tmp_path / "out.jsonl"
    assert main(["label", str(good[0]), *map(str, bad), str(good[1]), "--jsonl", str(out)]) == 3
    told = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("error: ") for line in told) == len(bad)
    assert told[-1] == f"{len(bad)} of {len(bad) + 2} could not be read; 2 labelled"
    assert [json.loads(line)["frame"] for line in out.read_text().splitlines()] == ["good0.png", "good1.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are text")
@pytest.mark.usefixtures("bars")
def test_a_name_that_is_not_utf_8_ends_no_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", "strict")
    told = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")  # as Python opens it, whatever is asked for
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", told)
    save(tmp_path / "a.png", draw_bars([1]))
    save(tmp_path / os.fsdecode(b"b\xe4.png"), draw_bars([2]))
    (tmp_path / os.fsdecode(b"c\xe4\n.png")).touch()
    save(tmp_path / "d.png", draw_bars([3]))
    assert main(["label", str(tmp_path)]) == 3
    out.seek(0)
    assert [line.split(" #")[0] for line in out.read().splitlines()] == ["a.png", r"b\udce4.png", "d.png"]
    told.seek(0)
    error, sums_up = told.read().splitlines()
    assert error.startswith("error: ")
    assert r"c\udce4 .png: expected a picture" in error
    assert sums_up == "1 of 4 could not be read; 3 labelled"


@pytest.mark.parametrize("option", ["--overlay", "--karyogram", "--jsonl"])
@pytest.mark.usefixtures("bars")
def test_a_read_only_place_is_told_before_any_work(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> None:
        raise AssertionError("a frame was labelled")

    monkeypatch.setattr(edge.pipeline.Pipeline, "label", work)
    frame = save(tmp_path / "a.png", draw_bars([1]))
    assert main(["label", str(frame), option, "/proc/out"]) == 7
    assert re.match(r"error: cannot write (into )?/proc/out: ", one_error_line(capsys.readouterr().err))


@pytest.mark.parametrize(
    "words",
    [["--overlay", "."], ["--karyogram", "../frames"], ["--overlay", "o", "--karyogram", "../frames/o"]],
)
@pytest.mark.usefixtures("bars")
def test_no_picture_takes_the_place_of_another(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    frame = save(frames / "a.png", draw_bars([1]))
    before = frame.read_bytes()
    monkeypatch.chdir(frames)
    assert main(["label", "a.png", *words]) == 2
    assert "name a folder of their own" in one_error_line(capsys.readouterr().err)
    assert frame.read_bytes() == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes into read-only folders")
@pytest.mark.usefixtures("bars")
def test_a_folder_without_write_permission(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = save(tmp_path / "a.png", draw_bars([1]))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    assert main(["label", str(frame), "--overlay", str(closed)]) == 7
    assert "Permission denied" in one_error_line(capsys.readouterr().err)


@pytest.mark.parametrize("source", ["/dev/video97", "97", "nonsense"])
def test_a_camera_that_is_not_there(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--camera", source, "--frames", "1"]) == 4
    assert source.removeprefix("/dev/video") in one_error_line(capsys.readouterr().err)


def test_no_models_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = save(tmp_path / "a.png", draw_bars([1]))
    assert main(["label", str(frame), "--models", str(tmp_path)]) == 5
    assert "locator" in one_error_line(capsys.readouterr().err)


# With the models that ship.


@pytest.mark.parametrize("level", [0, 255])
def test_a_flat_frame_is_an_empty_cell(
    models_dir: Path, level: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All black (lamp off) and all white (empty slide) are readable frames without a chromosome: a result."""
    frame = save(tmp_path / "flat.png", np.full((600, 700), level, np.uint8))
    outputs = ["--jsonl", "out.jsonl", "--overlay", "o", "--karyogram", "k"]
    words = [word if word.startswith("--") else str(tmp_path / word) for word in outputs]
    assert main(["label", str(frame), *words, "--models", str(models_dir)]) == 0
    line = json.loads((tmp_path / "out.jsonl").read_text())
    assert (line["count"], line["findings"]) == (0, ["no chromosome found"])
    assert (tmp_path / "o" / "flat.png").is_file()
    assert (tmp_path / "k" / "flat.png").is_file()


@pytest.mark.parametrize("name", TASKS)
def test_a_model_with_one_flipped_byte(
    models_dir: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    shutil.copytree(models_dir, models)
    (model,) = (models / name).glob("*.tflite")
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    frame = save(tmp_path / "a.png", draw_bars([1]))
    capsys.readouterr()
    assert main(["label", str(frame), "--models", str(models)]) == 5
    assert name in one_error_line(capsys.readouterr().err)


@pytest.mark.parametrize("name", TASKS)
def test_a_truncated_model(models_dir: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = tmp_path / "models"
    shutil.copytree(models_dir, models)
    (model,) = (models / name).glob("*.tflite")
    model.write_bytes(model.read_bytes()[:1000])
    frame = save(tmp_path / "a.png", draw_bars([1]))
    assert main(["label", str(frame), "--models", str(models)]) == 5
    assert name in one_error_line(capsys.readouterr().err)
