"""A program that edits a case until it is killed, again and again.

``python -m tests.edge.cases.killed STORE CASE KILLS``
Each life captures a cell, edits it without end, and says on a pipe what was acknowledged. It is killed with SIGKILL a
random moment after a random number of acknowledgements. One JSON line a life: the cell and all that it acknowledged.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from edge.cases.edits import Relabel
from edge.cases.store import CaseStore
from edge.records import LABELS
from tests.builders import make_cell, make_frame


def live(store: Path, case: str, seed: int, out: int) -> None:
    rng = random.Random(seed)
    with CaseStore(store) as opened:
        state = opened.capture(case, make_frame(level=seed % 256), make_cell(["1", "2", "3"]), "kim")
        os.write(out, f"{state.id}\n".encode())
        while True:
            edit = Relabel(rng.randrange(3), rng.choice(LABELS))
            state = opened.edit(state.id, edit, based_on=state.revision, actor="kim")
            os.write(out, f"{state.revision} {edit.chromosome} {edit.label}\n".encode())


def main(store: Path, case: str, kills: int) -> None:
    rng = random.Random(7)
    for life in range(kills):
        inlet, outlet = os.pipe()
        child = os.fork()
        if child == 0:
            live(store, case, life, outlet)
        os.close(outlet)
        acknowledged, wanted = b"", rng.randrange(1, 8)
        while acknowledged.count(b"\n") < wanted:
            acknowledged += os.read(inlet, 4096)
        time.sleep(rng.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while more := os.read(inlet, 4096):
            acknowledged += more
        os.close(inlet)
        lines = acknowledged.decode().split("\n")[:-1]  # what was cut in the middle of a line was not said
        print(json.dumps({"cell": int(lines[0]), "edits": [line.split(" ") for line in lines[1:]]}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
