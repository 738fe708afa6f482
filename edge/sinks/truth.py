"""Keeps the score of a source that knows its own truth.

The truth is tight around each chromosome, the located boxes are as people draw them: so the truth is widened to theirs,
or small chromosomes would never share half of their box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from edge.cell.compare import Score, compare
from edge.overlap import as_people_draw
from edge.records import Box, Cell, Frame


class LabelledBox(Protocol):
    """What the simulated camera says of one chromosome that it drew."""

    @property
    def label(self) -> str: ...

    @property
    def box_px(self) -> Box: ...


class TruthSink:
    """Compares each cell with ``truth_of(frame.index)`` and sums up in ``score``. Frames of a moving stage have no
    truth and do not count: they are smeared, and their labels are never shown."""

    def __init__(self, truth_of: Callable[[int], Sequence[LabelledBox]]) -> None:
        self._truth_of = truth_of
        self.score = Score()

    def put(self, frame: Frame, cell: Cell) -> None:
        truth = self._truth_of(frame.index)
        if not truth:
            return
        height_px, width_px = frame.pixels.shape
        self.score += compare(
            [c.region.box_px for c in cell.chromosomes],
            [c.label for c in cell.chromosomes],
            [as_people_draw(t.box_px, height_px, width_px) for t in truth],
            [t.label for t in truth],
        )

    def close(self) -> None:
        pass

    def summary(self) -> str:
        """One line: ``against the truth of 12 frames: located 97.1 %, ...``."""
        score = self.score
        return (
            f"against the truth of {score.frames} {'frame' if score.frames == 1 else 'frames'}: "
            f"located {score.located_share:.1%}, precision {score.precision:.1%}, "
            f"located and rightly labelled {score.end_to_end:.1%}, "
            f"{score.corrections_per_cell:.1f} corrections a cell"
        )
