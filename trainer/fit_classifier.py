"""Trains the classifier: ``trainer fit classifier``.

Two runs make the shipped one. The first learns from clean upright cut-outs, where the p arm is known to be up. The
second starts from it and adds the frames' own chromosomes, as the locator cuts them: their labels are known, their
polarity is not, so the first net tells it, given the label (label-guided alignment).
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
import tf_keras as keras

from edge.errors import ConfigError
from edge.locate.locator import load_locator
from edge.records import LABELS
from trainer.align import align, doubtful, predict, undecided
from trainer.augment import DEFAULT, Strengths, augment, not_single
from trainer.data.cropset import (
    DRAWN,
    NOTHING,
    UNKNOWN,
    UP,
    CropSet,
    crops_of_cutouts,
    crops_of_drawings,
    crops_of_frames,
)
from trainer.data.sources import holds_cutouts, kept_at, marked_splits, splits_at, stamp_of
from trainer.data.splits import SPLITS
from trainer.distill import distilled, load_teachers
from trainer.errors import DatasetError
from trainer.files import shipped_models, write_atomic
from trainer.loop import Batch, Losses, Plan, train
from trainer.mix import Mix, mix_batch
from trainer.networks.enhanced import DEPTH
from trainer.networks.registry import AS_SHIPPED, Architecture, build_classifier
from trainer.networks.start import widen_weights
from trainer.runs import CROP_FILES, Run

CLIP_NORM = 5.0
NOT_SINGLE_SHARE = 0.04
VAL_DONORS = 0.08
VAL_CROPS = 2500
DATA_NOTE = "data.json"


class HeldWarning(UserWarning):
    """Crops of train were left out: their donor or case is in val."""


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    data: tuple[str, ...]
    """Sets of cut-outs, folders of metaphase frames; one that is named twice is learned from twice as often."""
    steps: int
    batch: int = 128
    rate: float = 2e-3
    decay: float = 1e-3
    smoothing: float = 0.05
    dropout: float = 0.3
    width: float = 1.0
    seed: int = 1
    start: str = ""
    """Weights (.keras) to go on from, and to align frames with, of this network or a narrower one; empty: from
    nothing."""
    cutout_repeats: int = 1
    """How often each cut-out stands in the training set: they are few beside the frames' chromosomes, and they are
    another laboratory's."""
    doubtful_repeats: int = 1
    """How often a crop stands in it whose label the network that the run starts from is not sure of
    (``trainer.align.DOUBTFUL``), whether right or wrong: what is easy teaches little."""
    drawn_cells: int = 0
    """Metaphases drawn from the band tables, added as training crops."""
    models: str = field(default_factory=lambda: str(shipped_models()))
    """Folder of the locator and separator that cut frames into crops."""
    network: Architecture = AS_SHIPPED
    depth: int = DEPTH
    """Residual blocks a size, see ``build_enhanced``."""
    teachers: tuple[str, ...] = ()
    """Weights (.keras) of networks whose mean answer the label is learned from, beside the truth."""
    teacher_weight: float = 0.5
    """The teachers' share of the label's loss."""
    mix: Mix = "none"
    unaugmented: tuple[str, ...] = ()
    """Changes of ``trainer.augment.CHANGES`` to do without."""
    augmented: tuple[str, ...] = ()
    """Other strengths than the usual, each NAME=STRENGTH, see ``Strengths.with_strengths``."""
    laboratory: float = 0.0
    """Share of the crops that are made as if in another laboratory, 0..1, see ``trainer.augment``."""


LATER = (
    *("network", "depth", "teachers", "teacher_weight", "mix"),
    *("unaugmented", "augmented", "laboratory", "doubtful_repeats"),
)
"""Settings that a run folder holds only where they differ from the default: runs from before they came go on."""


def fit_classifier(config: ClassifierConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/classifier.keras``."""
    strengths = strengths_of(config)
    keras.utils.set_random_seed(config.seed)
    network = build_classifier(config.network, config.dropout, config.width, config.depth)
    if config.start:  # what does not fit is told before a run is cleared and before hours of cutting
        widen_weights(network, Path(config.start))
    losses = pick_losses(config)
    run = Run.open(out, stated(config), resume)
    known, val = load_crops(config, out, network if config.start else undecided)
    train(
        run,
        network,
        Plan(config.steps, config.rate, config.decay, CLIP_NORM, config.seed),
        losses,
        lambda rng: mixed_batch(known, rng, config, strengths),
        lambda: check(network, val),
    )
    weights = out / "classifier.keras"
    network.save(weights)
    return weights


def strengths_of(config: ClassifierConfig) -> Strengths:
    """Of the changes that the settings ask for. ``ConfigError`` for one that there is not."""
    strengths = replace(DEFAULT, laboratory_share=config.laboratory)
    return strengths.with_strengths(config.augmented).without(config.unaugmented)


def stated(config: ClassifierConfig) -> dict[str, Any]:
    """The settings as a run folder keeps them."""
    at_rest = {field.name for field in fields(config) if getattr(config, field.name) == field.default}
    return {name: value for name, value in asdict(config).items() if name not in LATER or name not in at_rest}


def load_crops(config: ClassifierConfig, out: Path, aligner: Any) -> tuple[CropSet, CropSet]:
    """Train and val crops of all sources, polarity included; made once and kept in the run folder."""
    kept = [out / name for name in CROP_FILES]
    if all(path.exists() for path in kept):
        _require_same_data(config, out)
        return stored_crops(out)
    sources = Counter(map(Path, config.data))
    there = _splits_of(sources, bool(config.drawn_cells))
    trains, vals = [], []
    if config.drawn_cells:
        trains.append(crops_of_drawings(config.drawn_cells, config.seed))
    for source, times in sources.items():
        if holds_cutouts(source):
            train, val = (align(aligner, crops) for crops in cut_out(source))
            trains += [train] * (config.cutout_repeats * times)
            vals.append(val)
        else:
            for split, sets in (("train", trains), ("val", vals)):
                if split in there[source]:
                    frames = align(aligner, cut_frames(source, split, Path(config.models), out.parent))
                    sets += [frames] * (times if split == "train" else 1)
    if vals:
        val = CropSet.join(vals)
        train = _without_held(CropSet.join(trains), val)
    else:  # a laboratory's first cells, all of few cases
        train, val = _held_back(CropSet.join(trains), "case", ", ".join(map(str, sources)))
    if config.doubtful_repeats > 1:
        rare = train.pick(doubtful(aligner, train))
        train = CropSet.join([train] + [rare] * (config.doubtful_repeats - 1))
    train.save(kept[0])
    val.save(kept[1])
    write_atomic(out / DATA_NOTE, (json.dumps(_stamps(config)) + "\n").encode())
    return train, val


def _stamps(config: ClassifierConfig) -> dict[str, str]:
    return {source: stamp_of(Path(source)) for source in dict.fromkeys(config.data) if Path(source).exists()}


def _require_same_data(config: ClassifierConfig, out: Path) -> None:
    """``ConfigError`` if the crops in ``out`` are of data that have changed since; older runs have no note."""
    note = out / DATA_NOTE
    there = json.loads(note.read_bytes()) if note.is_file() else {}
    now = _stamps(config) if there else {}
    changed = [source for source, stamp in now.items() if there.get(source, stamp) != stamp]
    if changed:
        raise ConfigError(f"{changed[0]} has changed since {out} cut its crops; give another --out, or --fresh")


def _without_held(train: CropSet, val: CropSet) -> CropSet:
    """``train`` less the crops of donors and cases of ``val``: what one set holds back may stand in another, too."""
    both = np.isin(train.case, val.case) & (train.case != "")
    if both.all():
        raise DatasetError("every donor or case of train is one of val in another set; give sets of more donors")
    if both.any():
        named = sorted(set(train.case[both].tolist()))
        warnings.warn(
            f"{int(both.sum())} train crops are of {len(named)} donor(s) or case(s) that another set has in val, first "
            f"'{named[0]}'; they are left out of train",
            HeldWarning,
            stacklevel=3,
        )
    return train.pick(~both)


def _splits_of(sources: Iterable[Path], drawn: bool) -> Mapping[Path, Collection[str]]:
    """In which splits each set has chromosomes. ``DatasetError``, before any are cut, where one has none, or train has
    none of any; ``drawn`` ones are of train."""
    there = {source: SPLITS if holds_cutouts(source) else marked_splits(source) for source in sources}
    for source, splits in there.items():
        if not splits:
            raise DatasetError(f"{source}: expected boxes of chromosomes, found none in any split; leave the set out")
    if not drawn and not any("train" in splits for splits in there.values()):
        raise DatasetError(f"{', '.join(map(str, there))}: no chromosome in split 'train'; add a set that has some")
    return there


def cut_out(source: Path) -> tuple[CropSet, CropSet]:
    """Train and val crops of a set of cut-outs. ``DatasetError`` if its donors do not make two."""
    train = crops_of_cutouts(source, "train")
    if "val" in splits_at(source):
        return train, crops_of_cutouts(source, "val")
    return _held_back(train, "donor", str(source))


def _held_back(crops: CropSet, what: Literal["donor", "case"], named: str) -> tuple[CropSet, CropSet]:
    """``crops`` of train less those of some donors or cases, and these, to serve as val: the same ones for every seed.
    ``DatasetError`` if there are fewer than two."""
    owners = np.unique(crops.case[crops.case != DRAWN])
    if len(owners) < 2:
        mend = "sort the pictures by donor, LABEL/DONOR/PICTURE" if what == "donor" else "add cells of another case"
        raise DatasetError(
            f"{named}: expected a split val or more than one {what} to hold some back for it, got {len(owners)}; {mend}"
        )
    held = np.isin(crops.case, np.random.default_rng(0).permutation(owners)[: max(1, int(VAL_DONORS * len(owners)))])
    return crops.pick(~held), crops.pick(held)


def cut_frames(source: Path, split: str, models: Path, store: Path) -> CropSet:
    """The crops of a split of frames as the models cut them, kept in ``store`` for the next run."""
    locator = load_locator(models)
    path = kept_at(store, source, split, locator.models.values())
    if path.exists():
        return CropSet.load(path)
    crops = crops_of_frames(source, split, locator)
    crops.save(path)
    return crops


def stored_crops(run: Path) -> tuple[CropSet, CropSet]:
    """The train and val crops that a run learned from. ``DatasetError`` where they are not there."""
    train, val = (run / name for name in CROP_FILES)
    if not (train.is_file() and val.is_file()):
        raise DatasetError(
            f"{run}: expected the run folder of a finished 'trainer fit classifier' with {train.name} and {val.name}, "
            "found none; name such a folder"
        )
    return CropSet.load(train), CropSet.load(val)


def check(network: Any, val: CropSet) -> dict[str, float]:
    """Accuracy of the crop alone, either end up, on a fixed sample of ``val``; and of the polarity where known."""
    rows = np.random.default_rng(0).permutation(np.flatnonzero(val.label != NOTHING))[:VAL_CROPS]
    label, polarity = val.label[rows], val.polarity[rows]
    logits, up, _ = predict(network, val.pixels[rows])
    flipped, down, _ = predict(network, val.pixels[rows][:, ::-1])
    gap = (up - down)[:, 0]
    mixed = np.where(gap[:, None] > 0, logits, flipped)
    known = polarity != UNKNOWN
    return {
        "val_accuracy": float((mixed.argmax(1) == label).mean()),
        "val_polarity": float(((gap > 0) == (polarity == UP))[known].mean()) if known.any() else float("nan"),
    }


def make_batch(crops: CropSet, rng: np.random.Generator, count: int, strengths: Strengths = DEFAULT) -> Batch:
    """image (B, 128, 32, 1); label (B,), polarity (B,) with -1 for unknown, single (B,)."""
    rows = rng.integers(len(crops), size=count)
    flips = rng.random(count) < 0.5
    drawn = rng.random(count) < NOT_SINGLE_SHARE
    single = (crops.label[rows] != NOTHING) & ~drawn
    images = [
        not_single(crops.pixels[row], crops.pixels[int(rng.integers(len(crops)))], rng, strengths)
        if made_up
        else augment(crops.pixels[row], rng, bool(flip), strengths)
        for row, flip, made_up in zip(rows, flips, drawn, strict=True)
    ]
    polarity = crops.polarity[rows].astype(np.float32)
    polarity = np.where(flips & (polarity >= 0), 1 - polarity, polarity)
    polarity = np.where(single, polarity, UNKNOWN)
    return (
        np.stack(images)[..., None],
        crops.label[rows].astype(np.float32),
        polarity.astype(np.float32),
        single.astype(np.float32),
    )


def mixed_batch(crops: CropSet, rng: np.random.Generator, config: ClassifierConfig, strengths: Strengths) -> Batch:
    """``make_batch``, and what the settings mix into it."""
    batch = make_batch(crops, rng, config.batch, strengths)
    return batch if config.mix == "none" else mix_batch(batch, rng, config.mix)


def pick_losses(config: ClassifierConfig) -> Losses:
    """``make_losses``, and what teachers add to them."""
    losses = make_losses(config.smoothing)
    return distilled(losses, load_teachers(config.teachers), config.teacher_weight) if config.teachers else losses


def make_losses(smoothing: float) -> Losses:
    """What the classifier learns by; label, (B,) indices or (B, 24) shares, and polarity count only where known."""
    entropy = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction="none")

    def losses(network: Any, image: Any, label: Any, polarity: Any, single: Any) -> tuple[Any, dict[str, Any]]:
        logits, up, whole = (out[:, 0, 0] for out in network(image, training=True))
        hot = label if len(label.shape) == 2 else tf.one_hot(tf.cast(label, tf.int32), len(LABELS))
        weight = single / tf.maximum(tf.reduce_sum(single), 1.0)
        label_loss = tf.reduce_sum(entropy(hot, logits) * weight)
        known = tf.cast(polarity >= 0, tf.float32)
        up_loss = tf.nn.sigmoid_cross_entropy_with_logits(tf.maximum(polarity, 0.0), up[:, 0])
        up_loss = tf.reduce_sum(up_loss * known) / tf.maximum(tf.reduce_sum(known), 1.0)
        single_loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(single, whole[:, 0]))
        right = tf.cast(tf.argmax(logits, axis=1) == tf.argmax(hot, axis=1), tf.float32)
        figures = {
            "label_loss": label_loss,
            "polarity_loss": up_loss,
            "single_loss": single_loss,
            "accuracy": tf.reduce_sum(right * weight),
        }
        return label_loss + 0.3 * up_loss + 0.3 * single_loss, figures

    return losses
