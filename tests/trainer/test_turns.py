"""A picture's eight turns are read, and the mean lies as the picture does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.locate.boxes import BoxFinder
from edge.locate.decode import Maps
from edge.locate.grid import LOCATOR_UM_PER_PX
from edge.records import UInt8Array
from edge.runtime.bundle import load_bundle
from trainer.turns import said_of_turns

MODELS = Path(__file__).parents[2] / "models"
SIDE_PX = 512


@pytest.fixture(scope="module")
def finder() -> BoxFinder:
    return BoxFinder(load_bundle(MODELS / "locator", "locator"), threads=2)


@pytest.fixture(scope="module")
def picture() -> UInt8Array:
    return draw_metaphase(5, size_px=(SIDE_PX, SIDE_PX), um_per_px=LOCATOR_UM_PER_PX).pixels


def assert_same(a: Maps, heat: np.ndarray, box: np.ndarray) -> None:
    np.testing.assert_allclose(a.heat, heat, atol=1e-4)
    np.testing.assert_allclose(a.box, box, atol=1e-4)


def test_the_mean_turns_with_the_picture(finder: BoxFinder, picture: UInt8Array) -> None:
    """One reading does not: that is what its turns are read for."""
    once, said = finder.maps(picture), said_of_turns(finder, picture)
    assert np.abs(finder.maps(np.ascontiguousarray(picture[:, ::-1])).heat[:, ::-1] - once.heat).max() > 0.5
    beside = said_of_turns(finder, np.ascontiguousarray(picture[:, ::-1]))
    assert_same(beside, said.heat[:, ::-1], said.box[:, ::-1][..., [2, 1, 0, 3]])
    across = said_of_turns(finder, np.ascontiguousarray(picture.T))
    assert_same(across, said.heat.swapaxes(0, 1)[..., ::-1], said.box.swapaxes(0, 1)[:, :, ::-1][..., [1, 0, 3, 2]])


def test_it_says_where_the_chromosomes_are(finder: BoxFinder, picture: UInt8Array) -> None:
    """Much as one reading does: where that is sure, a mean of readings that were turned back wrongly would not be."""
    once, said = finder.maps(picture), said_of_turns(finder, picture)
    peaks = once.heat > 1
    assert np.count_nonzero(peaks) > 40
    assert np.mean(said.heat[peaks] > 0) > 0.9
    assert np.median(np.abs(said.box[peaks] - once.box[peaks])) < 0.1
