"""The committed models on a fixed sample of real frames: a floor under what they must still be able to do.

The frames are of the val split, so that the test split keeps its surprise. The floors stand a little below what the
models gave when they were committed (``models/*/report.json``).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.camera.files import read_frame
from edge.pipeline import load_pipeline
from edge.sinks.jsonl import cell_to_json
from trainer.data.metaphase import read_frames
from trainer.score.evaluate import sample_frames
from trainer.score.frames import FrameScore, score

DATA = Path(os.environ.get("CHROMO_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data")) / "metaphase"
FRAMES = 24
FLOOR_LOCATED = 0.992
FLOOR_PRECISION = 0.994
FLOOR_END_TO_END = 0.987


@pytest.fixture(scope="module")
def scored(models_dir: Path) -> FrameScore:
    if not (DATA / "boxes.csv").is_file():
        pytest.skip(f"no real frames at {DATA}; set CHROMO_DATA to the folder that holds metaphase/")
    truths = sample_frames(read_frames(DATA, "val"), FRAMES, seed=7)
    pipeline = load_pipeline(models_dir)
    return score([cell_to_json(pipeline.label(read_frame(t.path, k))) for k, t in enumerate(truths)], truths)


def test_chromosomes_of_real_frames_are_found(scored: FrameScore) -> None:
    assert scored.located >= FLOOR_LOCATED
    assert scored.precision >= FLOOR_PRECISION


def test_chromosomes_of_real_frames_are_named(scored: FrameScore) -> None:
    assert scored.end_to_end >= FLOOR_END_TO_END
