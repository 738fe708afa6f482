"""Faults of a whole running program: signals, a full disk, swapped models, a clock that jumps, permission lost.

Those of cameras are in camera/test_returning.py, of accelerators in runtime/test_guarded.py, of a model's installation
in board/test_model_store.py.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.camera.simulated import SimulatedCamera
from edge.errors import SinkError
from edge.live.loop import run
from edge.pipeline import load_pipeline
from edge.records import Frame
from edge.sinks.jsonl import JsonlSink
from tests.builders import make_cell, make_frame
from tests.edge.stages import bar_pipeline, draw_bars

TRIES = 20
ROOT = Path(__file__).resolve().parents[2]

LIVE = """
import sys
from pathlib import Path
import edge.pipeline
from edge.cli import main
from tests.edge.stages import bar_pipeline
edge.pipeline.load_pipeline = lambda *_: bar_pipeline()
sys.exit(main(["run", "--camera", "sim", "--headless", "--jsonl", sys.argv[1]]))
"""
"""The live program on the simulated scope, with quick stages in the place of the models."""


def start(out: Path) -> subprocess.Popen[str]:
    """The live program, once it has written two lines: the first of them is compared with the truth by then."""
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE, str(out)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline_s = time.monotonic() + 120
    while (
        not (out.exists() and out.read_text().count("\n") > 1)
        and process.poll() is None
        and time.monotonic() < deadline_s
    ):
        time.sleep(0.02)
    return process


def sound_lines(out: Path) -> list[int]:
    """Indices of the whole lines; every line but the last must be whole."""
    whole, _, rest = out.read_text().rpartition("\n")
    assert "\n" not in rest
    return [json.loads(line)["index"] for line in whole.splitlines()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_asked_to_end(tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path / "out.jsonl") as process:
        process.send_signal(number)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "against the truth of" in said
    assert (tmp_path / "out.jsonl").read_text().endswith("\n")
    assert sound_lines(tmp_path / "out.jsonl")


def test_the_power_goes_twenty_times(tmp_path: Path) -> None:
    """Every line that was written before the kill is there, whole, in order; the next run adds to them."""
    out = tmp_path / "out.jsonl"
    code = (
        "import sys; from pathlib import Path; from edge.sinks.jsonl import JsonlSink\n"
        "from tests.builders import make_cell, make_frame\n"
        "sink = JsonlSink(Path(sys.argv[1]), append=True)\n"
        "for n in range(10**6): sink.put(make_frame(index=n), make_cell(index=n)); print(n, flush=True)"
    )
    acknowledged = 0
    for number in range(TRIES):
        command = [sys.executable, "-c", code, str(out)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.002 * number)
            process.kill()
            acknowledged += 1 + len(process.stdout.read().splitlines()[:-1])
        text = out.read_text()
        if not text.endswith("\n"):  # the one line that was being written
            out.write_text(text.rpartition("\n")[0] + "\n")
    assert len(sound_lines(out)) >= acknowledged


def test_a_full_disk_is_told_and_what_was_written_stays(tmp_path: Path) -> None:
    for _ in range(TRIES):
        sink = JsonlSink(Path("/dev/full"), append=True)
        with pytest.raises(SinkError, match="No space left on device; the lines before it are kept"):
            sink.put(make_frame(), make_cell())
        sink.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_permission_lost(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.touch(0o400)
    with pytest.raises(SinkError, match="Permission denied"):
        JsonlSink(out, append=True)


def test_the_model_file_is_swapped_during_the_run(tiny_models: Path) -> None:
    """The run goes on with the models that it verified, and every cell names those."""
    pipeline = load_pipeline(tiny_models, 1)
    frame = Frame(draw_bars([3, 4]), 0, 0.0, "bars")
    before = pipeline.label(frame)
    for number in range(TRIES):
        for model in tiny_models.glob("*/*.tflite"):
            model.write_bytes(bytes([number]) * number)
        if number % 5:  # labelling with a model without skill takes long
            continue
        after = pipeline.label(frame)
        assert after.models == before.models
        assert [c.region.box_px for c in after.chromosomes] == [c.region.box_px for c in before.chromosomes]


class Jumping:
    """The simulated scope on a machine whose wall clock jumps by a day, forth and back, at each frame."""

    name = "sim"

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._scope = SimulatedCamera(fps=0, size_px=(300, 320))
        self._patch = monkeypatch
        self._now_s = time.time()

    def frames(self) -> Iterator[Frame]:
        for number, frame in enumerate(self._scope.frames()):
            self._now_s += 86_400 * (-1) ** number
            self._patch.setattr(time, "time", lambda: self._now_s)
            yield frame

    def close(self) -> None:
        self._scope.close()


def test_the_clock_jumps_by_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    class Kept:
        captured_s: list[float] = []  # noqa: RUF012

        def put(self, frame: Frame, cell: object) -> None:
            self.captured_s.append(frame.captured_s)

        def close(self) -> None: ...

    kept = Kept()
    run(Jumping(monkeypatch), bar_pipeline().label, [kept], every_frame=True, max_frames=TRIES)
    assert len(kept.captured_s) == TRIES
    assert (np.diff(kept.captured_s) > 0).all()
    assert kept.captured_s[-1] - kept.captured_s[0] < 3600


def test_durations_never_come_from_the_wall_clock() -> None:
    """``time.time`` and naive dates appear nowhere in the edge; dates for people are made with a time zone."""
    found = []
    for path in sorted((ROOT / "edge").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "datetime.utcnow"):
                found.append(f"{path.name}:{node.lineno}")
    assert found == []
