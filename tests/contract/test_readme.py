"""Every command that the README shows is run: the technician's for real, the engineer's up to the missing data."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from edge.camera.metaphase import draw_metaphase
from edge.cli import main as chromo_edge
from edge.errors import ModelError
from trainer.cli import main as trainer
from trainer.errors import DatasetError, ExportError

ROOT = Path(__file__).resolve().parents[2]
NO_CAMERA, USAGE = 4, 2
UNREAD = (ModelError.exit_code, DatasetError.exit_code, ExportError.exit_code)


def commands(page: str = "README.md") -> list[str]:
    """The lines of a page's shell blocks, comments taken off."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def starting_with(*words: str) -> list[str]:
    return [line for line in commands() if tuple(shlex.split(line)[: len(words)]) == words]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder as the README supposes it: ``frames/`` with a picture in it."""
    (tmp_path / "frames").mkdir()
    Image.fromarray(draw_metaphase(3).pixels).save(tmp_path / "frames" / "a.png")
    return tmp_path


def run(line: str, desk: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(line)
    program = str(ROOT / words[0])
    own = os.environ | {"CHROMO_CASES": str(desk / "cases")}
    return subprocess.run([program, *words[1:], *more], cwd=desk, env=own, capture_output=True, text=True, timeout=900)


def test_no_command_is_left_out() -> None:
    first = {shlex.split(line)[0] for line in commands()}
    assert first == {"tools/run", "tools/test", "chromo-edge", "trainer", "pip", "sudo", "cp"}


@pytest.mark.usefixtures("models_dir")
def test_the_technicians_commands(desk: Path) -> None:
    assert len(starting_with("tools/run")) >= 3
    for line in (line for line in starting_with("tools/run") if line not in starting_with("tools/run", "case")):
        live = "label" not in line
        done = run(line, desk, *(["--frames", "2"] if live else []))
        if "--camera" in line:
            assert done.returncode in (0, NO_CAMERA), done.stderr
        else:
            assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    assert (desk / "cells.jsonl").read_text().count("\n") == 1
    assert (desk / "overlays" / "a.png").is_file()
    assert (desk / "karyograms" / "a.png").is_file()


@pytest.mark.usefixtures("models_dir")
def test_the_cases_commands(desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.setenv("CHROMO_CASES", str(desk / "cases"))
    assert len(starting_with("tools/run", "case")) >= 5
    for line in starting_with("tools/run", "case"):
        assert chromo_edge(shlex.split(line)[1:]) == 0, f"{line}: {capsys.readouterr().err}"
    assert (desk / "report.pdf").stat().st_size > 1000
    assert any((desk / "out").rglob("*.csv"))


@pytest.mark.usefixtures("models_dir")
def test_the_program_of_ones_own(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(program, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("46,X")


def test_the_boards_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """What they do is tested where they live; here, that there is such a command with such words."""
    for line in commands():
        words = shlex.split(line)
        if "chromo-edge" in words[0] or words[0] == "sudo":
            words = [w for w in words[1 + words.index(next(w for w in words if "chromo-edge" in w)) :] if w != "--"]
            if words == ["--help"]:
                continue
            parts = words[: 2 if words[0] == "models" else 1]
            assert chromo_edge([*parts, "--help"]) == 0, line
            shown = capsys.readouterr().out
            assert "Usage: chromo-edge " + " ".join(parts) in " ".join(shown.split())
            for option in (word for word in words[: [*words, "--camera"].index("--camera")] if word[:2] == "--"):
                assert option in shown, line


def test_the_installations_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has a command with such words; the settings are taken, and the unit that follows from them is shown."""
    lines = commands("edge/board/INSTALL.md")
    for line in lines:
        words = shlex.split(line)
        if any("chromo-edge" in word and word.endswith("chromo-edge") for word in words[:2]) and words[1] != "status":
            words = words[1 + (words[0] == "sudo") :]
            assert chromo_edge([*words[: 2 if words[0] == "models" else 1], "--help"]) == 0, line
            shown = capsys.readouterr().out
            for option in (word for word in words if word.startswith("--")):
                assert option in shown, line
    settings = tmp_path / "chromo-edge.toml"
    first = next(k for k, line in enumerate(lines) if line.endswith("<<'END'"))
    settings.write_text("\n".join(lines[first + 1 : lines.index("END")]), encoding="utf-8")
    assert chromo_edge(["--config", str(settings), "install-service", "--show"]) == 0
    assert "ExecStart=" in capsys.readouterr().out


def test_the_engineers_commands(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    for line in starting_with("trainer"):
        words = shlex.split(line)[1:]
        code = trainer(words)
        err = capsys.readouterr().err
        # DATA is not there, nor the run to start from, so a right command fails at reading one of them; a wrong one
        # would fail at its options.
        unread = code in UNREAD or (code == USAGE and "expected Keras weights" in err)
        assert code == 0 if "--help" in words else unread, f"{line}: {err}"
        assert "Traceback" not in err
    for line in starting_with("pip"):
        for extra in re.findall(r"\[(\w+)\]", line):
            assert f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()
    for name in ("run", "test"):
        assert (ROOT / "tools" / name).stat().st_mode & 0o111
