"""The classifier's arithmetic around the network, with the real interpreter on a tiny untrained int8 model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from edge.classify.classifier import DOUBT, MOVED_ROWS, SURE, SURE_POLARITY, Classifier
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.records import LABELS, Crop, Float32Array, UInt8Array
from edge.runtime.bundle import Bundle, load_bundle
from edge.runtime.interpreter import Network


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(Path(__file__).parents[1] / "tiny" / "classifier", "classifier")


@pytest.fixture(scope="module")
def classifier(bundle: Bundle) -> Classifier:
    return Classifier(bundle, threads=1)


def crops(count: int, seed: int = 0) -> list[Crop]:
    """Banded bars of different lengths, numbered from 100 down."""
    rng = np.random.default_rng(seed)
    out = []
    for k in range(count):
        pixels = np.zeros((CROP_ROWS, CROP_COLS), np.uint8)
        half = int(rng.integers(12, 60))
        pixels[64 - half : 64 + half, 9:23] = np.repeat(rng.integers(50, 255, half), 2)[:, None]
        out.append(Crop(100 - k, pixels))
    return out


def turned(crop: Crop) -> Crop:
    """By half a turn."""
    return Crop(crop.region_id, np.ascontiguousarray(crop.pixels[::-1, ::-1]))


def lowered(pixels: UInt8Array) -> UInt8Array:
    return np.concatenate([np.zeros((MOVED_ROWS, CROP_COLS), np.uint8), pixels[:-MOVED_ROWS]])


def test_one_sound_prediction_a_crop_in_order(classifier: Classifier) -> None:
    given = crops(7)
    predictions = classifier.classify(given)
    assert [p.region_id for p in predictions] == [c.region_id for c in given]
    for p in predictions:
        assert p.scores.shape == (len(LABELS),)
        assert p.scores.sum() == pytest.approx(1, abs=1e-5)
        assert p.scores.min() > 0
        assert 0 < p.p_arm_up < 1
        assert 0 < p.single < 1
    assert len({p.scores.tobytes() for p in predictions}) == 7  # each crop has its own


def test_no_crops(classifier: Classifier) -> None:
    assert classifier.classify([]) == ()


@pytest.mark.parametrize("count", [2, 46, 70])
def test_a_batch_is_as_each_alone(classifier: Classifier, count: int) -> None:
    given = crops(count)
    for together, crop in zip(classifier.classify(given), given, strict=True):
        (one,) = classifier.classify([crop])
        np.testing.assert_allclose(together.scores, one.scores, atol=1e-6)
        assert together.p_arm_up == pytest.approx(one.p_arm_up, abs=1e-6)
        assert together.single == pytest.approx(one.single, abs=1e-6)


def test_half_a_turn_turns_only_the_polarity(classifier: Classifier) -> None:
    given = crops(12)
    leads = []
    for up, down in zip(classifier.classify(given), classifier.classify([turned(c) for c in given]), strict=True):
        assert up.p_arm_up + down.p_arm_up == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(up.scores, down.scores, atol=1e-5)
        assert up.single == pytest.approx(down.single, abs=1e-6)
        leads.append(abs(up.p_arm_up - 0.5))
    assert max(leads) > 0.01


def test_a_crop_alike_at_both_ends_has_no_polarity(classifier: Classifier) -> None:
    (crop,) = crops(1)
    mirrored = crop.pixels.copy()
    mirrored[64:] = mirrored[:64][::-1]
    (p,) = classifier.classify([Crop(0, mirrored)])
    assert p.p_arm_up == pytest.approx(0.5, abs=1e-6)


def test_scores_are_the_readings_weighed_by_their_polarity(bundle: Bundle, classifier: Classifier) -> None:
    """From the raw outputs, in plain numpy and double precision; the untrained network is in doubt about all crops."""
    network = Network.of_bundle(bundle, 1)
    for crop, p in zip(crops(6), classifier.classify(crops(6)), strict=True):
        up, down = crop.pixels, crop.pixels[::-1, ::-1]
        pairs = [(up, down), (lowered(up[:, ::-1]), lowered(down[:, ::-1]))]
        shares, leads, wholes = [], [], []
        for pair in pairs:
            readings = [network.run_uint8(np.ascontiguousarray(pixels)[None]) for pixels in pair]
            logits = [r["label"].reshape(24).astype(float) for r in readings]
            said = [np.exp(z - z.max()) / np.exp(z - z.max()).sum() for z in logits]
            leads.append(float(readings[0]["p_arm_up"].item()) - float(readings[1]["p_arm_up"].item()))
            weight = 1 / (1 + np.exp(-leads[-1]))
            shares.append(weight * said[0] + (1 - weight) * said[1])
            wholes += [float(r["single"].item()) for r in readings]
        assert max(shares[0]) < DOUBT
        np.testing.assert_allclose(p.scores, np.mean(shares, axis=0), atol=1e-5)
        assert p.p_arm_up == pytest.approx(1 / (1 + np.exp(-np.mean(leads))), abs=1e-5)
        assert p.single == pytest.approx(1 / (1 + np.exp(-np.mean(wholes))), abs=1e-5)


def test_what_was_cut_twice_is_named_by_the_mean_of_all_readings(bundle: Bundle, classifier: Classifier) -> None:
    network = Network.of_bundle(bundle, 1)
    cuts = crops(5), crops(5, seed=1)
    for k, p in enumerate(classifier.classify_cuts(cuts)):
        labels, odds, wholes = [], [], []
        for crop in (cut[k] for cut in cuts):
            for pixels, sign in ((crop.pixels, 1), (crop.pixels[::-1, ::-1], -1)):
                reading = network.run_uint8(np.ascontiguousarray(pixels)[None])
                z = reading["label"].reshape(24).astype(float)
                labels.append(z - np.log(np.exp(z).sum()))
                odds.append(sign * float(reading["p_arm_up"].item()))
                wholes.append(float(reading["single"].item()))
        scores = np.exp(np.mean(labels, axis=0))
        assert p.region_id == 100 - k
        np.testing.assert_allclose(p.scores, scores / scores.sum(), atol=1e-5)
        assert p.p_arm_up == pytest.approx(1 / (1 + np.exp(-2 * np.mean(odds))), abs=1e-5)
        assert p.single == pytest.approx(1 / (1 + np.exp(-np.mean(wholes))), abs=1e-5)


class Assured:
    """Stands in for a network: sure of bright crops, in doubt of others, less so when it is to be ``patient``; whose
    ``polarity`` it is told."""

    def __init__(self, polarity: float, patient: bool) -> None:
        self.polarity = polarity
        self.dim = 5.5 if patient else 1.0
        self.read: list[UInt8Array] = []

    def run_uint8(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        self.read.append(pixels)
        label = np.zeros((len(pixels), 1, 1, 24), np.float32)
        label[..., 3] = np.where(pixels.max((1, 2)) > 200, 9.0, self.dim)[:, None, None]
        one = np.ones((len(pixels), 1, 1, 1), np.float32)
        return {"label": label, "p_arm_up": self.polarity * one, "single": one}


@pytest.mark.parametrize(("polarity", "twice"), [(-SURE_POLARITY - 1, [1]), (SURE_POLARITY - 1, [0, 1, 2])])
@pytest.mark.parametrize("patient", [True, False])
def test_only_what_leaves_a_doubt_is_read_again(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch, polarity: float, twice: list[int], patient: bool
) -> None:
    network = Assured(polarity, patient)
    monkeypatch.setattr(classifier, "_network", network)
    cell = [Crop(k, np.full((CROP_ROWS, CROP_COLS), level, np.uint8)) for k, level in enumerate((255, 90, 250))]
    cell[1].pixels[:20, :9] = 120
    said = classifier.classify(cell)
    first, again, *more = network.read
    np.testing.assert_array_equal(first, [c.pixels for c in cell])
    np.testing.assert_array_equal(again, [turned(cell[k]).pixels for k in twice])
    dim = cell[1].pixels
    expected = [] if patient else [[lowered(dim[:, ::-1])], [lowered(dim[::-1])]]
    assert len(more) == len(expected)
    for got, wanted in zip(more, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert [p.scores.argmax() for p in said] == [3, 3, 3]
    assert said[0].scores.max() > SURE
    assert said[1].p_arm_up == pytest.approx(0.5)  # both readings say the same end: nobody knows
    if twice == [1]:
        assert said[0].p_arm_up < 0.01

    network.read.clear()
    live = classifier.classify_live(cell)
    assert len(network.read) == 2  # what is live is read no third time
    np.testing.assert_allclose([p.scores for p in live], [p.scores for p in said], atol=1e-6)


def test_the_temperature_flattens_and_keeps_the_order(bundle: Bundle, classifier: Classifier) -> None:
    warm = Classifier(replace(bundle, calibration=MappingProxyType({"temperature": 2.0})), threads=1)
    for cold, hot in zip(classifier.classify(crops(5)), warm.classify(crops(5)), strict=True):
        root = np.sqrt(cold.scores.astype(float))
        np.testing.assert_allclose(hot.scores, root / root.sum(), atol=1e-5)
        assert hot.scores.max() < cold.scores.max()
        assert hot.p_arm_up == cold.p_arm_up


def test_what_is_sure_is_told_in_calibrated_probabilities(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw, the bright crops are named at 0.997; twice as warm at 0.8, and read again."""
    for temperature, again in ((1.0, []), (2.0, [0])):
        classifier = Classifier(replace(bundle, calibration=MappingProxyType({"temperature": temperature})), threads=1)
        network = Assured(SURE_POLARITY + 1, patient=True)
        monkeypatch.setattr(classifier, "_network", network)
        classifier.classify_live([Crop(0, np.full((CROP_ROWS, CROP_COLS), 255, np.uint8))])
        assert [len(pixels) for pixels in network.read[1:]] == [1 for _ in again]


def test_it_names_its_model(bundle: Bundle, classifier: Classifier) -> None:
    assert classifier.models == {"classifier": bundle.model_id}
