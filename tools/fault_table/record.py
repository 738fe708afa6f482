"""One try of a fault, the rows of the table, and what all faults are tried with."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from edge.cell.keep import TERMS
from edge.runtime.bundle import Task
from tests.edge.runtime.compiled import compile_beside

ROOT = Path(__file__).resolve().parents[2]
COMPILED: tuple[Task, ...] = ("locator", "separator", "classifier", "verifier")
"""The networks that an accelerator computes; the arbiter stays on the processor."""


@dataclass(frozen=True, slots=True)
class Try:
    """The outcome of one try: how long wrong or stale labels were shown, what was said or seen, after how many seconds
    right labels were back (None: not asked), and what was acknowledged and then lost."""

    stale_s: float | None
    said: tuple[str, ...]
    back_s: float | None = None
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: ``title`` says what is done and with which parts; ``run`` tries it so many times."""

    name: str
    title: str
    run: Callable[[Bench, int], Iterator[Try]]


@dataclass
class Bench:
    """What all faults are tried with: a folder for all that is written, a seeded generator, the tiny models of the
    tests."""

    folder: Path
    rng: random.Random = field(default_factory=random.Random)

    def fresh(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    def models(self) -> Path:
        """The folder of a copy of tests/edge/tiny: a whole pipeline of models without skill, compiled for the stand-in
        library."""
        folder = self.fresh() / "models"
        shutil.copytree(ROOT / "tests/edge/tiny", folder)
        path = folder / "verifier" / "bundle.json"
        fields = json.loads(path.read_text())
        fields["calibration"] |= dict.fromkeys(TERMS, 0.0) | {"keep_bias": 1.0, "keep_score": 1.0, "keep_single": 1.0}
        path.write_text(json.dumps(fields))
        for role in COMPILED:
            compile_beside(folder, role)
        return folder

    @cached_property
    def stand_ins(self) -> Path:
        """A folder with the compiled stand-ins: the accelerator's library and a clock that can jump.

        Raises ``RuntimeError`` without a C compiler.
        """
        compiler = shutil.which("cc")
        if compiler is None:
            raise RuntimeError("no C compiler here")
        folder = self.fresh()
        sources = {
            "libedgetpu.so.1": ROOT / "tests/edge/runtime/delegate.c",
            "clock.so": ROOT / "tools/fault_table/clock.c",
        }
        for name, source in sources.items():
            words = [compiler, "-shared", "-fPIC", "-w", "-o", folder / name, source, "-ldl"]
            subprocess.run([str(word) for word in words], check=True)
        return folder


def row(fault: Fault, tries: Sequence[Try]) -> str:
    """The fault's line of the table."""
    stale = [one.stale_s for one in tries if one.stale_s is not None]
    backs = [one.back_s for one in tries if one.back_s is not None]
    lost = [what for one in tries for what in one.lost]
    seen = Counter(re.sub(r"\d+(\.\d+)?(?= s )", "n", said) for one in tries for said in one.said)
    happened = [f"{said} ({n}x)" if n != len(tries) else said for said, n in seen.most_common(6)]
    if backs:
        last = max(backs)
        told = f"after at most {last:.1f} s, {np.median(backs):.1f} s at the median"
        happened.append(f"right labels {told}" if last < float("inf") else "RIGHT LABELS DID NOT COME BACK")
    cells = [
        fault.title,
        str(len(tries)),
        "; ".join(happened) or "nothing",
        f"{max(stale):.2f}" if stale else "none shown",
        "; ".join(list(dict.fromkeys(lost))[:5]) or "nothing",
    ]
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def failed(tries: Sequence[Try]) -> bool:
    """Whether labels were wrong for more than a second, did not come back, or anything was lost."""
    return any(one.lost or (one.stale_s or 0) > 1 or one.back_s == float("inf") for one in tries)
