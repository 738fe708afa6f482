"""What a disk and a clock can do wrong under a running program."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.disk import NEEDED_BYTES
from fault_table.live import Live
from fault_table.record import Bench, Fault, Try

DAY_S = 86_400
_DISK = "12m"


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    """A real file system of 12 MB, in memory. Raises ``RuntimeError`` where none may be mounted."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        raise RuntimeError("a small disk cannot be mounted without root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _fill(path: Path, spare_bytes: int) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    if spare_bytes:
        os.truncate(path, max(0, path.stat().st_size - spare_bytes))


def _work(bench: Bench, live: Live) -> tuple[list[int], list[str]]:
    """Makes a capture and edits the cell captured last; returns the answers' statuses, and the words of those that
    refuse."""
    answers = [live.capture()]
    if live.ledger.edits:
        id = max(live.ledger.edits)
        answers.append(live.relabel(id, len(live.ledger.edits[id]), bench.rng))
    told = [str(answer.json().get("error", "")) for answer in answers if answer.status_code >= 400]
    return [answer.status_code for answer in answers], told


def _full(bench: Bench, times: int) -> Iterator[Try]:
    with _small_disk(bench.fresh()) as disk, Live(bench.fresh(), bench.models(), cases=disk / "cases") as live:
        live.await_labels()
        live.capture()
        for _ in range(times):
            _fill(disk / "filler", 4096 * bench.rng.randrange(0, 6))
            since_s = live.next_cell()
            back_s = live.await_labels()
            codes, told = _work(bench, live)
            while max(codes) < 400:  # as long as there is room
                codes, told = _work(bench, live)
            said = ["labels go on; captures or edits are refused"]
            said += [f"NOT SAID: {t}" for t in told if "No space left" not in t and "no space left" not in t]
            (disk / "filler").unlink()
            codes, told = _work(bench, live)
            said += ["with space again both are taken"] if max(codes) < 400 else [f"STILL REFUSED: {told}"]
            yield Try(live.wrong_s(since_s), (*said, *live.page.faults_since(since_s)), back_s)
            if shutil.disk_usage(disk).free < NEEDED_BYTES + 1_500_000:  # room for the tries to come
                break
        missing = tuple(live.ledger.missing(live.cases))
    if missing:
        yield Try(None, (), None, missing)


def _forbidden(bench: Bench, times: int) -> Iterator[Try]:
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:  # root may write everywhere unless it gives up that right
        if shutil.which("setpriv") is None:
            raise RuntimeError("as root it needs setpriv, to be refused anything")
        before = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    with Live(bench.fresh(), bench.models(), before=before) as live:
        live.await_labels()
        live.capture()
        folders = [live.cases, live.cases / "images", *(live.cases / "images").iterdir()]
        for number in range(times):
            mode = (0o500, 0o000)[number % 2]
            for folder in reversed(folders):
                folder.chmod(mode)
            since_s = live.next_cell()
            back_s = live.await_labels()
            _, told = _work(bench, live)
            said = ["labels go on"]
            said += ["captures are refused: Permission denied"] if "Permission denied" in str(told) else [str(told)]
            for folder in folders:
                folder.chmod(0o700)
            codes, told = _work(bench, live)
            said += ["with permission again both are taken"] if max(codes) < 400 else [f"STILL REFUSED: {told}"]
            folders = [live.cases, live.cases / "images", *(live.cases / "images").iterdir()]
            yield Try(live.wrong_s(since_s), (*said, *live.page.faults_since(since_s)), back_s)
    missing = tuple(live.ledger.missing(live.cases))
    if missing:
        yield Try(None, (), None, missing)


def _jumps(bench: Bench, times: int) -> Iterator[Try]:
    jumped = bench.fresh() / "jumped"
    jumped.write_bytes(bytes(8))
    env = {"LD_PRELOAD": str(bench.stand_ins / "clock.so"), "JUMPED": str(jumped)}
    with Live(bench.fresh(), bench.models(), env=env) as live:
        live.await_labels()
        for number in range(times):
            seconds = DAY_S * (-1) ** (number // 2) * bench.rng.choice((1, 1, 30))
            with jumped.open("r+b") as file:
                file.write(seconds.to_bytes(8, "little", signed=True))
            since_s = live.next_cell()
            back_s = live.await_labels()
            codes, told = _work(bench, live)
            said = ["labels go on; captures and edits are taken"] if max(codes) < 400 else [f"REFUSED: {told}"]
            time.sleep(0.3)
            yield Try(live.wrong_s(since_s), (*said, *live.page.faults_since(since_s)), back_s)
    missing = tuple(live.ledger.missing(live.cases))
    if missing:
        yield Try(None, (), None, missing)


FAULTS = [
    Fault(
        "disk-full",
        "Disk full: a real file system of 12 MB under the case store, filled to the last 0 to 5 blocks (as the first)",
        _full,
    ),
    Fault(
        "permission-lost",
        "Permission lost on the case store's folders, to write or altogether (as the first)",
        _forbidden,
    ),
    Fault(
        "clock-jumps",
        "Wall clock jumps by a day or a month, forth and back (as the first; the jump stands in libc's place)",
        _jumps,
    ),
]
