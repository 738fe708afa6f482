"""Trains the arbiter on what the other models find and say in the train frames: ``trainer fit arbiter``.

In a laboratory that the classifier has not seen it is wrong five times as often, and knows less well when. An arbiter
that has only heard it where it is at home trusts it too much there; so it may also hear weaker ones, which have not
seen the laboratory of the train frames, on the same frames.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras
from scipy.ndimage import gaussian_filter1d

from edge.cell.arbiter import COLUMNS, MOST_ODDS, NATS, PROFILE_PARTS, SEATS, VIEW_LIMITS
from edge.cell.keep import WEIGHED
from edge.cell.views import log_odds
from edge.errors import ConfigError
from edge.records import LABELS, Float32Array, UInt8Array
from trainer.data.cells import CellSet, cells_of, load_hearing
from trainer.data.cropset import NOTHING
from trainer.files import save_network, shipped_models
from trainer.loop import Batch, Plan, train
from trainer.networks.arbiter import HEADS, KNOWN, build_arbiter
from trainer.networks.start import take_all_weights
from trainer.run_data import cell_sets
from trainer.runs import Run

CLIP_NORM = 5.0
LABEL_WEIGHT = 0.5
KEEP_SMOOTHING, LABEL_SMOOTHING = 0.01, 0.03
VAL_SEED = 0
"""Changes nothing: val frames are looked at as they are."""
SPECIMENS = 100
"""Cells of train that stay with the run, for its export; all of val do."""
OVERLOOKED = 0.01
"""Share of objects that are left out."""
SHORT, OVERFULL = 0.3, 0.6
"""Share of cells that lack one chromosome or two, and that have one to three too many."""
KNOWN_BOXES = 0.15
"""Share of cells whose boxes somebody drew: nothing but chromosomes, and each of them for sure."""
STRANGERS = 5000
"""Lone chromosomes that are put into other cells."""
SURENESS, NOISE = (-0.1, 0.15), 0.015
"""How much surer or less sure the labels are made, as a normal of the log; and noise on all that is known."""
ELSEWHERE = 0.35
"""Share of cells that are made as if in a laboratory that the classifier does not know."""
FLATTER, LEANING_NATS, DOUBT_NATS = (0.3, 1.0), 0.6, 0.6
"""There: by what the log scores of a cell's objects are multiplied; how far, as the deviation of a normal, they lean
towards each label in the whole cell; and in each object besides."""
BAND_CONTRAST, SMOOTHEST_PARTS = (0.4, 1.5), 1.5
"""There: by what the bands' distance from an object's mean stain is multiplied, and how far they are smeared."""
LONE_COVERED, LONE_SHARED = 13, 26
"""Of 255: a twentieth of its mask and a tenth of its box, below which a chromosome is alone."""
MOST_LEVEL = 255
PLACE_SPREAD = 32.0
"""Of 255, of places for a stranger."""


@dataclass(frozen=True, slots=True)
class ArbiterConfig:
    data: list[str]
    """Sets of frames; one that is named twice is learned twice as often. Val cells are those of the first."""
    steps: int
    batch: int = 32
    rate: float = 1e-3
    decay: float = 1e-3
    seed: int = 1
    models: str = field(default_factory=lambda: str(shipped_models()))
    """Folder of the locator, separator, classifier and verifier whose words are heard."""
    width: int = 64
    depth: int = 3
    dropout: float = 0.1
    start: str = ""
    """Network to go on from, of the same width and depth."""
    blend: float = 0.0
    """Share of its weights in those that are kept. A mean of before and after does as well at home as before, and
    nearly as well elsewhere as after (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022)."""
    passes: int = 1
    """How often the train frames are looked through, changed anew each time: with ``seed`` and the numbers after it."""
    weaker: list[str] = field(default_factory=list)
    """Each DATA=DIR: a set, and a folder of other models whose classifier has not seen its laboratory and which look
    through its train split once: with ``seed`` and the numbers after it."""

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
    if config.start:  # one that does not fit is told before a run is cleared and before hours of looking
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
    strangers = lone_ones(known, np.random.default_rng(config.seed))
    train(
        run,
        network,
        Plan(config.steps, config.rate, config.decay, CLIP_NORM, config.seed),
        losses,
        lambda rng: make_batch(known, strangers, rng, config.batch),
        lambda: check(network, held),
    )
    if config.blend:
        before = build_arbiter(config.width, config.depth, config.dropout)
        take_all_weights(before, Path(config.start))
        network.set_weights(blended(before.get_weights(), network.get_weights(), config.blend))
    return save_network(network, out / "arbiter.keras")


def blended(before: list[Float32Array], after: list[Float32Array], share: float) -> list[Float32Array]:
    """Each array ``after``, with this ``share``, 0..1, of what it was ``before``."""
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
    """The set and the folder of models."""
    source, equals, folder = weaker.rpartition("=")
    if not (source and equals and folder):
        raise ConfigError(f"expected --weaker as DATA=DIR, a set and a folder of models, got '{weaker}'")
    return source, folder


@dataclass(frozen=True, slots=True, eq=False)
class Strangers:
    """``rows`` uint8 (n, 300) of tables, of chromosomes that nothing touches, and their ``label`` (n,)."""

    rows: UInt8Array
    label: npt.NDArray[np.int8]


def lone_ones(cells: CellSet, rng: np.random.Generator) -> Strangers:
    """Chromosomes that share next to nothing with others, ``STRANGERS`` of them at most."""
    near = [
        cells.table[..., COLUMNS["weighed"]][..., WEIGHED.index(name)] for name in ("covered", "weaker", "stronger")
    ]
    covered, *shared = near
    lone = cells.whole & (covered < LONE_COVERED) & (shared[0] < LONE_SHARED) & (shared[1] < LONE_SHARED)
    cell, seat = np.nonzero(lone)
    some = np.sort(rng.permutation(len(cell))[:STRANGERS])
    rows = cells.table[cell[some], seat[some]].copy()
    for name in ("iou", "shared"):
        rows[:, COLUMNS[name]] = 0
    return Strangers(rows, cells.label[cell[some], seat[some]])


def make_batch(cells: CellSet, strangers: Strangers, rng: np.random.Generator, count: int) -> Batch:
    """table (B, 96, 300, 1) in 0..1, whole (B, 96), label (B, 96) with NOTHING: some cells with chromosomes too few or
    too many, so that copies tell nothing; some with boxes that are known; labels more or less sure, and noise."""
    picked = rng.integers(len(cells), size=count)
    table, whole, label = (each[picked].copy() for each in (cells.table, cells.whole, cells.label))
    for k in range(count):
        there = table[k, :, 0] > 0
        gone = rng.random(SEATS) < OVERLOOKED
        if rng.random() < KNOWN_BOXES:
            gone |= ~whole[k]
            table[k, there, COLUMNS["weighed"].start + WEIGHED.index("score")] = MOST_LEVEL
            table[k, there, COLUMNS["odds"]] = MOST_LEVEL
        if rng.random() < SHORT and whole[k].any():
            gone[rng.choice(np.flatnonzero(whole[k]), rng.integers(1, 3))] = True
        _leave(table[k], gone)
        whole[k, gone], label[k, gone] = False, NOTHING
        if rng.random() < OVERFULL and len(strangers.rows):
            free = np.flatnonzero(~there | gone)[: rng.integers(1, 4)]
            drawn = rng.integers(len(strangers.rows), size=len(free))
            table[k, free] = strangers.rows[drawn]
            places = 127.5 + rng.normal(0, PLACE_SPREAD, (len(free), 2))
            table[k, free, COLUMNS["place"]] = np.clip(places, 0, 255).astype(np.uint8)
            whole[k, free], label[k, free] = True, strangers.label[drawn]
    x = table.astype(np.float32) / np.float32(255)
    seated = x[..., :1]
    sureness = np.exp(rng.normal(*SURENESS, (count, 1, 1))).astype(np.float32)
    scores = COLUMNS["scores"]
    x[..., scores] = np.clip(1 - (1 - x[..., scores]) * sureness, 0, 1) * seated
    for k in np.flatnonzero(rng.random(count) < ELSEWHERE).tolist():
        _elsewhere(x[k], rng)
    others = slice(KNOWN.start, scores.start)
    x[..., others] += rng.normal(0, NOISE, x[..., others].shape).astype(np.float32) * seated
    return x[..., None], whole.astype(np.float32), label.astype(np.float32)


def _elsewhere(x: Float32Array, rng: np.random.Generator) -> None:
    """Makes the table (96, 300) of a cell, in 0..1, one of another laboratory, in place: the classifier is less sure of
    all labels, leans towards some, and is wrong more often; bands are paler or stronger, sharp or smeared."""
    there = x[:, 0] > 0
    scores, stain = COLUMNS["scores"], slice(COLUMNS["profile"].start, COLUMNS["profile"].start + PROFILE_PARTS)
    logs = (x[there, scores] - 1) * np.float32(NATS) * np.float32(rng.uniform(*FLATTER))
    logs += rng.normal(0, LEANING_NATS, logs.shape[1:]) + rng.normal(0, DOUBT_NATS, logs.shape)
    logs -= np.logaddexp.reduce(logs, axis=1, keepdims=True)
    x[there, scores] = np.clip(1 + logs / np.float32(NATS), 0, 1)
    low, high = VIEW_LIMITS[WEIGHED.index("certain")]
    certain = log_odds(np.exp(logs.max(1)))
    x[there, COLUMNS["weighed"].start + WEIGHED.index("certain")] = np.clip((certain - low) / (high - low), 0, 1)
    bands = x[there, stain]
    middle = bands.mean(1, keepdims=True)
    bands = gaussian_filter1d(bands, rng.uniform(0, SMOOTHEST_PARTS), axis=1)
    x[there, stain] = np.clip(middle + (bands - middle) * np.float32(rng.uniform(*BAND_CONTRAST)), 0, 1)


def _leave(table: UInt8Array, gone: npt.NDArray[np.bool_]) -> None:
    """Objects leave the table (96, 300) and what others share with them, in place."""
    table[gone] = 0
    for name in ("iou", "shared"):
        table[:, COLUMNS[name]][:, gone] = 0


def losses(network: Any, table: Any, whole: Any, label: Any) -> tuple[Any, dict[str, Any]]:
    """Cross entropies of being a mark of a chromosome, and of the label of those that are."""
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
    """Log odds (B, 96), log scores (B, 96, 24) and whether there is an object (B, 96), as the table has them."""
    rows = table[..., 0]
    return (
        (rows[..., COLUMNS["odds"].start] - 0.5) * (2 * MOST_ODDS),
        (rows[..., COLUMNS["scores"]] - 1) * NATS,
        rows[..., 0],
    )


def _mean(values: Any, weights: Any) -> Any:
    return tf.reduce_sum(values * weights) / tf.maximum(tf.reduce_sum(weights), 1.0)


def check(network: Any, held: CellSet) -> dict[str, float]:
    """On val: mean cross entropy in nats of being a mark, and of the label; the share of labels that are likeliest.
    Nothing where no chromosome was found."""
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
