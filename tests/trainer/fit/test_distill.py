"""Distillation: the loss pulls to the teachers, counts whole chromosomes only, and a run with a teacher resumes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the trainer's extras are not installed")

import tf_keras as keras  # noqa: E402

from edge.errors import ConfigError  # noqa: E402
from tests.trainer.drawn import cutouts_zip  # noqa: E402
from trainer.fit.classifier import ClassifierConfig, fit_classifier, make_losses  # noqa: E402
from trainer.fit.distill import TEMPERATURE, distilled, load_teachers, soft_loss  # noqa: E402
from trainer.networks.enhanced import build_enhanced  # noqa: E402

STEPS = 2
MODELS = Path(__file__).parents[3] / "models"


def logits(seed: int, rows: int = 4) -> Any:
    return tf.constant(np.random.default_rng(seed).normal(0, 2, (rows, 24)), tf.float32)


def test_the_soft_loss_is_zero_at_the_teachers_and_grows_away_from_them() -> None:
    single = tf.ones(4)
    assert float(soft_loss(logits(1), [logits(1)], single)) == pytest.approx(0, abs=1e-4)
    near, far = (float(soft_loss(logits(1) + d * logits(2), [logits(1)], single)) for d in (0.1, 1.0))
    assert 0 < near < far
    p, q = tf.nn.softmax(logits(1) / TEMPERATURE), tf.nn.softmax(logits(2) / TEMPERATURE)
    expected = TEMPERATURE**2 * float(tf.reduce_mean(tf.reduce_sum(p * tf.math.log(p / q), axis=1)))
    assert float(soft_loss(logits(2), [logits(1)], single)) == pytest.approx(expected, rel=1e-3)


def test_what_is_not_one_whole_chromosome_teaches_nothing() -> None:
    single = tf.constant([1.0, 0.0, 1.0, 1.0])
    wild = tf.tensor_scatter_nd_update(logits(2), [[1]], 50 * logits(3, 1))
    assert float(soft_loss(logits(2), [logits(1)], single)) == pytest.approx(
        float(soft_loss(wild, [logits(1)], single)), rel=1e-5
    )
    assert float(soft_loss(logits(1), [logits(2)], tf.zeros(4))) == 0


def says(label: Any) -> Any:
    """A network with these label logits, and nothing else to say."""
    nothing = tf.zeros((len(label), 1, 1, 1))
    return lambda image, training: [label[:, None, None], nothing, nothing]


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_the_weight_shares_the_labels_loss(weight: float) -> None:
    batch = (tf.zeros((4, 8, 8, 1)), tf.constant([0.0, 3, 5, 23]), tf.fill((4,), -1.0), tf.ones(4))
    plain, figures = make_losses(0.0)(says(logits(1)), *batch)
    total, more = distilled(make_losses(0.0), [says(logits(2)), says(logits(3))], weight)(says(logits(1)), *batch)
    soft = soft_loss(logits(1), [logits(2), logits(3)], tf.ones(4))
    assert float(more["teacher_loss"]) == pytest.approx(float(soft), rel=1e-5)
    assert float(total - plain) == pytest.approx(weight * float(soft - figures["label_loss"]), abs=1e-4)


@pytest.mark.usefixtures("every_step")
def test_a_run_with_a_teacher_resumes_and_asks_for_the_same_one(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    teacher = tmp_path / "teacher.keras"
    build_enhanced(width=0.5).save(teacher)
    data = cutouts_zip(tmp_path / "crops.zip")
    config = ClassifierConfig(
        (str(data),), STEPS, batch=4, dropout=0.0, width=0.25, seed=5, teachers=(str(teacher),), mix="mixup"
    )
    weights = fit_classifier(config, tmp_path / "run", resume=False)
    whole = keras.models.load_model(weights, compile=False).get_weights()
    shutil.rmtree(weights.parent / "checkpoints" / f"{STEPS:08d}")
    again = keras.models.load_model(fit_classifier(config, tmp_path / "run", resume=True), compile=False).get_weights()
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    assert "teacher_loss" in (weights.parent / "log.csv").read_text().splitlines()[0]
    with pytest.raises(ConfigError, match="teachers"):
        fit_classifier(replace(config, teachers=()), tmp_path / "run", resume=True)


def test_a_teacher_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.keras").write_bytes(b"no")
    for file in (tmp_path / "no.keras", tmp_path / "absent.keras"):
        with pytest.raises(ConfigError, match=r"--teacher .*: expected Keras weights"):
            load_teachers([str(file)])


@pytest.mark.parametrize("task", ["arbiter", "locator", "separator", "verifier"])
def test_a_teacher_that_is_no_classifier_is_told_before_a_run_is_cleared(tmp_path: Path, task: str) -> None:
    weights = MODELS / task / "weights.keras"
    (tmp_path / "config.json").write_text("{}")
    config = ClassifierConfig(("absent.zip",), STEPS, teachers=(str(weights),))
    with pytest.raises(ConfigError, match=rf"{task}/weights\.keras: expected a classifier .* got the network '{task}'"):
        fit_classifier(config, tmp_path, resume=False)
    assert (tmp_path / "config.json").exists()
