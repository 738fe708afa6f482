"""Labels that stand still: what several frames of one scene say of a chromosome is put together.

While the stage stands still each chromosome found is followed from frame to frame by its box. Its scores are averaged
(as logarithms, over the last frames), which end is up is voted, and the whole cell is assigned again from that. One
that is found in fewer than half of the frames is not shown. A new scene starts afresh.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np

from edge.cell.assign import ACCEPT_CONFIDENCE, assign
from edge.cell.compare import match
from edge.cell.findings import findings_of, karyotype_of
from edge.live.stage import MOVING
from edge.records import LABELS, Cell, Chromosome, Float32Array, Frame, Prediction

REMEMBERED = 12
"""Frames over which scores are put together: more hardly helps, and a mistake must be forgotten."""
_FLOOR = 1e-4


@dataclass(slots=True)
class _Track:
    """One chromosome over frames: the newest look, and the scores (24,), the votes and whether it was there."""

    id: int
    newest: Chromosome
    scores: deque[Float32Array] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    p_arm_up: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    whole: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    there: deque[bool] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def add(self, chromosome: Chromosome) -> None:
        self.newest = chromosome
        self.scores.append(_scores_of(chromosome))
        self.p_arm_up.append(chromosome.p_arm_up)
        # A label that is sure and yet to review: the crop did not look like one whole chromosome.
        self.whole.append(chromosome.status == "accepted" or chromosome.confidence < ACCEPT_CONFIDENCE)
        self.there.append(True)

    @property
    def shown(self) -> bool:
        return 2 * sum(self.there) >= len(self.there)

    def prediction(self) -> Prediction:
        fused = np.exp(np.mean([np.log(np.maximum(s, _FLOOR)) for s in self.scores], axis=0))
        return Prediction(
            self.id,
            (fused / fused.sum()).astype(np.float32),
            _mean(self.p_arm_up),
            1.0 if _mean(self.whole) >= 0.5 else 0.0,
        )


class Tracks:
    """Fuses the cells of one scene, in order."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._scene = MOVING
        self._next_id = 0

    def fuse(self, cell: Cell, scene: int) -> Cell:
        """``cell`` with the labels that all frames of ``scene`` so far agree on. Ids stay a chromosome's own within a
        scene. A cell of a moving stage comes back as it is."""
        if scene == MOVING:
            self._tracks, self._scene = [], MOVING
            return cell
        if scene != self._scene:
            self._tracks, self._scene, self._next_id = [], scene, 0
        self._follow(cell)
        return self._fused(cell)

    def _follow(self, cell: Cell) -> None:
        found = list(cell.chromosomes)
        known = list(self._tracks)
        pairs = match([c.region.box_px for c in found], [t.newest.region.box_px for t in known])
        seen, followed = {i for i, _, _ in pairs}, {j for _, j, _ in pairs}
        for i, j, _ in pairs:
            known[j].add(found[i])
        for j, track in enumerate(known):
            if j not in followed:
                track.there.append(False)
        for i, chromosome in enumerate(found):
            if i not in seen:
                track = _Track(self._next_id, chromosome)
                self._next_id += 1
                # It was not there before: as many looks without it, so that it must come again to be shown.
                looks = max((len(t.there) for t in known), default=1) - 1
                track.there.extend([False] * looks)
                track.add(chromosome)
                self._tracks.append(track)
        self._tracks = [t for t in self._tracks if any(t.there)]

    def _fused(self, cell: Cell) -> Cell:
        tracks = [t for t in self._tracks if t.shown]
        predictions = [t.prediction() for t in tracks]
        ids = {t.newest.region.id: t.id for t in tracks if t.there[-1]}
        chromosomes = []
        for track, prediction, assigned in zip(tracks, predictions, assign(predictions), strict=True):
            newest = track.newest
            overlaps = tuple(ids[o] for o in newest.region.overlaps if o in ids) if track.there[-1] else ()
            best = [LABELS[k] for k in np.argsort(-prediction.scores, kind="stable")]
            named = [*islice(best, 3), *([assigned.label] if assigned.label not in best[:3] else [])]
            chromosomes.append(
                Chromosome(
                    region=replace(newest.region, id=track.id, overlaps=overlaps),
                    crop=replace(newest.crop, region_id=track.id),
                    label=assigned.label,
                    confidence=assigned.confidence,
                    status=assigned.status,
                    candidates=tuple((label, float(prediction.scores[LABELS.index(label)])) for label in named),
                    p_arm_up=prediction.p_arm_up >= 0.5,
                )
            )
        labels = [c.label for c in chromosomes]
        counts = {label: labels.count(label) for label in LABELS}
        return replace(
            cell, chromosomes=tuple(chromosomes), karyotype=karyotype_of(counts), findings=findings_of(counts)
        )


class Steady:
    """A labeller whose labels stand still: ``label`` each frame, fused within ``scene_of(frame.index)``."""

    def __init__(self, label: Callable[[Frame], Cell], scene_of: Callable[[int], int]) -> None:
        self._label = label
        self._scene_of = scene_of
        self._tracks = Tracks()

    def __call__(self, frame: Frame) -> Cell:
        return self._tracks.fuse(self._label(frame), self._scene_of(frame.index))


def _scores_of(chromosome: Chromosome) -> Float32Array:
    """The crop's own scores (24,): those reported, the rest shared out evenly among the other classes."""
    said = dict(chromosome.candidates)
    rest = max(0.0, 1.0 - sum(said.values())) / max(1, len(LABELS) - len(said))
    scores = np.array([said.get(label, rest) for label in LABELS], np.float32)
    return np.asarray(scores / max(float(scores.sum()), 1e-6), np.float32)


def _mean(votes: deque[bool]) -> float:
    return sum(votes) / len(votes) if votes else 0.0
