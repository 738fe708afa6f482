"""What the pipeline asks of its stages; who does it is in ``edge.locate``, ``edge.classify`` and ``edge.cell``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from edge.records import Box, Crop, Float32Array, Frame, Prediction, Region

if TYPE_CHECKING:  # only for their names: a frame's way is known before its stages are loaded
    from edge.cell.arbiter import Judged
    from edge.cell.assign import Assigned
    from edge.cell.keep import Kept
    from edge.locate.ways import Way


class Locator(Protocol):
    @property
    def models(self) -> Mapping[str, str]:
        """Role to ``sha256:<hex>`` of the models that it uses."""

    def prepared(self, frame: Frame) -> Frame:
        """``frame``, of the same size, as the stages expect it: dark chromosomes on bright, the scale checked."""

    def spread(self, frame: Frame) -> Box:
        """The part of a prepared ``frame`` to look at, in its pixels."""

    def locate(self, frame: Frame) -> tuple[Region, ...]: ...

    def laid_back(self, frame: Frame, regions: Sequence[Region], way: Way) -> tuple[Region, ...]:
        """``regions`` of ``frame``, which was laid that way, as they lie in the frame that was taken."""

    def look_again(
        self,
        frame: Frame,
        regions: tuple[Region, ...],
        crops: Sequence[Crop],
        odds: Float32Array,
        believed: Float32Array,
        *,
        thorough: bool,
    ) -> tuple[Region, ...]:
        """``regions``, and after them what is found besides those that are ``believed`` (n,), 0..1, and what some of
        doubtful ``odds`` (n,) may consist of; more where ``thorough``."""


class Classifier(Protocol):
    @property
    def models(self) -> Mapping[str, str]: ...

    def classify(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]: ...

    def classify_live(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
        """The same sooner."""


class Keeper(Protocol):
    @property
    def models(self) -> Mapping[str, str]: ...

    def __call__(
        self, frame: Frame, regions: Sequence[Region], crops: Sequence[Crop], predictions: Sequence[Prediction]
    ) -> Kept:
        """The log odds of each object being a chromosome, by itself."""

    def again(
        self,
        before: Kept,
        frame: Frame,
        regions: Sequence[Region],
        crops: Sequence[Crop],
        predictions: Sequence[Prediction],
    ) -> Kept:
        """The same of ``regions``, of which the first are those that were kept ``before``."""


class Arbiter(Protocol):
    @property
    def models(self) -> Mapping[str, str]: ...

    def __call__(
        self, regions: Sequence[Region], crops: Sequence[Crop], predictions: Sequence[Prediction], kept: Kept
    ) -> Judged:
        """What all the others make of each: its scores, and its log odds of being a chromosome."""


Straighten = Callable[[Frame, Sequence[Region], Sequence[Region]], Sequence[Crop]]
"""(frame, regions, neighbours): a crop for each of ``regions``; ``neighbours`` help to tell the cell's scale, and are
masked out of them."""
Assign = Callable[[Sequence[Prediction], Float32Array], Sequence["Assigned"]]
"""Labels for those that are taken for chromosomes, in order."""
