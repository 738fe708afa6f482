"""One frame's way to a labelled cell: locate, straighten, classify, assign. Each stage gives a record.

After a first assignment the locator looks again at what that left over; new objects, if any, alone are straightened
and classified. Then the arbiter judges all objects beside one another, and the cell is assigned for good.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edge.cell.findings import said_of
from edge.config import default_models_dir
from edge.records import LABELS, Cell, Chromosome, Crop, Float32Array, Frame, Prediction, Region, Status
from edge.runtime.network import compiled_models

if TYPE_CHECKING:  # only for their names: a frame's way is known before its stages are loaded
    from edge.cell.arbiter import Judged
    from edge.cell.keep import Kept

CANDIDATES = 3
"""How many labels a chromosome is reported with; the assigned one is always among them."""


class Locator(Protocol):
    @property
    def models(self) -> Mapping[str, str]:
        """Role to ``sha256:<hex>`` of the models that it uses."""

    def prepared(self, frame: Frame) -> Frame:
        """``frame``, of the same size, as the stages expect it: dark chromosomes on bright, the scale checked."""

    def locate(self, frame: Frame) -> tuple[Region, ...]: ...

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


class Assigned(Protocol):
    """The label that object number ``index`` gets from the whole cell."""

    @property
    def index(self) -> int: ...

    @property
    def label(self) -> str: ...

    @property
    def confidence(self) -> float: ...

    @property
    def status(self) -> Status: ...


Straighten = Callable[[Frame, Sequence[Region], Sequence[Region]], Sequence[Crop]]
"""(frame, regions, neighbours): a crop for each of ``regions``; ``neighbours`` help to tell the cell's scale, and are
masked out of them."""
Assign = Callable[[Sequence[Prediction], Float32Array], Sequence[Assigned]]
"""Labels for those that are taken for chromosomes, in order."""


class Pipeline:
    """Labels frames. ``locator``, ``classifier``, ``keep`` and ``judge`` hold the models; ``straighten`` and ``assign``
    are functions."""

    def __init__(
        self,
        locator: Locator,
        classifier: Classifier,
        straighten: Straighten,
        keep: Keeper,
        judge: Arbiter,
        assign: Assign,
    ) -> None:
        self._locator = locator
        self._classifier = classifier
        # An interpreter serves one thread at a time.
        self._labelling, self._classifying = threading.Lock(), threading.Lock()
        self._straighten = straighten
        self._keep = keep
        self._judge = judge
        self._assign = assign
        self.models = {**locator.models, **classifier.models, **keep.models, **judge.models}

    def label(self, frame: Frame) -> Cell:
        """The labelled cell of ``frame``, as well as can be; any thread may ask. A frame without a chromosome gives a
        cell of count 0, not an error; ``FrameError`` where its scale would make it too large to look at."""
        return self._labelled(frame, thorough=True)

    def label_live(self, frame: Frame) -> Cell:
        """The same sooner, in about half of the time, and less well where chromosomes lie together."""
        return self._labelled(frame, thorough=False)

    def _labelled(self, frame: Frame, thorough: bool) -> Cell:
        with self._labelling, compiled_models() as compiled:
            cell = self._label(frame, thorough)
        return replace(cell, models={**cell.models, **compiled}) if compiled else cell

    def _label(self, frame: Frame, thorough: bool) -> Cell:
        clock = _Clock()
        with clock.stage("locate"):
            scale_stated, frame = frame.scale_stated, self._locator.prepared(frame)
            regions = self._locator.locate(frame)
        crops, predictions = self._read(frame, regions, (), clock, thorough)
        with clock.stage("assign"):
            kept = self._keep(frame, regions, crops, predictions)
            assigned = self._assign(predictions, kept.odds)
        with clock.stage("locate"):
            believed = _believed(assigned, len(regions))
            seen = self._locator.look_again(frame, regions, crops, kept.odds, believed, thorough=thorough)
        if len(seen) > len(regions):
            more = self._read(frame, seen[len(regions) :], seen[: len(regions)], clock, thorough)
            regions, crops, predictions = seen, (*crops, *more[0]), (*predictions, *more[1])
            with clock.stage("assign"):
                kept = self._keep.again(kept, frame, regions, crops, predictions)
        with clock.stage("assign"):
            judged = self._judge(regions, crops, predictions, kept)
            assigned = self._assign(judged.predictions, judged.odds)

        looks = list(zip(regions, crops, judged.predictions, strict=True))
        chromosomes = tuple(_chromosome(*looks[label.index], label) for label in assigned)
        karyotype, findings = said_of(chromosomes)
        height_px, width_px = frame.pixels.shape
        return Cell(
            frame=frame.source,
            index=frame.index,
            width_px=width_px,
            height_px=height_px,
            um_per_px=frame.um_per_px,
            scale_stated=scale_stated,
            chromosomes=chromosomes,
            karyotype=karyotype,
            findings=findings,
            stage_ms=clock.stage_ms,
            models=self.models,
        )

    def classify(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
        """What the classifier says of ``crops``. Any thread may ask, also while another labels a frame."""
        with self._classifying:
            return self._classifier.classify(crops)

    def _read(
        self, frame: Frame, regions: Sequence[Region], among: Sequence[Region], clock: _Clock, thorough: bool
    ) -> tuple[Sequence[Crop], Sequence[Prediction]]:
        """A crop and a prediction a region."""
        with clock.stage("straighten"):
            crops = self._straighten(frame, regions, among) if regions else ()
        with clock.stage("classify"), self._classifying:
            classify = self._classifier.classify if thorough else self._classifier.classify_live
            return crops, classify(crops) if crops else ()


def load_pipeline(models_dir: Path | None = None, threads: int = 2) -> Pipeline:
    """The pipeline over the bundles ``locator``, ``separator``, ``classifier``, ``verifier`` and ``arbiter`` in
    ``models_dir`` (default: ``edge.config.default_models_dir()``), each computed by ``threads`` threads, or, within
    ``edge.runtime.network.networks_on(delegate)``, by an accelerator.

    Raises ``ModelError`` when one is missing, changed or made for something else.
    """
    from edge.cell.arbiter import Arbiter as LearnedArbiter
    from edge.cell.assign import assign
    from edge.cell.keep import Keeper as LearnedKeeper
    from edge.classify.classifier import Classifier as LearnedClassifier
    from edge.locate.locator import load_locator
    from edge.locate.straighten import straighten
    from edge.runtime.bundle import load_bundle

    folder = models_dir if models_dir is not None else default_models_dir()
    locator = load_locator(folder, threads)
    classifier = LearnedClassifier(load_bundle(folder / "classifier", "classifier"), threads)
    keep = LearnedKeeper.of(load_bundle(folder / "verifier", "verifier"), threads)
    judge = LearnedArbiter(load_bundle(folder / "arbiter", "arbiter"))
    return Pipeline(locator, classifier, straighten, keep, judge, assign)


class _Clock:
    """Milliseconds of each stage, in the order they first ran."""

    def __init__(self) -> None:
        self.stage_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start_s = time.perf_counter()
        yield
        self.stage_ms[name] = self.stage_ms.get(name, 0.0) + (time.perf_counter() - start_s) * 1e3


def _believed(assigned: Sequence[Assigned], count: int) -> Float32Array:
    """The confidence of each of ``count`` objects' labels, 0 of those that have none."""
    believed = np.zeros(count, np.float32)
    believed[[label.index for label in assigned]] = [label.confidence for label in assigned]
    return believed


def _chromosome(region: Region, crop: Crop, prediction: Prediction, assigned: Assigned) -> Chromosome:
    best = np.argsort(-prediction.scores, kind="stable").tolist()
    named = [LABELS[k] for place, k in enumerate(best) if place < CANDIDATES or LABELS[k] == assigned.label]
    return Chromosome(
        region=region,
        crop=crop.in_full,
        label=assigned.label,
        confidence=assigned.confidence,
        status=assigned.status,
        candidates=tuple((label, float(prediction.scores[LABELS.index(label)])) for label in named),
        p_arm_up=prediction.p_arm_up >= 0.5,
    )
