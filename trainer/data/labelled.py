"""Labelled chromosomes as the classifier sees them, cell by cell, from a set of any form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.records import Crop
from trainer.data.crops import CropTruth, read_crops
from trainer.data.grounds import read_together
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.sources import holds_cutouts
from trainer.data.stains import cut_cells


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCell:
    """One cell's crops with their true labels and what each is called; ``cell`` is its name, "" where nobody knows
    whether they are one cell. ``again``: the same chromosomes cut anew, as often as that is worth it. ``p_arm_up``:
    whether all of them are known to have the p arm on top.
    """

    cell: str
    names: tuple[str, ...]
    labels: tuple[str, ...]
    crops: tuple[Crop, ...]
    again: tuple[tuple[Crop, ...], ...]
    p_arm_up: bool


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCells:
    """The cells of one ``split``, or of the whole set where that is "" (``crops.ANY_SPLIT``), cut when they are asked
    for."""

    split: str
    count: int
    cut: Callable[[], Iterator[LabelledCell]]

    @property
    def share(self) -> str:
        """What of the set they are, in words."""
        return f"split {self.split}" if self.split else "all of it, for no donor or split is stated"

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[LabelledCell]:
        return self.cut()


def labelled_cells(data: Path, split: str, models: Path) -> LabelledCells:
    """The cells of a split: cut-outs as they are, the true boxes of frames as the networks in ``models`` cut them.

    Cut-outs of a donor whose cell is not known come as one, or as two where some lie on black. Where grounds leave
    a doubt about the stain, the classifier in ``models`` says which way they can be named more surely. ``DatasetError``
    as ``read_crops`` and ``read_frames`` raise it, ``ModelError`` for a bundle.
    """
    if holds_cutouts(data):
        crops = read_crops(data, split)
        cells = read_together(crops)
        return LabelledCells(crops[0].split, len(cells), lambda: _of_cutouts(cells, models))
    frames = [frame for frame in read_frames(data, split) if frame.labels]
    return LabelledCells(split, len(frames), lambda: _of_frames(frames, models))


def _of_cutouts(cells: Mapping[tuple[str, str, bool], Sequence[CropTruth]], models: Path) -> Iterator[LabelledCell]:
    donors = Counter(cell for _, cell, _ in cells)
    for (donor, own, _), cut in zip(cells, cut_cells(cells.values(), models), strict=True):
        name = f"{donor}/{own}" if own and donors[own] > 1 else own
        files, labels = tuple(c.file for c in cut.truths), tuple(c.label for c in cut.truths)
        yield LabelledCell(name, files, labels, cut.crops, (cut.mirrored,), cut.p_arm_up)


def _of_frames(frames: Sequence[FrameTruth], models: Path) -> Iterator[LabelledCell]:
    from edge.camera.files import read_frame
    from edge.locate.locator import load_locator
    from edge.locate.straighten import straighten

    locator = load_locator(models)
    for truth in frames:
        frame = locator.prepared(read_frame(truth.path))
        crops = straighten(frame, locator.regions_for_boxes(frame, truth.boxes_px))
        names = tuple(f"{truth.image} #{k}" for k in range(len(crops)))
        yield LabelledCell(truth.image, names, truth.labels, crops, (), p_arm_up=False)
