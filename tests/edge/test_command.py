"""What every command line does with a failure."""

import warnings

import pytest
import typer

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
        (PermissionError(13, "Permission denied", "x.json"), 1, "error: [Errno 13] Permission denied: 'x.json'"),
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


def test_debug_lets_the_failure_through() -> None:
    with pytest.raises(SinkError):
        run_app(program(SinkError("full")), "tool", ["--debug"])


def test_warnings_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()

    @app.command()
    def only(times: int = 1) -> None:
        for number in range(times):
            warnings.warn(f"number {number}\nof {times}", UserWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        before = warnings.showwarning
        assert run_app(app, "tool", ["--times", "2"]) == 0
        assert warnings.showwarning is before
    assert capsys.readouterr().err == "warning: number 0 of 2\nwarning: number 1 of 2\n"
