"""Cut-outs of one cell are heard together, wherever they lay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.cell.arbiter import MOST_ODDS, Arbiter, Judged
from edge.cell.cutouts import beside_one_another
from edge.cell.keep import BEYOND_DOUBT_NATS, Kept
from edge.config import default_models_dir
from edge.overlap import box_iou
from edge.records import LABELS, Crop, Prediction, Region
from edge.runtime.bundle import load_bundle
from tests.builders import make_crop, make_prediction


class Hears:
    """An arbiter that changes nothing and remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[Sequence[Region], Kept]] = []

    def __call__(
        self, regions: Sequence[Region], crops: Sequence[Crop], predictions: Sequence[Prediction], kept: Kept
    ) -> Judged:
        self.heard.append((regions, kept))
        return Judged(tuple(predictions), kept.odds)


def test_they_lie_apart_as_long_and_as_broad_as_their_crops_and_are_sure() -> None:
    crops = [make_crop(k, rows=20 + 2 * k, cols=10) for k in range(46)]
    crops.append(Crop(46, np.zeros_like(crops[0].pixels)))  # nothing was to be seen
    hears = Hears()
    beside_one_another(hears, crops, [make_prediction(k, "1") for k in range(47)])  # type: ignore[arg-type]
    ((regions, kept),) = hears.heard
    boxes = np.array([region.box_px for region in regions])
    assert box_iou(boxes, boxes).sum() == 47
    assert [np.count_nonzero(r.mask) for r in regions[:46]] == [10 * (20 + 2 * k) for k in range(46)]
    lengths = [float(np.hypot(*(r.axis_px[-1] - r.axis_px[0]))) for r in regions[:46]]
    np.testing.assert_allclose(lengths, [20 + 2 * k for k in range(46)])
    assert (kept.odds == MOST_ODDS).all()
    assert (kept.weighed[:, -1] == np.float32(BEYOND_DOUBT_NATS)).all()
    assert not kept.weighed[:, 3:6].any()  # covered by none, beside none


def test_the_shipped_arbiter_leaves_sure_labels_and_answers_for_each() -> None:
    arbiter = Arbiter(load_bundle(default_models_dir() / "arbiter", "arbiter"))
    labels = ["22", "22", "21", "1"]
    predictions = [make_prediction(k, label) for k, label in enumerate(labels)]
    said = beside_one_another(arbiter, [make_crop(k, rows=30) for k in range(4)], predictions)
    assert [p.region_id for p in said] == [0, 1, 2, 3]
    np.testing.assert_allclose([p.scores.sum() for p in said], 1, rtol=1e-4)
    assert [LABELS[int(p.scores.argmax())] for p in said] == labels


def test_no_crops_nothing_said() -> None:
    assert beside_one_another(Hears(), [], []) == ()  # type: ignore[arg-type]
