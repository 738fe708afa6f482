"""Near its edge a mask goes by the stain; away from it, and where another has the pixel, by the network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.locate.leftover import darkness_of
from edge.locate.rims import UNSURE_NATS, masks_of, stain_of
from edge.records import BoolArray, Box, Float32Array, UInt8Array
from tests.builders import make_region

BOX: Box = (40, 40, 92, 92)
SHAPE = (140, 140)


def leaning(nats_per_px: float, edge_px: float = 66.0) -> Float32Array:
    """Log odds in ``BOX``: surer and surer to the left of a column of the frame, less and less to its right."""
    x0, y0, x1, y1 = BOX
    odds = (edge_px - (np.arange(x0, x1) + 0.5)) * nats_per_px
    return np.broadcast_to(odds.astype(np.float32), (y1 - y0, x1 - x0)).copy()


def widths(mask: BoolArray) -> set[int]:
    return set(np.count_nonzero(mask, axis=1).tolist())


def stained_to(column: int) -> UInt8Array:
    stain = np.zeros(SHAPE, np.uint8)
    stain[:, :column] = 1
    return stain


@pytest.mark.parametrize(("rim", "width"), [(64, 24), (66, 26), (68, 28), (50, 22), (130, 30)])
def test_the_rim_is_where_the_stain_ends_if_the_network_is_in_doubt_there(rim: int, width: int) -> None:
    """It is within a nat of even odds for 4 px on either side of column 66."""
    (mask,) = masks_of([leaning(UNSURE_NATS / 4)], [BOX], [0.9], stained_to(rim), [])
    assert widths(mask) == {width}


def test_a_network_that_is_sure_is_believed() -> None:
    (mask,) = masks_of([leaning(100.0)], [BOX], [0.9], stained_to(90), [])
    assert widths(mask) == {26}


@pytest.mark.parametrize(("score", "width"), [(0.9, 27), (0.01, 30)])
def test_what_a_surer_one_has_is_not_taken_for_its_stain(score: float, width: int) -> None:
    """A region from column 67 on lies against it: what is known, and what was found in the same look."""
    outline, stain = leaning(UNSURE_NATS / 4), stained_to(140)
    beside = make_region(box_px=(67, 30, 100, 100), score=score)
    (mask,) = masks_of([outline], [BOX], [0.01], stain, [beside])
    assert widths(mask) == {width}
    other = np.full((52, 52), 9.0, np.float32)
    mask, _ = masks_of([outline, other], [BOX, (67, 40, 119, 92)], [0.01, score], stain, [])
    assert widths(mask) == {width}


def test_those_who_cross_keep_what_they_share() -> None:
    """Both are sure of it."""
    outlines = [leaning(100.0), leaning(100.0)]
    for mask in masks_of(outlines, [BOX, BOX], [0.9, 0.9], stained_to(66), []):
        assert widths(mask) == {26}


def test_the_stain_is_asked_of_anew_for_each_look() -> None:
    stain = stained_to(140)
    masks_of([leaning(1.0)], [BOX], [0.9], stain, [make_region(box_px=BOX, score=0.9)])
    assert (stain == 1).all()


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_stain_is_what_is_about_as_dark_as_chromosomes(scale: float) -> None:
    size = round(200 * scale)
    picture = np.full((size, size), 220, np.uint8)
    dark, pale = slice(round(40 * scale), round(60 * scale)), slice(round(120 * scale), round(140 * scale))
    picture[dark, dark] = 90
    picture[pale, pale] = 205  # a shadow
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 2 * scale), np.uint8)
    stain = stain_of(darkness_of(picture), (200, 200))
    assert stain.dtype == np.uint8
    assert stain[42:58, 42:58].all()
    assert np.count_nonzero(stain) == pytest.approx(400, rel=0.25)


def test_a_frame_without_stain_has_none_to_speak_of() -> None:
    assert stain_of(np.zeros((60, 80), np.uint8), (90, 120)).shape == (90, 120)
