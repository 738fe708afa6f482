"""What each form of a classifier costs and is worth: accuracy on a run's val crops, size, share of zeros, time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.classify.classifier import Classifier
from edge.records import Crop
from edge.runtime.bundle import load_bundle
from trainer.data.cropset import NOTHING, CropSet
from trainer.export.flat import read_flat

CELL = 46
REPEATS = 15


@dataclass(frozen=True, slots=True)
class Weight:
    """``accuracy``: of each crop alone, either end up. ``cell_ms``: median time for 46 crops, as the edge reads them
    (again where in doubt), on one thread."""

    name: str
    crops: int
    accuracy: float
    bytes: int
    gzip_bytes: int
    zeros: float
    cell_ms: float


def weigh(folders: Sequence[Path], val: CropSet, limit: int | None = None) -> list[Weight]:
    """One weight a bundle; of ``val``, ``limit`` crops drawn with a fixed seed, the same ones for every bundle."""
    known = np.flatnonzero(val.label != NOTHING)
    rows = np.sort(np.random.default_rng(0).permutation(known)[:limit])
    crops = [Crop(k, pixels) for k, pixels in enumerate(val.pixels[rows])]
    return [_weigh(folder, crops, val.label[rows]) for folder in folders]


def _weigh(folder: Path, crops: list[Crop], label: np.ndarray) -> Weight:
    bundle = load_bundle(folder, "classifier")
    flat = read_flat(bundle.model_bytes)
    classifier = Classifier(bundle, threads=1)
    said = [int(p.scores.argmax()) for p in classifier.classify(crops)]
    times = []
    for _ in range(REPEATS):
        started_s = time.perf_counter()
        classifier.classify(crops[:CELL])
        times.append(1000 * (time.perf_counter() - started_s))
    accuracy = float((np.array(said) == label).mean())
    return Weight(
        folder.name, len(crops), accuracy, flat.bytes, flat.gzip_bytes, flat.zero_share, float(np.median(times))
    )


def print_weights(weights: Sequence[Weight]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("bundle", title=f"{weights[0].crops} val crops", title_justify="left")
    for name in ("alone", "bytes", "gzip bytes", "zeros", f"ms for {CELL} crops"):
        table.add_column(name, justify="right")
    for w in weights:
        table.add_row(
            w.name, f"{w.accuracy:.2%}", str(w.bytes), str(w.gzip_bytes), f"{w.zeros:.1%}", f"{w.cell_ms:.1f}"
        )
    Console().print(table)
