"""The command line: every spelling, every output, and failures as one line with their exit code."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

import edge.camera
import edge.pipeline
from edge.camera.returning import ReturningCamera
from edge.cases.store import CaseStore
from edge.cli import main
from edge.errors import BundleInvalid, CameraLost, CameraNotFound, FrameError
from edge.live.watch import WatchedCamera
from edge.live.web.memory import Memory
from edge.live.web.server import WebServer
from edge.pipeline import Pipeline
from edge.records import Frame
from tests.edge.stages import bar_pipeline, draw_bars

TINY = Path(__file__).parent / "tiny"

Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def chromo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``chromo-edge`` in this process, with the stages for bars in the place of the models."""
    monkeypatch.setattr(edge.pipeline, "load_pipeline", lambda *_: bar_pipeline())

    def run(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for i, numbers in enumerate([[1, 2], [21, 21, 21], []]):
        Image.fromarray(draw_bars(numbers)).save(folder / f"{i}.png")
    return folder


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# label


def test_label_writes_all_three(chromo: Run, frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    code, said, errors = chromo(
        "label", frames, "--jsonl", out, "--overlay", tmp_path / "o", "--karyogram", tmp_path / "k"
    )
    assert (code, said, errors) == (0, "", "")
    lines = lines_of(out)
    assert [line["frame"] for line in lines] == ["0.png", "1.png", "2.png"]
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert [line["count"] for line in lines] == [2, 3, 0]
    for folder in "ok":
        assert sorted(p.name for p in (tmp_path / folder).iterdir()) == ["0.png", "1.png", "2.png"]


def test_label_without_an_output_prints(chromo: Run, frames: Path) -> None:
    code, said, _ = chromo("label", frames)
    assert code == 0
    assert said.splitlines()[1].startswith("1.png #1  3  3,?,+21,inc")


@pytest.mark.parametrize("words", [["run", "sim", "--headless", "--frames", "1", "--log"], ["bench", "--json"]])
def test_a_frame_is_not_taken_for_a_result(chromo: Run, frames: Path, words: list[str]) -> None:
    before = (frames / "0.png").read_bytes()
    code, _, errors = chromo(*words, frames / "0.png")
    assert (code, errors.count("\n")) == (7, 1)
    assert "there or nothing, got a file that begins with b'\\x89PNG" in errors
    assert (frames / "0.png").read_bytes() == before


def test_figures_for_a_closed_output(chromo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["bench", "--json", "-"]) == 7


def test_a_bad_frame_does_not_stop_the_batch(chromo: Run, frames: Path, tmp_path: Path) -> None:
    (frames / "0b.png").write_bytes(b"%PDF-1.7 not a picture")
    code, _, errors = chromo("label", frames, tmp_path / "missing.png", "--jsonl", tmp_path / "out.jsonl")
    assert code == 3
    assert [line["frame"] for line in lines_of(tmp_path / "out.jsonl")] == ["0.png", "1.png", "2.png"]
    told = errors.splitlines()
    assert [line for line in told if line.startswith("error: ")] == told[:2]
    assert "missing.png" in told[0]
    assert "0b.png" in told[1]
    assert told[2:] == ["2 of 5 could not be read; 3 labelled"]


def test_a_single_bad_frame_is_one_line(chromo: Run, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    code, _, errors = chromo("label", tmp_path / "a.png")
    assert code == 3
    assert len(errors.splitlines()) == 1


def test_too_little_memory_for_one_frame_spares_the_others(
    chromo: Run, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = bar_pipeline()

    class Tight(Pipeline):
        def label(self, frame: Frame) -> edge.records.Cell:
            if frame.index == 1:
                raise MemoryError
            return pipeline.label(frame)

    monkeypatch.setattr(edge.pipeline, "load_pipeline", lambda *_: Tight.__new__(Tight))
    code, said, errors = chromo("label", frames)
    assert code == 3
    assert len(said.splitlines()) == 2
    assert "1.png: not enough memory" in errors


def test_json_lines_on_standard_output(chromo: Run, frames: Path) -> None:
    code, said, _ = chromo("label", frames, "--jsonl", "-")
    assert code == 0
    assert [json.loads(line)["count"] for line in said.splitlines()] == [2, 3, 0]


def test_label_replaces_an_earlier_file(chromo: Run, frames: Path, tmp_path: Path) -> None:
    for _ in range(2):
        chromo("label", frames, "--jsonl", tmp_path / "out.jsonl")
    assert len(lines_of(tmp_path / "out.jsonl")) == 3


def test_a_place_that_cannot_be_written_leaves_earlier_results_alone(chromo: Run, frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("{}\n")
    code, _, errors = chromo("label", frames, "--jsonl", out, "--overlay", "/dev/null/o")
    assert code == 7
    assert re.fullmatch(r"error: cannot write into /dev/null/o: .*\n", errors)
    assert out.read_text() == "{}\n"


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf", "10", "0.00105", "9.5"])
def test_an_impossible_scale(chromo: Run, frames: Path, scale: str) -> None:
    code, _, errors = chromo("label", frames, "--um-per-px", scale)
    assert code == 2
    assert errors.startswith("error: ")
    assert len(errors.splitlines()) == 1


# run


@pytest.mark.parametrize(
    ("words", "source"),
    [
        (["--camera"], None),
        ([], None),
        (["--camera", "sim"], "sim"),
        (["--camera=sim"], "sim"),
        (["sim", "--camera"], "sim"),
        (["sim"], "sim"),
        (["--camera", "/dev/video0"], "/dev/video0"),
        (["--frames", "1", "--camera", "0"], "0"),
        (["--camera", "--frames", "1", "csi"], "csi"),
    ],
)
def test_every_spelling_of_the_camera(
    chromo: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], source: str | None
) -> None:
    asked: list[str | None] = []

    def open_camera(source: str | None, *_: object, **__: object) -> Bars:
        asked.append(source)
        return Bars()

    monkeypatch.setattr(edge.camera, "open_camera", open_camera)
    code, said, _ = chromo("run", *words, "--headless")
    assert (code, asked) == (0, [source])
    assert "2,?,inc" in said


class Bars:
    """A camera that shows two bars ``count`` times."""

    name = "bars"

    def __init__(self, count: int = 2, error: BaseException | None = None) -> None:
        self._count, self._error = count, error
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        for index in range(self._count):
            yield Frame(draw_bars([3, 4]), index, 0.0, "bars")
        if self._error:
            raise self._error

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Callable[[Bars], Bars]:
    def use(bars: Bars) -> Bars:
        monkeypatch.setattr(edge.camera, "open_camera", lambda *_, **__: bars)
        return bars

    return use


def test_run_adds_to_an_earlier_file(chromo: Run, camera: Callable[[Bars], Bars], tmp_path: Path) -> None:
    for _ in range(2):
        camera(Bars())
        assert chromo("run", "--frames", 2, "--jsonl", tmp_path / "out.jsonl", "--headless")[0] == 0
    assert len(lines_of(tmp_path / "out.jsonl")) == 4


def test_the_view_keeps_off_the_json_lines(chromo: Run, camera: Callable[[Bars], Bars]) -> None:
    camera(Bars())
    _, said, errors = chromo("run", "--frames", 2, "--jsonl", "-", "--headless")
    assert [json.loads(line)["count"] for line in said.splitlines()] == [2, 2]
    assert "bars #0" in errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(("words", "code"), [((), 0), (("--frames", 2), 7), (("--headless",), 7)])
def test_a_full_disk_ends_only_what_a_program_reads(
    chromo: Run, camera: Callable[[Bars], Bars], tmp_path: Path, words: tuple[str | int, ...], code: int
) -> None:
    camera(Bars(3))
    page = ("--port", 0, "--cases", tmp_path)
    assert chromo("run", "--camera", "sim", *page, "--models", TINY, "--jsonl", "/dev/full", *words)[0] == code


@pytest.mark.parametrize("service", [False, True])
def test_the_case_at_hand_goes_on_in_a_service_and_yields_to_one_that_was_just_named(
    chromo: Run, camera: Callable[[Bars], Bars], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: bool
) -> None:
    camera(Bars())
    with CaseStore(tmp_path) as store, closing(Memory(tmp_path, 0, "sim")) as memory:
        store.new_case("S24-2", "kim")
        memory.keep("S24-1", "S24-2")
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid() if service else os.getppid()))
    words = ("--port", 0, "--cases", tmp_path, "--models", TINY, "--case", "S24-1", "--frames", 1)
    code, said, _ = chromo("run", "--camera", "sim", *words)
    assert code == 0
    assert ("case: S24-2, the last one opened on the page; this run was given S24-1\n" in said) is service
    with closing(Memory(tmp_path, 0, "sim")) as memory:
        assert memory.chosen("S24-1") == ("S24-2" if service else None)


def test_the_address_is_printed_as_it_is(
    chromo: Run, camera: Callable[[Bars], Bars], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera(Bars())
    monkeypatch.setattr(WebServer, "addresses", ("http://[fd00::5]:8765/",))
    words = ("--port", 0, "--cases", tmp_path, "--models", TINY, "--frames", 1)
    assert "live page: http://[fd00::5]:8765/\n" in chromo("run", "--camera", "sim", *words)[1]


def test_the_log_takes_no_json_lines_away(chromo: Run, tmp_path: Path) -> None:
    """It rotates, and its oldest file goes."""
    words = ("run", "sim", "--frames", 1, "--headless", "--jsonl", tmp_path / "a", "--log", tmp_path / "." / "a")
    code, _, errors = chromo(*words)
    assert code == 2
    assert re.fullmatch(r"error: expected two files for --jsonl and --log, got .*\n", errors)


def test_an_unplugged_camera(chromo: Run, camera: Callable[[Bars], Bars]) -> None:
    bars = camera(Bars(1, CameraLost("bars: no frame any more; plug it in again")))
    code, _, errors = chromo("run", "--camera", "sim", "--headless")
    assert (code, errors) == (4, "error: bars: no frame any more; plug it in again\n")
    assert bars.closed


def test_ctrl_c_is_the_ordinary_end_of_a_live_run(chromo: Run, camera: Callable[[Bars], Bars]) -> None:
    bars = camera(Bars(1, KeyboardInterrupt()))
    code, said, errors = chromo("run", "--frames", 5, "--headless")
    assert (code, errors) == (0, "")
    assert "bars #0" in said
    assert bars.closed


def test_missing_models_close_the_camera(
    chromo: Run, camera: Callable[[Bars], Bars], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Pipeline:
        raise BundleInvalid("no models")

    monkeypatch.setattr(edge.pipeline, "load_pipeline", refuse)
    bars = camera(Bars())
    assert chromo("run")[0] == 5
    assert bars.closed


def test_a_folder_is_replayed_whole(chromo: Run, frames: Path, tmp_path: Path) -> None:
    assert chromo("run", "--camera", frames, "--jsonl", tmp_path / "out.jsonl")[0] == 0
    assert [line["count"] for line in lines_of(tmp_path / "out.jsonl")] == [2, 3, 0]


def test_what_is_stored_is_read_thoroughly_also_where_it_is_replayed(
    chromo: Run, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise FrameError("in haste")

    monkeypatch.setattr(edge.pipeline.Pipeline, "label_live", refuse)
    assert chromo("run", "--camera", frames)[0] == 0
    assert chromo("run", "--camera", sorted(frames.iterdir())[0])[0] == 0


def test_the_simulated_scope_is_compared_with_its_truth(chromo: Run) -> None:
    code, said, _ = chromo("run", "--camera", "sim", "--frames", 2, "--headless")
    assert code == 0
    assert said.splitlines()[-1].startswith("against the truth of 2 frames: located ")


def test_no_frame_is_not_compared(chromo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise FrameError("too large")

    monkeypatch.setattr(edge.pipeline.Pipeline, "label_live", refuse)
    code, said, errors = chromo("run", "sim", "--headless", "--frames", "1")
    assert (code, said, errors) == (3, "", "error: too large\n")


def test_a_camera_opens_the_live_page(chromo: Run, camera: Callable[[Bars], Bars], tmp_path: Path) -> None:
    camera(Bars())
    words = ("--frames", 2, "--port", 0, "--cases", tmp_path, "--models", TINY)
    code, said, errors = chromo("run", "--camera", *words)
    assert (code, errors) == (0, "")
    assert re.match(r"live page: http://127\.0\.0\.1:\d+/\n", said)


def test_beyond_this_machine_the_address_holds_a_token_that_the_next_start_keeps(
    chromo: Run, camera: Callable[[Bars], Bars], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    words = ("--frames", 1, "--port", 0, "--host", "0.0.0.0", "--cases", tmp_path, "--models", TINY)
    tokens = []
    for _ in range(2):
        camera(Bars())
        _, said, _ = chromo("run", *words)
        (token,) = set(re.findall(r"^(?:live page|       or): http://[^/]+:\d+/\?token=([\w-]{32,})$", said, re.M))
        tokens.append(token)
    assert tokens[0] == tokens[1] == (tmp_path / "state" / "token").read_text().strip()


def absent(monkeypatch: pytest.MonkeyPatch, times: int, then: Bars) -> list[object]:
    """``open_camera`` that finds none ``times`` times; returns the sources that it is asked for."""
    asked: list[object] = []

    def open_camera(source: object, *_: object, **__: object) -> Bars:
        asked.append(source)
        if len(asked) <= times:
            raise CameraNotFound("no camera answers; connect one")
        return then

    monkeypatch.setattr(edge.camera, "open_camera", open_camera)
    return asked


def test_the_page_waits_for_a_camera_that_is_not_there_yet(
    chromo: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(WatchedCamera.__init__.__kwdefaults__, "retry_s", 0.001)
    asked = absent(monkeypatch, 3, Bars(2))
    code, said, _ = chromo("run", "--camera", "--port", 0, "--cases", tmp_path, "--models", TINY)
    assert code == 0
    assert said.startswith("live page: ")
    assert asked == [None] * 4
    assert [r.getMessage() for r in caplog.records if r.name == "edge.live.watch"] == [
        "no camera answers; connect one; waiting for it",
        "the camera gives frames again",
    ]


@pytest.mark.parametrize("words", [("--headless",), ("--camera", "webcam"), ("--frames", 2)])
def test_without_a_page_or_for_no_cameras_name_or_a_counted_run_nobody_waits(
    chromo: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    asked = absent(monkeypatch, 1, Bars(2))
    code, _, errors = chromo("run", *words)
    assert (code, errors) == (4, "error: no camera answers; connect one\n")
    assert len(asked) == 1


def test_a_lost_camera_is_waited_for_and_not_replaced_by_another(
    chromo: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(ReturningCamera.__init__.__kwdefaults__, "first_pause_s", 0.001)
    monkeypatch.setitem(WatchedCamera.__init__.__kwdefaults__, "retry_s", 0.001)
    for view in (("--headless",), ("--port", 0, "--cases", tmp_path)):
        asked = absent(monkeypatch, 0, Bars(1, CameraLost("bars: unplugged")))
        assert chromo("run", "--frames", 3, *view)[0] == 0
        assert asked == [None, "bars", "bars"]


def test_an_address_that_cannot_be_served(chromo: Run, camera: Callable[[Bars], Bars], tmp_path: Path) -> None:
    bars = camera(Bars())
    code, _, errors = chromo("run", "--host", "203.0.113.1", "--cases", tmp_path, "--models", TINY)
    assert code == 2
    assert re.fullmatch(r"error: cannot serve the live page at 203\.0\.113\.1: .*\n", errors)
    assert bars.closed


def test_stored_frames_need_no_page(chromo: Run, frames: Path) -> None:
    code, said, _ = chromo("run", "--camera", frames)
    assert code == 0
    assert "live page" not in said


# both


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (OSError(28, "No space left on device"), 1, "error: [Errno 28] No space left on device"),
        (ZeroDivisionError("division"), 70, "error: ZeroDivisionError: division; this is a bug in chromo-edge"),
        (BundleInvalid("two\nlines"), 5, "error: two lines"),
    ],
)
def test_no_failure_shows_a_traceback(
    chromo: Run, frames: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, code: int, said: str
) -> None:
    def fail(*_: object) -> Pipeline:
        raise failure

    monkeypatch.setattr(edge.pipeline, "load_pipeline", fail)
    got, _, errors = chromo("label", frames)
    assert got == code
    assert errors.strip().startswith(said)
    assert len(errors.strip().splitlines()) == 1


def test_ctrl_c_ends_a_batch(chromo: Run, frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> Pipeline:
        raise KeyboardInterrupt

    monkeypatch.setattr(edge.pipeline, "load_pipeline", interrupt)
    assert chromo("label", frames)[0] == 130


def test_debug_shows_where_it_failed(chromo: Run, frames: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Pipeline:
        raise BundleInvalid("no models")

    monkeypatch.setattr(edge.pipeline, "load_pipeline", fail)
    with pytest.raises(BundleInvalid):
        chromo("label", frames, "--debug")


@pytest.mark.parametrize(
    "words",
    [
        ["label"],
        ["frob"],
        ["run", "--frames", "0"],
        ["run", "a", "b"],
        ["run", "--sed"],
        ["run", "sim", "--seed", "-1"],
        ["label", "a.png", "--threads", "100000"],
    ],
)
def test_wrong_words(chromo: Run, words: list[str]) -> None:
    code, _, errors = chromo(*words)
    assert code == 2
    assert re.fullmatch(r"error: .* See chromo-edge --help\n", errors)


@pytest.mark.parametrize("words", [[], ["--help"], ["label", "--help"], ["run", "--help"]])
def test_help(chromo: Run, words: list[str]) -> None:
    code, said, errors = chromo(*words)
    assert (code, errors) == (0, "")
    assert "Usage" in said


def test_version(chromo: Run) -> None:
    assert re.fullmatch(r"chromo-edge \d+\.\d+\.\d+\n", chromo("--version")[1])


class Device(io.BytesIO):
    """Says that it can seek, and cannot."""

    opened = False

    def tell(self) -> int:
        if self.opened:
            raise OSError(29, "Illegal seek")
        return super().tell()


def test_an_output_that_cannot_seek_as_it_says_is_written_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device()
    stream = io.TextIOWrapper(device, encoding="utf-8")
    stream.write("before\n")
    stream.flush()
    device.opened = True
    monkeypatch.setattr("sys.stdout", stream)
    assert main(["--version"]) == 0
    stream.flush()
    assert b"chromo-edge" in device.getvalue()


def test_version_of_a_checkout_that_was_never_installed(chromo: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", Mock(side_effect=PackageNotFoundError))
    assert chromo("--version") == (0, "chromo-edge\n", "")


def process(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge.cli", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_help_is_quick() -> None:
    start_s = time.perf_counter()
    with process("--help") as running:
        out, _ = running.communicate(timeout=30)
    assert "label" in out
    assert time.perf_counter() - start_s < 5  # 0.3 s on an idle desktop; the bound allows for a busy one


def test_a_closed_pipe_is_no_traceback(models_dir: Path, frames: Path) -> None:
    many = [frames] * 20
    with process("label", *many, "--jsonl", "-") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        errors = running.stderr.read()
        running.wait(timeout=60)
    assert "Traceback" not in errors
    assert "Exception" not in errors


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_a_live_run_cleanly(models_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with process("run", "--camera", "sim", "--headless", "--jsonl", out) as running:
        deadline_s = time.monotonic() + 60
        while not (out.exists() and out.stat().st_size) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        said, errors = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "Traceback" not in errors
    assert "against the truth of" in said
    assert np.all([line["width_px"] for line in lines_of(out)])
