"""Labelled chromosomes as the classifier sees them, cell by cell, from a set of any form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.records import Crop
from trainer.data.crops import by_cell, read_crops
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.sources import holds_cutouts


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCell:
    """One cell's crops with their true labels and what each is called; ``whole``: they are known to be one cell.

    ``p_arm_up``: whether all of them are known to have the p arm on top.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    crops: tuple[Crop, ...]
    whole: bool
    p_arm_up: bool


def labelled_cells(data: Path, split: str, locator: Path) -> tuple[int, Iterator[LabelledCell]]:
    """How many cells a split has, and each: cut-outs as they are, frames as ``locator``'s bundle cuts their true boxes.

    Cut-outs whose cell is not known come as one. ``DatasetError`` as ``read_crops`` and ``read_frames`` raise it,
    ``ModelError`` for the bundle.
    """
    if not holds_cutouts(data):
        frames = [frame for frame in read_frames(data, split) if frame.labels]
        return len(frames), _of_frames(frames, locator)
    cells = by_cell(read_crops(data, split))

    def of_cutouts() -> Iterator[LabelledCell]:
        from edge.locate.straighten import crops_from_cutouts

        for cell, members in cells.items():
            names, labels = tuple(c.file for c in members), tuple(c.label for c in members)
            crops = crops_from_cutouts([c.pixels for c in members])
            yield LabelledCell(names, labels, crops, whole=cell != "", p_arm_up=True)

    return len(cells), of_cutouts()


def _of_frames(frames: list[FrameTruth], locator: Path) -> Iterator[LabelledCell]:
    from edge.camera.files import read_frame
    from edge.locate.locator import Locator
    from edge.locate.straighten import straighten
    from edge.runtime.bundle import load_bundle

    finder = Locator(load_bundle(locator, "locator"))
    for truth in frames:
        frame = read_frame(truth.path)
        crops = straighten(frame, finder.regions_for_boxes(frame, truth.boxes_px))
        names = tuple(f"{truth.image} #{k}" for k in range(len(crops)))
        yield LabelledCell(names, truth.labels, crops, whole=True, p_arm_up=False)
