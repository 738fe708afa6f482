"""What other clients can do to the page: too many, too slow, malformed. They run in another process (``storm.py``)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial

import httpx

from fault_table.live import Live
from fault_table.nursery import ENVIRONMENT, ROOT
from fault_table.page import PageClient
from fault_table.record import Bench, Fault, Try
from fault_table.slow import SlowLink

CLIENTS = 500
INPUTS = 2000
"""So many random inputs in each try."""


def _storm(bench: Bench, times: int, *, kind: str, amount: int) -> Iterator[Try]:
    with Live(bench.fresh(), bench.models()) as live:
        live.await_labels()
        live.capture()
        for _ in range(times):
            begin_s = time.monotonic()
            command = [sys.executable, "-m", "fault_table.storm", kind, live.base, str(amount), str(bench.rng.random())]
            with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as storm:
                assert storm.stdout is not None
                storm.stdout.readline()  # the line that says that it has begun
                changes, backs = [], []
                while storm.poll() is None:
                    changes.append(live.next_cell())
                    backs.append(live.await_labels())
                    time.sleep(0.3)
                if storm.returncode:
                    raise ValueError(f"the storm itself failed with exit code {storm.returncode}")
                told = json.loads(storm.stdout.read())
            backs.append(live.await_labels())
            after = _status(live)
            said = [f"{what}: {n}" for what, n in sorted(told.items()) if isinstance(n, str)]
            said += [f"{n} ANSWERS OF STATUS 500" for n in [told.get("failed", 0)] if n]
            said += ["a capture is taken right after"] if after == 201 else [f"CAPTURE AFTER IT: {after}"]
            said += ["A TRACEBACK"] if "Traceback" in live.said() else []
            live_s = max(live.wrong_s(s) for s in changes) if changes else live.wrong_s(begin_s)
            yield Try(live_s, ("the page goes on", *said, *live.page.faults_since(begin_s)), max(backs))
    missing = tuple(live.ledger.missing(live.cases))
    if missing:
        yield Try(None, (), None, missing)


def _status(live: Live) -> int | None:
    try:
        return live.capture_at_rest()
    except httpx.HTTPError:
        return None


def _slow(bench: Bench, times: int) -> Iterator[Try]:
    with Live(bench.fresh(), bench.models()) as live:
        live.await_labels()
        for number in range(times):
            with SlowLink(live.base, bench.rng.uniform(4e3, 3e4) if number % 4 else 0.0) as link:
                slow = PageClient(link.address)
                time.sleep(bench.rng.uniform(2.0, 4.0))
                since_s = live.next_cell()
                back_s = live.await_labels()
                time.sleep(2.0)
                slow_s, fast_s = live.wrong_s(since_s, slow), live.wrong_s(since_s)
                said = tuple(f"slow page: {fault}" for fault in slow.faults_since(since_s - 4))
                slow.close()
            said += ("WRONG ON THE OTHER PAGE",) if fast_s > 1 else ("the other page goes on",)
            yield Try(max(slow_s, fast_s), said, back_s)


FAULTS = [
    Fault(
        "clients-500",
        f"{CLIENTS} more page clients at once, each asking for the page and the socket, while the stage moves from "
        "cell to cell (as the first)",
        partial(_storm, kind="clients", amount=CLIENTS),
    ),
    Fault(
        "silent-500",
        f"{CLIENTS} connections that say nothing, held for 8 s (as above)",
        partial(_storm, kind="silent", amount=CLIENTS),
    ),
    Fault(
        "slow-client",
        "A slow client: a page behind a link of 0 or 4 to 30 kB/s, another cell under the lens (as the first; the "
        "worse of that page and an ordinary one)",
        _slow,
    ),
    Fault(
        "fuzzed",
        f"Malformed HTTP and WebSocket input, {INPUTS} random inputs a try, seeded, while the stage moves from cell to "
        "cell (as the first)",
        partial(_storm, kind="fuzz", amount=INPUTS),
    ),
]
