"""The traditional method's measures on drawn bars, and its machine on drawn chromosomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import UInt8Array
from tests.trainer.drawn import cutouts_zip
from trainer.compare.traditional import Traditional, centromere_index, couple, features, measure
from trainer.data.cropset import NOTHING, CropSet, crops_of_cutouts

TINY = Path(__file__).parents[2] / "edge" / "tiny"


def waisted(length: int, waist: float, first: int = 20) -> UInt8Array:
    """A bar of 14 columns with a waist of 6, and one dark band near its top."""
    crop = np.zeros((CROP_ROWS, CROP_COLS), np.uint8)
    crop[first : first + length, 9:23] = 120
    crop[first + 4 : first + 9, 9:23] = 240
    row = first + int(waist * length)
    crop[row - 2 : row + 3, 9:13] = 0
    crop[row - 2 : row + 3, 19:23] = 0
    return crop


@pytest.mark.parametrize("waist", [0.2, 0.35, 0.5])
def test_length_area_and_centromere_are_measured(waist: float) -> None:
    found = measure(waisted(80, waist))
    assert found is not None
    assert found.length == 80
    assert found.area == 80 * 14 - 5 * 8
    assert found.waist == pytest.approx(waist, abs=0.02)
    assert centromere_index(found) == pytest.approx(waist, abs=0.02)
    assert found.bands[5] == pytest.approx(240 / 255, abs=1e-3)
    assert found.bands[50] == pytest.approx(120 / 255, abs=1e-3)
    assert found.widths.max() == 14


def test_either_end_up_and_anywhere_is_the_same_chromosome() -> None:
    crop, moved = waisted(80, 0.3), waisted(80, 0.3, first=30)
    up, down, elsewhere = features(np.stack([crop, crop[::-1], moved]))
    np.testing.assert_allclose(up, down, atol=1e-4)
    np.testing.assert_allclose(up, elsewhere, atol=1e-4)
    longer = features(waisted(90, 0.3)[None])[0]
    assert longer[0] > up[0]


def test_an_empty_crop_has_no_measures_and_still_features() -> None:
    empty = np.zeros((1, CROP_ROWS, CROP_COLS), np.uint8)
    assert measure(empty[0]) is None
    assert not features(empty).any()


def test_margins_of_pairs_become_probabilities() -> None:
    log_p = couple(np.zeros((1, 6)), 4)
    np.testing.assert_allclose(np.exp(log_p), 0.25)
    # Pairs (0, 1), (0, 2), (1, 2): class 2 wins both of its pairs.
    sure = np.exp(couple(np.array([[0.0, -3.0, -3.0]]), 3))[0]
    assert sure[2] > 0.99
    assert sure[0] == pytest.approx(sure[1])
    assert couple(np.array([2.0]), 2)[0].argmax() == 1


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> CropSet:
    return crops_of_cutouts(cutouts_zip(tmp_path_factory.mktemp("drawn") / "crops.zip", donors=5), "train", TINY)


def test_it_learns_and_is_kept(crops: CropSet, tmp_path: Path) -> None:
    new = crops.case == "d4"
    method = Traditional.fit(crops.pick(~new), 1000, seed=0)
    unseen = crops.pick(new)
    scores = method.scores(unseen.pixels)
    assert scores.shape == (24, 24)
    assert (scores.argmax(1) == unseen.label).mean() > 0.7
    numbers, macs = method.size
    assert numbers >= macs > 0
    method.save(tmp_path / "m.joblib")
    np.testing.assert_array_equal(Traditional.load(tmp_path / "m.joblib").scores(unseen.pixels), scores)


def test_it_sees_no_more_than_its_samples_and_no_mistakes_of_the_locator(crops: CropSet) -> None:
    label = crops.label.copy()
    label[label > 2] = NOTHING
    few = CropSet(crops.pixels, label, crops.polarity, crops.cell, crops.case)
    method = Traditional.fit(few, 10, seed=0)
    scores = method.scores(crops.pixels)
    assert set(scores.argmax(1).tolist()) <= {0, 1, 2}
    assert (scores[:, 3:] < scores[:, :3].min()).all()
