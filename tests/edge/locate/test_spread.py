"""The metaphase in a large field: its bounds, and that the field around it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.cell.compare import one_to_one
from edge.locate.decode import Found
from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.locate.leftover import darkness_of
from edge.locate.locator import Locator, at_scale, load_locator
from edge.locate.spread import COARSE_PX, MOST_AROUND_PX, cut, spread_of, stained_part
from edge.locate.tiles import tile_count
from edge.overlap import box_iou
from edge.pipeline import load_pipeline
from edge.records import NOMINAL_UM_PER_PX, Frame, UInt8Array

TILE_PX = (512, 512)
SCALE = NOMINAL_UM_PER_PX / LOCATOR_UM_PER_PX
CORNER = (903, 621)
"""Where the cell's frame begins in the field, x and y."""


def drawn() -> Frame:
    return Frame(draw_metaphase(3, crowding=0.2).pixels, 0, 0.0, "drawn.png", NOMINAL_UM_PER_PX)


def in_a_field(pixels: UInt8Array, height: int, width: int, x: int, y: int, nuclei: bool = True) -> UInt8Array:
    """``pixels`` at (x, y) of a field of clear ground, with a nucleus in the upper left corner."""
    rng = np.random.default_rng(0)
    field = np.rint(np.percentile(pixels, 85) + rng.normal(0, 1, (height, width)))
    if nuclei:
        rows, cols = np.mgrid[:height, :width]
        field -= 90 * np.clip((1 - np.hypot(rows - 130, cols - 130) / 90) * 6, 0, 1)
    field = np.clip(field, 0, 255).astype(np.uint8)
    field[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return field


@pytest.fixture(scope="module")
def locator(models_dir: Path) -> Locator:
    return load_locator(models_dir)


def test_a_usual_frame_is_looked_at_as_a_whole(locator: Locator) -> None:
    frame = drawn()
    assert locator.spread(frame) == (0, 0, frame.pixels.shape[1], frame.pixels.shape[0])
    assert cut(frame, locator.spread(frame)) is frame


def test_a_cell_in_a_large_field_is_labelled_as_if_it_were_alone(models_dir: Path) -> None:
    pipeline = load_pipeline(models_dir)
    frame = drawn()
    field = replace(frame, pixels=in_a_field(frame.pixels, 1520, 2028, *CORNER))
    alone, there = (pipeline.label(f).chromosomes for f in (frame, field))
    boxes, moved = (np.array([c.region.box_px for c in cell], np.float32) for cell in (alone, there))
    mine, theirs = one_to_one(box_iou(boxes + np.tile(CORNER, 2).astype(np.float32), moved))
    same = sum(alone[i].label == there[k].label for i, k in zip(mine, theirs, strict=True))
    assert same >= max(len(alone), len(there)) - 1 >= 40


def test_the_spread_leaves_nuclei_out_and_the_stained_part_clear_ground(locator: Locator) -> None:
    frame = drawn()
    left, top, right, bottom = *CORNER, CORNER[0] + frame.pixels.shape[1], CORNER[1] + frame.pixels.shape[0]
    x0, y0, x1, y1 = locator.spread(replace(frame, pixels=in_a_field(frame.pixels, 1520, 2028, *CORNER)))
    most = (MOST_AROUND_PX + 2 * COARSE_PX) / SCALE
    assert left - most < x0 < x1 < right + most
    assert top - most < y0 < y1 < bottom + most
    picture, _ = at_scale(replace(frame, pixels=in_a_field(frame.pixels, 1520, 2028, *CORNER, nuclei=False)))
    x0, y0, x1, y1 = (side / SCALE for side in stained_part(darkness_of(picture), TILE_PX))
    assert left - most < x0 < x1 < right + most
    assert top - most < y0 < y1 < bottom + most


def test_where_nothing_stands_out_all_is_looked_at() -> None:
    assert stained_part(np.full((800, 1200), 20, np.uint8), TILE_PX) == (0, 0, 1200, 800)
    doubtful = Found(np.array([[10, 10, 40, 40]], np.float32), np.array([0.2], np.float32))
    assert spread_of(doubtful, (600, 900), TILE_PX) == (0, 0, 900, 600)


def test_the_spread_bounds_what_is_sure_in_no_more_tiles_than_that_needs() -> None:
    boxes = np.array([[300, 200, 340, 260], [700, 20, 740, 60], [5, 700, 20, 720]], np.float32)
    found = Found(boxes, np.array([0.9, 0.5, 0.1], np.float32))
    x0, y0, x1, y1 = spread_of(found, (800, 1200), TILE_PX)
    assert (y0, y1) == (0, 260 + MOST_AROUND_PX)  # in the field, with all that is allowed around
    assert (x0, x1) == (300 - 34, 740 + 34)  # one tile's width less the grid's, not two
    assert tile_count((y1 - y0, x1 - x0), TILE_PX) == 1
    boxes[1, 2] = 800
    x0, _, x1, _ = spread_of(found, (800, 1200), TILE_PX)
    assert (x0, x1) == (300 - MOST_AROUND_PX, 800 + MOST_AROUND_PX)  # two tiles are needed either way


def test_what_is_cut_is_what_the_box_says() -> None:
    pixels = np.arange(60 * 90, dtype=np.uint32).astype(np.uint8).reshape(60, 90)
    part = cut(Frame(pixels, 0, 0.0, "a.png", NOMINAL_UM_PER_PX), (10, 20, 40, 55))
    np.testing.assert_array_equal(part.pixels, pixels[20:55, 10:40])
    assert part.source == "a.png"
