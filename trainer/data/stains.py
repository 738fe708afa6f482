"""Cut-outs cell by cell, each with its stain: dark on white or bright on black, also where the ground leaves a
doubt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from edge.classify.classifier import Classifier, load_classifier
from edge.locate.cutouts import bright_on_black, crops_from_cutouts
from edge.records import Crop, UInt8Array
from trainer.data.crops import CropTruth
from trainer.data.grounds import ways_to_read

SURER = 0.05
"""Another reading is taken if the mean probability of the likeliest labels is higher by more than this. Of 48 test
cells without rims the right reading has at least 0.1 more than the wrong one, 0.4 at the median."""


@dataclass(frozen=True, slots=True, eq=False)
class CutCell:
    """The cut-outs of one cell, or those that are read together because their cells are not known: ``truths``, and the
    same as ``pictures`` uint8 (h, w), each on a ground like the one it was photographed on."""

    truths: tuple[CropTruth, ...]
    pictures: tuple[UInt8Array, ...]

    @property
    def p_arm_up(self) -> bool:
        """Whether the p arm is known to be on top. Cut-outs dark on white come from karyograms, where it is; those
        bright on black are stored as they lay (BioImLab, Padova)."""
        return not bright_on_black(self.pictures)

    @property
    def crops(self) -> tuple[Crop, ...]:
        return crops_from_cutouts(self.pictures)

    @property
    def mirrored(self) -> tuple[Crop, ...]:
        """The crops cut anew from their mirror images: other centre lines and other pixels."""
        return crops_from_cutouts([picture[:, ::-1] for picture in self.pictures])


def cut_cells(cells: Iterable[Sequence[CropTruth]], models: Path) -> Iterator[CutCell]:
    """Each of ``cells`` on its right ground; where pictures alone do not tell it the classifier in ``models`` does."""
    stains = Stains(models)
    for members in cells:
        yield CutCell(tuple(members), tuple(stains.on_their_ground([c.pixels for c in members])))


class Stains:
    """Tells stains with the classifier in ``models``, which is opened at the first doubt; without one, by the pictures
    alone. ``ModelError`` for its bundle."""

    def __init__(self, models: Path) -> None:
        self._models = models

    @cached_property
    def _classifier(self) -> Classifier:
        return load_classifier(self._models)

    def on_their_ground(self, pictures: Sequence[UInt8Array]) -> list[UInt8Array]:
        """One cell's cut-outs, uint8 (h, w) each, on a ground like the one they were photographed on: the likeliest by
        their rims, unless they can be named more surely on another."""
        ways = ways_to_read(pictures)
        if len(ways) == 1 or not (self._models / "classifier").is_dir():
            return ways[0]
        sure = [self._sureness(way) for way in ways]
        best = int(np.argmax(sure))
        return ways[best if sure[best] > sure[0] + SURER else 0]

    def _sureness(self, pictures: Sequence[UInt8Array]) -> float:
        named = self._classifier.classify(crops_from_cutouts(pictures))
        return float(np.mean([prediction.scores.max() for prediction in named]))
