"""The verifier's samples, loop and export on tiny drawn data."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras

from edge.cell.keep import TERMS
from edge.cell.verify import LOOK_PX
from edge.errors import ConfigError, ModelError
from edge.records import Frame
from edge.runtime.bundle import load_bundle
from edge.runtime.interpreter import Network
from tests.trainer.drawn import frames_folder
from trainer.data.looks import LookSet, changed, looks_of_frames
from trainer.errors import DatasetError
from trainer.export.ship import ship
from trainer.export.shipment import Shipment
from trainer.fit.verifier import (
    DOUBTFUL_WEIGHT,
    VerifierConfig,
    drawn_how_often,
    fit_verifier,
    losses,
    make_batch,
)
from trainer.run.trained import task_of

TINY = Path(__file__).parents[2] / "edge" / "tiny"
pytestmark = pytest.mark.usefixtures("every_step")


def look_set(n: int = 6) -> LookSet:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (n, LOOK_PX, LOOK_PX, 3)).astype(np.uint8)
    chance = np.where(np.arange(n) % 2, 0.5, 0.999).astype(np.float32)
    return LookSet(pixels, np.arange(n) < n // 2, np.linspace(1, 0, n, dtype=np.float32), chance)


def test_verifier_learns_from_what_is_found_goes_on_and_ships(tmp_path: Path) -> None:
    frames_folder(tmp_path / "frames", ("train", "val"), side_px=400)
    config = VerifierConfig(str(tmp_path / "frames"), steps=2, batch=4, models=str(TINY), passes=2)
    weights = fit_verifier(config, tmp_path / "runs" / "verifier", resume=False)
    run = weights.parent
    assert weights == run / "verifier.keras"
    assert task_of(run) == "verifier"
    assert sorted(p.name.split("-")[0] for p in run.parent.glob("*-train-*.npz")) == ["doubted1", "doubted2"]
    assert len(list(run.parent.glob("*-val-*.npz"))) == 1
    assert len(LookSet.load(run / "val.npz")) > 0

    shutil.rmtree(run / "checkpoints" / "00000002")  # as if the power had gone after the first step was saved
    weights.unlink()
    assert fit_verifier(config, run, resume=True).exists()
    with (run / "log.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["whole"]]
    assert [row["step"] for row in rows] == ["1", "2"]
    assert all(np.isfinite(float(row["whole"])) for row in rows)

    models = tmp_path / "models"
    for task in ("locator", "separator", "classifier"):
        shutil.copytree(TINY / task, models / task)
    bundle = ship(Shipment(run, tmp_path / "frames", models / "verifier", "float32", "trainer export", models))
    assert set(bundle.calibration) == set(TERMS)
    report = json.loads((models / "verifier" / "report.json").read_text())
    assert report["val_proposals"] > 0
    held = LookSet.load(run / "val.npz").pixels
    said = Network.of_bundle(load_bundle(models / "verifier", "verifier"), 1).run_uint8(held)
    network = keras.models.load_model(run / "verifier.keras", compile=False)
    expected = network(held.astype(np.float32) / 255, training=False)[0]
    assert set(said) == {"whole"}
    np.testing.assert_allclose(said["whole"].ravel(), np.ravel(expected), atol=1e-3)


def test_a_split_without_frames_is_said(tmp_path: Path) -> None:
    frames_folder(tmp_path / "frames", ("train",), side_px=400)
    with pytest.raises(DatasetError, match="val"):
        looks_of_frames(tmp_path / "frames", "val", TINY, tmp_path, 1)


def test_a_changed_frame_keeps_its_chromosomes_in_their_boxes() -> None:
    pixels = np.full((200, 300), 230, np.uint8)
    pixels[40:110, 60:80] = 60
    boxes = np.array([[60, 40, 80, 110]], np.float32)
    shapes = set()
    for seed in range(40):
        frame, (box,) = changed(Frame(pixels, 3, 0.0, "drawn"), boxes, np.random.default_rng(seed))
        assert frame.index == 3
        x0, y0, x1, y1 = box
        inside = frame.pixels[round(y0) + 4 : round(y1) - 4, round(x0) + 4 : round(x1) - 4]
        assert inside.mean() < frame.pixels.mean() - 30
        shapes.add((frame.pixels.shape[0] > frame.pixels.shape[1], bool(x0 > 0.5 * frame.pixels.shape[1])))
    assert len(shapes) > 2  # it was turned and mirrored


def test_doubtful_objects_are_drawn_more_often() -> None:
    steps = np.diff(drawn_how_often(look_set()), prepend=0)
    assert steps.sum() == pytest.approx(1)
    assert steps[1] == pytest.approx(DOUBTFUL_WEIGHT * steps[0])


def test_a_batch_keeps_what_is_known_of_each_object() -> None:
    looks = look_set()
    x, whole, share = make_batch(looks, drawn_how_often(looks), np.random.default_rng(1), 32)
    assert x.shape == (32, LOOK_PX, LOOK_PX, 3)
    assert x.dtype == np.float32
    assert 0 <= x.min() <= x.max() <= 1
    known = {(bool(w), float(s)) for w, s in zip(looks.whole, looks.share, strict=True)}
    assert {(bool(w), float(s)) for w, s in zip(whole, share, strict=True)} <= known


def test_the_loss_is_least_at_the_truth() -> None:
    whole, share = np.array([1, 0], np.float32), np.array([1, 0], np.float32)

    def loss(first: float, second: float) -> float:
        said = np.array([first, second], np.float32)[:, None, None, None]
        return float(losses(lambda look, training: (said, said), None, whole, share)[0])

    assert loss(9, -9) < 0.01 < loss(0, 0) < loss(-9, 9)


def test_a_finished_run_outlives_data_and_models_that_are_not_there(tmp_path: Path) -> None:
    frames = frames_folder(tmp_path / "frames", ("train",), side_px=400)
    (tmp_path / "verifier.keras").write_text("finished")
    for config, message in (
        (VerifierConfig("misspelled", 1, models=str(TINY)), "misspelled"),
        (VerifierConfig(str(frames), 1, models=str(TINY)), "val"),
        (VerifierConfig(str(frames), 1, models="misspelled"), "misspelled"),
    ):
        with pytest.raises((DatasetError, ModelError), match=message):
            fit_verifier(config, tmp_path, resume=False)
    assert (tmp_path / "verifier.keras").exists()


def test_no_run_is_cleared_for_a_start_that_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    start = Path(__file__).parents[3] / "models" / "arbiter" / "weights.keras"
    with pytest.raises(ConfigError, match="this network 'arbiter' does not fit"):
        fit_verifier(VerifierConfig(str(tmp_path / "none"), steps=1, start=str(start)), tmp_path, resume=False)
    assert (tmp_path / "config.json").exists()
