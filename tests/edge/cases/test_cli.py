"""``chromo-edge case`` from the first command to the last, with the stages for bars in the place of the models."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import edge.pipeline
from edge.cases.edits import Accept
from edge.cases.store import CaseStore
from edge.cases.words import change_of_words
from edge.cli import main
from edge.errors import DiskFault
from tests.builders import NORMAL_FEMALE, make_cell, make_frame
from tests.edge.cases.older import unchecked
from tests.edge.cases.states import captured, cell_of, edited
from tests.edge.cases.tampering import tamper
from tests.edge.stages import bar_pipeline, draw_bars

Run = Callable[..., "tuple[int, str, str]"]
STORE, FRAME, USAGE, SINK = 6, 3, 2, 7


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.setattr(edge.pipeline, "load_pipeline", lambda *_: bar_pipeline())
    monkeypatch.setenv("CHROMO_CASES", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "160")

    def run(*words: object) -> tuple[int, str, str]:
        code = main(["case", *(str(word) for word in words)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, numbers in enumerate([[1, 2], [21, 21, 21]]):
        Image.fromarray(draw_bars(numbers)).save(folder / f"{i}.png")
    return folder


def test_a_case_from_beginning_to_end(case: Run, frames: Path, tmp_path: Path) -> None:
    assert case("new", "A-1", "--by", "kim") == (0, "opened case A-1\n", "")
    code, out, err = case("add", "A-1", frames, "--by", "kim")
    assert (code, err) == (0, "")
    assert out.splitlines() == ["cell 1: 0.png  2,?,inc  all to review", "cell 2: 1.png  3,?,+21,inc  all to review"]
    code, out, _ = case("list")
    assert code == 0
    assert "A-1" in out
    code, out, _ = case("show", "A-1")
    assert (code, "3,?,+21,inc" in out, "For research use only" in out) == (0, True, True)
    assert out.splitlines()[0] == "A-1: no cell to count yet"
    code, out, _ = case("show", "A-1", "--cell", 2)
    assert (code, out.count("accepted")) == (0, 3)
    code, out, _ = case("export", "A-1", tmp_path / "out")
    assert (code, out.splitlines()[0]) == (0, f"11 files in {tmp_path / 'out'}")
    code, out, _ = case("report", "A-1", tmp_path / "report.pdf", "--by", "kim")
    assert code == 0
    head = out.split()[-1]
    code, out, _ = case("verify", "--head", head[:12])
    assert (code, out.startswith("sound: 5 entries, 2 cells, 2 pictures; head ")) == (0, True)
    code, out, _ = case("log", "A-1")
    assert [line.strip().split("  ")[3] for line in out.splitlines()] == [
        "open",
        "capture",
        "capture",
        "export",
        "export",
    ]


def test_a_cell_that_nobody_has_seen_to_is_shown_so(case: Run, tmp_path: Path) -> None:
    with CaseStore(tmp_path / "store") as store:
        store.new_case("A-1", "kim")
        store.capture("A-1", make_frame(300, 340), make_cell(NORMAL_FEMALE), "kim")
    _, out, _ = case("show", "A-1")
    assert "provisional: a person has yet to review cell 1, or chromosomes in it" in out
    assert re.search(r"46,XX +all +0", out)
    case("edit", "A-1", 1, "accept")
    _, out, _ = case("show", "A-1")
    assert "provisional" not in out
    assert re.search(r"46,XX +- +0", out)


def test_a_frame_is_added_once(case: Run, frames: Path) -> None:
    """Twice the same third 21 would be a clone."""
    case("new", "A-1")
    case("add", "A-1", frames / "1.png")
    case("edit", "A-1", 1, "set-aside", "poor", "spread")
    (frames / "copy.png").write_bytes((frames / "0.png").read_bytes())
    assert case("add", "A-1", frames) == (
        0,
        "cell 2: 0.png  2,?,inc  all to review\nskipped 1.png: it is cell 1 already, which is set aside\n"
        "skipped copy.png: it is cell 2 already\n",
        "",
    )
    case("new", "A-2")
    code, out, err = case("add", "A-2", frames / "1.png")
    assert (code, out.startswith("cell 1: 1.png")) == (0, True)
    assert err == "warning: the same picture is cell 1 of A-1; see whose cell it is\n"


def test_a_field_in_two_pictures_is_added_once(case: Run, frames: Path, tmp_path: Path) -> None:
    case("new", "A-1")
    Image.open(frames / "1.png").save(tmp_path / "again.jpg")
    Image.open(frames / "1.png").save(tmp_path / "again.tif")
    assert case("add", "A-1", frames / "1.png", tmp_path / "again.jpg", tmp_path / "again.tif") == (
        0,
        "cell 1: 1.png  3,?,+21,inc  all to review\nskipped again.jpg: it is cell 1 already\n"
        "skipped again.tif: it is cell 1 already\n",
        "",
    )


def test_a_bad_frame_does_not_stop_the_others(case: Run, frames: Path) -> None:
    case("new", "A-1")
    (frames / "0.png").write_bytes(b"no picture")
    code, out, err = case("add", "A-1", frames / "none.png", frames)
    assert (code, out.count("cell "), err.count("error: ")) == (FRAME, 1, 2)


def test_a_frame_without_a_chromosome_is_no_cell(case: Run, frames: Path) -> None:
    case("new", "A-1")
    Image.fromarray(draw_bars([])).save(frames / "0.png")
    code, out, err = case("add", "A-1", frames)
    assert (code, out) == (FRAME, "cell 1: 1.png  3,?,+21,inc  all to review\n")
    assert err.count("\n") == 1
    assert f"{frames / '0.png'}: expected a metaphase, found no chromosome; it was not added" in err


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["show", "A-1"],
        ["log", "A-1"],
        ["verify"],
        ["add", "A-1", "x.png"],
        ["edit", "A-1", "1", "undo"],
        ["export", "A-1", "out"],
        ["report", "A-1", "out.pdf"],
    ],
)
def test_a_misspelled_store_is_not_made(
    case: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = case(*words, "--store", tmp_path / "typo")
    assert (code, out) == (STORE, "")
    assert err.startswith(f"error: no case store in {tmp_path / 'typo'}; expected cases.sqlite there")
    assert list(tmp_path.iterdir()) == []


WRITING = pytest.mark.parametrize("words", [["export", "A-1", "out"], ["report", "A-1", "out/a.pdf"]])


@WRITING
def test_nothing_is_written_for_nobody(
    case: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    case("new", "A-1")
    code, _, err = case(*words, "--by", " ")
    assert (code, err.count("\n")) == (STORE, 1)
    assert "who does this must be named" in err
    assert not (tmp_path / "out").exists()


@WRITING
def test_nothing_is_written_that_the_log_could_not_keep(
    case: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """On another disk than the store's, which is full."""
    monkeypatch.chdir(tmp_path)
    case("new", "A-1")

    def refuse(*_: object, **__: object) -> None:
        raise DiskFault("no space left")

    with monkeypatch.context() as full_disk:
        full_disk.setattr("edge.cases.store.log.append", refuse)
        assert case(*words)[::2] == (STORE, "error: no space left\n")
    assert not list((tmp_path / "out").iterdir())
    assert case(*words)[0] == 0
    assert "  export  as=" in case("log", "A-1")[1].splitlines()[1]


def test_a_report_replaces_a_report_alone(case: Run, frames: Path, tmp_path: Path) -> None:
    case("new", "A-1")
    for path in (frames / "0.png", tmp_path / "store" / "cases.sqlite"):
        before = path.read_bytes()
        code, _, err = case("report", "A-1", path)
        assert (code, err.count("\n"), "expected a PDF there or nothing, got" in err) == (SINK, 1, True)
        assert path.read_bytes() == before
    for _ in range(2):
        assert case("report", "A-1", tmp_path / "report.pdf")[0] == 0


def test_what_waits_for_a_person_is_told(case: Run, tmp_path: Path) -> None:
    """Also of cells in which the machine doubts nothing, and where no two cells make a clone."""
    with CaseStore(tmp_path / "store") as store:
        store.new_case("A-1", "kim")
        for k, labels in enumerate(([*NORMAL_FEMALE, "8"], [*NORMAL_FEMALE, "9"])):
            store.capture("A-1", make_frame(300, 340, level=220 - k), make_cell(labels, frame="f.png"), "kim")
    assert case("edit", "A-1", 1, "accept", "--by", "kim")[0] == 0
    _, out, _ = case("show", "A-1")
    said, why, *rows = (" ".join(line.split()) for line in out.splitlines())
    assert said == "A-1: no clone: cells 1 and 2 stand apart"
    assert why == "provisional: a person has yet to review cell 2, or chromosomes in it"
    assert "1 f.png 47 47,XX,+8 - 0 kim apart" in rows
    assert "2 f.png 47 47,XX,+9 all 0 apart" in rows


@pytest.mark.parametrize("body", ["{}", "[]", "no JSON"])
def test_a_damaged_log_is_no_bug(case: Run, frames: Path, tmp_path: Path, body: str) -> None:
    case("new", "A-1")
    case("add", "A-1", frames / "0.png")
    case("edit", "A-1", 1, "flip", 0)
    tamper(tmp_path / "store", f"UPDATE log SET body = '{body}'")
    for words in (["log", "A-1"], ["show", "A-1"], ["verify"]):
        code, _, err = case(*words)
        assert code == STORE
        assert err
        assert all(line.startswith("error: ") for line in err.splitlines())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["show", "B"], STORE, "no case is named 'B'"),
        (["add", "B", "x.png"], STORE, "no case is named 'B'"),
        (["new", "A-1"], STORE, "there is a case 'A-1' already"),
        (["show", "A-1", "--cell", "1"], STORE, "has 0 cells; there is no cell 1"),
        (["export", "A-1", "/proc/none", "--as", "csv"], SINK, "cannot write into /proc/none"),
        (["export", "A-1", "x", "--as", "gif"], USAGE, "gif"),
        (["report", "A-1", "/proc/none/r.pdf"], SINK, "cannot write into /proc/none"),
        (["list", "--store", "/proc/none"], STORE, "no case store in /proc/none; expected cases.sqlite there"),
        (["new", "B", "--store", "/proc/none"], STORE, "/proc/none"),
        (["export", "A-1", "x", "--by", ""], STORE, "name"),
        (["export", "A-1", ""], USAGE, "'DIR': expected a path, got an empty word"),
        (["report", "A-1", ""], USAGE, "'FILE.pdf': expected a path, got an empty word"),
        (["new", "B", "--cases", ""], USAGE, "'--cases' / '--store': expected a path, got an empty word"),
        (["verify", "--head", "abc123"], STORE, "no entry has the hash abc123"),
        (["verify", "--head", ""], USAGE, "--head: expected the hash that a report prints, or how it begins; got ''"),
        (["verify", "--head", "head"], USAGE, "--head: expected the hash"),
        (["burn"], USAGE, "burn"),
    ],
)
def test_failures_are_one_line(case: Run, words: list[str], code: int, message: str) -> None:
    case("new", "A-1")
    got, _, err = case(*words)
    assert (got, err.count("\n")) == (code, 1)
    assert err.startswith("error: ")
    assert message in err


@pytest.mark.parametrize(
    ("words", "karyotype"),
    [
        ("relabel 0 x", "2,X,inc"),
        ("mark 0 marker", "2,?,+mar,inc"),
        ("mark 0 derivative", "2,?,der(1),inc"),
        ("exclude 1", "1,?,inc"),
        ("swap 0 1", "2,?,inc"),
        ("flip 0", "2,?,inc"),
        ("accept 0 1", "2,?,inc"),
        ("set-aside too few bands", "2,?,inc"),
    ],
)
def test_edits_in_words(case: Run, frames: Path, words: str, karyotype: str) -> None:
    case("new", "A-1")
    case("add", "A-1", frames / "0.png")
    waits = "all" if words == "flip 0" else "0"  # which end is up is no word for what it is
    assert case("edit", "A-1", 1, *words.split()) == (0, f"cell 1: {karyotype}  {waits} to review\n", "")
    assert case("edit", "A-1", 1, "undo")[1] == "cell 1: 2,?,inc  all to review\n"
    assert case("edit", "A-1", 1, "redo")[1] == f"cell 1: {karyotype}  {waits} to review\n"
    assert case("edit", "A-1", 1, "redo")[0] == STORE
    assert words.split()[0].replace("-", "_") in case("log", "A-1")[1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("burn", USAGE, "expected an edit, one of relabel"),
        ("relabel 0", USAGE, "expected: relabel ID LABEL; got: relabel 0"),
        ("flip", USAGE, "expected: flip ID; got: flip"),
        ("undo 3", USAGE, "expected: undo and nothing after it, once for each edit; got: undo 3"),
        ("redo 0 1", USAGE, "expected: redo and nothing after it, once for each edit; got: redo 0 1"),
        ("swap 0 0", STORE, "a swap takes two chromosomes; got 0 twice"),
        ("set-aside Fl\udce4che", STORE, r"1 to 100 printable characters; got 'Fl\udce4che'"),
        ("take-back now", USAGE, "expected: take-back; got: take-back now"),
        ("flip x", USAGE, "named by its id"),
        ("mark 0 ring", USAGE, "whole, marker, derivative"),
        ("relabel 0 23", STORE, "a label must be 1 to 22, X or Y"),
        ("flip 9", STORE, "chromosome 9 is not in this cell"),
    ],
)
def test_words_that_are_no_edit(case: Run, frames: Path, words: str, code: int, message: str) -> None:
    case("new", "A-1")
    case("add", "A-1", frames / "0.png")
    got, _, err = case("edit", "A-1", 1, *words.split())
    assert (got, err.count("\n")) == (code, 1)
    assert message in err


def test_accept_alone_takes_what_waits_for_review() -> None:
    assert change_of_words(["accept"], edited(captured(review=[3, 5]))) == Accept((3, 5))
    assert change_of_words(["accept"], edited(captured())) == Accept(tuple(range(46)))  # the cell, once seen to
    assert change_of_words(["accept"], cell_of()) == Accept(())  # which the store refuses


def test_a_file_may_have_any_name(case: Run, frames: Path, tmp_path: Path) -> None:
    """A byte that is no UTF-8, and what a terminal would obey; kept as it is by earlier versions."""
    named = frames / os.fsdecode(b"Fl\xe4che\x1b[2J.png")
    (frames / "0.png").rename(named)
    printed = r"Fl\udce4che\x1b[2J.png"
    case("new", "A-1")
    assert case("add", "A-1", named) == (0, f"cell 1: {printed}  2,?,inc  all to review\n", "")
    assert case("add", "A-1", named)[1] == f"skipped {printed}: it is cell 1 already\n"
    case("new", "A-2")
    with unchecked():
        case("add", "A-2", named)
        case("edit", "A-2", 1, "set-aside", "schlechte", "Fl\udce4che")
    for words in (["show", "A-2"], ["show", "A-2", "--cell", "1"], ["log", "A-2"]):
        code, out, _ = case(*words)
        assert (code, printed in out) == (0, True)
    out = tmp_path / os.fsdecode(b"\xfc")
    assert case("export", "A-2", out)[:2] == (
        0,
        f"8 files in {tmp_path}{os.sep}\\udcfc\ncorrections: 1 of 1 cells left out, not yet reviewed or set aside\n",
    )
    assert case("report", "A-2", out / "a.pdf")[0] == 0


def test_names_are_no_markup(case: Run) -> None:
    for name in ("[red]1", "[/red]"):
        case("new", name, "--by", name)
    code, out, _ = case("list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["[/red]", "[red]1"]
    assert [line.split()[-1] for line in out.splitlines()[1:]] == ["[/red]", "[red]1"]


def test_a_reason_is_no_markup(case: Run, tmp_path: Path) -> None:
    with CaseStore(tmp_path / "store") as store:
        store.new_case("A-1", "kim")
        store.capture("A-1", make_frame(300, 340), make_cell([*NORMAL_FEMALE, "21"]), "kim")
    case("edit", "A-1", 1, "set-aside", "[/b] [red]two cells")
    for words in (["show", "A-1"], ["show", "A-1", "--cell", 1]):
        code, out, _ = case(*words)
        assert (code, "[/b] [red]two cells" in " ".join(out.split())) == (0, True)


def test_a_cell_in_another_case_is_told(case: Run, frames: Path, tmp_path: Path) -> None:
    for name in ("A-1", "A-2"):
        case("new", name)
    case("add", "A-1", frames / "0.png")
    tamper(tmp_path / "store", "UPDATE cells SET case_id = 2")
    code, _, err = case("verify")
    assert (code, "was captured in case 1 in entry 3, and is in 2 now" in err) == (STORE, True)
    code, _, err = case("log", "A-1")
    assert (code, "entry 3 is about cell 1, which is not in case 'A-1'" in err) == (STORE, True)


def test_a_changed_log_is_told(case: Run, tmp_path: Path) -> None:
    case("new", "A-1", "--by", "kim")
    tamper(tmp_path / "store", "UPDATE log SET actor = 'lee'")
    code, out, err = case("verify")
    assert (code, out) == (STORE, "")
    assert err.startswith("error: entry 1 (open by lee at ")
