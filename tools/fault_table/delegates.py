"""What an accelerator and its models can do wrong: real child processes, the runtime's real loading of a library that
stands in for libedgetpu (tests/edge/runtime/delegate.c), and the tiny models of the tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edge.cases.store import CaseStore
from edge.errors import BundleInvalid
from edge.runtime.bundle import TASKS, load_bundle
from fault_table.live import PATIENCE_S, Live
from fault_table.record import Bench, Fault, Try


def _workers(pid: int) -> list[int]:
    """The processes that ``pid`` started for the accelerator."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def _accelerated(live: Live, least: int) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        if sum(live.lens()[1].values()) >= least:
            return True
        time.sleep(0.1)
    return False


def _at_work(bench: Bench, times: int, *, numbers: tuple[signal.Signals, ...]) -> Iterator[Try]:
    env = {"LD_LIBRARY_PATH": str(bench.stand_ins), "FAKE_DELEGATE": "works"}
    words = ("--delegate", "edgetpu")
    with Live(bench.fresh(), bench.models(), networks=True, words=words, env=env) as live:
        live.await_labels()
        for number in range(times):
            ready = _accelerated(live, len(TASKS) - 1)
            since_s = live.next_cell()
            workers = _workers(live.process.pid)
            if workers:
                os.kill(bench.rng.choice(workers), numbers[number % len(numbers)])
            back_s = live.await_labels()
            told = not all(live.lens()[1].values())
            said = ["work goes on on the CPU, and it is said" if told else "the page goes on"]
            said += [] if ready else ["THE ACCELERATOR DID NOT COME BACK"]
            yield Try(live.wrong_s(since_s), (*said, *live.page.faults_since(since_s)), back_s)


def _at_start(bench: Bench, times: int) -> Iterator[Try]:
    folder, models = bench.fresh(), bench.models()
    for number in range(times):
        mode = ("absent", "crash", "hang", "no library")[number % 4]
        env = {"FAKE_DELEGATE": mode}
        if mode != "no library":
            env["LD_LIBRARY_PATH"] = str(bench.stand_ins)
        words = ("--delegate", "edgetpu")
        started_s = time.monotonic()
        with Live(folder, models, networks=True, words=words, env=env) as live:
            back_s = live.await_labels()
            first_s = time.monotonic() - started_s if back_s < float("inf") else back_s
            since_s = live.next_cell()
            live.await_labels()
            alone = not any(live.lens()[1].values())
            said = "starts on the CPU, and it is said" if alone else "NOT ON THE CPU"
            yield Try(live.wrong_s(since_s), (said,), first_s)


def _swapped(bench: Bench, times: int) -> Iterator[Try]:
    models = bench.models()
    sound = {path: path.read_bytes() for path in models.glob("*/*.tflite")}
    expected = {task: load_bundle(models / task, task).model_id for task in TASKS}
    with Live(bench.fresh(), models, networks=True) as live:
        live.await_labels()
        for number in range(times):
            since_s = live.next_cell()
            for path, content in sound.items():
                if number % 3 == 0:  # the file itself is written over, also where it is mapped
                    path.write_bytes(bench.rng.randbytes(len(content)))
                elif number % 3 == 1:  # and cut short
                    path.write_bytes(content[: bench.rng.randrange(len(content))])
                else:  # another one takes its name
                    path.unlink()
                    path.write_bytes(content + b"\0")
            back_s = live.await_labels()
            captured = live.capture()
            said = ["labels go on with the models that were verified"]
            with CaseStore(live.cases) as store:
                named = store.cell(captured.json()["id"]).captured.cell.models if captured.status_code == 201 else None
            if named is not None and dict(named) != expected:
                said = [f"LABELS NAME OTHER MODELS: {named}"]
            try:
                load_bundle(models / "locator", "locator")
                said.append("THE SWAPPED FILE IS TAKEN AT THE NEXT START")
            except BundleInvalid:
                said.append("the next start refuses the file")
            yield Try(live.wrong_s(since_s), (*said, *live.page.faults_since(since_s)), back_s)
            for path, content in sound.items():
                path.write_bytes(content)
    missing = tuple(live.ledger.missing(live.cases))
    if missing:
        yield Try(None, (), None, missing)


_STAND_IN = "stand-in library under the real runtime, tiny test models, another cell in that moment"
FAULTS = [
    Fault(
        "delegate-hangs",
        f"Delegate hangs: its process is stopped at work ({_STAND_IN})",
        partial(_at_work, numbers=(signal.SIGSTOP,)),
    ),
    Fault(
        "delegate-crashes",
        "Delegate crashes its process: SIGSEGV, SIGKILL, SIGABRT at work (as above)",
        partial(_at_work, numbers=(signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT)),
    ),
    Fault(
        "delegate-absent",
        "Delegate absent at start: no device, no library, crashes or hangs while loading (as above; time from the "
        "program's start)",
        _at_start,
    ),
    Fault(
        "model-swapped",
        "Model files swapped during the run: written over, cut short, replaced (tiny test models)",
        _swapped,
    ),
]
