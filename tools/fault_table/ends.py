"""Ends that the program does not choose: signals and cut power."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from edge.cases.edits import Relabel
from edge.cases.store import CaseStore
from edge.errors import ChromoError
from edge.runtime.bundle import load_bundle
from fault_table.live import Ledger, Live
from fault_table.record import ROOT, Bench, Fault, Try

KILLS = 60
"""At least so many kills of a store in the middle of edits."""


def _signals(bench: Bench, times: int, *, number: signal.Signals) -> Iterator[Try]:
    """Signals to the live program in the middle of captures and edits; each start goes on with the same case and
    file."""
    folder, models, ledger = bench.fresh(), bench.models(), Ledger()
    written = 0
    for _ in range(times):
        with Live(folder, models, ledger=ledger) as live:
            live.await_labels()
            editor = threading.Thread(target=live.edit_until_gone, args=(random.Random(bench.rng.random()),))
            editor.start()
            time.sleep(bench.rng.uniform(0.2, 1.0))
            asked_s = time.monotonic()
            since_s = live.next_cell()
            live.process.send_signal(number)
            live.process.wait(60)
            took_s = time.monotonic() - asked_s
            editor.join()
            time.sleep(1.5)  # longer than labels may stay, so that a page that goes on showing them is noticed
            said = [f"exit code {live.process.returncode}"]
            said += ["the page blanks"] if live.page.now.frame < 0 else ["THE PAGE GOES ON SHOWING LABELS"]
            said += ["ended within 15 s"] if took_s < 15 else [f"ENDED AFTER {took_s:.1f} s"]
            said += ["A TRACEBACK"] if "Traceback" in live.said() else []
            stale_s = live.wrong_s(since_s)
        lost = ledger.missing(live.cases)
        lines, written, broken = _lines(live.jsonl, written, cut=number == signal.SIGKILL)
        said += ["JSON lines whole" if lines else "NO JSON LINES"]
        yield Try(stale_s, tuple(said), None, tuple(lost + broken))


def _lines(path: Path, before: int, *, cut: bool) -> tuple[int, int, list[str]]:
    """(new lines, all lines, what is wrong with them); a killed program may leave its last one unfinished."""
    whole, _, rest = path.read_text().rpartition("\n")
    lines, broken = whole.splitlines(), []
    for number, line in enumerate(lines):
        try:
            json.loads(line)
        except ValueError:
            broken.append(f"JSON line {number} is not whole")
    if len(lines) < before:
        broken.append(f"{before - len(lines)} JSON lines are gone")
    if rest:
        broken += [] if cut else ["the last JSON line is not whole"]
        path.write_text(whole + "\n")
    return len(lines) - before, len(lines), broken


def _stopped(bench: Bench, times: int) -> Iterator[Try]:
    with Live(bench.fresh(), bench.models()) as live:
        live.await_labels()
        for _ in range(times):
            since_s = live.next_cell()
            live.process.send_signal(signal.SIGSTOP)
            time.sleep(bench.rng.uniform(1.0, 2.0))
            live.process.send_signal(signal.SIGCONT)
            back_s = live.await_labels()
            yield Try(live.wrong_s(since_s), tuple(live.page.faults_since(since_s)), back_s)


def _power(bench: Bench, times: int) -> Iterator[Try]:
    """Kills in the middle of edits, one try each: when the store is opened again, every acknowledged edit must be
    there."""
    folder, kills, ids = bench.fresh() / "cases", max(KILLS, times), []
    with CaseStore(folder) as store:
        store.new_case("A-1", "kim")
    words = [sys.executable, "-m", "tests.edge.cases.killed", str(folder), "A-1", str(kills)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as program:
        assert program.stdout is not None
        for line in program.stdout:
            said, lost = json.loads(line), []
            try:
                with CaseStore(folder) as after:
                    kept = {e.revision: e.edit for e in after.cell(said["cell"]).events}
                edits = [(int(n), Relabel(int(one), label)) for n, one, label in said["edits"]]
                lost = [f"cell {said['cell']} edit {n}" for n, edit in edits if kept.get(n) != edit]
            except ChromoError as why:
                lost = [str(why)]
            ids.append(said["cell"])
            yield Try(None, ("reopened at once, every acknowledged edit compared",), None, tuple(lost))
    with CaseStore(folder) as store:
        wrong = [str(fault) for fault in store.verify().faults]
        wrong += [f"cell {id} is gone" for id in ids if id not in store.case("A-1").cells]
    if wrong:
        yield Try(None, ("THE LOG DOES NOT VERIFY",), None, tuple(wrong))


WRITE = """
import sys
from pathlib import Path
from edge.sinks.jsonl import JsonlSink
from tests.builders import make_cell, make_frame
sink = JsonlSink(Path(sys.argv[1]), append=True)
for n in range(10**6): sink.put(make_frame(index=n), make_cell(index=n)); print(n, flush=True)
"""
INSTALL = """
import sys
from pathlib import Path
from edge.board import model_store as m
m._prove = lambda bundle: None
print(flush=True)
while True: m.install(Path(sys.argv[1]), Path(sys.argv[2])); m.rollback(Path(sys.argv[2]), "classifier")
"""


def _power_lines(bench: Bench, times: int) -> Iterator[Try]:
    out, acknowledged = bench.fresh() / "out.jsonl", 0
    for _ in range(times):
        command = [sys.executable, "-c", WRITE, str(out)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(bench.rng.uniform(0, 0.05))
            process.kill()
            acknowledged += 1 + len(process.stdout.read().splitlines()[:-1])
        _, there, broken = _lines(out, 0, cut=True)
        broken += [f"{acknowledged - there} lines"] if there < acknowledged else []
        yield Try(None, ("every written line is whole, the next run adds to them",), None, tuple(broken))


def _power_install(bench: Bench, times: int) -> Iterator[Try]:
    models, other = bench.models(), bench.fresh() / "classifier"
    shutil.copytree(models / "classifier", other)
    model = load_bundle(other, "classifier").model_path  # the model compiled for the accelerator lies beside it
    content = model.read_bytes() + b"\0"
    model.write_bytes(content)
    fields = json.loads((other / "bundle.json").read_text())
    fields |= {"sha256": hashlib.sha256(content).hexdigest(), "name": "other"}
    (other / "bundle.json").write_text(json.dumps(fields))
    names = {load_bundle(models / "classifier", "classifier").name, "other"}
    for _ in range(times):
        command = [sys.executable, "-c", INSTALL, str(other), str(models)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(bench.rng.uniform(0, 0.1))
            process.kill()
        try:
            lost = [] if load_bundle(models / "classifier", "classifier").name in names else ["another model"]
        except ChromoError as why:
            lost = [str(why)]
        yield Try(None, ("a sound model is there, the old or the new",), None, tuple(lost))


FAULTS = [
    Fault(
        "sigterm",
        "SIGTERM in the middle of captures and edits through the page (as the first; the next start goes on with the "
        "same case)",
        partial(_signals, number=signal.SIGTERM),
    ),
    Fault(
        "sigkill",
        "SIGKILL in the middle of captures and edits through the page (as above)",
        partial(_signals, number=signal.SIGKILL),
    ),
    Fault("stopped", "The whole program stands still for 1 to 2 s (SIGSTOP; as the first)", _stopped),
    Fault("power-edits", "Power cut while edits are saved: kill -9 at random moments, case reopened each time", _power),
    Fault("power-lines", "Power cut while JSON lines are written: kill -9 at random moments", _power_lines),
    Fault("power-install", "Power cut while a model is installed: kill -9 at random moments", _power_install),
]
