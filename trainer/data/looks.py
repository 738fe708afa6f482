"""What the verifier learns from: the objects that the models find in frames, and which of them are chromosomes.

Only objects that the keeper would show the verifier (``edge.cell.keep.doubtful``); what is beyond doubt teaches it
nothing.

The models have learned from the train frames themselves and find their chromosomes too easily. So each frame is changed
first, in size, light, stain and sharpness, as if another laboratory had taken it: 97.0 % of what is then found is
judged rightly by the views of ``edge.cell.views``, as against 97.4 % on val frames as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.progress import track

from edge.camera.files import read_frame
from edge.cell.compare import one_to_one
from edge.cell.keep import doubtful, singled
from edge.cell.verify import looks
from edge.cell.views import views
from edge.classify.classifier import Classifier, load_classifier
from edge.locate.locator import Locator, load_locator
from edge.locate.straighten import straighten
from edge.overlap import box_iou
from edge.records import Float32Array, Frame, Region, UInt8Array
from trainer.data.columns import Columns
from trainer.data.cropset import boxes_of
from trainer.data.excluded import teaches_nothing
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.sources import kept_at
from trainer.errors import DatasetError

GROUND = 0.75
"""The grey level, as a share of white, that a change of contrast leaves as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class LookSet(Columns):
    """``pixels`` uint8 (n, 64, 64, 3); ``whole`` bool (n,), whether it is the mark of a chromosome; ``share`` float32
    (n,), its box's largest intersection over union with a true one; ``chance`` float32 (n,), the probability that it is
    a chromosome by locator and classifier alone."""

    pixels: UInt8Array
    whole: npt.NDArray[np.bool_]
    share: Float32Array
    chance: Float32Array

    def some(self, count: int) -> LookSet:
        """``count`` of them at most, always the same."""
        return self.pick(np.sort(np.random.default_rng(0).permutation(len(self))[:count]))


def looks_of_frames(source: Path, split: str, models: Path, store: Path, seed: int) -> LookSet:
    """The doubtful objects found in a split, kept in ``store`` for the next run; train frames are changed before, with
    ``seed``. ``DatasetError`` if nothing is found."""
    lookers = load_lookers(models)
    path = kept_at(store, source, split, lookers.ids, f"doubted{seed}")
    return LookSet.kept(path, lambda: looks_at(read_frames(source, split), split, lookers, seed))


@dataclass(frozen=True, slots=True)
class Lookers:
    """The models whose finds the verifier learns to judge."""

    locator: Locator
    classifier: Classifier

    @property
    def ids(self) -> tuple[str, ...]:
        return (*self.locator.models.values(), *self.classifier.models.values())


def load_lookers(models: Path) -> Lookers:
    """The lookers of the bundles in ``models``; ``ModelError`` for one that is missing or damaged."""
    return Lookers(load_locator(models), load_classifier(models))


def looks_at(truths: Sequence[FrameTruth], split: str, lookers: Lookers, seed: int) -> LookSet:
    """The doubtful objects found in ``truths``; train frames are changed before, with ``seed``. ``DatasetError`` if
    nothing is found."""
    found = []
    for number, truth in enumerate(track(truths, f"looking at {split} frames")):
        frame = read_frame(truth.path, number)
        boxes = np.concatenate([truth.boxes_px, truth.ignored_px]).astype(np.float32)
        if split == "train":
            frame, boxes = changed(frame, boxes, np.random.default_rng((seed, number)))
        true, ignored = np.split(boxes, [len(truth.labels)])
        found += looks_of(frame, true, ignored, lookers.locator, lookers.classifier)
    if not found:
        raise DatasetError(f"nothing doubtful is found in {len(truths)} frames of split '{split}'; give more frames")
    return LookSet.join(found)


def looks_of(
    frame: Frame, boxes: Float32Array, ignored: Float32Array, locator: Locator, classifier: Classifier
) -> list[LookSet]:
    """A list with the set of the doubtful objects in a frame whose chromosomes have these boxes (n, 4), without those
    at the boxes ``ignored`` (k, 4); an empty list if there are none."""
    frame = locator.prepared(frame)
    regions = locator.locate(frame)
    if not regions:
        return []
    crops = straighten(frame, regions)
    found = views(regions, crops, classifier.classify(crops))
    rows, chance = singled(regions, found)
    single = [regions[k] for k in rows]
    whole, share = marks(single, boxes)
    learned = whole | ~teaches_nothing(boxes_of(single), ignored)
    doubted = np.flatnonzero(doubtful(found[rows]) & learned)
    return [LookSet(looks(frame, single, chance, doubted), whole[doubted], share[doubted], chance[doubted])]


def marks(regions: Sequence[Region], boxes: Float32Array) -> tuple[npt.NDArray[np.bool_], Float32Array]:
    """For each region: whether it is the mark of one of the true ``boxes`` (m, 4), one to one, bool (n,); and its box's
    largest intersection over union with any, float32 (n,)."""
    shares = box_iou(boxes_of(regions), boxes)
    whole = np.zeros(len(regions), np.bool_)
    whole[one_to_one(shares)[0]] = True
    return whole, shares.max(1, initial=0).astype(np.float32)


def changed(
    frame: Frame, boxes: Float32Array, rng: np.random.Generator, strength: float = 1.0
) -> tuple[Frame, Float32Array]:
    """The frame as another laboratory might have taken it, and its boxes (n, 4) there; ``strength`` says how different
    size, light, blur and noise may be."""
    zoom = float(np.exp(rng.normal(0, 0.06 * strength)))
    size = [max(1, round(n * zoom)) for n in frame.pixels.shape[::-1]]
    x = cv2.resize(frame.pixels, size, interpolation=cv2.INTER_LINEAR).astype(np.float32) / np.float32(255)
    x = x ** np.float32(np.exp(rng.normal(0, 0.25 * strength)))
    x = (x - GROUND) * np.float32(np.exp(rng.normal(0, 0.2 * strength))) + np.float32(
        GROUND + rng.normal(0, 0.05 * strength)
    )
    if rng.random() < 0.4:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.5, 1.0 + strength)))
    if rng.random() < 0.4:
        x = x + rng.standard_normal(x.shape, np.float32) * np.float32(rng.uniform(0.005, 0.03 * strength))
    boxes = boxes * np.tile(np.array(size, np.float32) / frame.pixels.shape[::-1], 2).astype(np.float32)
    if rng.random() < 0.5:
        x, boxes = x.T, boxes[:, [1, 0, 3, 2]]
    if rng.random() < 0.5:
        width = x.shape[1]
        x, boxes = x[:, ::-1], np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
    pixels = np.ascontiguousarray(np.rint(np.clip(x, 0, 1) * 255), np.uint8)
    return Frame(pixels, frame.index, frame.captured_s, frame.source, frame.um_per_px), boxes.astype(np.float32)
