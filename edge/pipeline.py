"""One frame's way to a labelled cell: locate, straighten, classify, assign. Each stage gives a record.

After a first assignment the locator looks again at what that left over; new objects, if any, alone are straightened
and classified. Then the arbiter judges all objects beside one another, and the cell is assigned for good. Where time
allows and a doubt is left, the frame is read laid other ways, too, and what is likeliest of the readings stands.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.cell.findings import karyotype_and_findings
from edge.cell.readings import Reading, likeliest
from edge.config import default_models_dir
from edge.locate.spread import cut, in_the_field
from edge.locate.ways import MIRRORING, WAYS, Way, laid
from edge.records import (
    LABELS,
    Cell,
    Chromosome,
    Crop,
    Float32Array,
    Frame,
    Prediction,
    Region,
    among_themselves,
)
from edge.runtime.network import compiled_models
from edge.stages import Arbiter, Assign, Classifier, Keeper, Locator, Straighten

if TYPE_CHECKING:
    from edge.cell.assign import Assigned

CANDIDATES = 3
"""How many labels a chromosome is reported with; the assigned one is always among them."""


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
        """The labelled cell of ``frame``, read as thoroughly as can be, up to five times; any thread may ask. A frame
        without a chromosome gives a cell of count 0, not an error; ``FrameError`` where its scale would make it too
        large to look at."""
        return self._labelled(frame, "as taken", thorough=True)

    def label_live(self, frame: Frame, way: Way = "as taken") -> Cell:
        """The same sooner, in one reading of half the time, of the frame laid that ``way``; less well where chromosomes
        lie together."""
        return self._labelled(frame, way, thorough=False)

    def read_once(self, frame: Frame, *, thorough: bool) -> Reading:
        """The first of the readings that ``label``, or the one that ``label_live``, gives of ``frame``, all of it."""
        with self._labelling:
            return self._look(self._locator.prepared(frame), "as taken", _Clock(), thorough)

    def _labelled(self, frame: Frame, way: Way, thorough: bool) -> Cell:
        with self._labelling, compiled_models() as compiled:
            cell = self._label(frame, way, thorough)
        return replace(cell, models={**cell.models, **compiled}) if compiled else cell

    def _label(self, frame: Frame, way: Way, thorough: bool) -> Cell:
        clock = _Clock()
        with clock.stage("locate"):
            lying = laid(frame, way)
            seen = self._locator.prepared(lying)  # laid before: what it sees of the scale serves the first look, too
            spread = self._locator.spread(seen)
            near = cut(seen, spread)
        read = self._look(near, way, clock, thorough)
        if thorough and read.assigned and not read.sure:
            read = self._likeliest(near, read, clock)
        regions = in_the_field(read.regions, spread, seen.pixels.shape, way)
        objects = list(zip(regions, read.crops, read.predictions, strict=True))
        chromosomes = among_themselves([labelled(*objects[label.index], label) for label in read.assigned])
        karyotype, findings = karyotype_and_findings(chromosomes)
        height_px, width_px = frame.pixels.shape
        return Cell(
            frame=frame.source,
            index=frame.index,
            width_px=width_px,
            height_px=height_px,
            um_per_px=frame.um_per_px * (seen.um_per_px / lying.um_per_px),
            scale_stated=frame.scale_stated,
            chromosomes=chromosomes,
            karyotype=karyotype,
            findings=findings,
            stage_ms=clock.stage_ms,
            models=self.models,
        )

    def _look(self, frame: Frame, way: Way, clock: _Clock, thorough: bool) -> Reading:
        """One reading of ``frame``, which was laid that ``way``; its regions lie as in the frame that was taken."""
        with clock.stage("locate"):
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
        regions = self._locator.laid_back(frame, regions, way)
        if way in MIRRORING:
            crops = [crop.mirrored for crop in crops]
        return Reading(regions, crops, judged.predictions, judged.odds, assigned)

    def _likeliest(self, frame: Frame, read: Reading, clock: _Clock) -> Reading:
        """``read``, or what is likelier of it and of the frame laid the other ways, until a reading leaves no doubt."""
        readings = [read]
        for way in WAYS[1:]:
            readings.append(self._look(laid(frame, way), way, clock, thorough=True))
            if readings[-1].sure:
                break
        with clock.stage("assign"):
            return likeliest(readings, self._assign)

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
    from edge.cell.arbiter import load_arbiter
    from edge.cell.assign import assign
    from edge.cell.keep import load_keeper
    from edge.classify.classifier import load_classifier
    from edge.locate.locator import load_locator
    from edge.locate.straighten import straighten

    folder = models_dir if models_dir is not None else default_models_dir()
    locator = load_locator(folder, threads)
    classifier = load_classifier(folder, threads)
    keep, judge = load_keeper(folder, threads), load_arbiter(folder)
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


def labelled(region: Region, crop: Crop, prediction: Prediction, assigned: Assigned) -> Chromosome:
    """A chromosome that is ``assigned`` its label, with the likeliest of what its ``prediction`` says beside that."""
    best = np.argsort(-prediction.scores, kind="stable").tolist()
    named = [LABELS[k] for place, k in enumerate(best) if place < CANDIDATES or LABELS[k] == assigned.label]
    return Chromosome(
        region=region,
        crop=crop.shown,
        label=assigned.label,
        confidence=assigned.confidence,
        status=assigned.status,
        candidates=tuple((label, float(prediction.scores[LABELS.index(label)])) for label in named),
        p_arm_up=prediction.p_arm_up >= 0.5,
    )
