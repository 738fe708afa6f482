"""The arbiter learns from whole cells, some of them with chromosomes too few or too many."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tensorflow as tf
import tf_keras as keras

from edge.cell.arbiter import COLUMNS, NATS, PROFILE_PARTS, SEATS
from edge.cell.keep import WEIGHED
from edge.errors import ConfigError, ModelError
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from edge.pipeline import Pipeline
from edge.records import LABELS, Crop, Frame, Region
from edge.runtime.bundle import load_bundle
from edge.runtime.interpreter import Network
from tests.edge.stages import BarClassifier, BarLocator, assign_bars, draw_bars, keep_all
from tests.trainer.datasets import CROPS, crops_zip
from tests.trainer.drawn import cutouts_zip, frames_folder, rewritten
from tests.trainer.tiny import classifier_bundle, drawn_cells, tiny_arbiter
from trainer.data.cells import CellSet, Hearing, Listener, cells_at, cells_of
from trainer.data.metaphase import read_frames
from trainer.errors import DatasetError
from trainer.export.ship import ship
from trainer.export.shipment import Shipment
from trainer.fit import arbiter as fit_arbiter
from trainer.fit import cell_batches
from trainer.fit.arbiter import ArbiterConfig, check
from trainer.fit.cell_batches import _elsewhere, lone_ones, make_batch
from trainer.networks import arbiter as networks
from trainer.networks.arbiter import build_arbiter


def test_a_fresh_network_adds_nothing_and_a_batch_is_what_it_takes() -> None:
    cells = drawn_cells(6)
    batch = make_batch(cells, lone_ones(cells, np.random.default_rng(0)), np.random.default_rng(1), 4)
    keep, label = build_arbiter(width=16, depth=1)(batch[0], training=False)
    assert (keep.shape, label.shape) == ((4, SEATS, 1), (4, SEATS, 24))
    assert not np.any(keep)
    assert not np.any(label)


def test_chromosomes_leave_and_join_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_batches, "SHORT", 1.0)
    monkeypatch.setattr(cell_batches, "OVERFULL", 1.0)
    monkeypatch.setattr(cell_batches, "OVERLOOKED", 0.0)
    monkeypatch.setattr(cell_batches, "KNOWN_BOXES", 0.0)
    cells = drawn_cells(8)
    table = cells.table.copy()
    table[..., COLUMNS["weighed"]] = 0  # nothing near: all may be put elsewhere
    cells = CellSet(table, cells.whole, cells.label)
    guests = lone_ones(cells, np.random.default_rng(0))
    assert not guests.rows[:, COLUMNS["iou"].start :].any()
    x, whole, label = make_batch(cells, guests, np.random.default_rng(2), 16)
    there = x[..., 0, 0] > 0
    assert (there.sum(1) != 50).any()
    assert not x[~there].any()
    assert not whole[~there].any()
    assert ((label >= 0) == (whole > 0)).all()
    for rows, seats in zip(x[..., 0], there, strict=True):
        assert not rows[:, COLUMNS["shared"]][:, ~seats].any()
    counts = {int(n) for n in there.sum(1) - 50}
    assert counts <= {-1, 0, 1, 2}
    assert len(counts) > 1


def test_where_boxes_are_known_nothing_else_is_there_and_all_are_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, share in (("SHORT", 0.0), ("OVERFULL", 0.0), ("OVERLOOKED", 0.0), ("KNOWN_BOXES", 1.0), ("NOISE", 0.0)):
        monkeypatch.setattr(cell_batches, name, share)
    cells = drawn_cells(4)
    assert not cells.whole[cells.table[..., 0] > 0].all()
    x, whole, _ = make_batch(cells, lone_ones(cells, np.random.default_rng(0)), np.random.default_rng(2), 8)
    there = x[..., 0, 0] > 0
    np.testing.assert_array_equal(there, whole > 0)
    assert (x[there][:, COLUMNS["odds"], 0] == 1).all()
    assert (x[there][:, COLUMNS["weighed"].start, 0] == 1).all()


def said(network: Any, table: np.ndarray) -> np.ndarray:
    """(96, 25)."""
    answers = network(table[None, ..., None].astype(np.float32) / 255, training=False)
    return np.concatenate([np.asarray(each)[0] for each in answers], axis=1)


def test_seats_mean_nothing_and_what_two_share_does() -> None:
    network, table = tiny_arbiter(), drawn_cells(1).table[0]
    before = said(network, table)
    order = np.random.default_rng(3).permutation(SEATS)
    moved = table[order]
    for name in ("iou", "shared"):
        moved[:, COLUMNS[name]] = moved[:, COLUMNS[name]][:, order]
    np.testing.assert_allclose(said(network, moved), before[order], atol=1e-4)
    apart = table.copy()
    apart[0, COLUMNS["shared"]] = 0
    assert np.abs(said(network, apart) - before)[0].max() > 1e-3


def test_the_check_counts_what_the_table_says() -> None:
    figures = check(build_arbiter(width=16, depth=1), drawn_cells(2))
    assert figures["val_named"] == 0.5
    assert figures["val_keep"] == pytest.approx(np.log(2), abs=0.03)  # odds at the middle of their range


def test_the_run_and_its_bundle(tmp_path: Path, tiny_models: Path) -> None:
    frames, models = frames_folder(tmp_path / "frames", ("train", "val"), side_px=400), tiny_models
    config = ArbiterConfig([str(frames)], 2, 2, models=str(models), width=8, depth=1)
    run = tmp_path / "runs" / "arbiter"
    weights = fit_arbiter.fit_arbiter(config, run, resume=False)
    assert weights == run / "arbiter.keras"
    bundle = ship(Shipment(run, frames, models / "arbiter", "float32", "trainer export", models))
    assert bundle.task == "arbiter"
    report = json.loads((models / "arbiter" / "report.json").read_text())
    assert report["parity_agreement"] > 0.99
    held = cells_of(frames, "val", models, run.parent, 0)
    said = Network.of_bundle(load_bundle(models / "arbiter", "arbiter"), 1).run_uint8(held.table[:1])
    assert said["label"].shape == (1, SEATS, len(LABELS))


def test_a_run_may_keep_a_share_of_the_weights_that_it_started_from(tmp_path: Path, tiny_models: Path) -> None:
    frames = frames_folder(tmp_path / "frames", ("train", "val"), side_px=400)
    start = tmp_path / "start.keras"
    tiny_arbiter().save(start)
    kept = {}
    for share in (0.0, 0.25, 1.0):
        config = ArbiterConfig(
            [str(frames)], 2, 2, models=str(tiny_models), width=8, depth=1, start=str(start), blend=share
        )
        weights = fit_arbiter.fit_arbiter(config, tmp_path / f"run{share}", resume=False)
        kept[share] = keras.models.load_model(weights, compile=False).get_weights()
    for before, now, after in zip(kept[1.0], kept[0.25], kept[0.0], strict=True):
        np.testing.assert_allclose(now, 0.25 * before + 0.75 * after, atol=1e-5)
    for before, own in zip(kept[1.0], tiny_arbiter().get_weights(), strict=True):
        np.testing.assert_array_equal(before, own)
    assert any(np.abs(b - a).max() > 1e-4 for b, a in zip(kept[1.0], kept[0.0], strict=True))


@pytest.mark.parametrize(("width", "depth"), [(16, 1), (8, 2)])
@pytest.mark.parametrize("blend", [0.0, 0.5])
def test_weights_of_another_size_are_no_start(tmp_path: Path, width: int, depth: int, blend: float) -> None:
    start, run = tmp_path / "start.keras", tmp_path / "run"
    tiny_arbiter().save(start)  # of width 8 and depth 1
    run.mkdir()
    (run / "config.json").write_text("{}")
    config = ArbiterConfig(["absent"], 2, 2, width=width, depth=depth, start=str(start), blend=blend)
    with pytest.raises(ConfigError, match=r"--start .*: expected a network 'arbiter' of the same size|first layer"):
        fit_arbiter.fit_arbiter(config, run, resume=False)
    assert (run / "config.json").exists()  # what is there is not cleared for nothing


def test_a_width_that_the_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected a --width that 4 heads share evenly, .* got 9"):
        ArbiterConfig(["frames"], 2, width=9)


def test_a_share_of_no_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected --start WEIGHTS beside --blend 0\.5"):
        ArbiterConfig(["frames"], 2, blend=0.5)


def test_each_time_that_a_set_is_named_and_each_pass_looks_at_it_changed_anew(
    tmp_path: Path, tiny_models: Path
) -> None:
    frames = frames_folder(tmp_path / "frames", ("train", "val"), side_px=400)
    config = ArbiterConfig([str(frames)] * 2, 2, models=str(tiny_models), seed=5, passes=2)
    known, held = fit_arbiter.cells_for(config, tmp_path)
    each = [cells_of(frames, "train", tiny_models, tmp_path, seed) for seed in (5, 6, 7, 8)]
    assert len(list(tmp_path.glob("cells*-train-*"))) == len(each)
    np.testing.assert_array_equal(known.table, np.concatenate([cells.table for cells in each]))
    assert not np.array_equal(each[0].table, each[2].table)
    np.testing.assert_array_equal(held.table, cells_of(frames, "val", tiny_models, tmp_path, 0).table)


def other_classifier(models: Path, folder: Path) -> Path:
    """The models with another classifier."""
    shutil.copytree(models, folder)
    shutil.rmtree(folder / "classifier")
    classifier_bundle(folder / "classifier", seed=9)
    return folder


def test_weaker_models_are_heard_on_their_set_and_val_is_what_it_will_serve(tmp_path: Path, tiny_models: Path) -> None:
    first, second = (frames_folder(tmp_path / name, ("train", "val"), side_px=400) for name in ("first", "second"))
    weaker = other_classifier(tiny_models, tmp_path / "weaker")
    config = ArbiterConfig(
        [str(first), str(second)],
        2,
        models=str(tiny_models),
        seed=5,
        weaker=[f"{first}={weaker}", f"{second}={weaker}"],
    )
    known, held = fit_arbiter.cells_for(config, tmp_path)
    each = [(first, tiny_models, 5), (second, tiny_models, 5), (first, weaker, 5), (second, weaker, 6)]
    sets = [cells_of(source, "train", models, tmp_path, seed) for source, models, seed in each]
    np.testing.assert_array_equal(known.table, np.concatenate([cells.table for cells in sets]))
    assert not np.array_equal(sets[0].table, sets[2].table)
    np.testing.assert_array_equal(held.table, cells_of(first, "val", tiny_models, tmp_path, 0).table)


@pytest.mark.parametrize("weaker", ["data", "=models", "data="])
def test_a_weaker_one_is_a_set_and_a_folder(weaker: str, tmp_path: Path) -> None:
    config = ArbiterConfig(["looked at after"], 2, width=8, depth=1, weaker=[weaker])
    with pytest.raises(ConfigError, match=f"--weaker as DATA=DIR.*got '{weaker}'"):
        fit_arbiter.fit_arbiter(config, tmp_path, resume=False)


def test_a_case_that_another_set_holds_back_is_not_learned_from(tmp_path: Path, tiny_models: Path) -> None:
    first, second = (frames_folder(tmp_path / name, ("train", "val"), side_px=400) for name in ("first", "second"))
    assert fit_arbiter.cell_sets([str(first), str(second)], str(first))[0][0] == "first"
    table = second / "images.csv"
    rows = table.read_text()
    table.write_text(rows.replace(",train,", ",,").replace(",val,", ",train,").replace(",,", ",val,"))
    for config in (
        ArbiterConfig([str(first), str(second)], 2, models=str(tiny_models), width=8, depth=1),
        ArbiterConfig([str(first)], 2, models=str(tiny_models), width=8, depth=1, weaker=[f"{second}={tiny_models}"]),
    ):
        with pytest.raises(DatasetError, match=r"second: 1 case\(s\) .* of train are val's in .*first, first 'case1'"):
            fit_arbiter.fit_arbiter(config, tmp_path / "run", resume=False)
    assert not (tmp_path / "run").exists()
    table.write_text(rows.replace("train0.png,case0,train", "train0.png,case0,test").replace("case1", "case2"))
    for learned in ([str(first)], [str(first), str(first)]):
        with pytest.raises(DatasetError, match=r"first: 1 case\(s\) .* of train are test's in .*second, first 'case0'"):
            fit_arbiter.cell_sets(learned, str(second))


@pytest.mark.parametrize("change", [{}, {"donor": "", "split": ""}])
def test_cut_outs_without_val_cells_are_told_before_any_is_looked_at(change: dict[str, str], tmp_path: Path) -> None:
    """Of a set that nobody split, train and val would be the same cells."""
    data = rewritten(cutouts_zip(tmp_path / "all.zip"), tmp_path / "crops.zip", lambda row: row | change)
    with pytest.raises(DatasetError, match=r"crops\.zip: no picture in split 'val'; splits here: "):
        fit_arbiter.cell_sets([str(data)], str(data))


def test_a_finished_run_outlives_data_and_models_that_are_not_there(tmp_path: Path, tiny_models: Path) -> None:
    frames = str(frames_folder(tmp_path / "frames", ("train", "val"), side_px=400))
    (tmp_path / "arbiter.keras").write_text("finished")
    sized = {"width": 8, "depth": 1}
    for config in (
        ArbiterConfig([frames, "misspelled"], 2, models=str(tiny_models), **sized),
        ArbiterConfig([frames], 2, models=str(tiny_models), weaker=[f"misspelled={tiny_models}"], **sized),
        ArbiterConfig([frames], 2, models=str(tiny_models), weaker=[f"{frames}=misspelled"], **sized),
        ArbiterConfig([frames], 2, models="misspelled", **sized),
    ):
        with pytest.raises((DatasetError, ModelError), match="misspelled"):
            fit_arbiter.fit_arbiter(config, tmp_path, resume=False)
    assert (tmp_path / "arbiter.keras").exists()


def test_cut_outs_are_cells_of_which_each_is_known_for_sure(tmp_path: Path, tiny_models: Path) -> None:
    cells = cells_of(cutouts_zip(tmp_path / "crops.zip", donors=2), "train", tiny_models, tmp_path, 0)
    there = np.arange(SEATS) < len(LABELS)
    assert len(cells) == 2
    for table, whole, label in zip(cells.table, cells.whole, cells.label, strict=True):
        np.testing.assert_array_equal(table[:, 0] > 0, there)
        np.testing.assert_array_equal(whole, there)
        assert label[there].tolist() == list(range(len(LABELS)))
        assert (label[~there] == -1).all()
        assert (table[there, COLUMNS["odds"].start] == 255).all()
        assert not np.any(table[there, COLUMNS["shared"]] * ~np.eye(SEATS, dtype=bool)[there])


def test_cut_outs_of_no_known_cell_are_none(tmp_path: Path, tiny_models: Path) -> None:
    table = CROPS.replace(",k,d1", ",,d1").replace(",m,d2", ",,d2")
    with pytest.raises(DatasetError, match="expected cut-outs of known cells in split 'train', found none"):
        cells_of(crops_zip(tmp_path / "crops.zip", table), "train", tiny_models, tmp_path, 0)


def test_elsewhere_labels_are_less_sure_and_bands_differ_but_empty_seats_stay_so() -> None:
    cells = drawn_cells(1)
    before = cells.table[0].astype(np.float32) / 255
    after = before.copy()
    _elsewhere(after, np.random.default_rng(3))
    there, scores = before[:, 0] > 0, COLUMNS["scores"]
    assert not after[~there].any()
    chances = np.exp((after[there, scores] - 1) * NATS)
    assert chances.sum(1) == pytest.approx(1, abs=0.01)
    wrong = (after[there, scores].argmax(1) != before[there, scores].argmax(1)).mean()
    assert 0 < wrong < 0.5
    certain = after[there, COLUMNS["weighed"].start + WEIGHED.index("certain")] * 2 * NATS - NATS
    assert certain == pytest.approx(np.log(chances.max(1) / (1 - chances.max(1))), abs=0.05)
    changed = [name for name, columns in COLUMNS.items() if not np.array_equal(after[:, columns], before[:, columns])]
    assert changed == ["weighed", "scores"]  # the drawn profiles are flat


def test_each_head_learns() -> None:
    cells, network = drawn_cells(4), tiny_arbiter()
    batch = make_batch(cells, lone_ones(cells, np.random.default_rng(0)), np.random.default_rng(1), 4)
    kernels = [network.get_layer(name).kernel for name in ("keep", "label")]
    with tf.GradientTape() as tape:
        total, parts = fit_arbiter.losses(network, *batch)
    assert float(total) == pytest.approx(float(parts["keep"]) + fit_arbiter.LABEL_WEIGHT * float(parts["label"]))
    for gradient in tape.gradient(total, kernels):
        assert np.abs(gradient).max() > 1e-3


def test_cells_are_made_as_if_elsewhere_as_often_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_batches, "SURENESS", (0.0, 0.0))
    cells = drawn_cells(4)
    guests = lone_ones(cells, np.random.default_rng(0))
    scores = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(cell_batches, "ELSEWHERE", share)
        table = make_batch(cells, guests, np.random.default_rng(1), 8)[0]
        scores[share] = [rows[rows[:, 0] > 0][:, COLUMNS["scores"]] for rows in table[..., 0]]
    for here, there in zip(scores[0.0], scores[1.0], strict=True):
        assert np.abs(here - there).mean() > 0.05


def test_elsewhere_bands_are_paler_or_stronger_about_the_same_stain() -> None:
    table = drawn_cells(1).table[0].astype(np.float32) / 255
    stain = slice(COLUMNS["profile"].start, COLUMNS["profile"].start + PROFILE_PARTS)
    there = table[:, 0] > 0
    table[there, stain] = np.tile([0.4, 0.4, 0.6, 0.6], PROFILE_PARTS // 4)
    after = table.copy()
    _elsewhere(after, np.random.default_rng(3))
    assert after[there, stain].mean(1) == pytest.approx(0.5, abs=0.01)
    assert after[there, stain].std() != pytest.approx(0.1, abs=0.005)


def test_in_training_bands_may_tell_only_how_alike_two_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "UNSEEN_BANDS", 1.0)
    network = tiny_arbiter()
    for layer in network.layers:
        if "dropout" in layer.name:
            layer.rate = 0.0
    table = drawn_cells(1).table[:1, ..., None].astype(np.float32) / 255
    breadth = slice(COLUMNS["profile"].start + PROFILE_PARTS, COLUMNS["profile"].stop)
    other = table.copy()
    other[:, :46, breadth] /= 2
    said = [[np.asarray(network(x, training=training)[1]) for x in (table, other)] for training in (True, False)]
    np.testing.assert_allclose(*said[0], atol=1e-6)
    assert np.abs(said[1][0] - said[1][1]).max() > 1e-3


def test_the_arbiter_learns_from_the_frame_as_it_lies(tmp_path: Path) -> None:
    """Labelled, a doubtful cell is read laid other ways, too; the boxes that people drew are of the first reading."""
    folder = tmp_path / "frames"
    (folder / "images").mkdir(parents=True)
    pixels = draw_bars([5, 9, 7])
    cv2.imwrite(str(folder / "images" / "a.png"), pixels)
    height, width = pixels.shape
    (folder / "images.csv").write_text(
        f"image,case,split,width_px,height_px,finding,difficult\na.png,c,val,{width},{height},normal,0\n"
    )
    regions = BarLocator().locate(Frame(pixels, 0, 0.0, "a.png"))
    rows = (f"a.png,5,{','.join(map(str, r.box_px))}" for r in regions)
    (folder / "boxes.csv").write_text("\n".join(["image,label,xmin,ymin,xmax,ymax", *rows]) + "\n")
    listener = Listener()

    def cut(frame: Frame, regions: Sequence[Region], among: Sequence[Region]) -> list[Crop]:
        return [Crop(region.id, np.full((CROP_ROWS, CROP_COLS), 99, np.uint8)) for region in regions]

    stages = (BarLocator(), BarClassifier(), cut, keep_all, listener, assign_bars)
    cells = cells_at(read_frames(folder, "val"), "val", Hearing(tmp_path, Pipeline(*stages), listener), seed=1)
    assert len(listener.heard) == 1
    assert cells.whole.sum() == 3
