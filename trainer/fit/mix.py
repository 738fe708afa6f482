"""Two crops mixed into one, with their labels in proportion: more data without more chromosomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from edge.records import LABELS
from trainer.data.cropset import NOTHING, UNKNOWN
from trainer.fit.loop import Batch

Mix = Literal["none", "mixup", "cutmix"]
MIXES: Mapping[str, Mix] = {"none": "none", "mixup": "mixup", "cutmix": "cutmix"}
MIXUP_BETA = 0.2
MIXED_SHARE = 0.5
"""This share of the batches is mixed; the others stay as they are, for the network must also see whole chromosomes."""


def pick_mix(name: str) -> Mix:
    """The mix of that name; ``ConfigError`` if there is none."""
    if name not in MIXES:
        raise ConfigError(f"expected a mix of {', '.join(MIXES)}, got '{name}'")
    return MIXES[name]


def mix_batch(batch: Batch, rng: np.random.Generator, mix: Mix) -> Batch:
    """A batch of ``trainer.fit.classifier.make_batch`` with ``label`` as shares (B, 24), mixed in ``MIXED_SHARE`` of
    all calls.

    ``mixup`` (Zhang 2018) adds a second crop's values, weighed; ``cutmix`` (Yun 2019) puts a segment of a second
    chromosome in place of as many rows of the first. Only whole chromosomes are mixed; the polarity is known where both
    have the same.
    """
    image, label, polarity, single = batch
    shares = one_hot(label)
    if mix == "none" or rng.random() >= MIXED_SHARE:
        return image, shares, polarity, single
    other = rng.permutation(len(image))
    both = (single > 0) & (single[other] > 0)
    if mix == "mixup":
        kept = rng.beta(MIXUP_BETA, MIXUP_BETA, len(image)).astype(np.float32)
        weight = np.broadcast_to(kept[:, None, None, None], image.shape)
    else:
        weight, kept = _segments(image, rng)
    weight, kept = np.where(both[:, None, None, None], weight, 1), np.where(both, kept, 1).astype(np.float32)
    return (
        np.asarray(image * weight + image[other] * (1 - weight), np.float32),
        np.asarray(shares * kept[:, None] + shares[other] * (1 - kept[:, None]), np.float32),
        np.where(both & (polarity != polarity[other]), np.float32(UNKNOWN), polarity),
        single,
    )


def one_hot(label: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(B,) indices of LABELS, NOTHING among them, as (B, 24) shares."""
    return np.asarray((label[:, None] == np.arange(len(LABELS))) & (label[:, None] != NOTHING), np.float32)


def _segments(
    image: npt.NDArray[np.float32], rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Weights (B, H, W, 1), 0 where the second crop shows, and the share (B,) of the first one's rows that stays.

    The rows are those between the first and the last that the first chromosome covers.
    """
    weight = np.ones_like(image)
    kept = np.ones(len(image), np.float32)
    for k, crop in enumerate(image):
        rows = np.flatnonzero(crop.max(axis=(1, 2)) > 0.1)
        if len(rows) < 2:
            continue
        length = int(rows[-1]) - int(rows[0]) + 1
        taken = int(rng.random() * length)
        top = int(rows[0]) + int(rng.integers(length - taken + 1))
        weight[k, top : top + taken] = 0
        kept[k] = 1 - taken / length
    return weight, kept
