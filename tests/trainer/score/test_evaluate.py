"""Frames are labelled for the measures as the edge labels them, stored or live."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge.pipeline
from edge.locate.ways import WAYS, Way
from edge.records import Cell, Frame
from tests.edge.stages import bar_pipeline, draw_bars
from trainer.data.metaphase import FrameTruth
from trainer.errors import DatasetError
from trainer.score.evaluate import UpsideDownWarning, frame_figures, label_frames, warn_of_upside_down


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


def test_frames_in_folders_are_scored(monkeypatch: pytest.MonkeyPatch, truths: list[FrameTruth]) -> None:
    """``images.csv`` may say ``patient1/a.png``; another program's line says ``a.png``."""
    pipeline = bar_pipeline()
    monkeypatch.setattr(edge.pipeline, "load_pipeline", lambda models, threads: pipeline)
    lines = label_frames(truths, None, 1, None)
    inside = [replace(truth, image=f"patient1/{truth.image}") for truth in truths]
    assert frame_figures(lines, inside) == frame_figures(lines, truths)
    assert frame_figures(lines, inside)["frames"] == 2
    twice = [*inside, replace(truths[0], image="patient2/a.png")]
    with pytest.raises(DatasetError, match=r"patient2/a\.png and patient1/a\.png: .* got 'a\.png', which may be eith"):
        frame_figures(lines, twice)
    own = label_frames(twice, None, 1, None)
    assert [line["frame"] for line in own] == ["patient1/a.png", "patient1/b.png", "patient2/a.png"]
    assert frame_figures(own, twice)["frames"] == 3
    assert frame_figures(own[1:], twice)["missing_frames"] == 1  # the line of another patient is not taken for it


@pytest.mark.parametrize(("frames", "got"), [(["c.png"], r"1 line\(s\), first of c\.png"), ([], "no line")])
def test_lines_of_other_frames_are_no_score(truths: list[FrameTruth], frames: list[str], got: str) -> None:
    lines = [{"frame": name, "chromosomes": []} for name in frames]
    with pytest.raises(DatasetError, match=rf"expected lines of 2 frame\(s\), first a\.png, got {got}; give those"):
        frame_figures(lines, truths)


def test_cut_outs_that_lie_upside_down_are_told() -> None:
    with pytest.warns(UpsideDownWarning, match="set: expected upright cut-outs, .* got 98% the other way up; turn"):
        warn_of_upside_down(0.02, "set")
    for polarity in (None, 0.5, 0.99):
        warn_of_upside_down(polarity, "set")
