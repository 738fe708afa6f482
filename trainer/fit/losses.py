"""The locator's losses."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.data.pixels import MAX_CANDIDATES
from trainer.networks.locator import AUXILIARY


def unfold(cells: Any, name: str) -> Any:
    """Unfolds the sub-cells of an output that has some: (B, h, w, side*side*c) to (B, h*side, w*side, c)."""
    return tf.nn.depth_to_space(cells, AUXILIARY[name][0]) if name in AUXILIARY else cells


def heat_loss(logit: Any, heat: Any) -> Any:
    """CenterNet's focal loss (Zhou 2019), per object."""
    positive = tf.cast(heat >= 1.0, tf.float32)
    p = tf.sigmoid(logit)
    log_p, log_q = tf.math.log_sigmoid(logit), tf.math.log_sigmoid(-logit)
    loss = -positive * (1 - p) ** 2 * log_p - (1 - positive) * (1 - heat) ** 4 * p**2 * log_q
    return tf.reduce_sum(loss) / tf.maximum(tf.reduce_sum(positive), 1.0)


def box_loss(sides: Any, target: Any) -> Any:
    """1 - IoU plus a little L1 (which still pulls when boxes do not meet), weighted towards the centre; ``sides``
    (B, h, w, 8) as the network has them, ``target`` (B, h, w, 2, 5)."""
    weight = target[..., 4]
    truth = target[..., :4]
    sides = tf.reshape(sides, tf.shape(truth))
    got = tf.nn.relu(sides)
    inner = tf.minimum(got, truth)
    both = (inner[..., 0] + inner[..., 2]) * (inner[..., 1] + inner[..., 3])
    area = (got[..., 0] + got[..., 2]) * (got[..., 1] + got[..., 3])
    whole = (truth[..., 0] + truth[..., 2]) * (truth[..., 1] + truth[..., 3])
    iou = both / tf.maximum(area + whole - both, 1e-3)
    apart = tf.reduce_mean(tf.abs(sides - truth), axis=-1)
    return tf.reduce_sum(weight * (1.0 - iou + 0.3 * apart)) / tf.maximum(tf.reduce_sum(weight), 1.0)


def dense_loss(logits: Any, dense: Any) -> tuple[Any, Any]:
    """The cross entropies of "chromosome" and of "crossing", each where it is known, the latter mostly on
    chromosomes."""
    chromosome, crossing, sure, known = (dense[..., k] for k in range(4))
    solid = tf.nn.sigmoid_cross_entropy_with_logits(chromosome, logits[..., 0])
    solid = tf.reduce_sum(solid * known) / tf.maximum(tf.reduce_sum(known), 1.0)
    cross = tf.nn.sigmoid_cross_entropy_with_logits(crossing, logits[..., 1])
    weight = sure * (0.02 + chromosome)
    return solid, tf.reduce_sum(cross * weight) / tf.maximum(tf.reduce_sum(weight), 1.0)


def vote_loss(votes: Any, target: Any, dense: Any) -> Any:
    """Distance to the best of the candidate owners' centres, on chromosomes that are known."""
    chromosome = dense[..., 0] * dense[..., 3]
    shape = tf.shape(votes)
    owners = tf.reshape(target, (shape[0], shape[1], shape[2], MAX_CANDIDATES, 2))
    gap = tf.reduce_sum(tf.abs(votes[..., None, :] - owners), axis=-1)
    best = tf.reduce_min(gap, axis=-1)
    return tf.reduce_sum(best * chromosome) / tf.maximum(tf.reduce_sum(chromosome), 1.0)
