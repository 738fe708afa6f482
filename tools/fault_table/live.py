"""A live program in a process of its own, a page client that watches it, and a ledger of what it acknowledged."""

from __future__ import annotations

import itertools
import json
import queue
import random
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import httpx

from edge.cases.edits import Relabel
from edge.cases.store import CaseStore
from edge.errors import ChromoError
from edge.records import LABELS
from fault_table.nursery import Nursery, fresh
from fault_table.page import PageClient, Shown
from fault_table.program import CELLS, bars_of

NURSERY = Nursery()
CASE = "faults"
PATIENCE_S = 60.0
"""How long an event is waited for: a busy machine is no failure."""


class Ledger:
    """What was acknowledged: cells with their edits ``(revision, chromosome, label)``."""

    def __init__(self) -> None:
        self.edits: dict[int, list[tuple[int, int, str]]] = {}
        self._lock = threading.Lock()

    def cell(self, id: int) -> None:
        with self._lock:
            self.edits[id] = []

    def edit(self, id: int, revision: int, chromosome: int, label: str) -> None:
        with self._lock:
            self.edits[id].append((revision, chromosome, label))

    def count(self) -> int:
        return len(self.edits) + sum(map(len, self.edits.values()))

    def missing(self, folder: Path) -> list[str]:
        """What is acknowledged and not in the store, and what the store finds wrong with itself."""
        if not self.edits:
            return []
        with CaseStore(folder) as store:
            wrong = [str(fault) for fault in store.verify().faults]
            for id, edits in self.edits.items():
                try:
                    kept = {event.revision: event.edit for event in store.cell(id).events}
                except ChromoError as why:
                    wrong.append(str(why))
                    continue
                wrong += [f"cell {id} edit {n}" for n, one, label in edits if kept.get(n) != Relabel(one, label)]
        return wrong


class Live:
    """A live program, started when this is made, in ``folder``: with its case store, its JSON lines, its standard
    error."""

    def __init__(
        self,
        folder: Path,
        models: Path,
        *,
        networks: bool = False,
        words: tuple[str, ...] = (),
        cases: Path | None = None,
        env: dict[str, str] | None = None,
        before: tuple[str, ...] = (),
        ledger: Ledger | None = None,
    ) -> None:
        self.folder, self.networks, self.ledger = folder, networks, ledger or Ledger()
        self.cases, self.jsonl, self.errors = cases or folder / "cases", folder / "out.jsonl", folder / "stderr"
        self._ids, self._answers = itertools.count(), queue.Queue[dict[str, Any]]()
        self._cell_of: dict[int, int] = {}
        self._under: list[tuple[float, int]] = [(0.0, 0)]
        run = ["run", "--camera", "fault", "--models", str(models), "--cases", str(self.cases), "--case", CASE]
        run += ["--port", "0", "--jsonl", str(self.jsonl), *words, *["--networks"] * networks]
        if before or "LD_PRELOAD" in (env or {}):
            self.process = fresh(run, self.errors, env or {}, before)
        else:
            self.process = NURSERY.start(run, self.errors, env or {})
        threading.Thread(target=self._listen, args=(self.process.reports,), daemon=True).start()
        self.base = self._address()
        self.page = PageClient(self.base.replace("http", "ws") + "/live")
        self.http = httpx.Client(base_url=self.base, timeout=PATIENCE_S)

    def close(self) -> None:
        self.page.close()
        self.http.close()
        self.process.close()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The lens

    def lens(self, **asked: Any) -> tuple[float, dict[str, bool]]:
        """Tells the camera what to do; returns when it did so, in monotonic seconds, and which networks the accelerator
        computes."""
        asked["id"] = next(self._ids)
        self.process.stdin.write((json.dumps(asked) + "\n").encode())
        self.process.stdin.flush()
        answer = self._answers.get(timeout=PATIENCE_S)
        if "cell" in asked:
            self._under.append((answer["at_s"], asked["cell"]))
        return float(answer["at_s"]), dict(answer["accelerated"])

    def next_cell(self, **asked: Any) -> float:
        """Puts another cell under the lens at the moment of what is asked for."""
        return self.lens(cell=(self._under[-1][1] + 1) % CELLS, **asked)[0]

    def right(self, shown: Shown, cell: int) -> bool:
        """Whether these are labels of ``cell``; with the quick stages, also whether they are right."""
        if self._cell_of.get(shown.frame) != cell:
            return False
        return self.networks or shown.names == tuple(sorted(map(str, bars_of(cell))))

    def await_labels(self) -> float:
        """Seconds until the page shows labels of what is under the lens, and nothing else; inf if it does not."""
        started_s = time.monotonic()
        while time.monotonic() - started_s < PATIENCE_S and self.process.poll() is None:
            if self.page.now.frame >= 0 and self.right(self.page.now, self._under[-1][1]):
                return time.monotonic() - started_s
            time.sleep(0.02)
        return float("inf")

    def wrong_s(self, since_s: float, page: PageClient | None = None) -> float:
        """The longest time after ``since_s`` that other labels than those of what was under the lens were shown."""
        now_s, longest_s = time.monotonic(), 0.0
        shown = list((page or self.page).shown)
        spans = [(a, b.since_s) for a, b in itertools.pairwise(shown)] + [(shown[-1], now_s)]
        changes = [*self._under, (now_s, -1)]
        for (from_s, cell), (to_s, _) in itertools.pairwise(changes):
            for one, end_s in spans:
                begin_s, last_s = max(one.since_s, from_s, since_s), min(end_s, to_s)
                if one.frame >= 0 and last_s > begin_s and not self.right(one, cell):
                    longest_s = max(longest_s, last_s - max(from_s, since_s))
        return longest_s

    # The desk

    def capture(self) -> httpx.Response:
        """Captures what is under the lens into a case of its own: one case takes a cell only once."""
        opened = self.http.post("/api/case/open", json={"actor": "kim", "name": f"{CASE} {time.monotonic_ns()}"})
        if opened.status_code != 200:
            return opened
        answer = self.http.post("/api/capture", json={"actor": "kim"})
        if answer.status_code == 201:
            self.ledger.cell(answer.json()["id"])
        return answer

    def capture_at_rest(self) -> int:
        """The status of a capture made as soon as the stage stands still, within some seconds."""
        for _ in range(50):
            code = self.capture().status_code
            if code != 422:
                break
            time.sleep(0.1)
        return code

    def relabel(self, id: int, revision: int, rng: random.Random) -> httpx.Response:
        chromosome, label = rng.randrange(BARS_LEAST), rng.choice(LABELS)
        change = {"edit": "relabel", "chromosome": chromosome, "label": label}
        body = {"actor": "kim", "based_on": revision, "change": change}
        answer = self.http.post(f"/api/cells/{id}/edit", json=body)
        if answer.status_code == 200:
            self.ledger.edit(id, answer.json()["revision"], chromosome, label)
        return answer

    def edit_until_gone(self, rng: random.Random) -> None:
        """Captures and edits as fast as possible until the program no longer answers."""
        try:
            while True:
                captured = self.capture()
                if captured.status_code != 201:
                    time.sleep(0.05)
                    continue
                cell = captured.json()
                for revision in range(rng.randrange(1, 6)):
                    self.relabel(cell["id"], revision, rng)
        except (httpx.HTTPError, OSError, ValueError):
            return

    def said(self) -> str:
        return self.errors.read_text(errors="replace")

    def _address(self) -> str:
        for line in self.process.stdout:
            if found := re.search(rb"live page: (http://[^/]+)", line):
                threading.Thread(target=_drain, args=(self.process.stdout,), daemon=True).start()
                return found[1].decode()
        raise RuntimeError(f"the live program did not start: {self.said()[-500:]}")

    def _listen(self, reports: IO[str]) -> None:
        with suppress(ValueError):  # closed, or cut off in the middle of a line
            for line in reports:
                said = json.loads(line)
                if "frame" in said:
                    self._cell_of[said["frame"]] = said["cell"]
                else:
                    self._answers.put(said)


BARS_LEAST = 3
"""Chromosomes that every captured cell has, so that they can be edited."""


def _drain(pipe: IO[bytes]) -> None:
    with suppress(ValueError):
        for _ in pipe:
            pass
