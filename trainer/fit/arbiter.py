"""Trains the arbiter on what the other models find and say in the train frames: ``trainer fit arbiter``.

In a laboratory that it has not seen the classifier is wrong five times as often, and knows less well when. An arbiter
that has only heard it in laboratories that it knows trusts it too much there. So the arbiter may also hear weaker
classifiers, which have not seen the laboratory of the train frames, on the same frames.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from edge.cell.arbiter import COLUMNS, MOST_ODDS, NATS
from edge.errors import ConfigError
from edge.records import LABELS, Float32Array
from trainer.data.cells import CellSet, cells_of, load_hearing
from trainer.data.cropset import NOTHING
from trainer.files import save_network, shipped_models
from trainer.fit.cell_batches import lone_ones, make_batch
from trainer.fit.config import FitConfig
from trainer.fit.loop import train
from trainer.networks.arbiter import HEADS, KNOWN, build_arbiter
from trainer.networks.start import take_all_weights
from trainer.run.data import cell_sets
from trainer.run.folder import Run

CLIP_NORM = 5.0
LABEL_WEIGHT = 0.5
KEEP_SMOOTHING, LABEL_SMOOTHING = 0.01, 0.03
VAL_SEED = 0
"""The seed for val frames, which decides nothing: they are looked at as they are."""
SPECIMENS = 100
"""So many train cells stay with the run, for its export; all val cells do."""


@dataclass(frozen=True, slots=True)
class ArbiterConfig(FitConfig):
    """``start`` is of the same width and depth."""

    data: list[str]
    """Sets of frames; one that is named twice is learned from twice as often. Val cells are those of the first."""
    batch: int = 32
    rate: float = 1e-3
    models: str = field(default_factory=lambda: str(shipped_models()))
    """Folder of the locator, separator, classifier and verifier whose words are heard."""
    width: int = 64
    depth: int = 3
    dropout: float = 0.1
    blend: float = 0.0
    """Share of the weights of ``start`` in those that are kept. A mean of both does as well as the old weights in
    laboratories that these know, and nearly as well as the new ones elsewhere (Wortsman et al., Robust fine-tuning of
    zero-shot models, CVPR 2022)."""
    passes: int = 1
    """How often the train frames are looked through, changed anew each time: with ``seed`` and the numbers after it."""
    weaker: list[str] = field(default_factory=list)
    """DATA=DIR each: a set, and a folder of other models whose classifier has not seen its laboratory. They look
    through its train split once, with ``seed`` and the numbers after it."""

    def __post_init__(self) -> None:
        if self.width % HEADS:
            raise ConfigError(f"expected a --width that {HEADS} heads share evenly, a multiple of it, got {self.width}")
        if self.blend and not self.start:
            raise ConfigError(
                f"expected --start WEIGHTS beside --blend {self.blend:g}, whose weights it keeps a share of"
            )


def fit_arbiter(config: ArbiterConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/arbiter.keras``."""
    keras.utils.set_random_seed(config.seed)
    network = build_arbiter(config.width, config.depth, config.dropout)
    if config.start:  # one that does not fit is told before a run is cleared and hours are spent
        take_all_weights(network, Path(config.start))
    pairs = [*((data, config.models) for data in config.data), *map(_pair, config.weaker)]
    for models in {folder for _, folder in pairs}:
        load_hearing(Path(models))
    run = Run.open(out, asdict(config), resume, cell_sets([data for data, _ in pairs], config.data[0]))
    known, held = cells_for(config, out.parent)
    known.pick(np.arange(min(SPECIMENS, len(known)))).save(out / "train.npz")
    held.save(out / "val.npz")
    if not config.start:
        rows = known.table[known.table[..., 0] > 0][:, KNOWN]
        network.get_layer("usual").adapt(rows[:: max(1, len(rows) // 100_000)].astype(np.float32) / 255)
    guests = lone_ones(known, np.random.default_rng(config.seed))
    train(
        run,
        network,
        config.plan(CLIP_NORM),
        losses,
        lambda rng: make_batch(known, guests, rng, config.batch),
        lambda: check(network, held),
    )
    if config.blend:
        before = build_arbiter(config.width, config.depth, config.dropout)
        take_all_weights(before, Path(config.start))
        network.set_weights(blended(before.get_weights(), network.get_weights(), config.blend))
    return save_network(network, out / "arbiter.keras")


def blended(before: list[Float32Array], after: list[Float32Array], share: float) -> list[Float32Array]:
    """Each array of ``after`` with this ``share``, 0..1, of what it was ``before``."""
    return [np.float32(share) * old + np.float32(1 - share) * new for old, new in zip(before, after, strict=True)]


def cells_for(config: ArbiterConfig, store: Path) -> tuple[CellSet, CellSet]:
    """Train and val cells, kept in ``store``."""
    models, looked = Path(config.models), Counter[str]()
    sets = []
    for source in config.data * config.passes:
        sets.append(cells_of(Path(source), "train", models, store, config.seed + looked[source]))
        looked[source] += 1
    for number, (source, weaker) in enumerate(map(_pair, config.weaker)):
        sets.append(cells_of(Path(source), "train", Path(weaker), store, config.seed + number))
    return CellSet.join(sets), cells_of(Path(config.data[0]), "val", models, store, VAL_SEED)


def _pair(weaker: str) -> tuple[str, str]:
    """The set and the folder of models in DATA=DIR."""
    source, equals, folder = weaker.rpartition("=")
    if not (source and equals and folder):
        raise ConfigError(f"expected --weaker as DATA=DIR, a set and a folder of models, got '{weaker}'")
    return source, folder


def losses(network: Any, table: Any, whole: Any, label: Any) -> tuple[Any, dict[str, Any]]:
    """The loss and its parts: the cross entropy of being the mark of a chromosome, and that of the label of those that
    are."""
    odds, logs, there = _known(table)
    keep, more = network(table, training=True)
    parts = {
        "keep": _mean(
            tf.nn.sigmoid_cross_entropy_with_logits(
                whole * (1 - 2 * KEEP_SMOOTHING) + KEEP_SMOOTHING, odds + keep[..., 0]
            ),
            there,
        ),
        "label": _mean(
            tf.nn.softmax_cross_entropy_with_logits(
                tf.one_hot(tf.cast(tf.maximum(label, 0), tf.int32), len(LABELS)) * (1 - LABEL_SMOOTHING)
                + LABEL_SMOOTHING / len(LABELS),
                logs + more,
            ),
            tf.cast(label > NOTHING, tf.float32),
        ),
    }
    return parts["keep"] + LABEL_WEIGHT * parts["label"], parts


def _known(table: Any) -> tuple[Any, Any, Any]:
    """What the table has: log odds (B, 96), log scores (B, 96, 24), and whether there is an object (B, 96)."""
    rows = table[..., 0]
    return (
        (rows[..., COLUMNS["odds"].start] - 0.5) * (2 * MOST_ODDS),
        (rows[..., COLUMNS["scores"]] - 1) * NATS,
        rows[..., 0],
    )


def _mean(values: Any, weights: Any) -> Any:
    return tf.reduce_sum(values * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)


def check(network: Any, held: CellSet) -> dict[str, float]:
    """On val: the mean cross entropies, in nats, of being a mark and of the label, and the share of right labels; {}
    where no chromosome was found."""
    call = tf.function(lambda x: network(x, training=False))
    odds: list[Float32Array] = []
    logs: list[Float32Array] = []
    for start in range(0, len(held), 32):
        x = held.table[start : start + 32, ..., None].astype(np.float32) / np.float32(255)
        known = [np.asarray(each) for each in _known(x)[:2]]
        keep, more = (np.asarray(each) for each in call(x))
        odds.append(known[0] + keep[..., 0])
        logs.append(known[1] + more)
    there, named = held.table[..., 0] > 0, held.label > NOTHING
    if not named.any():
        return {}
    right = np.where(held.whole, 1, -1)[there] * np.concatenate(odds)[there]
    said, true = np.concatenate(logs)[named], held.label[named].astype(np.int64)
    chances = said - np.logaddexp.reduce(said, axis=1, keepdims=True)
    return {
        "val_keep": float(np.logaddexp(0, -right).mean()),
        "val_label": float(-chances[np.arange(len(true)), true].mean()),
        "val_named": float((said.argmax(1) == true).mean()),
    }
