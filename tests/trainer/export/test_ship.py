"""From run folders to bundles that the edge accepts and that label a drawn frame."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Literal

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras
from sklearn.linear_model import LogisticRegression

from edge.camera.metaphase import draw_metaphase
from edge.cell.keep import TERMS, terms
from edge.locate.boxes import BoxFinder
from edge.locate.grid import HEADS
from edge.locate.separate import BOX_PX, ROI_PX
from edge.pipeline import load_pipeline
from edge.records import LABELS, Frame
from edge.runtime.bundle import TASKS, Task, load_bundle
from edge.runtime.interpreter import Network
from tests.edge.locate.perfect import KnownBoxes, with_network
from tests.trainer.drawn import cutouts_zip, frames_folder
from tests.trainer.tiny import (
    awaken,
    drawn_cells,
    drawn_looks,
    drawn_rois,
    drawn_windows,
    tiny_arbiter,
    tiny_classifier,
    tiny_separator,
    tiny_verifier,
)
from trainer.cli import main
from trainer.data.cropset import crops_of_cutouts
from trainer.data.looks import LookSet
from trainer.data.metaphase import FrameTruth
from trainer.errors import ExportError
from trainer.export import arbiter as arbiter_module
from trainer.export import edgetpu as edgetpu_module
from trainer.export import separator as separator_module
from trainer.export import ship as ship_module
from trainer.export import specimen as specimen_module
from trainer.export import verifier as verifier_module
from trainer.export.parity import BOUNDS, Bounds
from trainer.export.ship import PROPOSED_IOU, PROPOSED_SCORE, fit_temperature, ship
from trainer.export.shipment import Shipment
from trainer.export.tflite import Form
from trainer.fit.align import predict
from trainer.fit.crops import stored_crops
from trainer.networks.locator import build_locator
from trainer.networks.separator import OUTPUTS
from trainer.run.trained import task_of

SIDE_PX = 256
TINY = Path(__file__).parents[2] / "edge" / "tiny"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folders as training leaves them, one a network, and the data beside them."""
    root = tmp_path_factory.mktemp("runs")
    frames_folder(root / "frames", ("train", "val"), side_px=400)
    crops = crops_of_cutouts(cutouts_zip(root / "crops.zip", donors=2), "train", TINY)
    keras.utils.set_random_seed(2)
    networks = (
        awaken(build_locator(width=0.25), 2),
        tiny_separator(),
        tiny_classifier(),
        tiny_verifier(),
        tiny_arbiter(),
    )
    for name, network in zip(TASKS, networks, strict=True):
        (root / name).mkdir()
        network.save(root / name / f"{name}.keras")
    (root / "locator" / "log.csv").write_text("step,heat\n1,2.0\n")
    crops.pick(crops.cell == 0).save(root / "classifier" / "train.npz")
    crops.pick(crops.cell == 1).save(root / "classifier" / "val.npz")
    pixels = drawn_looks(12)
    looks = LookSet(pixels, np.ones(12, np.bool_), np.ones(12, np.float32), np.ones(12, np.float32))
    for split in ("train", "val"):
        looks.save(root / "verifier" / f"{split}.npz")
        drawn_cells(3).save(root / "arbiter" / f"{split}.npz")
    return root


def shipment(runs: Path, name: Task, models: Path, form: Form | Literal["onnx"] = "int8") -> Shipment:
    return Shipment(runs / name, runs / "frames", models / name, form, "trainer export --int8", models, limit=24)


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specimen_module, "LOCATOR_SIDE_PX", SIDE_PX)
        patch.setattr(specimen_module, "ROI_SAMPLES", 24)
        patch.setattr(specimen_module, "PROOF_ROIS", 24)
        for form in ("int8", "onnx int8"):  # an untrained locator is near its threshold everywhere
            patch.setitem(BOUNDS, form, Bounds(0, 0.1, 1, 1e3, 1e4))
        yield


@pytest.fixture(scope="module")
def shipped(runs: Path) -> Path:
    """The folder of the five bundles that the runs make."""
    for name in TASKS:
        ship(shipment(runs, name, runs / "models", "float32" if name == "arbiter" else "int8"))
    return runs / "models"


def test_shipped_bundles_label_a_drawn_frame(runs: Path, shipped: Path) -> None:
    for name in TASKS:
        folder = shipped / name
        bundle = load_bundle(folder, name)
        assert bundle.command == "trainer export --int8"
        assert (folder / "weights.keras").read_bytes() == (runs / name / f"{name}.keras").read_bytes()
        names = sorted(p.name for p in folder.iterdir())
        kept = ["log.csv"] if name == "locator" else []
        assert names == sorted(["bundle.json", bundle.model_path.name, "report.json", "weights.keras", *kept])

    locator = load_bundle(shipped / "locator", "locator")
    assert (locator.input_height_px, locator.input_width_px) == (SIDE_PX, SIDE_PX)
    assert (locator.calibration["least_score"], locator.calibration["most_iou"]) == (PROPOSED_SCORE, PROPOSED_IOU)
    figures = json.loads((shipped / "locator" / "report.json").read_text())
    assert figures["val_frames"] == 1
    shares = [value for name, value in figures.items() if "located" in name or "precision" in name]
    assert len(shares) >= 2
    assert all(0 <= share <= 1 for share in shares)

    separator = load_bundle(shipped / "separator", "separator")
    assert (separator.input_height_px, separator.input_width_px) == (ROI_PX, ROI_PX)
    assert separator.preprocessing["box_px"] == BOX_PX
    figures = json.loads((shipped / "separator" / "report.json").read_text())
    assert figures["val_chromosomes"] == 24
    for name in ("val_iou", "val_box_iou", "val_boxed"):
        assert 0 <= figures[name] <= 1
        assert figures[name] == pytest.approx(figures[f"{name}_keras"], abs=0.1)

    classifier = load_bundle(shipped / "classifier", "classifier")
    assert classifier.labels == LABELS
    figures = json.loads((shipped / "classifier" / "report.json").read_text())
    assert figures["val_crops"] == 24
    assert figures["keras_tflite_agreement"] > 0.7
    assert classifier.calibration["temperature"] == figures["temperature"]
    assert figures["temperature"] > 1  # an untrained network is sure of nothing

    pixels = draw_metaphase(3, size_px=(440, 480)).pixels  # larger than the input: in tiles
    cell = load_pipeline(shipped, threads=1).label_live(Frame(pixels, 0, 0.0, "drawn.png"))  # untrained: never sure
    assert cell.models == {task: load_bundle(shipped / task, task).model_id for task in TASKS}
    assert all(c.label in LABELS for c in cell.chromosomes)


@pytest.mark.parametrize("name", TASKS)
def test_a_bundle_comes_out_in_another_form_and_keeps_its_calibration(
    name: Task, runs: Path, shipped: Path, tmp_path: Path
) -> None:
    was = load_bundle(shipped / name, name)
    bundle = ship(Shipment(shipped / name, runs / "frames", tmp_path / name, "float32", "again", shipped))
    assert (bundle.task, bundle.command, bundle.name) == (name, "again", name)
    assert (bundle.labels, bundle.calibration, bundle.preprocessing) == (was.labels, was.calibration, was.preprocessing)
    assert bundle.data == was.data
    assert Network.of_bundle(bundle, 1).input_dtype == np.float32
    assert (tmp_path / name / "weights.keras").read_bytes() == (shipped / name / "weights.keras").read_bytes()
    report = json.loads((tmp_path / name / "report.json").read_text())
    assert report["form"] == "float32"
    assert report["parity_pictures"] > 0


def test_a_classifiers_bundle_may_be_exported_with_cut_outs_and_in_place(
    runs: Path, shipped: Path, tmp_path: Path
) -> None:
    shutil.copytree(shipped / "classifier", tmp_path / "classifier")
    here, cutouts = tmp_path / "classifier", runs / "crops.zip"
    bundle = ship(Shipment(here, cutouts, here, "float16", "again", tmp_path / "no models needed"))
    names = sorted(p.name for p in here.iterdir())
    assert names == sorted(["bundle.json", bundle.model_path.name, "report.json", "weights.keras"])


def test_another_models_folder_is_not_written_into(runs: Path, shipped: Path, tmp_path: Path) -> None:
    shutil.copytree(shipped, tmp_path / "models")
    models, cutouts = tmp_path / "models", runs / "crops.zip"
    before = {path: path.read_bytes() for path in models.rglob("*") if path.is_file()}
    with pytest.raises(ExportError, match="expected a classifier there or nothing, got a locator, which would be lost"):
        ship(Shipment(models / "classifier", cutouts, models / "locator", "float16", "again", models))
    with pytest.raises(ExportError, match=r"got one of several; give --out .*models/classifier"):
        ship(Shipment(models / "classifier", cutouts, models, "float16", "again", models))
    assert {path: path.read_bytes() for path in models.rglob("*") if path.is_file()} == before


def test_an_export_that_was_killed_is_no_model_to_export(
    runs: Path, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shipped / "classifier", tmp_path / "classifier")
    there = tmp_path / "classifier"
    (there / "card.md").write_text("of the model before")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    again = Shipment(runs / "classifier", runs / "frames", there, "float16", "again", shipped)
    with monkeypatch.context() as patch:
        patch.setattr(ship_module, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            ship(again)
    with pytest.raises(ExportError, match="its export was interrupted"):
        task_of(there)
    assert ship(again).task == task_of(there) == "classifier"
    assert not (there / "card.md").exists()


def test_onnx_bundles_label_a_drawn_frame(runs: Path, shipped: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="the onnx extra is not installed")
    pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
    arbiter = Shipment(shipped / "arbiter", runs / "frames", tmp_path / "arbiter", "onnx", "trainer export", shipped)
    with pytest.raises(ExportError, match="stays on the processor"):
        ship(arbiter)
    shutil.copytree(shipped / "arbiter", tmp_path / "arbiter")
    for name in (task for task in TASKS if task != "arbiter"):
        bundle = ship(Shipment(shipped / name, runs / "frames", tmp_path / name, "onnx", "trainer export", shipped))
        assert bundle.model_path.suffix == ".onnx"
        assert bundle.calibration == load_bundle(shipped / name, name).calibration
        report = json.loads((tmp_path / name / "onnx.json").read_text())
        assert set(report["files"]) == {bundle.model_path.name, f"{name}.onnx"}
    frame = Frame(draw_metaphase(3, size_px=(320, 320)).pixels, 0, 0.0, "drawn.png")
    cell = load_pipeline(tmp_path, threads=1).label_live(frame)
    assert cell.models == {name: load_bundle(tmp_path / name, name).model_id for name in TASKS}
    said, expected = (Network.of_bundle(load_bundle(at / "separator", "separator")) for at in (tmp_path, shipped))
    rois = np.stack(drawn_rois(6))
    after, before = said.run_uint8(rois), expected.run_uint8(rois)
    assert after.keys() == before.keys()
    for output, values in before.items():
        assert np.corrcoef(after[output].ravel(), values.ravel())[0, 1] > 0.95, output


def test_nothing_is_written_when_parity_breaks(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BOUNDS, "float16", Bounds(1.01, 0, 0, 0, 0))
    with pytest.raises(ExportError, match="float16 does not say what the trained network says"):
        ship(shipment(runs, "classifier", tmp_path, "float16"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("locator", (ship_module, "_calibrate_locator")),
        ("separator", (separator_module, "judge")),
        ("classifier", (ship_module, "fit_temperature")),
        ("verifier", (verifier_module, "_weigh")),
        ("arbiter", (arbiter_module, "check")),
    ],
)
def test_an_export_that_is_interrupted_leaves_no_bundle(
    name: Task,
    measure: tuple[ModuleType, str],
    runs: Path,
    shipped: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The edge would take one that is not calibrated yet for one that is."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*measure, interrupted)
    with pytest.raises(KeyboardInterrupt):
        ship(Shipment(runs / name, runs / "frames", tmp_path / name, "float32", "trainer export", shipped, limit=24))
    assert not (tmp_path / name).exists()


def test_what_the_edge_tpu_does_not_take_is_not_written(
    runs: Path, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no compiler
    monkeypatch.setitem(edgetpu_module.MAPPED, "CONV_2D", 0)
    shutil.copytree(shipped / "classifier", tmp_path / "classifier")
    before = {path: path.read_bytes() for path in (tmp_path / "classifier").iterdir()}
    command = ["export", str(runs / "classifier"), str(runs / "frames"), "--out", str(tmp_path / "classifier")]
    assert main([*command, "--edgetpu"]) == ExportError.exit_code
    assert "classifier is not ready for the Edge TPU: CONV_2D v3: " in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "classifier").iterdir()} == before


@pytest.mark.parametrize("form", ["int8", "int16x8"])
def test_an_arbiter_in_integers_is_refused_in_one_line(form: Form, runs: Path, tmp_path: Path) -> None:
    message = f"expected an arbiter's export as --float32, --float16, --dynamic, got {form}; give --float32"
    with pytest.raises(ExportError, match=message):
        ship(shipment(runs, "arbiter", tmp_path, form))


def test_another_exports_files_do_not_stay_in_a_bundles_folder(runs: Path, tmp_path: Path) -> None:
    """They would be taken for this one's."""
    here = tmp_path / "classifier"
    here.mkdir()
    for name in ("layers.json", "log.csv", "onnx.json", "classifier.onnx", "notes.txt"):
        (here / name).write_text("{}")
    bundle = ship(shipment(runs, "classifier", tmp_path, "float32"))
    kept = [bundle.model_path.name, "bundle.json", "notes.txt", "report.json", "weights.keras"]
    assert sorted(path.name for path in here.iterdir()) == sorted(kept)


def test_a_run_is_calibrated_in_onnx_too(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="the onnx extra is not installed")
    bundle = ship(shipment(runs, "classifier", tmp_path, "onnx"))
    report = json.loads((tmp_path / "classifier" / "report.json").read_text())
    assert (report["form"], report["val_crops"]) == ("onnx int8", 24)
    assert bundle.calibration["temperature"] == report["temperature"] != 1


def test_a_classifier_in_float32_is_keras(runs: Path, tmp_path: Path) -> None:
    for name in ("locator", "separator"):
        shutil.copytree(TINY / name, tmp_path / name)
    bundle = ship(shipment(runs, "classifier", tmp_path, "float32"))
    assert json.loads((tmp_path / "classifier" / "report.json").read_text())["keras_tflite_agreement"] == 1
    _, val = stored_crops(runs / "classifier")
    said = Network.of_bundle(bundle, 1).run_uint8(val.pixels)
    network = keras.models.load_model(tmp_path / "classifier" / "weights.keras", compile=False)
    for name, expected in zip(("label", "p_arm_up", "single"), predict(network, val.pixels), strict=True):
        np.testing.assert_allclose(said[name].reshape(expected.shape), expected, atol=1e-3)


def test_what_a_run_folder_holds(runs: Path, tmp_path: Path) -> None:
    for task in TASKS:
        assert task_of(runs / task) == task
    with pytest.raises(ExportError, match=r"expected a run folder .*, or a bundle with .*finish `trainer fit` first"):
        task_of(tmp_path)


def test_a_separator_in_float32_is_keras(runs: Path, tmp_path: Path) -> None:
    bundle = ship(shipment(runs, "separator", tmp_path, "float32"))
    network = keras.models.load_model(tmp_path / "separator" / "weights.keras", compile=False)
    rois = np.stack(drawn_rois(6))
    said = Network.of_bundle(bundle, 1).run_uint8(rois)
    for name, expected in zip(OUTPUTS, network(rois.astype(np.float32) / 255, training=False), strict=False):
        np.testing.assert_allclose(said[name], expected, atol=1e-3)
    figures = json.loads((tmp_path / "separator" / "report.json").read_text())
    assert figures["val_iou"] == pytest.approx(figures["val_iou_keras"], abs=1e-3)
    assert figures["val_box_iou"] == pytest.approx(figures["val_box_iou_keras"], abs=1e-3)


def test_what_the_locator_ships_is_without_its_teachers(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specimen_module, "LOCATOR_SIDE_PX", 128)
    bundle = ship(shipment(runs, "locator", tmp_path, "float32"))
    network = keras.models.load_model(runs / "locator" / "locator.keras", compile=False)
    picture = np.stack(drawn_windows(1, 128))
    said = Network.of_bundle(bundle, 1).run_uint8(picture)
    assert set(said) == set(HEADS)
    for name, expected in zip(
        HEADS, network(picture[..., None].astype(np.float32) / 255, training=False), strict=False
    ):
        np.testing.assert_allclose(said[name], expected, rtol=1e-4, atol=1e-3)


def test_how_far_peoples_boxes_lie_off_is_found(tmp_path: Path) -> None:
    corners = np.array([(x, y) for y in (15, 75, 135) for x in (15, 75, 135)])
    stated = np.hstack([corners, corners + np.array([36, 27])])
    pixels = np.full((192, 192), 230, np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    labels = ("1",) * len(stated)
    truth = FrameTruth("a.png", tmp_path / "a.png", "c", "val", 192, 192, "", False, stated, stated, labels)
    bundle = load_bundle(TINY / "locator", "locator")
    side = (bundle.input_height_px, bundle.input_width_px)
    assert side == (128, 128)  # the frame at the locator's scale
    found = (stated * (2 / 3) + (2, -3, 2, -3)).astype(np.float32)
    finder = with_network(BoxFinder(bundle), KnownBoxes(found, side, side))
    calibration, figures = ship_module._calibrate_locator(finder, [truth])
    shift = calibration["box_shift_x_px"], calibration["box_shift_y_px"]
    assert shift == pytest.approx((-2, 3), abs=0.01)
    assert (figures["val_located_alone"], figures["val_precision_alone"], figures["val_located_proposals"]) == (1, 1, 1)


def test_the_keepers_weights_are_those_of_the_regression() -> None:
    """Whatever the spread of the terms and wherever their middle."""
    rng = np.random.default_rng(0)
    weighed = terms((rng.normal(0, 1, (400, 10)) * np.linspace(0.2, 2, 10) + 0.7).astype(np.float32))
    true = weighed[:, 1] + 0.5 * weighed[:, 4] + rng.normal(0, 0.3, 400) > 1.5
    weights, figures = verifier_module.fit_weights(weighed, true)
    assert tuple(weights) == TERMS
    x = weighed[:, 1:]
    scaled = (x - x.mean(0)) / x.std(0)
    regression = LogisticRegression(C=verifier_module.KEEPER_C, max_iter=2000).fit(scaled, true)
    chances = 1 / (1 + np.exp(-weighed @ np.array(list(weights.values()))))
    np.testing.assert_allclose(chances, regression.predict_proba(scaled)[:, 1], atol=1e-3)
    assert figures["val_kept_right"] == ((chances > 0.5) == true).mean()


def test_a_bundle_names_each_set_that_its_run_learned_from(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"data": ["/lab/a", "b/c.zip", "/lab/a"]}))
    facts = Shipment(tmp_path, Path("elsewhere/given"), tmp_path / "out", "int8", "trainer export").facts()
    assert facts["data"] == {"name": "a, c.zip", "train": "train", "calibrated_on": "val"}
    (tmp_path / "config.json").write_text(json.dumps({"data": "/lab/frames"}))
    ran = Shipment(tmp_path, Path("elsewhere/given"), tmp_path / "out", "int8", "trainer export")
    assert ran.facts(calibrated=False)["data"] == {"name": "frames", "train": "train"}
    (tmp_path / "config.json").unlink()
    assert ran.facts()["data"]["name"] == "given"


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_scores_is_found(true_temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 24))
    chances = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    label = (chances.cumsum(axis=1) > rng.random((len(logits), 1))).argmax(axis=1)
    too_sure = logits * true_temperature
    log_scores = too_sure - np.logaddexp.reduce(too_sure, axis=1, keepdims=True)
    assert fit_temperature(log_scores, label) == pytest.approx(true_temperature, rel=0.05)


def test_a_few_crops_without_a_mistake_do_not_make_it_sure_of_everything() -> None:
    label = np.arange(46) % 24
    p = np.full((46, 24), 0.05 / 23)
    p[np.arange(46), label] = 0.95
    assert fit_temperature(np.log(p), label) > 0.5
