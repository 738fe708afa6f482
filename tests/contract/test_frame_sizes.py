"""The committed models on frames of any size that cameras give, of other magnifications, and in fluorescence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.locate.locator import resized
from edge.locate.straighten import CROP_ROWS
from edge.pipeline import Pipeline, load_pipeline
from edge.records import Frame, UInt8Array

LARGE = (3040, 4056)
MOST_MB = 600
LABELLED = """
import json, re, sys
from pathlib import Path
from edge.camera.files import read_frame
from edge.pipeline import load_pipeline
cell = load_pipeline(Path(sys.argv[1])).label(read_frame(Path(sys.argv[2])))
# Not getrusage: its peak starts with what the process was forked from.
peak_kb = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
print(json.dumps([cell.count, peak_kb / 1024]))
"""


@pytest.fixture(scope="module")
def pipeline(models_dir: Path) -> Pipeline:
    return load_pipeline(models_dir)


@pytest.fixture(scope="module")
def drawn() -> UInt8Array:
    """A usual cell of 46, few of which touch."""
    return draw_metaphase(5, crowding=0.2).pixels


def count_in(pipeline: Pipeline, pixels: UInt8Array) -> int:
    return pipeline.label(Frame(pixels, 0, 0.0, "drawn.png")).count


def on_canvas(pixels: UInt8Array) -> UInt8Array:
    canvas = np.full(LARGE, int(np.median(pixels)), np.uint8)
    canvas[500 : 500 + pixels.shape[0], 900 : 900 + pixels.shape[1]] = pixels
    return canvas


@pytest.mark.parametrize("zoom", [0.5, 0.7, 1.0, 1.4, 2.0])
def test_any_magnification_within_a_factor_of_two(pipeline: Pipeline, drawn: UInt8Array, zoom: float) -> None:
    assert 43 <= count_in(pipeline, resized(drawn, zoom)) <= 47


def test_the_longest_chromosomes_are_shown_from_end_to_end(pipeline: Pipeline) -> None:
    cell = pipeline.label(Frame(draw_metaphase(5, crowding=0.0).pixels, 0, 0.0, "drawn.png"))
    crops = [chromosome.crop.pixels for chromosome in cell.chromosomes]
    assert not any(crop[[0, -1]].any() for crop in crops)
    assert max(len(crop) for crop in crops) > CROP_ROWS


@pytest.mark.parametrize("gain", [0.3, 1.0])
def test_fluorescence(pipeline: Pipeline, drawn: UInt8Array, gain: float) -> None:
    """The negative of a bright-field cell; real DAPI looks different, and is measured by ``trainer evaluate masks``."""
    glowing = np.asarray(np.clip(10 + gain * (np.median(drawn) - drawn.astype(np.float32)), 0, 255), np.uint8)
    assert 43 <= count_in(pipeline, glowing) <= 47


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_a_frame_of_twelve_megapixels(models_dir: Path, drawn: UInt8Array, zoom: float, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    cv2.imwrite(str(path), on_canvas(resized(drawn, zoom)))
    words = [sys.executable, "-c", LABELLED, str(models_dir), str(path)]
    count, most_mb = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, timeout=300).stdout)
    assert 43 <= count <= 47
    assert most_mb < MOST_MB


@pytest.mark.parametrize("shape", [(300, 400), (64, 64)])
def test_a_small_frame(pipeline: Pipeline, drawn: UInt8Array, shape: tuple[int, int]) -> None:
    pixels = np.ascontiguousarray(drawn[200 : 200 + shape[0], 200 : 200 + shape[1]])
    assert 0 <= count_in(pipeline, pixels) <= 46


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_or_noisy_large_frame_shows_nothing(pipeline: Pipeline, level: int) -> None:
    noise = np.random.default_rng(0).normal(level, 5, (1200, 1600))
    assert count_in(pipeline, np.asarray(np.clip(noise, 0, 255), np.uint8)) == 0
