"""Cut-outs cell by cell, as they are to be read: dark on white or bright on black, also where their grounds leave a
doubt which."""

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
"""Mean probability of the likeliest labels: of 48 test cells without rims the right way has at least 0.1 more than the
wrong one, at the median 0.4."""


@dataclass(frozen=True, slots=True, eq=False)
class CutCell:
    """The cut-outs of one cell, or such as are read together for want of one: ``truths``, and ``pictures`` uint8 (h, w)
    of the same, each on a ground such as it was photographed on."""

    truths: tuple[CropTruth, ...]
    pictures: tuple[UInt8Array, ...]

    @property
    def p_arm_up(self) -> bool:
        """Those dark on white come from karyograms, their p arm is up; of those bright on black it is not known: they
        are stored as they lay (BioImLab, Padova)."""
        return not bright_on_black(self.pictures)

    @property
    def crops(self) -> tuple[Crop, ...]:
        return crops_from_cutouts(self.pictures)

    @property
    def mirrored(self) -> tuple[Crop, ...]:
        """The same cut anew, from their mirror images: another centre line, and other pixels."""
        return crops_from_cutouts([picture[:, ::-1] for picture in self.pictures])


def told(cells: Iterable[Sequence[CropTruth]], models: Path) -> Iterator[CutCell]:
    """Each of ``cells`` as it is to be read; the classifier in ``models`` says how where pictures alone do not."""
    stains = Stains(models)
    for members in cells:
        yield CutCell(tuple(members), tuple(stains.told([c.pixels for c in members])))


class Stains:
    """Tells them with the classifier in ``models``, which is opened when there is a doubt; where there is none, as the
    pictures alone say. ``ModelError`` for its bundle."""

    def __init__(self, models: Path) -> None:
        self._models = models

    @cached_property
    def _classifier(self) -> Classifier:
        return load_classifier(self._models)

    def told(self, pictures: Sequence[UInt8Array]) -> list[UInt8Array]:
        """One cell's cut-outs, uint8 (h, w) each, on a ground such as they were photographed on: the likelier one, but
        for another on which they can be named more surely."""
        ways = ways_to_read(pictures)
        if len(ways) == 1 or not (self._models / "classifier").is_dir():
            return ways[0]
        sure = [self._sureness(way) for way in ways]
        best = int(np.argmax(sure))
        return ways[best if sure[best] > sure[0] + SURER else 0]

    def _sureness(self, pictures: Sequence[UInt8Array]) -> float:
        named = self._classifier.classify(crops_from_cutouts(pictures))
        return float(np.mean([prediction.scores.max() for prediction in named]))
