"""Whether the exported network still says what the trained one said: measured on real pictures, within stated
bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.locate.grid import BOX_UNIT_PX
from edge.locate.separate import Answers
from edge.runtime.bundle import Task
from trainer.errors import ExportError

Outputs = Mapping[str, npt.NDArray[np.float32]]
MAPS = {"locator": "heat", "separator": "mask", "verifier": "whole", "arbiter": "label"}
"""By task, the output that is compared cell by cell; a classifier has one label a picture instead."""
SCORES: Mapping[Task, tuple[str, ...]] = {"classifier": ("p_arm_up", "single"), "arbiter": ("keep",)}
"""By task, the other outputs, logits. A locator and a separator also draw boxes."""
DECIDED = {"classifier": 0.05, "locator": 0.2, "separator": 0.2, "verifier": 0.2, "arbiter": 0.2}
"""Between two readings that are further apart than this a network is decided; closer ones may change places without
harm. A locator's centre fades out over several cells, and a mask over its edge, so that their rims always lie near the
threshold."""
MAP_SHARE = 0.999
"""The largest difference is the one below which this share of all lie, so the worst in a thousand are left out. The
cells of a map are counted by the million, and where arms cross a few are any network's guess."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least agreement, and the most that scores (0..1) and sides of boxes (px) may differ: on average, and the
    largest."""

    agreement: float
    mean: float
    largest: float
    mean_px: float
    largest_px: float


BOUNDS: dict[str, Bounds] = {
    "float32": Bounds(0.999, 1e-4, 2e-3, 0.01, 0.1),
    "onnx float32": Bounds(0.999, 1e-4, 2e-3, 0.01, 0.1),
    "float16": Bounds(0.998, 1e-3, 0.05, 0.03, 0.2),
    "int16x8": Bounds(0.995, 3e-3, 0.25, 0.5, 4.0),
    "dynamic": Bounds(0.98, 0.01, 0.75, 0.4, 3.0),
    "int8": Bounds(0.98, 0.01, 0.75, 1.0, 6.0),
    "onnx int8": Bounds(0.97, 0.02, 0.75, 1.5, 8.0),
}
"""A few times what the shipped networks measure on val, in each form. One crop in a thousand may lie on the brink
between two classes, so a largest difference tells that a form is broken, not that it is a little worse.

Beside their labels and maps, on val frames, the shipped networks' outputs differ on average and one in a thousand by:
int8, a locator's sides 0.26 and 1.4 px, a separator's 0.08 and 1.0, ``p_arm_up`` 0.002 and 0.14, ``single`` 0.0007 and
0.02; dynamic, sides 0.07 and 0.55, ``keep`` 0.004 and 0.03; float16, sides 0.006 and 0.03, ``keep`` 0.0002 and 0.001;
float32, sides below 0.0001. On fewer frames, int16x8 sides 0.17 and 1.2, ONNX in int8 sides 0.28 and 1.4.
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the answers of another output lie apart, in ``unit``: "score", 0..1, or "px"."""

    unit: str
    mean: float
    largest: float


@dataclass(frozen=True, slots=True)
class Parity:
    """``agreement``: share of pictures (for a map: of the cells that either finds positive) on which both say the same;
    ``agreement_decided``: the same where the trained network is decided; the differences are of scores, 0..1;
    ``beside``: the gaps of the other outputs."""

    form: str
    pictures: int
    agreement: float
    agreement_decided: float
    mean_difference: float
    largest_difference: float
    beside: Mapping[str, Gap] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """The fields by name, for JSON."""
        return {name if name == "form" else f"parity_{name}": value for name, value in asdict(self).items()}


def measure(task: Task, form: str, trained: Outputs, exported: Outputs) -> Parity:
    """Compares outputs by name, (n, ...) each: a classifier's ``label``, the others' ``MAPS``, and the further outputs
    that they have."""
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
        _beside(task, trained, exported),
    )


def _beside(task: Task, trained: Outputs, exported: Outputs) -> dict[str, Gap]:
    """The gaps of the other outputs: a locator's boxes where it sees a centre, a separator's as the edge reads them."""
    gaps = {
        name: ("score", np.abs(_sigmoid(trained[name]) - _sigmoid(exported[name])))
        for name in SCORES.get(task, ())
        if name in trained
    }
    if task == "locator" and "box" in trained:
        ours, theirs = (o["box"].reshape(*o["heat"].shape, 4) * BOX_UNIT_PX for o in (trained, exported))
        gaps["sides"] = "px", np.abs(ours - theirs)[trained["heat"] > 0]
    if task == "separator" and "rows" in trained:
        gaps["sides"] = "px", np.abs(Answers.of(trained).sides - Answers.of(exported).sides)
    return {
        name: Gap(unit, float(gap.mean()), float(np.quantile(gap, MAP_SHARE)))
        for name, (unit, gap) in gaps.items()
        if gap.size
    }


def require(parity: Parity) -> Parity:
    """``parity`` itself if it keeps the bounds of its form; else ``ExportError`` with the figure that does not."""
    bounds = BOUNDS[parity.form]
    broken = []
    if not parity.agreement_decided >= bounds.agreement:  # written so that nan breaks it, too
        broken.append(f"agrees on {parity.agreement_decided:.2%} (least {bounds.agreement:.2%})")
    if not parity.mean_difference <= bounds.mean:
        broken.append(f"scores differ by {parity.mean_difference:.4f} on average (most {bounds.mean:g})")
    if not parity.largest_difference <= bounds.largest:
        broken.append(f"a score differs by {parity.largest_difference:.3f} (most {bounds.largest:g})")
    for name, gap in parity.beside.items():
        mean, largest = (bounds.mean_px, bounds.largest_px) if gap.unit == "px" else (bounds.mean, bounds.largest)
        if not gap.mean <= mean:
            broken.append(f"{name} differ by {gap.mean:.4f} {gap.unit} on average (most {mean:g})")
        if not gap.largest <= largest:
            broken.append(f"{name} differ by {gap.largest:.3f} {gap.unit} (most {largest:g})")
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
