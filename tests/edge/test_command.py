"""What every command line does with a failure."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import typer

from edge.cli import main
from edge.command import run_app
from edge.errors import CameraTimeout, ChromoError, SinkError
from trainer.errors import DatasetError


def program(error: BaseException | None) -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def only(debug: bool = False) -> None:
        if error is not None:
            raise error

    return app


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ChromoError("it broke"), 1, "error: it broke"),
        (CameraTimeout("no frame\n  in 2 s"), 4, "error: no frame in 2 s"),
        (ChromoError("no \x1b[2J.png"), 1, r"error: no \x1b[2J.png"),
        (SinkError("full"), 7, "error: full"),
        (DatasetError("no table"), 8, "error: no table"),
        (KeyboardInterrupt(), 130, "error: interrupted; what was done until now is kept"),
        (MemoryError(), 1, "error: out of memory"),
        (
            PermissionError(13, "Permission denied", "x.json"),
            1,
            "error: x.json: cannot be used: Permission denied; give this user the right to it and the folders above",
        ),
        (OSError(28, "No space left", "x.json"), 1, "error: [Errno 28] No space left: 'x.json'; see to that file"),
        (KeyError("k"), 70, "error: KeyError: 'k'; this is a bug in tool, --debug shows where"),
        (typer.Exit(3), 3, ""),
    ],
)
def test_one_line_and_a_code(capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str) -> None:
    assert run_app(program(error), "tool", ["--no-debug"]) == code
    said = capsys.readouterr().err.strip()
    assert said.startswith(line)
    assert "\n" not in said


def test_wrong_options_are_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(program(None), "tool", ["--unknown"]) == 2
    assert capsys.readouterr().err.startswith("error: No such option: --unknown")
    assert run_app(program(None), "tool", ["--no-debug"]) == 0


def test_ctrl_c_before_the_command_begins(capsys: pytest.CaptureFixture[str]) -> None:
    def starting(**_: object) -> None:
        raise KeyboardInterrupt

    assert run_app(starting, "tool", ["--no-debug"]) == 130  # type: ignore[arg-type]
    assert capsys.readouterr().err == "error: interrupted; what was done until now is kept\n"


INTERRUPTED = """
import sys
class CtrlC:
    def find_spec(self, name, *_):
        if name == "edge.commands.label":
            raise KeyboardInterrupt
sys.meta_path.insert(0, CtrlC())
import edge.cli
"""


def test_ctrl_c_while_the_program_loads() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "error: interrupted before anything was done\n")


def test_a_letter_that_the_output_lacks_is_escaped(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "edge.cli", "case", "new", "Łucja", "--by", "kim", "--cases", str(tmp_path)]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(words, capture_output=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, rb"opened case \u0141ucja" + b"\n", b"")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["case"], "error: Missing command. See chromo-edge --help"),
        (["models"], "error: Missing command. See chromo-edge --help"),
        (["run", "--port", "99999"], ". See chromo-edge --help"),
        (["label", ""], "expected a path, got an empty word; the current folder is '.'. See chromo-edge --help"),
        (["label", "a.png", "--overlay", ""], "expected a path, got an empty word"),
        (["label", "a.png", "--karyogram", ""], "expected a path, got an empty word"),
        (["label", "a.png", "--models", ""], "expected a path, got an empty word"),
        (["run", "--log", ""], "expected a path, got an empty word"),
        (["snap", ""], "expected a path, got an empty word"),
        (["models", "install", ""], "expected a path, got an empty word"),
        (["--config", "", "doctor"], "expected a path, got an empty word"),
        (["case", "add", "A-1", ""], "expected a path, got an empty word; the current folder is '.'. See"),
    ],
)
def test_what_is_missing_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_models_name_forges_no_line(capsys: pytest.CaptureFixture[str], tiny_models: Path) -> None:
    path = tiny_models / "locator" / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "a\nclassifier b"}))
    for words in (["models", "list"], ["doctor"]):
        main([*words, "--models", str(tiny_models)])
        out = capsys.readouterr().out
        assert r"a\nclassifier b" in out
        assert not [line for line in out.splitlines() if line.startswith("classifier b")]


def test_debug_lets_the_failure_through() -> None:
    with pytest.raises(SinkError):
        run_app(program(SinkError("full")), "tool", ["--debug"])


def test_warnings_are_one_line_each_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()

    @app.command()
    def only(times: int = 1) -> None:
        for number in range(times):
            for _ in range(2):
                warnings.warn(f"number {number}\nof {times}", UserWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = warnings.showwarning
        assert run_app(app, "tool", ["--times", "2"]) == 0
        assert warnings.showwarning is before
    assert capsys.readouterr().err == "warning: number 0 of 2\nwarning: number 1 of 2\n"
