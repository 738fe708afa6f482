"""The training loops on tiny drawn data: they run, leave what they promise, and go on where they were stopped."""

from __future__ import annotations

import csv
import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras  # noqa: E402

from edge.errors import ConfigError, ModelError  # noqa: E402
from edge.locate.separate import Answers  # noqa: E402
from edge.locate.straighten import CROP_COLS, CROP_ROWS  # noqa: E402
from edge.overlap import box_iou, paired_iou  # noqa: E402
from tests.edge.locate.perfect import folded, places_of  # noqa: E402
from tests.trainer.data.forms import corrections_folder  # noqa: E402
from tests.trainer.drawn import cutouts_zip, frames_folder, rewritten  # noqa: E402
from trainer.augment import DEFAULT  # noqa: E402
from trainer.data import windows as windows_module  # noqa: E402
from trainer.data.cropset import DOWN, NOTHING, UNKNOWN, UP, CropSet  # noqa: E402
from trainer.data.framecache import train_frames  # noqa: E402
from trainer.data.pictures import SkippedWarning  # noqa: E402
from trainer.data.rois import OPEN, Rois  # noqa: E402
from trainer.errors import DatasetError  # noqa: E402
from trainer.fit import classifier as classifier_module  # noqa: E402
from trainer.fit import crops as crops_module  # noqa: E402
from trainer.fit import separator as separator_module  # noqa: E402
from trainer.fit.align import align, predict, undecided, upside_down  # noqa: E402
from trainer.fit.classifier import (  # noqa: E402
    ClassifierConfig,
    check,
    fit_classifier,
    make_batch,
    make_losses,
    mixed_batch,
    strengths_of,
)
from trainer.fit.crops import HeldWarning, load_crops, stored_crops  # noqa: E402
from trainer.fit.locator import LocatorConfig, fit_locator, stack_windows  # noqa: E402
from trainer.fit.separator import (  # noqa: E402
    Held,
    SeparatorConfig,
    figures,
    fit_separator,
    held_rois,
    iou_of,
    judge,
    losses,
)
from trainer.networks.separator import OUTPUTS, build_separator  # noqa: E402
from trainer.run.folder import Run  # noqa: E402

STEPS = 3
TINY = Path(__file__).parents[2] / "edge" / "tiny"
pytestmark = pytest.mark.usefixtures("every_step")


def logged(run: Path) -> list[dict[str, str]]:
    with (run / "log.csv").open() as file:
        return list(csv.DictReader(file))


def weights_of(path: Path) -> list[np.ndarray]:
    return list(keras.models.load_model(path, compile=False).get_weights())


def forget_last_step(run: Path, weights: Path) -> None:
    """As if the power had gone after the second step was saved."""
    shutil.rmtree(run / "checkpoints" / f"{STEPS:08d}")
    weights.unlink()


def assert_same_weights(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


# --- locator


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return frames_folder(tmp_path_factory.mktemp("drawn") / "frames", ("train", "val"), side_px=400)


def locator_config(frames: Path) -> LocatorConfig:
    return LocatorConfig(str(frames), STEPS, batch=1, width=0.25, seed=5)


def test_locator_runs_and_resumes(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows_module, "WINDOW_PX", 160)
    config = locator_config(frames)
    whole = fit_locator(config, tmp_path / "runs" / "whole", resume=False)
    assert whole == tmp_path / "runs" / "whole" / "locator.keras"
    rows = logged(whole.parent)
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert {"heat", "box", "chromosome", "crossing", "votes", "rate", "seconds"} <= set(rows[0])
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())
    assert (whole.parent / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "runs" / "frames-train.cache").exists()

    uninterrupted = weights_of(whole)
    forget_last_step(whole.parent, whole)
    resumed = fit_locator(config, whole.parent, resume=True)
    assert [row["step"] for row in logged(whole.parent)] == ["1", "2", "3"]
    assert_same_weights(weights_of(resumed), uninterrupted)

    with pytest.raises(ConfigError, match="width"):
        fit_locator(replace(config, width=0.5), whole.parent, resume=True)


def test_locator_batches_are_stacked_windows(frames: Path, tmp_path: Path) -> None:
    from trainer.data.framecache import load_cache
    from trainer.data.metaphase import read_frames

    cached = load_cache(read_frames(frames, "train"), tmp_path / "cache")
    image, heat, box, dense, votes = stack_windows(
        cached, np.random.default_rng(0), replace(locator_config(frames), batch=2)
    )
    assert image.shape == (2, 448, 448, 1)
    assert heat.shape == (2, 112, 112, 2)
    assert box.shape == (2, 112, 112, 2, 5)
    assert dense.shape == (2, 224, 224, 4)
    assert votes.shape == (2, 224, 224, 6)
    assert not np.array_equal(image[0], image[1])


# --- separator


def separator_config(frames: Path) -> SeparatorConfig:
    return SeparatorConfig(str(frames), STEPS, batch=4, width=0.5, seed=5)


def test_separator_runs_and_resumes(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separator_module, "VAL_ROIS", 12)
    config = separator_config(frames)
    whole = fit_separator(config, tmp_path / "runs" / "whole", resume=False)
    assert whole == tmp_path / "runs" / "whole" / "separator.keras"
    rows = logged(whole.parent)
    assert [row["step"] for row in rows if row["dice"]] == ["1", "2", "3"]
    assert all(np.isfinite(float(row[name])) for row in rows if row["dice"] for name in ("entropy", "dice", "rate"))
    measured = [row["val_iou"] for row in rows if row["val_iou"]]
    assert len(measured) == 3
    assert all(0 <= float(iou) <= 1 for iou in measured)
    assert {p.name for p in (tmp_path / "runs").glob("*.cache")} == {"frames-train.cache", "frames-val.cache"}

    uninterrupted = weights_of(whole)
    forget_last_step(whole.parent, whole)
    resumed = fit_separator(config, whole.parent, resume=True)
    assert_same_weights(weights_of(resumed), uninterrupted)
    figures = [{k: v for k, v in row.items() if k != "seconds"} for row in logged(whole.parent)]
    for again, before in zip(figures, rows, strict=True):
        for name, value in again.items():
            assert (value == "") == (before[name] == "")
            assert value == "" or float(value) == pytest.approx(float(before[name]), rel=1e-3, abs=1e-3)

    with pytest.raises(ConfigError, match="width"):
        fit_separator(replace(config, width=1.0), whole.parent, resume=True)


def test_separator_goes_on_from_stored_weights(frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separator_module, "VAL_ROIS", 12)
    config = replace(separator_config(frames), steps=1, rate=0.0)
    first = fit_separator(config, tmp_path / "runs" / "first", resume=False)
    second = fit_separator(replace(config, seed=6, start=str(first)), tmp_path / "runs" / "second", resume=False)
    pairs = zip(*(keras.models.load_model(p, compile=False).trainable_weights for p in (first, second)), strict=True)
    assert all(np.allclose(a, b) for a, b in pairs)  # at a rate of nothing, they stay what they were


SIDES = np.array([[6, 10, 58, 30], [11, 5, 40, 59]], np.float32)
WHOLE = np.ones(2, np.float32)


def saying(logit: Any, sides: Any = SIDES, framed: float = 20.0) -> Any:
    """A separator of this mouth: mask logits (2, 64, 64), boxes (2, 4)."""
    places = places_of(sides)
    cells = tf.nn.space_to_depth(tf.convert_to_tensor(logit)[..., None], 2)
    said = tf.fill((len(sides), 1, 1, 1), framed)
    return lambda roi, training: (cells, places["rows"], places["cols"], said)


def bars() -> npt.NDArray[np.float32]:
    mask = np.zeros((2, 64, 64), np.float32)
    mask[0, 10:30, 20:28] = mask[1, 5:60, 30:40] = 1
    return mask


def test_separator_loss_is_nothing_at_the_truth_and_goes_down_towards_it() -> None:
    mask = bars()
    total, parts = losses(saying(40 * mask - 20), None, mask, SIDES, WHOLE)
    assert set(parts) == {"entropy", "dice", "side", "apart", "framed"}
    assert all(float(parts[name]) == pytest.approx(0, abs=1e-3) for name in ("entropy", "dice", "apart", "framed"))
    assert float(parts["side"]) < 0.7  # between two bins, the surest answer is still in doubt
    logit = tf.Variable(np.zeros((2, 64, 64), np.float32))
    with tf.GradientTape() as tape:
        total, parts = losses(saying(logit), None, mask, SIDES, WHOLE)
    assert float(parts["entropy"]) == pytest.approx(np.log(2), rel=1e-4)
    down = -tape.gradient(total, logit).numpy()
    assert (down[mask > 0] > 0).all()
    assert (down[mask == 0] < 0).all()


def test_separator_learns_nothing_from_pixels_left_open() -> None:
    mask = bars()
    mask[:, 40:50] = OPEN
    logit = tf.Variable(np.random.default_rng(0).normal(0, 1, mask.shape).astype(np.float32))
    with tf.GradientTape() as tape:
        total, _ = losses(saying(logit), None, mask, SIDES, WHOLE)
    pull = np.abs(tape.gradient(total, logit).numpy())
    assert pull[mask == OPEN].max() == 0
    assert pull[mask != OPEN].min() > 0


def test_a_box_that_frames_nothing_teaches_only_that() -> None:
    mask, off = bars(), SIDES + np.float32(20)
    logit = tf.zeros((2, 64, 64))
    said = [losses(saying(logit, box), None, mask, SIDES, np.zeros(2, np.float32))[1] for box in (SIDES, off)]
    for parts in said:
        assert all(float(parts[name]) == 0 for name in ("entropy", "dice", "side", "apart"))
        assert float(parts["framed"]) == pytest.approx(20, rel=1e-3)
    one = np.array([1, 0], np.float32)
    right, wrong = (losses(saying(logit, box), None, mask, SIDES, one)[1] for box in (SIDES, off))
    assert float(right["apart"]) == pytest.approx(0, abs=1e-3)
    assert float(wrong["apart"]) == pytest.approx(1 - box_iou(SIDES[:1], np.clip(off[:1], 1, 63))[0, 0], abs=1e-2)
    assert float(wrong["side"]) > float(right["side"]) + 3


def test_iou_of_masks_by_hand() -> None:
    found, truth = np.zeros((3, 64, 64), np.bool_), np.zeros((3, 64, 64), np.uint8)
    found[0, :2, :10] = truth[0, 1:3, :10] = 1  # 10 of 30
    found[1] = truth[1] = 1
    found[2, 0, 0] = 1  # nothing of 1
    assert iou_of(found, truth) == pytest.approx((1 / 3 + 1 + 0) / 3)


def test_a_separator_is_judged_on_masks_of_pasted_and_boxes_of_real_ones() -> None:
    masks = np.zeros((3, 64, 64), np.uint8)
    masks[:, 10:30, 20:25] = 1
    inputs = np.zeros((3, 64, 64, 2), np.uint8)
    sides = np.array([[6, 10, 58, 30]] * 3, np.float32)
    told = np.where(masks > 0, 5, -5).astype(np.float32)
    answers = Answers.of(folded(told) | places_of(sides))
    true = sides + np.array([[0, 0, 0, 0], [0, 10, 0, 10], [0, 15, 0, 15]], np.float32)  # 1, a third, a seventh
    given = np.array([0.4, 0.6, 0.7], np.float32)
    held = Held(Rois(inputs, masks, sides, WHOLE[:1].repeat(3)), Rois(inputs, masks, true, given))
    said = judge(lambda rois: answers, held)
    assert said["val_iou"] == 1
    assert said["val_box_iou"] == pytest.approx((1 + 1 / 3 + 1 / 7) / 3, abs=1e-3)
    assert said["val_boxed"] == pytest.approx(1 / 3)
    assert said["val_given"] == pytest.approx(2 / 3)
    masks[0] = 0
    assert judge(lambda rois: answers, held)["val_iou"] == pytest.approx(2 / 3)


def test_keras_and_edge_read_the_same_answers(frames: Path) -> None:
    network = build_separator(0.5)
    held = held_rois(frames, frames.parent, 10)
    said = figures(network, held)
    assert set(said) == {"val_iou", "val_box_iou", "val_boxed", "val_given"}
    outputs = network(held.real.inputs.astype(np.float32) / 255, training=False)
    sides = Answers.of({n: o.numpy() for n, o in zip(OUTPUTS, outputs, strict=False)}).sides
    assert said["val_box_iou"] == pytest.approx(paired_iou(sides, np.clip(held.real.sides, 0, 64)).mean(), abs=1e-4)


def test_separators_are_measured_on_frames_that_none_learned_from(frames: Path) -> None:
    held, learned = (
        {frame.name for frame in some(frames, frames.parent)} for some in (separator_module.val_frames, train_frames)
    )
    assert held
    assert learned
    assert not held & learned


# --- classifier


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cutouts_zip(tmp_path_factory.mktemp("drawn") / "crops.zip")


def classifier_config(*data: Path) -> ClassifierConfig:
    # Dropout draws from TensorFlow's own generator, which a resumed run starts anew.
    return ClassifierConfig(tuple(map(str, data)), STEPS, batch=4, dropout=0.0, width=0.5, seed=5, models=str(TINY))


def test_classifier_runs_and_resumes(cutouts: Path, tmp_path: Path) -> None:
    config = classifier_config(cutouts)
    whole = fit_classifier(config, tmp_path / "whole", resume=False)
    assert whole == tmp_path / "whole" / "classifier.keras"
    rows = logged(whole.parent)
    assert [row["step"] for row in rows if row["label_loss"]] == ["1", "2", "3"]
    last = rows[-1]
    assert 0 <= float(last["val_accuracy"]) <= 1
    assert 0 <= float(last["val_polarity"]) <= 1
    assert (whole.parent / "curves.png").exists()
    train, val = stored_crops(whole.parent)
    assert (len(train), len(val)) == (48, 24)
    assert not set(train.case) & set(val.case)

    uninterrupted = weights_of(whole)
    forget_last_step(whole.parent, whole)
    assert_same_weights(weights_of(fit_classifier(config, whole.parent, resume=True)), uninterrupted)

    stored_crops(whole.parent)[0].pick([0]).save(whole.parent / "train.npz")  # as if of other data
    fit_classifier(config, whole.parent, resume=False)
    assert len(stored_crops(whole.parent)[0]) == 48


def test_crops_of_frames_and_cut_outs_join(cutouts: Path, frames: Path, tmp_path: Path) -> None:
    config = classifier_config(cutouts, frames)
    train, val = (c.pick(c.label != NOTHING) for c in load_crops(config, tmp_path / "run", undecided))
    assert (len(train), len(val)) == (48 + 46, 24 + 46)
    assert sorted(set(train.cell.tolist())) == [0, 1, 2]
    assert set(train.polarity[:48]) == {UP}
    assert set(train.polarity[48:]) == {UNKNOWN}  # a net that does not know says so
    again, _ = load_crops(replace(config, data=("gone",)), tmp_path / "run", undecided)  # kept in the run folder
    np.testing.assert_array_equal(again.pick(again.label != NOTHING).pixels, train.pixels)


def test_a_donor_that_another_set_tests_on_is_not_learned_from(tmp_path: Path) -> None:
    first = cutouts_zip(tmp_path / "first.zip", donors=4)
    other = {"d0": {"split": "test"}, "d1": {"donor": "e1"}, "d2": {"donor": "e2"}, "d3": {"donor": "e3"}}
    second = rewritten(first, tmp_path / "second.zip", lambda row: row | other[row["donor"]])
    message = r"24 train crops are of 1 donor\(s\) .* that another set has in test, first 'd0'; they are left out"
    with pytest.warns(HeldWarning, match=message):
        train, _ = load_crops(classifier_config(first, second), tmp_path / "run", undecided)
    assert "d0" not in train.case
    vals = rewritten(
        first, tmp_path / "vals.zip", lambda row: row | {"split": "val" if row["donor"] < "d2" else "train"}
    )
    with pytest.warns(HeldWarning, match=r"24 val crops are of 1 donor\(s\) .* in test, first 'd0'; they are left out"):
        _, val = load_crops(classifier_config(vals, second), tmp_path / "vals", undecided)
    assert "d0" not in val.case
    here, there = (
        rewritten(first, tmp_path / f"{own[0]}.zip", lambda row, own=own: row | {"split": own[row["donor"] > "d1"]})
        for own in (("train", "test"), ("test", "train"))
    )
    with pytest.raises(DatasetError, match="every donor or case of train is one of test in another set"):
        load_crops(classifier_config(here, there), tmp_path / "other", undecided)


def test_frames_of_the_same_names_and_corrected_ones_are_cut_for_themselves(frames: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "frames", tmp_path / "b" / "frames"
    shutil.copytree(frames, first)
    shutil.copytree(frames, second)
    val = second / "images" / "val1.png"
    shutil.copy(val, second / "images" / "train0.png")

    def cut(source: Path, run: str) -> CropSet:
        return load_crops(classifier_config(source), tmp_path / "runs" / run, undecided)[0]

    one, other = cut(first, "one"), cut(second, "other")
    assert not np.array_equal(one.pixels[:20], other.pixels[:20])
    boxes = first / "boxes.csv"
    boxes.write_text(boxes.read_text().replace("train0.png,1,", "train0.png,2,"))
    corrected = cut(first, "corrected")
    assert (corrected.label == 0).sum() == (one.label == 0).sum() - 2
    shutil.rmtree(tmp_path / "runs" / "one")
    shutil.copytree(frames, tmp_path / "c" / "frames")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops_module, "crops_of_frames", None)  # the same set elsewhere is not cut again
        np.testing.assert_array_equal(cut(tmp_path / "c" / "frames", "again").label, one.label)


@pytest.mark.parametrize("split", ["train", ""])
def test_frames_without_a_chromosome_are_told_before_any_is_cut(frames: Path, tmp_path: Path, split: str) -> None:
    bare = Path(shutil.copytree(frames, tmp_path / "bare"))
    lines = (bare / "boxes.csv").read_text().splitlines()
    (bare / "boxes.csv").write_text("\n".join([lines[0], *(k for k in lines[1:] if split and split not in k)]) + "\n")
    message = (
        f"no chromosome in split '{split}'; add a set" if split else "bare: expected boxes of chromosomes, found none"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops_module, "crops_of_frames", None)
        with pytest.raises(DatasetError, match=message):
            load_crops(classifier_config(bare), tmp_path / "run", undecided)


def test_of_a_laboratorys_first_cases_one_is_held_back(tmp_path: Path) -> None:
    """All of them in train, as a handful of cases may well be: their splits go by a hash."""
    several = frames_folder(tmp_path / "several", ("train", "train", "train"), side_px=400)
    train, val = load_crops(classifier_config(several), tmp_path / "run", undecided)
    assert len(set(val.case)) == 1
    assert len(set(train.case)) == 2
    assert not set(val.case) & set(train.case)
    one = frames_folder(tmp_path / "one", ("train",), side_px=400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops_module, "crops_of_frames", None)  # told before any is cut
        with pytest.raises(DatasetError, match=r"more than one case to hold some back for it, got 1; add cells of ano"):
            load_crops(classifier_config(one), tmp_path / "other", undecided)


def test_corrections_of_too_few_cases_say_that_names_decide_what_each_is_for(tmp_path: Path) -> None:
    corrected = corrections_folder(tmp_path / "corrected")
    lines = corrections_folder(tmp_path / "corrected").joinpath("corrections.jsonl").read_text()
    (corrected / "corrections.jsonl").write_text(lines.replace('"p1"', '"a"').replace('"p2"', '"p11"'))
    with pytest.raises(
        DatasetError, match=r"add cells of another case \(a case's name says .* 1 to learn from, 0 to cho"
    ):
        load_crops(classifier_config(corrected), tmp_path / "run", undecided)
    (corrected / "corrections.jsonl").write_text(lines.replace('"p1"', '"24-1"').replace('"p2"', '"p11"'))
    with pytest.raises(
        DatasetError, match=r"add a set that has some \(.* 0 to learn from, 1 to choose by, 1 to test on"
    ):
        load_crops(classifier_config(corrected), tmp_path / "run", undecided)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"donor": "", "split": ""}, "more than one donor to hold some back for it, got 0; state the donors"),
        ({"donor": "d0"}, "more than one donor to hold some back for it, got 1"),
        ({"split": "test"}, "no picture in split 'train'; splits here: test"),
    ],
)
def test_a_finished_run_outlives_cut_outs_that_cannot_be_learned_from(
    change: dict[str, str], message: str, cutouts: Path, tmp_path: Path
) -> None:
    data = rewritten(cutouts, tmp_path / "few.zip", lambda row: row | change)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DatasetError, match=message):
        fit_classifier(classifier_config(data), tmp_path, resume=False)
    assert (tmp_path / "config.json").read_text() == "{}"


def test_a_split_without_a_chromosome_does_no_harm_beside_another_set(
    frames: Path, cutouts: Path, tmp_path: Path
) -> None:
    bare = Path(shutil.copytree(frames, tmp_path / "bare"))
    lines = (bare / "boxes.csv").read_text().splitlines()
    (bare / "boxes.csv").write_text("\n".join(line for line in lines if "val" not in line) + "\n")
    with pytest.warns(SkippedWarning, match=r"bare: 1 frame\(s\) have no mark .*, first val1\.png"):
        train, val = load_crops(classifier_config(bare, cutouts), tmp_path / "run", undecided)
    assert len(val) == 24
    assert (train.label != NOTHING).sum() == 48 + 46


def test_a_start_of_another_kind_is_told_before_a_run_is_cleared(cutouts: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    start = Path(__file__).parents[3] / "models" / "arbiter" / "weights.keras"
    with pytest.raises(ConfigError, match="this network 'arbiter' does not fit into this 'enhanced'"):
        fit_classifier(replace(classifier_config(cutouts), start=str(start)), tmp_path, resume=False)
    assert (tmp_path / "config.json").exists()


@pytest.mark.parametrize(("fit", "config"), [(fit_locator, LocatorConfig), (fit_separator, SeparatorConfig)])
def test_no_run_is_cleared_for_a_start_that_does_not_fit(
    tmp_path: Path, fit: Callable[..., Path], config: Callable[..., Any]
) -> None:
    """Nor is a frame looked at: there are none here."""
    (tmp_path / "config.json").write_text("{}")
    start = Path(__file__).parents[3] / "models" / "arbiter" / "weights.keras"
    with pytest.raises(ConfigError, match="this network 'arbiter' does not fit"):
        fit(config(str(tmp_path / "none"), steps=1, start=str(start)), tmp_path, resume=False)
    assert (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    ("fit", "config"),
    [
        (fit_locator, LocatorConfig("misspelled", 1, width=0.25)),
        (fit_separator, SeparatorConfig("misspelled", 1, width=0.5)),
        (fit_separator, SeparatorConfig("FRAMES", 1, width=0.5, models="misspelled")),
        (fit_classifier, ClassifierConfig(("FRAMES", "misspelled"), 1, width=0.5, models=str(TINY))),
        (fit_classifier, ClassifierConfig(("FRAMES",), 1, width=0.5, models="misspelled")),
    ],
)
def test_a_finished_run_outlives_what_is_misspelled(
    fit: Callable[..., Path], config: Any, frames: Path, tmp_path: Path
) -> None:
    data = config.data if isinstance(config.data, str) else tuple(d.replace("FRAMES", str(frames)) for d in config.data)
    config = replace(config, data=str(frames) if data == "FRAMES" else data)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises((DatasetError, ModelError), match="misspelled"):
        fit(config, tmp_path, resume=False)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("fit", "config"),
    [(fit_locator, LocatorConfig("", 2, width=0.25)), (fit_separator, SeparatorConfig("", 2, width=0.5))],
)
def test_a_run_does_not_go_on_with_data_that_have_changed(
    fit: Callable[..., Path], config: Any, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(shutil.copytree(frames, tmp_path / "data"))
    config = replace(config, data=str(data))

    def begun(run: Run, *_: Any) -> None:
        run.log(1, loss=1.0)

    monkeypatch.setattr(sys.modules[fit.__module__], "train", begun)
    for _ in range(2):
        fit(config, tmp_path / "run", resume=True)
    boxes = data / "boxes.csv"
    boxes.write_text(boxes.read_text().replace("train0.png,1,", "train0.png,2,"))
    with pytest.raises(ConfigError, match=r"expected what .*run learned from, .*; got data \(\w{8}\), another"):
        fit(config, tmp_path / "run", resume=True)


def test_crops_of_a_run_that_were_cut_short_are_one_line(cutouts: Path, tmp_path: Path) -> None:
    load_crops(classifier_config(cutouts), tmp_path, undecided)
    stored = tmp_path / "train.npz"
    stored.write_bytes(stored.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"train\.npz: expected pixels, .* remove the file"):
        fit_classifier(classifier_config(cutouts), tmp_path, resume=True)
    stored.unlink()
    assert len(load_crops(classifier_config(cutouts), tmp_path, undecided)[0]) == 48


def test_a_set_named_twice_is_learned_from_twice_and_judged_on_once(cutouts: Path, tmp_path: Path) -> None:
    config = replace(classifier_config(cutouts, cutouts), cutout_repeats=2)
    train, val = load_crops(config, tmp_path / "run", undecided)
    assert (len(train), len(val)) == (4 * 48, 24)


def test_crops_in_doubt_stand_in_the_training_set_more_often(cutouts: Path, tmp_path: Path) -> None:
    def sure_of_long_ones(x: Any, training: bool) -> list[Any]:
        n = tf.shape(x)[0]
        long = tf.cast(tf.reduce_mean(x, (1, 2, 3)) > bright, tf.float32)
        return [
            20 * long[:, None, None, None] * tf.one_hot([[[5]]], 24),
            tf.zeros((n, 1, 1, 1)),
            tf.zeros((n, 1, 1, 1)),
        ]

    config = classifier_config(cutouts)
    bright = 0.0
    plain, _ = load_crops(config, tmp_path / "plain", sure_of_long_ones)
    means = plain.pixels.mean((1, 2)) / 255
    bright = float(np.median(means))
    doubtful = int((means <= bright).sum())
    assert 0 < doubtful < len(plain)
    train, val = load_crops(replace(config, doubtful_repeats=3), tmp_path / "thrice", sure_of_long_ones)
    assert (len(train), len(val)) == (len(plain) + 2 * doubtful, 24)
    assert (train.pixels[len(plain) :].mean((1, 2)) / 255 <= bright).all()


def test_a_wider_classifier_starts_as_the_narrow_one_answers(cutouts: Path, tmp_path: Path) -> None:
    narrow = fit_classifier(classifier_config(cutouts), tmp_path / "narrow", resume=False)
    config = replace(classifier_config(cutouts), width=1.0, rate=0.0, start=str(narrow))
    wide = fit_classifier(config, tmp_path / "wide", resume=False)
    crops = stored_crops(wide.parent)[0].pixels
    answers = [predict(keras.models.load_model(path, compile=False), crops)[0].ravel() for path in (narrow, wide)]
    assert np.corrcoef(*answers)[0, 1] > 0.9  # three steps' batch statistics went in


def test_bright_cut_outs_are_aligned_by_the_network(tmp_path: Path) -> None:
    def certain(x: Any, training: bool) -> list[Any]:
        up = tf.sign(tf.reduce_mean(x[:, :64], (1, 2, 3)) - tf.reduce_mean(x[:, 64:], (1, 2, 3)))
        return [v[:, None, None] for v in (tf.zeros((tf.shape(x)[0], 24)), 6 * up[:, None], up[:, None])]

    bright = cutouts_zip(tmp_path / "bright.zip", bright=True)
    train, val = load_crops(classifier_config(bright), tmp_path / "run", certain)
    for crops in (train, val):
        heavier_top = crops.pixels[:, :64].mean((1, 2)) > crops.pixels[:, 64:].mean((1, 2))
        known = crops.polarity != UNKNOWN
        assert known.mean() > 0.8
        np.testing.assert_array_equal(crops.polarity[known] == UP, heavier_top[known])


def lopsided(up: bool, label: int) -> np.ndarray:
    """A bar whose p end is bright; its label is how wide it is."""
    crop = np.zeros((CROP_ROWS, CROP_COLS), np.uint8)
    crop[24:104, 4 : 6 + label] = 90
    crop[24:50, 4 : 6 + label] = 220
    return crop if up else np.ascontiguousarray(crop[::-1])


def reads_lopsided(x: Any, training: bool) -> list[Any]:
    """A "network" that names a lopsided bar by its width, but only the right way up."""
    top, bottom = tf.reduce_mean(x[:, :64, :, 0], (1, 2)), tf.reduce_mean(x[:, 64:, :, 0], (1, 2))
    wide = tf.reduce_sum(tf.cast(x[:, 80, :, 0] > 0.1, tf.int32), axis=1) - 2
    sure = tf.sign(top - bottom)
    logits = 8.0 * tf.maximum(sure, 0.0)[:, None] * tf.one_hot(wide, 24)
    lead = 6.0 * sure
    return [v[:, None, None] for v in (logits, lead[:, None], lead[:, None])]


def set_of(pixels: list[np.ndarray], labels: list[int], polarity: list[int]) -> CropSet:
    n = len(pixels)
    return CropSet(
        np.stack(pixels), np.array(labels), np.array(polarity, np.int8), np.zeros(n, np.int64), np.array(["a"] * n)
    )


def test_alignment_tells_the_ends_apart_given_the_label() -> None:
    flat = np.zeros((CROP_ROWS, CROP_COLS), np.uint8)
    flat[24:104, 4:10] = 90
    crops = set_of([lopsided(True, 3), lopsided(False, 3), lopsided(False, 9), flat], [3, 3, 9, 4], [UNKNOWN] * 4)
    assert align(reads_lopsided, crops).polarity.tolist() == [UP, DOWN, DOWN, UNKNOWN]
    known = set_of([lopsided(False, 3)], [3], [UP])
    assert align(reads_lopsided, known) is known  # what is known is not asked again


def test_alignment_leaves_what_is_known_beside_what_is_not() -> None:
    """As a set of several laboratories has them: what people say holds, though the network would say otherwise."""
    crops = set_of([lopsided(False, 3), lopsided(False, 3), lopsided(True, 9)], [3, 3, 9], [UP, UNKNOWN, DOWN])
    assert align(reads_lopsided, crops).polarity.tolist() == [UP, DOWN, DOWN]


def test_cut_outs_that_lie_upside_down_are_not_learned_from(
    cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upright, turned = (set_of([lopsided(up, 3)] * 5, [3] * 5, [UP] * 5) for up in (True, False))
    assert upside_down(reads_lopsided, upright) == 0
    assert upside_down(reads_lopsided, turned) == 1
    assert upside_down(reads_lopsided, turned.with_unknown_ends()) == 0  # nobody says that they are upright
    assert upside_down(undecided, turned) == 0
    monkeypatch.setattr(crops_module, "cut_out", lambda source, models: (turned, upright))
    with pytest.raises(DatasetError, match=r"crops\.zip: expected upright cut-outs, .* got 100% the other way up"):
        load_crops(classifier_config(cutouts), tmp_path, reads_lopsided)


def test_crops_of_no_known_donor_are_not_held_back_as_one() -> None:
    crops = set_of([lopsided(True, 3)] * 4, [3] * 4, [UP] * 4)
    owned = [replace(crops, case=np.array(case)) for case in (["", "", "a", "b"], ["", "", "a", "a"])]
    train, held = crops_module._held_back(owned[0], "donor", "set")
    assert len(held) == 1
    assert sorted([*train.case, *held.case]) == ["", "", "a", "b"]
    assert held.case[0] != ""
    with pytest.raises(DatasetError, match="more than one donor to hold some back for it, got 1"):
        crops_module._held_back(owned[1], "donor", "set")


def test_the_settings_of_a_classifier_reach_its_training(
    cutouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(
        classifier_config(cutouts), laboratory=0.5, unaugmented=("mirror",), augmented=("defocus=0.9",), smoothing=0.3
    )
    taught: list[tuple[Any, ...]] = []
    monkeypatch.setattr(classifier_module, "train", lambda *given: taught.append(given))
    fit_classifier(config, tmp_path / "run", resume=False)
    _, network, _, learned, make, _ = taught[0]
    crops, _ = stored_crops(tmp_path / "run")
    batch = mixed_batch(crops, np.random.default_rng((5, 0)), config, strengths_of(config))
    for one, other in zip(make(np.random.default_rng((5, 0))), batch, strict=True):
        np.testing.assert_array_equal(one, other)
    usual = mixed_batch(crops, np.random.default_rng((5, 0)), config, DEFAULT)
    assert not np.array_equal(usual[0], batch[0])
    said, smooth, sharp = (float(each(network, *batch)[0]) for each in (learned, make_losses(0.3), make_losses(0.0)))
    assert said == pytest.approx(smooth, rel=1e-4)
    assert abs(smooth - sharp) > 1e-3


def test_check_counts_either_end_up() -> None:
    ups = [True, False, True, False]
    crops = set_of([lopsided(up, k + 1) for k, up in enumerate(ups)], [1, 2, 3, 9], [UP, DOWN, DOWN, UNKNOWN])
    found = check(reads_lopsided, crops)
    assert found["val_accuracy"] == pytest.approx(3 / 4)
    assert found["val_polarity"] == pytest.approx(2 / 3)


def test_check_without_a_known_polarity_is_no_number_and_no_warning() -> None:
    found = check(reads_lopsided, set_of([lopsided(True, 3)], [3], [UNKNOWN]))
    assert found["val_accuracy"] == 1
    assert np.isnan(found["val_polarity"])


def test_batches_know_which_end_is_up_after_augmentation() -> None:
    crops = set_of([lopsided(True, 14), lopsided(False, 14), lopsided(True, 14)], [14, 14, 7], [UP, DOWN, UNKNOWN])
    image, label, polarity, single = make_batch(crops, np.random.default_rng(0), 300)
    assert image.shape == (300, CROP_ROWS, CROP_COLS, 1)
    assert image.dtype == label.dtype == polarity.dtype == single.dtype == np.float32
    assert set(polarity.tolist()) == {-1.0, 0.0, 1.0}
    assert (polarity[label == 7] == UNKNOWN).all()
    assert (polarity[single == 0] == UNKNOWN).all()
    assert 0.01 < (single == 0).mean() < 0.15
    known = polarity >= 0
    assert 0.4 < polarity[known].mean() < 0.6  # either end up, as often
    bright = image[known, :64].sum((1, 2, 3)) > image[known, 64:].sum((1, 2, 3))
    assert (bright == (polarity[known] == UP)).mean() > 0.93


def test_the_locators_mistakes_are_learned_as_nothing_whole() -> None:
    crops = set_of([lopsided(True, 3), lopsided(True, 9)], [3, NOTHING], [UP, UNKNOWN])
    _, label, polarity, single = make_batch(crops, np.random.default_rng(0), 200)
    mistaken = label == NOTHING
    assert 60 < mistaken.sum() < 140
    assert (single[mistaken] == 0).all()
    assert (polarity[mistaken] == UNKNOWN).all()
    assert single[~mistaken].mean() > 0.85
    found = check(reads_lopsided, crops)
    assert (found["val_accuracy"], found["val_polarity"]) == (1, 1)  # mistakes have no label to get right
    assert align(reads_lopsided, set_of([lopsided(True, 3)], [NOTHING], [UNKNOWN])).polarity.tolist() == [UNKNOWN]


def test_batches_are_seeded() -> None:
    crops = set_of([lopsided(True, 3), lopsided(True, 9)], [3, 9], [UP, UP])
    one, same, other = (make_batch(crops, np.random.default_rng(s), 6) for s in ((1, 2), (1, 2), (1, 3)))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[0], other[0])


def test_no_donor_that_is_held_back_is_learned_from_in_another_set(cutouts: Path, tmp_path: Path) -> None:
    (held,) = set(load_crops(ClassifierConfig((str(cutouts),), 1), tmp_path / "a", undecided)[1].case)
    # the same donors sent again, and another one beside them: who is held back is drawn anew
    two = rewritten(
        cutouts, tmp_path / "two.zip", lambda row: row | {"donor": "another"} if row["donor"] != held else row
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train, held = load_crops(ClassifierConfig((str(cutouts), str(two)), 1), tmp_path / "b", undecided)
    assert not set(train.case) & set(held.case)


def test_a_run_does_not_go_on_with_crops_of_data_that_have_changed(cutouts: Path, tmp_path: Path) -> None:
    data = rewritten(cutouts, tmp_path / "d.zip", lambda row: row)
    config = ClassifierConfig((str(data),), 1)
    load_crops(config, tmp_path / "run", undecided)
    rewritten(cutouts, data, lambda row: row | {"label": "1"})
    with pytest.raises(ConfigError, match="expected what the crops in"):
        load_crops(config, tmp_path / "run", undecided)
