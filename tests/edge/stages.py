"""Small stages that really locate and really classify, for spreads that are drawn as dark bars: no model needed.

A bar's length in units of 10 px is the number of its chromosome.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.cell.arbiter import Judged
from edge.cell.assign import Assigned
from edge.cell.keep import WEIGHED, Kept
from edge.locate.ways import Way, laid_back
from edge.pipeline import Pipeline
from edge.records import LABELS, Box, Crop, Float32Array, Frame, Prediction, Region, UInt8Array
from tests.builders import MODELS, make_prediction


def draw_bars(numbers: Sequence[int]) -> UInt8Array:
    """A bright frame with one dark bar a number, 10 px long a unit, 12 px wide."""
    pixels = np.full((260, 30 * max(4, len(numbers)) + 20), 220, np.uint8)
    for i, number in enumerate(numbers):
        pixels[15 : 15 + 10 * number, 20 + 30 * i : 32 + 30 * i] = 60
    return pixels


class BarLocator:
    models = {role: MODELS[role] for role in ("locator", "separator")}  # noqa: RUF012

    def prepared(self, frame: Frame) -> Frame:
        return frame

    def spread(self, frame: Frame) -> Box:
        return 0, 0, frame.pixels.shape[1], frame.pixels.shape[0]

    def locate(self, frame: Frame) -> tuple[Region, ...]:
        count, marks, stats, _ = cv2.connectedComponentsWithStats((frame.pixels < 128).astype(np.uint8))
        regions = []
        for i in range(1, count):
            x, y, w, h = (int(v) for v in stats[i, :4])
            axis = np.array([[x + w / 2, y], [x + w / 2, y + h]], np.float32)
            regions.append(Region(i - 1, (x, y, x + w, y + h), marks[y : y + h, x : x + w] == i, axis, (), 1.0))
        return tuple(regions)

    def laid_back(self, frame: Frame, regions: Sequence[Region], way: Way) -> tuple[Region, ...]:
        return laid_back(regions, way, frame.pixels.shape, (0.0, 0.0))

    def look_again(
        self, frame: Frame, regions: tuple[Region, ...], *said: object, thorough: bool
    ) -> tuple[Region, ...]:
        return regions


class BarClassifier:
    models = {"classifier": MODELS["classifier"]}  # noqa: RUF012

    def __init__(self) -> None:
        self.calls = 0

    def classify(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
        self.calls += 1
        return tuple(make_prediction(c.region_id, str(min(22, max(1, round(c.pixels.shape[0] / 10))))) for c in crops)

    def classify_live(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
        return self.classify(crops)


class KeepAll:
    models = {"verifier": MODELS["verifier"]}  # noqa: RUF012

    def __call__(self, frame: Frame, regions: Sequence[Region], crops: object, predictions: object) -> Kept:
        return kept_at([9.0] * len(regions))

    def again(self, before: Kept, frame: Frame, regions: Sequence[Region], crops: object, predictions: object) -> Kept:
        return self(frame, regions, crops, predictions)


class Unmoved:
    """An arbiter that changes nothing."""

    models = {"arbiter": MODELS["arbiter"]}  # noqa: RUF012

    def __call__(self, regions: object, crops: object, predictions: Sequence[Prediction], kept: Kept) -> Judged:
        return Judged(tuple(predictions), kept.odds)


def kept_at(odds: Sequence[float]) -> Kept:
    """All of them seen, at these log odds."""
    return Kept(np.arange(len(odds)), np.zeros((len(odds), len(WEIGHED)), np.float32), np.array(odds, np.float32))


keep_all, unmoved = KeepAll(), Unmoved()


def cut_bars(frame: Frame, regions: Sequence[Region], among: Sequence[Region]) -> tuple[Crop, ...]:
    """Upright, also where the frame lies on its side."""
    upright = [r.mask if r.mask.shape[0] >= r.mask.shape[1] else r.mask.T for r in regions]
    return tuple(Crop(r.id, np.where(mask, 200, 0).astype(np.uint8)) for r, mask in zip(regions, upright, strict=True))


def assign_bars(predictions: Sequence[Prediction], odds: Float32Array) -> tuple[Assigned, ...]:
    best = [int(prediction.scores.argmax()) for prediction in predictions]
    sure = [float(prediction.scores.max()) for prediction in predictions]
    return tuple(Assigned(k, LABELS[best[k]], sure[k], "accepted") for k in range(len(best)) if odds[k] > 0)


def bar_pipeline() -> Pipeline:
    return Pipeline(BarLocator(), BarClassifier(), cut_bars, keep_all, unmoved, assign_bars)
