"""What a classifier says of labelled cells, however often their chromosomes were cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge.records import Crop, Prediction
from trainer.data.labelled import LabelledCell
from trainer.score import judged
from trainer.score.judged import judge


def cut(fill: int) -> tuple[Crop, ...]:
    return tuple(Crop(k, np.full((128, 32), fill, np.uint8)) for k in range(5))


@pytest.mark.parametrize("again", [(), (cut(9),)])
def test_every_cut_is_heard_part_by_part(monkeypatch: pytest.MonkeyPatch, again: tuple[tuple[Crop, ...], ...]) -> None:
    monkeypatch.setattr(judged, "AT_ONCE", 2)
    heard = []

    def classify(cuts: Sequence[Sequence[Crop]]) -> list[Prediction]:
        heard.append([(int(c[0].pixels[0, 0]), [crop.region_id for crop in c]) for c in cuts])
        return [Prediction(c.region_id, np.full(24, 1 / 24, np.float32), 0.5, 0.5) for c in cuts[0]]

    cell = LabelledCell("", tuple("abcde"), ("1", "2", "3", "X", "Y"), cut(7), again, p_arm_up=True)
    said = judge([cell], classify, lambda crops, predictions: ())
    parts = [0, 1], [2, 3], [4]
    assert heard == [[(7, part)] + [(9, part)] * len(again) for part in parts]
    assert (len(said.scores), said.pixels.max()) == (5, 7)
