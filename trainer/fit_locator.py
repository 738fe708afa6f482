"""Trains the locator on real frames with pasted chromosomes: ``trainer fit locator``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from edge.locate.boxes import BoxFinder
from edge.locate.grid import HEADS
from edge.runtime.bundle import load_bundle
from trainer.data.framecache import CachedFrame, train_frames
from trainer.data.windows import Window, make_window
from trainer.loop import Batch, Plan, train
from trainer.losses import box_loss, dense_loss, heat_loss, told_box_loss, told_heat_loss, unfold, vote_loss
from trainer.networks.locator import TEACHERS, build_locator
from trainer.networks.start import take_weights
from trainer.runs import Run
from trainer.turns import said_of_turns

CLIP_NORM = 10.0
WEIGHTS = {"heat": 1.0, "box": 3.0, "chromosome": 4.0, "crossing": 1.0, "votes": 1.0}
TOLD_WEIGHTS = {"told_heat": 3.0, "told_box": 3.0}


@dataclass(frozen=True, slots=True)
class LocatorConfig:
    data: str
    steps: int
    batch: int = 8
    rate: float = 2e-3
    decay: float = 1e-4
    width: float = 1.0
    paste: float = 0.65
    """Share of windows with more chromosomes pasted in."""
    zoom: float = 1.25
    """Windows are zoomed by up to this much, in or out."""
    seed: int = 1
    start: str = ""
    """Weights (.keras) to go on from; empty: from nothing."""
    teacher: str = ""
    """Bundle of a locator whose mean over the eight turns of a window is learned too; empty: the boxes alone."""


def fit_locator(config: LocatorConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/locator.keras``."""
    run = Run.open(out, asdict(config), resume)
    keras.utils.set_random_seed(config.seed)
    frames = train_frames(Path(config.data), out.parent)
    network = build_locator(width=config.width)
    if config.start:
        take_weights(network, Path(config.start))
    plan = Plan(config.steps, config.rate, config.decay, CLIP_NORM, config.seed)
    if config.teacher:
        teacher = BoxFinder(load_bundle(Path(config.teacher), "locator"), threads=1)
        train(run, network, plan, told_losses, lambda rng: told(stack_windows(frames, rng, config), teacher), dict)
    else:
        train(run, network, plan, losses, lambda rng: stack_windows(frames, rng, config), dict)
    weights = out / "locator.keras"
    network.save(weights)
    return weights


def stack_windows(frames: list[CachedFrame], rng: np.random.Generator, config: LocatorConfig) -> Batch:
    """A batch: image, heat, box, dense, votes."""
    windows: list[Window] = [make_window(frames, rng, config.paste, config.zoom) for _ in range(config.batch)]
    return tuple(np.stack([getattr(w, name) for w in windows]) for name in ("image", "heat", "box", "dense", "votes"))


def told(batch: Batch, teacher: BoxFinder) -> Batch:
    """The batch with what the teacher says of its windows: heat (B, h, w, 2), logits, and box (B, h, w, 2, 4)."""
    said = [said_of_turns(teacher, np.rint(image[..., 0] * 255).astype(np.uint8)) for image in batch[0]]
    return *batch, np.stack([maps.heat for maps in said]), np.stack([maps.box for maps in said])


def losses(network: Any, image: Any, heat: Any, box: Any, dense: Any, votes: Any) -> tuple[Any, dict[str, Any]]:
    """What the locator learns by: the weighted sum, and its parts."""
    return _losses(_heads(network, image), heat, box, dense, votes)


def told_losses(
    network: Any, image: Any, heat: Any, box: Any, dense: Any, votes: Any, told_heat: Any, told_box: Any
) -> tuple[Any, dict[str, Any]]:
    """As ``losses``, and the distance to what a teacher says."""
    got = _heads(network, image)
    total, parts = _losses(got, heat, box, dense, votes)
    told_parts = {
        "told_heat": told_heat_loss(got["heat"], told_heat),
        "told_box": told_box_loss(got["box"], told_box, told_heat),
    }
    return total + sum(TOLD_WEIGHTS[name] * part for name, part in told_parts.items()), parts | told_parts


def _heads(network: Any, image: Any) -> dict[str, Any]:
    outputs = zip((*HEADS, *TEACHERS), network(image, training=True), strict=True)
    return {name: unfold(out, name) for name, out in outputs}


def _losses(got: dict[str, Any], heat: Any, box: Any, dense: Any, votes: Any) -> tuple[Any, dict[str, Any]]:
    solid, cross = dense_loss(got["dense"], dense)
    parts = {
        "heat": heat_loss(got["heat"], heat),
        "box": box_loss(got["box"], box),
        "chromosome": solid,
        "crossing": cross,
        "votes": vote_loss(got["votes"], votes, dense),
    }
    return sum(WEIGHTS[name] * part for name, part in parts.items()), parts
