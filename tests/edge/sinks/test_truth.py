"""A source that knows its truth is compared frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

from edge.overlap import BOX_MARGIN_PX
from edge.records import Box
from edge.sinks.truth import TruthSink
from tests.builders import make_cell, make_frame


@dataclass(frozen=True)
class Drawn:
    label: str
    box_px: Box


def test_the_truth_of_the_same_frame_is_asked_and_summed() -> None:
    cell = make_cell(["1", "2"])
    left, top, right, bottom = BOX_MARGIN_PX  # the truth is tight, the located boxes are not
    boxes = [
        (x0 + left, y0 + top, x1 - right, y1 - bottom) for x0, y0, x1, y1 in (c.region.box_px for c in cell.chromosomes)
    ]
    truths = {0: [Drawn("1", boxes[0]), Drawn("2", boxes[1])], 1: [Drawn("1", boxes[0]), Drawn("3", (90, 90, 99, 99))]}
    sink = TruthSink(truths.__getitem__)
    for index in (0, 1):
        sink.put(make_frame(index=index), cell)
    assert sink.summary() == (
        "against the truth of 2 frames: located 75.0%, precision 75.0%, located and rightly labelled 75.0%, "
        "1.0 corrections a cell"
    )


def test_what_a_moving_stage_smears_is_no_mistake() -> None:
    sink = TruthSink(lambda _: [])
    sink.put(make_frame(), make_cell(["1", "2"]))
    assert sink.score.frames == 0


def test_no_frame_is_no_claim() -> None:
    assert "0 frames" in TruthSink(lambda _: []).summary()
