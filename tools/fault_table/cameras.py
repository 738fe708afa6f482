"""What a camera can do wrong. At the moment of each fault another cell comes under the lens, which is the worst
case."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from fault_table.live import Live
from fault_table.record import Bench, Fault, Try

FILLS = (0, 16, 128)
_QUICK = "live program, bars for chromosomes so that every right label is known"


def _tries(bench: Bench, times: int, *, fault: str, hold_s: tuple[float, float]) -> Iterator[Try]:
    with Live(bench.fresh(), bench.models()) as live:
        live.await_labels()
        for number in range(times):
            amount = bench.rng.randrange(1, 60) if fault == "size" else FILLS[number % len(FILLS)]
            captured = live.capture_at_rest()
            since_s = live.next_cell(fault=fault, amount=amount)
            time.sleep(bench.rng.uniform(*hold_s))
            said = tuple(live.page.faults_since(since_s))
            if fault != "size":  # a field of another size is sound: its labels are right
                refused = live.capture().status_code == 422
                said += ("a capture is refused meanwhile" if refused else "A CAPTURE WAS TAKEN MEANWHILE",)
                live.lens(fault="")
            back_s = live.await_labels()
            live.lens(fault="")
            lost = () if captured == 201 else (f"capture answered {captured}",)
            yield Try(live.wrong_s(since_s), said, back_s, lost)
            live.await_labels()
    yield from _kept(live)


def _kept(live: Live) -> Iterator[Try]:
    missing = tuple(live.ledger.missing(live.cases))
    if missing:
        yield Try(None, (), None, missing)


def _fault(name: str, title: str, least_s: float, most_s: float) -> Fault:
    return Fault(name, title, partial(_tries, fault=name, hold_s=(least_s, most_s)))


FAULTS = [
    _fault("unplugged", f"Camera unplugged and returned (reads and opening fail for 0.9 to 2.5 s; {_QUICK})", 0.9, 2.5),
    _fault("frozen", "Camera freezes on one frame for 1 to 3.5 s (as above)", 1.0, 3.5),
    _fault("stuck", "Camera's driver hangs for 1 to 2.5 s (as above)", 1.0, 2.5),
    _fault("half", "Camera gives half frames, the rest one grey, for 1 to 2.5 s (as above)", 1.0, 2.5),
    _fault("size", "Camera changes size, by 1 to 59 px, and back (as above)", 0.1, 0.8),
]
