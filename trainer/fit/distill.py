"""Distillation: a student learns from the softened answers of larger teachers beside the truth.

Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015: the teacher's probabilities at a raised
temperature say which wrong classes a crop resembles, and the student's at the same temperature are drawn to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from edge.errors import ConfigError
from edge.locate.straighten import CROP_COLS, CROP_ROWS
from trainer.fit.loop import Losses
from trainer.networks.heads import HEADS
from trainer.networks.start import read_network

TEMPERATURE = 3.0


def load_teachers(files: Sequence[str]) -> list[Any]:
    """Trained classifiers (.keras); ``ConfigError`` names the first that is none."""
    return [_load(Path(file)) for file in files]


def _load(file: Path) -> Any:
    teacher = read_network(file, "--teacher")
    takes, answers = teacher.input_shape, teacher.output_shape
    expected = [(None, 1, 1, values) for values in HEADS.values()]
    if takes != (None, CROP_ROWS, CROP_COLS, 1) or answers != expected:
        raise ConfigError(
            f"--teacher {file}: expected a classifier of crops of {CROP_ROWS}x{CROP_COLS} with the answers "
            f"{', '.join(HEADS)}, got the network '{teacher.name}', which takes {takes}; name a classifier's weights"
        )
    teacher.trainable = False
    return teacher


def distilled(losses: Losses, teachers: Sequence[Any], weight: float) -> Losses:
    """``losses`` with the share ``weight`` (0..1) of the label's loss replaced by the distance to the teachers' mean
    answer.

    Teachers and student see the very same augmented batch. Crops that are not one whole chromosome do not count.
    """

    def with_teachers(network: Any, image: Any, label: Any, polarity: Any, single: Any) -> tuple[Any, dict[str, Any]]:
        said = []

        def heard(x: Any, training: bool) -> Any:
            said.append(network(x, training=training))
            return said[-1]

        total, figures = losses(heard, image, label, polarity, single)
        answers = [teacher(image, training=False)[0][:, 0, 0] for teacher in teachers]
        soft = soft_loss(said[0][0][:, 0, 0], answers, single)
        return total + weight * (soft - figures["label_loss"]), {**figures, "teacher_loss": soft}

    return with_teachers


def soft_loss(logits: Any, teachers: Sequence[Any], single: Any) -> Any:
    """Kullback-Leibler divergence from the mean of the teachers' softened probabilities to the student's, (B, 24)
    logits each; times the temperature's square, which keeps its gradient at the label's scale."""
    target = tf.reduce_mean([tf.nn.softmax(t / TEMPERATURE) for t in teachers], axis=0)
    apart = tf.math.log(tf.maximum(target, 1e-9)) - tf.nn.log_softmax(logits / TEMPERATURE)
    each = tf.reduce_sum(target * apart, axis=1)
    return TEMPERATURE**2 * tf.reduce_sum(each * single) / tf.maximum(tf.reduce_sum(single), 1.0)
