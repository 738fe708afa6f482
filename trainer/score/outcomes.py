"""Each frame's truth beside its line: which chromosomes were located, missed and invented.

Lines are those that ``chromo-edge label --jsonl`` writes, so that any program's lines can be scored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from edge.cell.compare import match
from trainer.data.excluded import teaches_nothing
from trainer.data.metaphase import FrameTruth
from trainer.errors import DatasetError


@dataclass(frozen=True, slots=True, eq=False)
class FrameOutcome:
    """One frame's ``truth`` and its ``line``, without what was found at objects to be ignored; ``found_of``: index of a
    true box to the index, among the line's chromosomes, of the one that located it; ``summed_iou``: the sum over these
    pairs."""

    truth: FrameTruth
    line: Mapping[str, Any]
    found_of: Mapping[int, int]
    summed_iou: float

    @property
    def true(self) -> int:
        return len(self.truth.labels)

    @property
    def found(self) -> int:
        return len(self.line["chromosomes"])

    @property
    def located(self) -> int:
        return len(self.found_of)

    @property
    def right(self) -> int:
        """How many of the located ones carry the right label."""
        return self.located - len(self.wrong)

    @property
    def missed(self) -> list[int]:
        """Indices of the true boxes that nothing located."""
        return [j for j in range(len(self.truth.labels)) if j not in self.found_of]

    @property
    def spurious(self) -> list[int]:
        """Indices, among the line's chromosomes, of those that locate no true one."""
        located = set(self.found_of.values())
        return [i for i in range(self.found) if i not in located]

    @property
    def wrong(self) -> list[int]:
        """Indices of the true boxes that are located and carry another label."""
        return [j for j in self.found_of if self.said(j) != self.truth.labels[j]]

    @property
    def corrections(self) -> int:
        """Missed + spurious + wrongly labelled."""
        return len(self.missed) + len(self.spurious) + len(self.wrong)

    @property
    def accepted(self) -> list[int]:
        """Indices of the true boxes that are located and not left for review."""
        return [j for j, i in self.found_of.items() if self.line["chromosomes"][i].get("status") == "accepted"]

    @property
    def true_counts(self) -> Counter[str]:
        return Counter(self.truth.labels)

    @property
    def found_counts(self) -> Counter[str]:
        return Counter(str(c["label"]) for c in self.line["chromosomes"])

    def said(self, true_index: int) -> str | None:
        """The label given to that true box; None where nothing located it."""
        i = self.found_of.get(true_index)
        return None if i is None else str(self.line["chromosomes"][i]["label"])


def outcomes_of(lines: Iterable[Mapping[str, Any]], truths: Sequence[FrameTruth]) -> list[FrameOutcome]:
    """The frames of ``truths`` that have a line, in their order; a line for another frame is passed over. Boxes are
    matched one to one (Hungarian on IoU), and a pair counts at IoU >= 0.5. What locates no true one and lies at an
    object to be ignored (``trainer.data.excluded``) counts neither way.

    A line may name its frame with fewer folders than its truth does, or with more. ``DatasetError`` if one may be of
    two of ``truths``."""
    lines_of: dict[str, dict[str, Mapping[str, Any]]] = {}
    for line in lines:
        lines_of.setdefault(PurePath(line["frame"]).name, {})[line["frame"]] = line
    taken: dict[str, FrameTruth] = {}
    outcomes = []
    for truth in truths:
        image = PurePath(truth.image)
        alike = [line for said, line in lines_of.get(image.name, {}).items() if _ends_alike(PurePath(said), image)]
        if not alike:
            continue
        line = min(alike, key=lambda line: abs(len(PurePath(line["frame"]).parts) - len(image.parts)))
        other = taken.setdefault(line["frame"], truth)
        if other is not truth:
            raise DatasetError(
                f"{truth.image} and {other.image}: expected lines that name one frame each, got '{line['frame']}', "
                "which may be either; write its folder into 'frame', or rename one"
            )
        outcomes.append(_outcome(line, truth))
    return outcomes


def _ends_alike(a: PurePath, b: PurePath) -> bool:
    """Whether the shorter of two paths is the end of the other."""
    return all(part == other for part, other in zip(a.parts[::-1], b.parts[::-1], strict=False))


def worst_first(outcomes: Iterable[FrameOutcome]) -> list[FrameOutcome]:
    """The outcomes with most corrections first, those with equally many by name."""
    return sorted(outcomes, key=lambda outcome: (-outcome.corrections, outcome.truth.image))


def _outcome(line: Mapping[str, Any], truth: FrameTruth) -> FrameOutcome:
    boxes = [tuple(chromosome["box_px"]) for chromosome in line["chromosomes"]]
    pairs = match(boxes, [tuple(box) for box in truth.stated_boxes_px.tolist()])
    ignored = set(np.flatnonzero(teaches_nothing(boxes, truth.ignored_px)).tolist()) - {i for i, _, _ in pairs}
    counted = [i for i in range(len(boxes)) if i not in ignored]
    line = {**line, "chromosomes": [line["chromosomes"][i] for i in counted]}
    found_of = {j: counted.index(i) for i, j, _ in pairs}
    return FrameOutcome(truth, line, found_of, sum(iou for _, _, iou in pairs))
