"""The live program as ``chromo-edge run`` starts it, with a camera that does what the parent process says.

    python -m fault_table.program REPORTS [--networks] run --camera fault ...

``REPORTS`` is the file descriptor of a pipe for JSON lines. Commands come as JSON lines on standard input: ``cell`` is
what lies under the lens from now on, ``fault`` what the camera does. Without ``--networks`` the stages are quick ones
that read bars of known length (tests/edge/stages.py), so that the right labels of every frame are known. Everything
else, from the command line to the server, is the program's own.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import edge.camera
import edge.pipeline
from edge.camera.base import Camera
from edge.camera.reader import DeviceCamera
from edge.cli import main
from edge.errors import CameraLost, CameraNotFound
from edge.locate.ways import Way
from edge.records import Cell, Frame, UInt8Array
from edge.runtime.guarded import acceleration
from tests.edge.stages import bar_pipeline, draw_bars

FPS = 15
BARS = 12
CELLS = 100
"""Cells under the lens are numbered from 0; one more is the first again."""
MARK = 140
"""The grey of the first pixel of a frame of cell 0, of cell 1 it is one more: bright enough to be no chromosome."""


def bars_of(cell: int) -> list[int]:
    """The chromosomes of a cell, as the lengths of bars."""
    return [int(n) + 1 for n in np.random.default_rng(cell).permutation(22)[:BARS]]


class Lens:
    """What lies under the lens and what is wrong with the camera, as the parent last said."""

    def __init__(self) -> None:
        self.cell, self.fault, self.amount = 0, "", 0
        self.healed = threading.Event()
        self._cell_drawn, self._drawn = -1, draw_bars([1])

    def picture(self, rng: np.random.Generator) -> UInt8Array:
        cell = self.cell
        if cell != self._cell_drawn:
            self._cell_drawn, self._drawn = cell, draw_bars(bars_of(cell))
        drawn = self._drawn
        if self.fault == "size":  # a wider and higher field around the same bars
            drawn = np.pad(drawn, ((0, self.amount), (self.amount // 2, 0)), constant_values=220)
        pixels = np.clip(drawn + rng.normal(0, 1.5, drawn.shape), 0, 255).astype(np.uint8)
        pixels[0, 0] = MARK + cell  # so that whoever labels the frame can tell what it showed
        return pixels


class LensCamera:
    """A camera device over a ``Lens``."""

    name = "fault"

    def __init__(self, lens: Lens) -> None:
        self._lens = lens
        self._rng = np.random.default_rng()
        self._due_s = time.monotonic()
        self._last: UInt8Array | None = None

    def open(self) -> None:
        if self._lens.fault == "unplugged":
            raise CameraNotFound("fault: no such device")

    def read(self) -> UInt8Array:
        self._due_s = max(self._due_s + 1 / FPS, time.monotonic())
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        fault = self._lens.fault
        if fault == "unplugged":
            raise CameraLost("fault: unplugged")
        if fault == "stuck":
            self._lens.healed.wait()
        if fault == "frozen" and self._last is not None:
            return self._last.copy()
        pixels = self._lens.picture(self._rng)
        if fault == "half":  # the transfer broke off: what was not sent is one grey
            pixels[int(len(pixels) * self._rng.uniform(0.05, 0.85)) :] = self._lens.amount
        self._last = pixels
        return pixels

    def close(self) -> None: ...


def obey(lens: Lens, say: Callable[[dict[str, Any]], None]) -> None:
    """Follows the parent until it is gone; then the process ends too."""
    for line in sys.stdin:
        asked = json.loads(line)
        lens.amount = asked.get("amount", lens.amount)
        lens.cell, lens.fault = asked.get("cell", lens.cell), asked.get("fault", lens.fault)
        (lens.healed.set if not lens.fault else lens.healed.clear)()
        computed = acceleration()
        networks = dict(computed.networks) if computed is not None else {}
        say({"done": asked["id"], "at_s": time.monotonic(), "accelerated": networks})
    os._exit(9)


def run(reports: int, networks: bool, words: list[str]) -> int:
    lock = threading.Lock()

    def say(what: dict[str, Any]) -> None:
        with lock:
            os.write(reports, (json.dumps(what) + "\n").encode())

    lens = Lens()

    def open_lens(*_: object, **__: object) -> Camera:
        return DeviceCamera(LensCamera(lens))

    real = edge.pipeline.load_pipeline

    def load(models: Path | None = None, threads: int = 2) -> Any:
        return Tapped(real(models, threads) if networks else bar_pipeline(), say)

    edge.camera.open_camera = open_lens
    edge.pipeline.load_pipeline = load  # type: ignore[assignment]
    threading.Thread(target=obey, args=(lens, say), daemon=True).start()
    return main(words)


class Tapped:
    """A pipeline that says which cell each frame showed, before anybody can see its labels."""

    def __init__(self, pipeline: Any, say: Callable[[dict[str, Any]], None]) -> None:
        self._label, self._say = pipeline.label_live, say
        self.label, self.classify = pipeline.label, pipeline.classify

    def label_live(self, frame: Frame, way: Way) -> Cell:
        self._say({"frame": frame.index, "cell": int(frame.pixels[0, 0]) - MARK})
        return self._label(frame, way)  # type: ignore[no-any-return]


def start(reports: int, words: list[str]) -> int:
    """``words`` with or without ``--networks``; the exit code."""
    return run(reports, "--networks" in words, [word for word in words if word != "--networks"])


if __name__ == "__main__":
    sys.exit(start(int(sys.argv[1]), sys.argv[2:]))
