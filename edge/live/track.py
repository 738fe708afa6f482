"""Labels that stand still: what several frames of one scene say of a chromosome is put together.

While the stage stands still each chromosome found is followed from frame to frame by its box. Its scores are averaged
(as logarithms, over the last frames), which end is up is voted, and the whole cell is assigned again from that. One
that is found in fewer than half of the frames is not shown. A new scene starts afresh.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edge.cell.assign import ACCEPT_CONFIDENCE, assign
from edge.cell.compare import match
from edge.cell.findings import said_of
from edge.live.stage import MOVING
from edge.pipeline import CANDIDATES
from edge.records import LABELS, Box, Cell, Chromosome, Float32Array, Frame, Prediction

REMEMBERED = 12
"""Frames over which scores are put together: more hardly helps, and a mistake must be forgotten."""
_FLOOR = 1e-4


@dataclass(slots=True)
class _Track:
    """One chromosome over frames: the best look at it so far; of the last frames the log scores (24,), which end was
    up, whether it looked whole and whether it was there."""

    best: Chromosome
    log_scores: deque[Float32Array] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    p_arm_up: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    whole: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    there: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    @property
    def id(self) -> int:
        return self.best.region.id

    @property
    def shown(self) -> bool:
        return 2 * sum(self.there) >= len(self.there)

    def add(self, chromosome: Chromosome) -> None:
        if chromosome.region.score > self.best.region.score:  # or else outlines would tremble
            self.best = chromosome
        self.log_scores.append(np.log(np.maximum(_scores_of(chromosome), _FLOOR)))
        self.p_arm_up.append(chromosome.p_arm_up)
        # A label that is sure and yet to review: the crop did not look like one whole chromosome.
        self.whole.append(chromosome.status == "accepted" or chromosome.confidence < ACCEPT_CONFIDENCE)
        self.there.append(True)

    def prediction(self) -> Prediction:
        fused = np.exp(np.mean(self.log_scores, axis=0))
        whole = 1.0 if _mean(self.whole) >= 0.5 else 0.0
        return Prediction(self.id, (fused / fused.sum()).astype(np.float32), _mean(self.p_arm_up), whole)


class Tracks:
    """Fuses the cells of one scene, in order."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._scene = MOVING
        self._next_id = 0
        self._frames = 0

    def fuse(self, cell: Cell, scene: int) -> Cell:
        """``cell`` with the labels that all frames of ``scene`` so far agree on. Ids stay a chromosome's own within a
        scene. A cell of a moving stage comes back as it is."""
        if scene == MOVING:
            return cell
        if scene != self._scene:
            self._tracks, self._scene, self._next_id, self._frames = [], scene, 0, 0
        self._follow(cell)
        return self._fused(cell)

    def _follow(self, cell: Cell) -> None:
        found, known = cell.chromosomes, self._tracks
        track_of = {i: known[j] for i, j, _ in match(_boxes(found), _boxes([t.best for t in known]))}
        followed = {id(track) for track in track_of.values()}
        for track in known:
            if id(track) not in followed:
                track.there.append(False)
        numbers = {}
        for i, chromosome in enumerate(found):
            if i in track_of:
                numbers[chromosome.region.id] = track_of[i].id
            else:
                numbers[chromosome.region.id] = self._next_id
                self._next_id += 1
        for i, chromosome in enumerate(found):
            renumbered = _renumbered(chromosome, numbers)
            if i not in track_of:
                track_of[i] = _Track(renumbered)
                # So many looks without it: it must come again to be shown.
                track_of[i].there.extend([False] * min(self._frames, REMEMBERED))
                self._tracks.append(track_of[i])
            track_of[i].add(renumbered)
        self._tracks = [t for t in self._tracks if any(t.there)]
        self._frames += 1

    def _fused(self, cell: Cell) -> Cell:
        tracks = [t for t in self._tracks if t.shown]
        shown = {t.id: t.id for t in tracks}
        predictions = [t.prediction() for t in tracks]
        chromosomes = []
        for track, prediction, assigned in zip(tracks, predictions, assign(predictions), strict=True):
            best = [LABELS[k] for k in np.argsort(-prediction.scores, kind="stable")[:CANDIDATES]]
            named = best if assigned.label in best else [*best, assigned.label]
            here = _renumbered(track.best, shown)
            chromosomes.append(
                Chromosome(
                    region=here.region,
                    crop=here.crop,
                    label=assigned.label,
                    confidence=assigned.confidence,
                    status=assigned.status,
                    candidates=tuple((label, float(prediction.scores[LABELS.index(label)])) for label in named),
                    p_arm_up=prediction.p_arm_up >= 0.5,
                )
            )
        karyotype, findings = said_of(chromosomes)
        return replace(cell, chromosomes=tuple(chromosomes), karyotype=karyotype, findings=findings)


class Steady:
    """A labeller whose labels stand still: ``label`` each frame, fused within ``scene_of(frame.index)``."""

    def __init__(self, label: Callable[[Frame], Cell], scene_of: Callable[[int], int]) -> None:
        self._label = label
        self._scene_of = scene_of
        self._tracks = Tracks()

    def __call__(self, frame: Frame) -> Cell:
        return self._tracks.fuse(self._label(frame), self._scene_of(frame.index))


def _boxes(chromosomes: Sequence[Chromosome]) -> list[Box]:
    return [c.region.box_px for c in chromosomes]


def _renumbered(chromosome: Chromosome, numbers: Mapping[int, int]) -> Chromosome:
    """With ids by ``numbers``; what it overlaps that has no number there is left out."""
    number = numbers[chromosome.region.id]
    overlaps = tuple(numbers[other] for other in chromosome.region.overlaps if other in numbers)
    region = replace(chromosome.region, id=number, overlaps=overlaps)
    return replace(chromosome, region=region, crop=replace(chromosome.crop, region_id=number))


def _scores_of(chromosome: Chromosome) -> Float32Array:
    """The crop's own scores (24,): those reported, the rest shared out evenly among the other classes."""
    said = dict(chromosome.candidates)
    rest = max(0.0, 1.0 - sum(said.values())) / max(1, len(LABELS) - len(said))
    scores = np.array([said.get(label, rest) for label in LABELS], np.float32)
    return np.asarray(scores / max(float(scores.sum()), 1e-6), np.float32)


def _mean(votes: deque[bool]) -> float:
    return sum(votes) / len(votes) if votes else 0.0
