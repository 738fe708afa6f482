"""The settings file reaches the commands, and what is wrong in it is named: file, key, nearest known one."""

from __future__ import annotations

from pathlib import Path

import pytest

import edge.config
from edge.cli import main


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHROMO_CONFIG", raising=False)
    return tmp_path / "chromo-edge.toml"


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_the_file_here_is_read_and_an_option_overrules_it(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings.write_text('[label]\num-per-px = 99\nthreads = 3\n[run]\nsource = "sim"\n')
    assert "--um-per-px must be between" in complaint(capsys, "label", "none.png")
    assert main(["label", "none.png", "--um-per-px", "0.1"]) == 3


@pytest.mark.parametrize("key", ["source", "camera"])
def test_the_camera_is_set_as_it_is_named_on_the_command_line(
    settings: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    settings.write_text(f'[run]\n{key} = "none.png"')
    assert main(["run", "--headless"]) == 4
    assert "none.png" in capsys.readouterr().err


@pytest.mark.parametrize("spelled", ["um-per-px", "um_per_px"])
def test_named_by_option_or_variable(
    settings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    other = settings.with_name("other.toml")
    other.write_text(f"[label]\n{spelled} = -1\n")
    assert "got -1" in complaint(capsys, "--config", str(other), "label", "none.png")
    monkeypatch.setenv("CHROMO_CONFIG", str(other))
    assert "got -1" in complaint(capsys, "label", "none.png")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run]\nthreds = 2", "chromo-edge.toml: unknown setting [run] threds; did you mean [run] threads?"),
        ("[runn]\nthreads = 2", "chromo-edge.toml: unknown setting [runn]; did you mean [run]?"),
        ("[run]\nzzzzzz = 2", "unknown setting [run] zzzzzz; known are "),
        ("run = 3", "expected a table [run], got run = 3"),
        ('[run]\nthreads = "many"', "; got 'many'"),
        ("[run]\nthreads = 0", "chromo-edge.toml: [run] threads: "),
        ("[run\n", "chromo-edge.toml: expected TOML, cannot read it"),
        ("[label]\num-per-px = 0.1\num_per_px = 0.2", "[label] um-per-px is set twice, in two spellings; keep one"),
        ('[run]\ncamera = "sim"\nsource = "sim"', "[run] source is set twice, in two spellings; keep one"),
        ('[case]\nstore = "x"', "unknown setting [case]; known are bench, "),
        ("[run]\num-per-px = true", "[run] um-per-px: expected a number, got true"),
        ("[run]\ncase = 24.10", "[run] case: expected text, got 24.1; write it in quotes"),
        ("[run]\njsonl = 3", "[run] jsonl: "),
        ('[run]\nlog = ""', "[run] log: expected a path, got an empty word"),
        ('[run]\ncase = ["a"]', "[run] case: "),
        ("[run]\nheadless = 1", "[run] headless: expected true or false, got 1"),
        ("[install-service]\nlisten = [1]", "[install-service] listen: expected text, got 1; write it in quotes"),
        ("[run]\ncase = " + "[" * 5000 + "]" * 5000, "its values are nested too deeply; correct it"),
        ("[run]\ndebug = true", "unknown setting [run] debug; "),  # a word of the command line alone
    ],
)
def test_what_is_wrong_is_named(settings: Path, capsys: pytest.CaptureFixture[str], text: str, said: str) -> None:
    settings.write_text(text)
    assert said in complaint(capsys, "label", "none.png")


def test_a_file_of_an_editor_that_marks_its_encoding(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings.write_text("[label]\nthreads = 0", encoding="utf-8-sig")
    assert "[label] threads: " in complaint(capsys, "label", "none.png")


def test_a_device_in_the_place_of_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert "/dev/zero: expected settings of at most" in complaint(capsys, "--config", "/dev/zero", "label", "none.png")


def test_a_file_that_is_not_there(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, "--config", "no.toml", "doctor")
    assert "no.toml: the settings cannot be read: No such file or directory; check the path" in said


def test_a_place_that_cannot_be_looked_at(
    settings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As /etc/chromo-edge that root made for itself; a name that is too long is refused to root, too."""
    monkeypatch.setattr(edge.config, "CONFIG_PLACES", (settings.with_name("x" * 300),))
    assert "the settings cannot be read: File name too long; check the path and who may read it" in complaint(
        capsys, "models", "list"
    )


def test_a_path_with_a_zero_byte(settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings.write_text('[run]\nlog = "a\\u0000b"')
    assert "[run] log: expected a path, got one with a zero byte" in complaint(capsys, "run", "sim")


def test_a_user_whom_the_system_does_not_know(
    settings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs under a bare number."""

    def nobody(*_: object) -> object:
        raise KeyError("uid not found")

    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "SUDO_USER", "XDG_DATA_HOME", "CHROMO_CASES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert "say who it runs as: --user NAME" in complaint(capsys, "install-service", "--show")
    assert "has no home folder; say where with $CHROMO_CASES or $HOME" in complaint(capsys, "case", "list")
