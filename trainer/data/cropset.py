"""Crops as the classifier sees them, with what is known of each; made from cut-outs or from frames by the locator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from rich.progress import track

from edge.camera.files import read_frame
from edge.camera.metaphase import draw_metaphase
from edge.cell.compare import one_to_one
from edge.locate.locator import Locator
from edge.locate.straighten import straighten
from edge.overlap import box_iou
from edge.records import LABELS, Frame, Region, UInt8Array
from trainer.data.columns import Columns
from trainer.data.crops import read_crops
from trainer.data.excluded import teaches_nothing
from trainer.data.grounds import read_together
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.stains import cut_cells

UP, DOWN, UNKNOWN = 1, 0, -1
NOTHING = -1
NO_CELL = -1
DRAWN = "drawn"
"""The case of what is drawn from the band tables."""
MISTAKEN_IOU = 0.4
"""A found box whose intersection over union with every true one is below this is a mistake, which the classifier learns
from as NOTHING."""


@dataclass(frozen=True, slots=True, eq=False)
class CropSet(Columns):
    """``pixels`` uint8 (n, 128, 32); ``label`` int64 (n,), an index of LABELS, or NOTHING for what the locator took for
    a chromosome and is none; ``polarity`` int8 (n,): UP, DOWN or UNKNOWN; ``cell`` int64 (n,), which crops belong
    together, NO_CELL where that is not known; ``case`` (n,) of text, the donor or case."""

    pixels: UInt8Array
    label: npt.NDArray[np.int64]
    polarity: npt.NDArray[np.int8]
    cell: npt.NDArray[np.int64]
    case: npt.NDArray[np.str_]

    def with_unknown_ends(self) -> Self:
        """The same, as if nobody knew which end is up."""
        return replace(self, polarity=np.full(len(self), UNKNOWN, np.int8))

    @classmethod
    def join(cls, sets: Sequence[Self]) -> Self:
        """All of them; cells are numbered anew."""
        offsets = np.cumsum([0] + [int(s.cell.max(initial=NO_CELL)) + 1 for s in sets[:-1]])
        # super() alone does not find its class once slots have made it anew.
        return super(CropSet, cls).join(
            [replace(s, cell=s.cell + np.where(s.cell == NO_CELL, 0, o)) for s, o in zip(sets, offsets, strict=True)]
        )


def crops_of_cutouts(source: Path, split: str, models: Path) -> CropSet:
    """The crops of a set of cut-outs, cell by cell. Where their grounds leave a doubt about the stain the classifier in
    ``models`` decides."""
    pixels, labels, polarity, cells, cases = [], [], [], [], []
    for number, cell in enumerate(cut_cells(read_together(read_crops(source, split)).values(), models)):
        pixels += [crop.pixels for crop in cell.crops]
        labels += [LABELS.index(t.label) for t in cell.truths]
        polarity += [UP if cell.p_arm_up else UNKNOWN] * len(cell.truths)
        cells += [number if t.cell else NO_CELL for t in cell.truths]
        cases += [t.donor for t in cell.truths]
    return CropSet(np.stack(pixels), np.array(labels), np.array(polarity, np.int8), np.array(cells), np.array(cases))


def crops_of_drawings(cells: int, seed: int) -> CropSet:
    """The crops of ``cells`` metaphases drawn from the band tables, cut with their true masks and axes, p arm up."""
    rng = np.random.default_rng(seed)
    pixels, labels, numbers = [], [], []
    for number in track(range(cells), "drawing cells"):
        cell = draw_metaphase(rng, "46,XX" if rng.random() < 0.5 else "46,XY")
        regions = [Region(c.id, c.box_px, c.mask, c.axis_px, c.overlaps, 1.0) for c in cell.truth]
        frame = Frame(cell.pixels, number, 0.0, "drawn")
        pixels += [c.pixels for c in straighten(frame, regions)]
        labels += [LABELS.index(c.label) for c in cell.truth]
        numbers += [number] * len(cell.truth)
    case = np.full(len(labels), DRAWN)
    return CropSet(np.stack(pixels), np.array(labels), np.full(len(labels), UP, np.int8), np.array(numbers), case)


def boxes_of(regions: Sequence[Region]) -> npt.NDArray[np.float32]:
    """The regions' boxes, float32 (n, 4)."""
    return np.array([r.box_px for r in regions], np.float32).reshape(-1, 4)


def crops_of_frames(source: Path, split: str, locator: Locator) -> CropSet:
    """``crops_of`` all frames of a split."""
    return crops_of(read_frames(source, split), locator, f"crops of {split} frames")


def crops_of(truths: Sequence[FrameTruth], locator: Locator, what: str) -> CropSet:
    """The crops of all chromosomes of metaphase frames, as the models cut them. The polarity is known only of those
    whose p arm a person marked. ``what`` stands beside the progress bar.

    In every other frame a chromosome's box is the located one, if there is one, as it will be at the microscope; what
    was located there and is no chromosome comes along, labelled NOTHING, except for what is to be ignored. In the
    frames between, the boxes are those that people drew.
    """
    pixels, labels, polarity, cells, cases = [], [], [], [], []
    for number, truth in enumerate(track(truths, what)):
        frame = locator.prepared(read_frame(truth.path, number))
        names = [LABELS.index(name) for name in truth.labels]
        if number % 2:
            rows = list(range(len(names)))
            regions = list(locator.regions_for_boxes(frame, truth.boxes_px))
        else:
            found = locator.locate(frame)
            iou = box_iou(boxes_of(found), truth.boxes_px.astype(np.float32))
            mine, theirs = one_to_one(iou)
            missed = np.setdiff1d(np.arange(len(names)), theirs)
            mistaken = iou.max(1, initial=0) < MISTAKEN_IOU
            wrong = np.flatnonzero(mistaken & ~teaches_nothing(boxes_of(found), truth.ignored_px))
            regions = [found[k] for k in (*mine, *wrong)]
            regions += locator.regions_for_boxes(frame, truth.boxes_px[missed])
            rows = [*theirs.tolist(), *(NOTHING for _ in wrong), *missed.tolist()]
        pixels += [crop.pixels for crop in straighten(frame, regions)]
        labels += [NOTHING if row == NOTHING else names[row] for row in rows]
        polarity += [_way_up(region, truth.p_ends_px.get(row)) for region, row in zip(regions, rows, strict=True)]
        cells += [number] * len(rows)
        cases += [truth.case] * len(rows)
    return CropSet(np.stack(pixels), np.array(labels), np.array(polarity, np.int8), np.array(cells), np.array(cases))


def _way_up(region: Region, p_end_px: tuple[float, float] | None) -> int:
    """The polarity of a region's crop whose p arm ends at ``p_end_px`` (x, y); UNKNOWN where that is None."""
    if p_end_px is None:
        return UNKNOWN
    first, last = (float(np.hypot(*(region.axis_px[end] - p_end_px))) for end in (0, -1))
    return UP if first < last else DOWN
