"""Frames are labelled for the measures as the edge labels them, stored or live."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import edge.pipeline
from edge.locate.ways import WAYS, Way
from edge.records import Cell, Frame
from tests.edge.stages import bar_pipeline, draw_bars
from trainer.data.metaphase import FrameTruth
from trainer.evaluate import label_frames


@pytest.fixture
def truths(tmp_path: Path) -> list[FrameTruth]:
    made = []
    for name, numbers in (("a.png", [7, 9]), ("b.png", [5])):
        cv2.imwrite(str(tmp_path / name), draw_bars(numbers))
        boxes = np.zeros((0, 4), np.int64)
        made.append(FrameTruth(name, tmp_path / name, "a", "val", 140, 260, "", False, boxes, boxes, ()))
    return made


def test_live_labels_are_those_after_so_many_looks(monkeypatch: pytest.MonkeyPatch, truths: list[FrameTruth]) -> None:
    looks: list[tuple[str, Way]] = []
    pipeline = bar_pipeline()
    label_live = pipeline.label_live

    def watched(frame: Frame, way: Way) -> Cell:
        looks.append((Path(frame.source).name, way))
        return label_live(frame, way)

    monkeypatch.setattr(pipeline, "label_live", watched)
    monkeypatch.setattr(edge.pipeline, "load_pipeline", lambda models, threads: pipeline)
    lines = label_frames(truths, None, 1, None, looks=3)
    assert [[c["label"] for c in line["chromosomes"]] for line in lines] == [["7", "9"], ["5"]]
    assert looks == [(name, way) for name in ("a.png", "b.png") for way in WAYS[:3]]
    looks.clear()
    label_frames(truths, None, 1, None)
    assert not looks
