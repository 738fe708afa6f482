"""Does the exported network still say what the trained one said? Measured on real pictures, within stated bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from edge.runtime.bundle import Task
from trainer.errors import ExportError

Outputs = Mapping[str, npt.NDArray[np.float32]]
MAPS = {"locator": "heat", "separator": "mask", "verifier": "whole", "arbiter": "label"}
"""The output of theirs that is judged, cell by cell."""
DECIDED = {"classifier": 0.05, "locator": 0.2, "separator": 0.2, "verifier": 0.2, "arbiter": 0.2}
"""A network is decided between two readings that far apart; closer ones may change places without harm. A locator's
centre fades out over several cells, and a mask over its edge, so that their rims always lie near the threshold."""
MAP_SHARE = 0.999
"""Of a map's cells, which are counted by the million, the largest difference leaves out the one in a thousand that
differs most: where arms cross, a few are any network's guess."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least agreement, and the most that scores (0..1) may differ: on average, and the largest."""

    agreement: float
    mean: float
    largest: float


BOUNDS: dict[str, Bounds] = {
    "float32": Bounds(0.999, 1e-4, 2e-3),
    "onnx float32": Bounds(0.999, 1e-4, 2e-3),
    "float16": Bounds(0.998, 1e-3, 0.05),
    "int16x8": Bounds(0.995, 3e-3, 0.25),
    "dynamic": Bounds(0.98, 0.01, 0.75),
    "int8": Bounds(0.98, 0.01, 0.75),
    "onnx int8": Bounds(0.97, 0.02, 0.75),
}
"""A few times what the shipped networks measure on val, in each form. One crop in a thousand may lie on the
brink between two classes, so a largest difference says that a form is broken, not that it is a little worse."""


@dataclass(frozen=True, slots=True)
class Parity:
    """``agreement``: share of pictures (of a map: of cells that either finds positive) on which both say the same;
    ``agreement_decided``: that where the trained network is decided; differences of scores, 0..1."""

    form: str
    pictures: int
    agreement: float
    agreement_decided: float
    mean_difference: float
    largest_difference: float

    def figures(self) -> dict[str, float | str]:
        return {name if name == "form" else f"parity_{name}": value for name, value in asdict(self).items()}


def measure(task: Task, form: str, trained: Outputs, exported: Outputs) -> Parity:
    """Compare logits by output name, (n, ...) each: ``label`` of a classifier, ``MAPS`` of the others."""
    if task == "classifier":
        ours, theirs = (_softmax(o["label"].reshape(len(o["label"]), -1)) for o in (trained, exported))
        rows = np.arange(len(ours))
        same = ours.argmax(1) == theirs.argmax(1)
        lead = ours[rows, ours.argmax(1)] - ours[rows, theirs.argmax(1)]
    else:
        ours, theirs = (_sigmoid(o[MAPS[task]].ravel()) for o in (trained, exported))
        either = (ours > 0.5) | (theirs > 0.5)
        same = ((ours > 0.5) == (theirs > 0.5))[either]
        lead = np.abs(ours - 0.5)[either]
    gap = np.abs(ours - theirs)
    decided = same | (lead < DECIDED[task])
    return Parity(
        form,
        len(next(iter(trained.values()))),
        float(same.mean()) if same.size else 1.0,
        float(decided.mean()) if same.size else 1.0,
        float(gap.mean()),
        float(gap.max() if task == "classifier" else np.quantile(gap, MAP_SHARE)),
    )


def require(parity: Parity) -> Parity:
    """The same, if it keeps the bounds of its form; else ``ExportError`` with the figure that does not."""
    bounds = BOUNDS[parity.form]
    broken = []
    if parity.agreement_decided < bounds.agreement:
        broken.append(f"agrees on {parity.agreement_decided:.2%} (least {bounds.agreement:.2%})")
    if parity.mean_difference > bounds.mean:
        broken.append(f"scores differ by {parity.mean_difference:.4f} on average (most {bounds.mean:g})")
    if parity.largest_difference > bounds.largest:
        broken.append(f"a score differs by {parity.largest_difference:.3f} (most {bounds.largest:g})")
    if broken:
        raise ExportError(
            f"{parity.form} does not say what the trained network says on {parity.pictures} pictures: "
            f"{'; '.join(broken)}; nothing was written. Try another form, or `trainer quantize` first"
        )
    return parity


def _sigmoid(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True), np.float32)
