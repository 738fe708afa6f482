"""The view: a table on a screen, plain lines in a pipe."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from edge.runtime.guarded import Acceleration
from edge.sinks.terminal import TerminalSink
from tests.builders import NORMAL_FEMALE, make_cell, make_frame


def shown(
    *, screen: bool, live: bool = True, frames: int = 1, labels: list[str] = NORMAL_FEMALE, name: str = "a.png"
) -> str:
    file = io.TextIOWrapper(io.BytesIO(), "utf-8", "strict", newline="")
    sink = TerminalSink(Console(file=file, force_terminal=screen, width=100, color_system=None), live=live)
    for index in range(frames):
        sink.put(make_frame(), replace(make_cell(labels, review=[0], index=index), frame=name))
    sink.close()
    file.seek(0)
    return file.read()


def test_a_pipe_gets_one_line_a_frame() -> None:
    lines = shown(screen=False, frames=3).splitlines()
    assert len(lines) == 3
    assert lines[0] == "a.png #0  46  46,XX  1 to review  locate 9 ms, straighten 1 ms, classify 12 ms, assign 0 ms"
    assert "frames/s" in lines[1]


def test_the_rate_is_that_of_the_last_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds apart, then half a second."""
    times_s = iter([*range(100, 200, 10), *(200 + k / 2 for k in range(30))])
    monkeypatch.setattr("edge.sinks.terminal.time.monotonic", lambda: next(times_s))
    rates = [line.partition(" frames/s")[0].split()[-1] for line in shown(screen=False, frames=40).splitlines()]
    assert (rates[1], rates[2], rates[-1]) == ("0.1", "0.1", "2.0")


def test_what_an_accelerator_does_not_compute_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fallen = Acceleration("edgetpu", {"classifier": False, "locator": False}, 2)
    monkeypatch.setattr("edge.sinks.terminal.acceleration", lambda: fallen)
    assert shown(screen=False).splitlines()[0].endswith("  on cpu, not edgetpu")
    assert "on cpu, not edgetpu" in shown(screen=True)


def test_a_long_line_is_not_broken() -> None:
    assert len(shown(screen=False, labels=["1"] * 60).splitlines()) == 1


def test_a_screen_gets_every_chromosome_with_its_confidence() -> None:
    text = shown(screen=True)
    assert "46,XX" in text
    assert text[text.rfind("46,XX") :].count(".90") == 46
    assert " 1 .90? .90" in text
    assert "locate 9 ms" in text


def test_findings_are_shown() -> None:
    assert "trisomy 21 (Down syndrome)" in shown(screen=True, labels=[*NORMAL_FEMALE, "21"])


def test_headless_on_a_screen_prints_lines() -> None:
    assert shown(screen=True, live=False).startswith("a.png #0  46")


def test_any_file_name_can_be_shown() -> None:
    """Not UTF-8, two lines, what a terminal would obey: a name may hold any byte."""
    escaped = r"Zelle \udce4\nb\x1b[2J é.png #0"
    name = "Zelle \udce4\nb\x1b[2J é.png"
    (line,) = shown(screen=False, name=name).splitlines()
    assert line.startswith(escaped)
    assert escaped in shown(screen=True, name=name)


@pytest.mark.parametrize("labels", [[], ["Y"], NORMAL_FEMALE * 2])
def test_any_cell_can_be_shown(labels: list[str]) -> None:
    assert f"{len(labels)}" in shown(screen=True, labels=labels)


def test_the_cursor_comes_back() -> None:
    text = shown(screen=True)
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
