"""How fast this board is, and where the time goes: frames through the pipeline, models alone, a start from nothing.

All times are of the wall clock. What is measured here is what ``chromo-edge bench`` shows and writes (``to_json``).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.board.host import Board
from edge.errors import ModelError
from edge.records import Cell, Frame
from edge.runtime.bundle import TASKS, Task
from edge.text import one_line

DRAWN_KARYOTYPE = "46,XY"
DATA = Path(__file__).resolve().parents[1] / "data"
CELL_BATCHES = (1, 16, 46, 92)
"""Batch sizes for networks that see one chromosome each: one, some, a cell, a cell both ways up."""
_WARM_UP = 2
_START_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 95th percentile of repeated measurements, in milliseconds."""

    median: float
    p95: float

    @classmethod
    def of(cls, times_ms: Sequence[float]) -> Spread:
        return cls(float(np.median(times_ms)), float(np.percentile(times_ms, 95)))

    def to_json(self) -> dict[str, float]:
        return {"median": round(self.median, 2), "p95": round(self.p95, 2)}


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """One network alone. ``threads_ms``: number of threads to median milliseconds for one picture; ``batch_ms``: batch
    size to median milliseconds a call; ``peak_share``: its multiply-accumulates a second as a share of what
    ``peak_macs_per_s`` found, 0..1."""

    model_id: str
    dtype: str
    macs: int
    threads_ms: dict[int, float]
    batch_ms: dict[int, float]
    peak_share: float

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.model_id,
            "dtype": self.dtype,
            "macs": self.macs,
            "threads_ms": {str(k): round(v, 3) for k, v in self.threads_ms.items()},
            "batch_ms": {str(k): round(v, 3) for k, v in self.batch_ms.items()},
            "peak_share": round(self.peak_share, 3),
        }


@dataclass(frozen=True, slots=True)
class Bench:
    """``frames_by_threads``: number of threads to a whole frame's time, as the live loop labels it. Measured with
    ``threads`` are ``frame``, ``stage_ms``, and ``thorough``: the time of a frame read as a captured or stored one."""

    board: Board
    threads: int
    frames: int
    chromosomes: float
    frames_by_threads: dict[int, Spread]
    thorough: Spread
    stage_ms: dict[str, float]
    cold_start_s: float
    rss_mb: float
    peak_macs_per_s: dict[str, float]
    models: dict[str, ModelSpeed]

    @property
    def frame(self) -> Spread:
        return self.frames_by_threads[self.threads]

    def to_json(self) -> dict[str, Any]:
        """The object of ``chromo-edge bench --json``: stable, others build on it."""
        by_threads = {str(n): spread.to_json() for n, spread in self.frames_by_threads.items()}
        peaks = {dtype: round(peak / 1e9, 2) for dtype, peak in self.peak_macs_per_s.items()}
        return {
            "board": self.board.to_json() | {"peak_gmacs_per_s": peaks},
            "frame_ms": {
                **self.frame.to_json(),
                "threads": self.threads,
                "by_threads": by_threads,
                "frames": self.frames,
                "chromosomes": round(self.chromosomes, 1),
            },
            "thorough_ms": self.thorough.to_json(),
            "stage_ms": {stage: round(ms, 2) for stage, ms in self.stage_ms.items()},
            "cold_start_s": round(self.cold_start_s, 3),
            "rss_mb": round(self.rss_mb, 1),
            "models": {role: model.to_json() for role, model in self.models.items()},
        }


def drawn_frames(count: int) -> list[Frame]:
    """Frames of drawn cells with 46 chromosomes, 700 x 700 px, seeded."""
    from edge.camera.metaphase import draw_metaphase

    return [
        Frame(draw_metaphase(seed, DRAWN_KARYOTYPE, size_px=(700, 700)).pixels, seed, 0.0, f"drawn-{seed}.png")
        for seed in range(count)
    ]


def start_from_nothing(frames: Sequence[Frame], models_dir: Path | None, threads: int) -> tuple[float, float]:
    """(seconds from starting a process to its first label on standard output, its peak resident MB over ``frames``).

    What a person waits for after typing ``chromo-edge label``. ``ModelError`` when that process fails.
    """
    import cv2

    with tempfile.TemporaryDirectory() as folder:
        for frame in frames:
            cv2.imwrite(str(Path(folder) / f"{frame.index:05}.png"), frame.pixels)
        words = ["label", folder, "--jsonl", "-", "--threads", str(threads)]
        words += ["--models", str(models_dir)] if models_dir is not None else []
        program = [sys.executable, "-c", _FRESH, *words]
        started_s = time.monotonic()
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            cold_s = time.monotonic() - started_s
            try:
                _, said = process.communicate(timeout=_START_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise ModelError(f"a fresh chromo-edge label took more than {_START_TIMEOUT_S} s") from None
    if process.returncode != 0 or not first.startswith("{"):
        raise ModelError(f"a fresh chromo-edge label failed: {one_line(said)}")
    return cold_s, float(json.loads(said.splitlines()[-1])["peak_mb"])


_FRESH = """
import json, sys
from edge.cli import main
code = main(sys.argv[1:])
from edge.board.host import process_mb
print(json.dumps({"peak_mb": process_mb("VmHWM")}), file=sys.stderr)
sys.exit(code)
"""


def time_frames(
    frames: Sequence[Frame], label: Callable[[Frame], Cell], repeats: int
) -> tuple[Spread, dict[str, float], float]:
    """The whole frame's time, each stage's median, and chromosomes a frame; the first frames are not counted."""
    for frame in frames[:_WARM_UP]:
        label(frame)
    times_ms: list[float] = []
    stages: dict[str, list[float]] = {}
    found = 0
    for _ in range(repeats):
        for seen in frames:
            frame = replace(seen)  # as a camera gives it: what is kept of a frame is kept of this record
            start_s = time.perf_counter()
            cell = label(frame)
            times_ms.append((time.perf_counter() - start_s) * 1e3)
            found += cell.count
            for stage, ms in cell.stage_ms.items():
                stages.setdefault(stage, []).append(ms)
    medians = {stage: float(np.median(ms)) for stage, ms in stages.items()}
    return Spread.of(times_ms), medians, found / len(times_ms)


def peak_macs_per_s(dtype: str, threads: int, times: int = 30) -> float:
    """Multiply-accumulates a second that this runtime reaches at best here, on plain matrix products.

    ``dtype`` is int8 or float32; the models are those of ``tools/make_peak_models.py``. The fastest of ``times`` calls,
    without Intel's matrix tiles, as our networks run (``edge.runtime.tiles``).
    """
    from edge.runtime.interpreter import Network
    from edge.runtime.macs import count_macs

    model = (DATA / f"peak_{dtype}.tflite").read_bytes()
    network = Network(model, threads)
    pixels = np.zeros(network.input_shape, np.uint8)
    return count_macs(model) / min(_times_s(lambda: network.run_uint8(pixels), times))


def time_model(
    folder: Path, task: Task, thread_counts: Sequence[int], batches: Sequence[int], peaks: dict[tuple[str, int], float]
) -> ModelSpeed:
    """Times the network of the bundle in ``folder``; ``peaks``: (dtype, threads) to multiply-accumulates a second."""
    from edge.runtime.bundle import load_bundle
    from edge.runtime.interpreter import Network
    from edge.runtime.macs import count_macs

    bundle = load_bundle(folder, task)
    macs = count_macs(bundle.model_bytes)
    rng = np.random.default_rng(0)
    most = max(thread_counts)
    threads_ms, batch_ms, dtype = {}, {}, ""
    fastest_s = float("inf")
    for threads in thread_counts:
        network = Network.of_bundle(bundle, threads)
        dtype = "int8" if network.input_dtype.kind in "iu" else "float32"
        for batch in (1, *(batches if threads == most else ())):
            pixels = rng.integers(0, 256, (batch, *network.input_shape[1:]), np.uint8)
            times_s = _times_s(lambda: network.run_uint8(pixels), 15 if batch == 1 else 7)  # noqa: B023
            if batch == 1:
                threads_ms[threads] = float(np.median(times_s)) * 1e3
            if batch in batches:
                batch_ms[batch] = float(np.median(times_s)) * 1e3
            if threads == most:
                fastest_s = min(fastest_s, min(times_s) / batch)  # the peak, too, is of the fastest call
    return ModelSpeed(bundle.model_id, dtype, macs, threads_ms, batch_ms, macs / fastest_s / peaks[dtype, most])


def _times_s(call: Callable[[], object], times: int) -> list[float]:
    call()
    taken = []
    for _ in range(times):
        start_s = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start_s)
    return taken


def run_bench(
    frames: Sequence[Frame],
    models_dir: Path | None,
    *,
    threads: int,
    repeats: int,
    progress: Callable[[str], None],
) -> Bench:
    """Everything, in the order that disturbs least: the fresh process first, then the whole frame, then the parts."""
    from edge.board.host import this_board
    from edge.config import default_models_dir
    from edge.pipeline import load_pipeline
    from edge.runtime.interpreter import runtime_name

    board = this_board(runtime_name())  # now, while the load is still the others'
    progress("start from nothing")
    cold_start_s, rss_mb = start_from_nothing(frames, models_dir, threads)
    thread_counts = sorted({*range(1, board.cores + 1), threads})
    by_threads: dict[int, Spread] = {}
    stage_ms: dict[str, float] = {}
    chromosomes = 0.0
    for count in thread_counts:
        progress(f"frames, {count} thread{'s' * (count > 1)}")
        pipeline = load_pipeline(models_dir, count)
        by_threads[count], stages, found = time_frames(frames, pipeline.label_live, repeats)
        if count == threads:
            stage_ms, chromosomes = stages, found
            progress("frames, thoroughly")
            thorough, _, _ = time_frames(frames, pipeline.label, repeats)
    progress("this machine's peak")
    peaks = {(dtype, n): peak_macs_per_s(dtype, n) for dtype in ("int8", "float32") for n in (1, max(thread_counts))}
    folder = models_dir if models_dir is not None else default_models_dir()
    models: dict[str, ModelSpeed] = {}
    for role in (task for task in TASKS if (folder / task).is_dir()):
        progress(f"the {role} alone")
        batches = () if role == "locator" else CELL_BATCHES
        models[role] = time_model(folder / role, role, thread_counts, batches, peaks)
    most = max(thread_counts)
    return Bench(
        board=board,
        threads=threads,
        frames=len(frames),
        chromosomes=chromosomes,
        frames_by_threads=by_threads,
        thorough=thorough,
        stage_ms=stage_ms,
        cold_start_s=cold_start_s,
        rss_mb=rss_mb,
        peak_macs_per_s={dtype: peaks[dtype, most] for dtype in ("int8", "float32")},
        models=models,
    )
