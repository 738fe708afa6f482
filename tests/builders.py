"""Small real records for tests: chromosomes that are drawn, not mocked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edge.cell.findings import findings_of_cell, karyotype_of
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import (
    LABELS,
    NOMINAL_UM_PER_PX,
    Box,
    Cell,
    Chromosome,
    Crop,
    Frame,
    Prediction,
    Region,
    Status,
    UInt8Array,
)

NORMAL_FEMALE = [label for label in LABELS[:22] for _ in range(2)] + ["X", "X"]
MODELS = {
    role: "sha256:" + letter * 64
    for role, letter in (("locator", "a"), ("separator", "c"), ("classifier", "b"), ("verifier", "d"), ("arbiter", "e"))
}


def make_frame(
    height: int = 240, width: int = 320, *, level: int = 220, index: int = 0, source: str = "a.png"
) -> Frame:
    return Frame(np.full((height, width), level, np.uint8), index, float(index), source)


def make_stain(length: int = 60, width: int = 14) -> UInt8Array:
    """A straight chromosome with an empty border; its top quarter is faint, so up and down differ."""
    stain = np.zeros((length + 8, width + 6), np.uint8)
    stain[4:-4, 3:-3] = 200
    stain[4 : 4 + length // 4, 3:-3] = 60
    return stain


def make_region(id: int = 0, box_px: Box = (10, 10, 24, 70), *, score: float = 0.9) -> Region:
    x0, y0, x1, y1 = box_px
    middle = (x0 + x1) / 2
    axis = np.array([[middle, y0], [middle, y1]], np.float32)
    return Region(id, box_px, np.ones((y1 - y0, x1 - x0), np.bool_), axis, (), score)


def make_crop(region_id: int = 0, rows: int = 60, cols: int = 12, stain: int = 150) -> Crop:
    """A straight bar of one stain in the classifier's input."""
    pixels = np.zeros((CROP_ROWS, CROP_COLS), np.uint8)
    top, left = (CROP_ROWS - rows) // 2, (CROP_COLS - cols) // 2
    pixels[top : top + rows, left : left + cols] = stain
    return Crop(region_id, pixels)


def make_prediction(region_id: int, label: str, probability: float = 0.9, *, p_arm_up: float = 0.8) -> Prediction:
    scores = np.full(len(LABELS), (1 - probability) / (len(LABELS) - 1), np.float32)
    scores[LABELS.index(label)] = probability
    return Prediction(region_id, scores, p_arm_up, 0.99)


def make_chromosome(
    id: int,
    label: str,
    *,
    box_px: Box = (10, 10, 24, 70),
    status: Status = "accepted",
    confidence: float = 0.9,
    stain: UInt8Array | None = None,
    p_arm_up: bool = True,
) -> Chromosome:
    return Chromosome(
        region=make_region(id, box_px),
        crop=Crop(id, make_stain() if stain is None else stain),
        label=label,
        confidence=confidence,
        status=status,
        candidates=((label, confidence), ("1" if label != "1" else "2", 0.05)),
        p_arm_up=p_arm_up,
    )


def spread_boxes(count: int, *, columns: int = 8, step_px: int = 40) -> list[Box]:
    """Boxes of 14 x 24 px on a grid, none touching another."""
    corners = [(10 + (i % columns) * step_px, 10 + (i // columns) * step_px) for i in range(count)]
    return [(x, y, x + 14, y + 24) for x, y in corners]


def make_cell(
    labels: Iterable[str] = NORMAL_FEMALE,
    *,
    review: Sequence[int] = (),
    frame: str = "a.png",
    index: int = 0,
    width_px: int = 340,
    height_px: int = 300,
    um_per_px: float = NOMINAL_UM_PER_PX,
) -> Cell:
    """A cell with one chromosome a label, in a grid; those whose number is in ``review`` are to review. Its frame is
    higher than ``height_px`` where they need it."""
    labels = list(labels)
    boxes = spread_boxes(len(labels))
    height_px = max([height_px, *(y1 + 10 for _, _, _, y1 in boxes)])
    chromosomes = tuple(
        make_chromosome(i, label, box_px=boxes[i], status="review" if i in review else "accepted")
        for i, label in enumerate(labels)
    )
    counts = {label: labels.count(label) for label in LABELS}
    stages = {"locate": 9.1234, "straighten": 1.0, "classify": 11.8, "assign": 0.4}
    return Cell(
        frame,
        index,
        width_px,
        height_px,
        um_per_px,
        um_per_px != NOMINAL_UM_PER_PX,
        chromosomes,
        karyotype_of(counts),
        findings_of_cell(counts),
        stages,
        MODELS,
    )
