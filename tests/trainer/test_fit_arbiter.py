"""The arbiter learns from whole cells, some of them with chromosomes too few or too many."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

from edge.cell.arbiter import COLUMNS, SEATS, TABLE_WIDTH
from edge.records import LABELS
from edge.runtime.bundle import load_bundle
from edge.runtime.interpreter import Network
from tests.trainer.drawn import frames_folder
from trainer import fit_arbiter
from trainer.data.cells import NO_LABEL, CellSet, cells_of_frames
from trainer.export.ship import ship
from trainer.export.shipment import Shipment
from trainer.fit_arbiter import ArbiterConfig, check, lone_ones, make_batch
from trainer.networks.arbiter import build_arbiter


def drawn_cells(count: int, seed: int = 0) -> CellSet:
    """Cells of 50 objects; of those with an even place the likeliest label is wrong by one, and the object before it
    shares half of its mask."""
    rng = np.random.default_rng(seed)
    table = np.zeros((count, SEATS, TABLE_WIDTH), np.uint8)
    label = np.full((count, SEATS), NO_LABEL, np.int8)
    whole = np.zeros((count, SEATS), np.bool_)
    table[:, :50] = rng.integers(60, 190, (count, 50, TABLE_WIDTH))
    table[:, :50, 0] = 255
    for name in ("iou", "shared"):
        table[..., COLUMNS[name]] = 0
    label[:, :46], whole[:, :46] = rng.integers(0, 24, (count, 46)), True
    said = np.where(np.arange(46) % 2, label[:, :46], (label[:, :46] + 1) % 24)
    table[:, :50, COLUMNS["scores"]] = 40
    cell, seat = np.ogrid[:count, :46]
    table[cell, seat, COLUMNS["scores"].start + said] = 250
    for k in range(0, 46, 2):
        table[:, k, COLUMNS["shared"].start + k + 1] = 128
    return CellSet(table, whole, label)


def test_a_fresh_network_adds_nothing_and_a_batch_is_what_it_takes() -> None:
    cells = drawn_cells(6)
    batch = make_batch(cells, lone_ones(cells, np.random.default_rng(0)), np.random.default_rng(1), 4)
    keep, label = build_arbiter(width=16, depth=1)(batch[0], training=False)
    assert (keep.shape, label.shape) == ((4, SEATS, 1), (4, SEATS, 24))
    assert not np.any(keep)
    assert not np.any(label)


def test_chromosomes_leave_and_join_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_arbiter, "SHORT", 1.0)
    monkeypatch.setattr(fit_arbiter, "OVERFULL", 1.0)
    monkeypatch.setattr(fit_arbiter, "OVERLOOKED", 0.0)
    cells = drawn_cells(8)
    table = cells.table.copy()
    table[..., COLUMNS["weighed"]] = 0  # nothing near: all may be put elsewhere
    cells = CellSet(table, cells.whole, cells.label)
    strangers = lone_ones(cells, np.random.default_rng(0))
    assert not strangers.rows[:, COLUMNS["iou"].start :].any()
    x, whole, label = make_batch(cells, strangers, np.random.default_rng(2), 16)
    there = x[..., 0, 0] > 0
    assert (there.sum(1) != 50).any()
    assert not x[~there].any()
    assert not whole[~there].any()
    assert ((label >= 0) == (whole > 0)).all()
    for rows, seats in zip(x[..., 0], there, strict=True):
        assert not rows[:, COLUMNS["shared"]][:, ~seats].any()
    counts = {int(n) for n in there.sum(1) - 50}
    assert counts <= {-1, 0, 1}
    assert len(counts) > 1


def test_it_learns_what_only_the_others_tell(tmp_path: Path) -> None:
    """Whoever shares its mask is named one too high: to see that takes the pair."""
    from trainer.fit_arbiter import losses
    from trainer.loop import Plan, train
    from trainer.runs import Run

    known, held = drawn_cells(64), drawn_cells(8, seed=1)
    network = build_arbiter(width=32, depth=1, dropout=0.0)
    before = check(network, held)
    assert before["val_named"] == pytest.approx(0.5, abs=0.02)
    nobody = fit_arbiter.Strangers(np.zeros((0, TABLE_WIDTH), np.uint8), np.zeros(0, np.int8))
    train(
        Run.open(tmp_path / "run", {}, False),
        network,
        Plan(150, 5e-3, 1e-4, 5.0, 1),
        losses,
        lambda rng: make_batch(known, nobody, rng, 16),
        lambda: {},
    )
    after = check(network, held)
    assert after["val_named"] > 0.9
    assert after["val_label"] < before["val_label"]


def test_the_run_and_its_bundle(tmp_path: Path, tiny_models: Path) -> None:
    frames, models = frames_folder(tmp_path / "frames", ("train", "val"), side_px=400), tiny_models
    config = ArbiterConfig(str(frames), 2, 2, models=str(models), width=8, depth=1)
    run = tmp_path / "runs" / "arbiter"
    weights = fit_arbiter.fit_arbiter(config, run, resume=False)
    assert weights == run / "arbiter.keras"
    bundle = ship(Shipment(run, frames, models / "arbiter", "float32", "trainer export", models))
    assert bundle.task == "arbiter"
    report = json.loads((models / "arbiter" / "report.json").read_text())
    assert report["parity_agreement"] > 0.99
    held = cells_of_frames(frames, "val", models, run.parent, 0)
    said = Network.of_bundle(load_bundle(models / "arbiter", "arbiter"), 1).run_uint8(held.table[:1])
    assert said["label"].shape == (1, SEATS, len(LABELS))
