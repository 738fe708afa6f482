"""Trains the locator on real frames with pasted chromosomes: ``trainer fit locator``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from edge.locate.grid import HEADS
from trainer.data.framecache import CachedFrame, train_frames
from trainer.data.windows import Window, make_window
from trainer.files import save_network
from trainer.fit.config import FitConfig
from trainer.fit.loop import Batch, train
from trainer.fit.losses import box_loss, dense_loss, heat_loss, unfold, vote_loss
from trainer.networks.locator import AUXILIARY, build_locator
from trainer.networks.start import take_weights
from trainer.run.data import frames_for
from trainer.run.folder import Run

CLIP_NORM = 10.0
WEIGHTS = {"heat": 1.0, "box": 3.0, "chromosome": 4.0, "crossing": 1.0, "votes": 1.0}


@dataclass(frozen=True, slots=True)
class LocatorConfig(FitConfig):
    data: str
    batch: int = 8
    decay: float = 1e-4
    width: float = 1.0
    paste: float = 0.65
    """Share of windows with more chromosomes pasted in."""
    zoom: float = 1.25
    """Windows are zoomed by up to this much, in or out."""


def fit_locator(config: LocatorConfig, out: Path, resume: bool) -> Path:
    """Trains and returns the path of the averaged weights, ``out/locator.keras``."""
    keras.utils.set_random_seed(config.seed)
    network = build_locator(width=config.width)
    if config.start:  # one that does not fit is told before a run is cleared and hours are spent
        take_weights(network, Path(config.start))
    run = Run.open(out, asdict(config), resume, frames_for(config.data, "train"))
    frames = train_frames(Path(config.data), out.parent)
    train(
        run,
        network,
        config.plan(CLIP_NORM),
        losses,
        lambda rng: stack_windows(frames, rng, config),
        dict,
    )
    return save_network(network, out / "locator.keras")


def stack_windows(frames: list[CachedFrame], rng: np.random.Generator, config: LocatorConfig) -> Batch:
    """A batch: image, heat, box, dense, votes."""
    windows: list[Window] = [make_window(frames, rng, config.paste, config.zoom) for _ in range(config.batch)]
    return tuple(np.stack([getattr(w, name) for w in windows]) for name in ("image", "heat", "box", "dense", "votes"))


def losses(network: Any, image: Any, heat: Any, box: Any, dense: Any, votes: Any) -> tuple[Any, dict[str, Any]]:
    """The locator's loss, a weighted sum, and its parts."""
    outputs = zip((*HEADS, *AUXILIARY), network(image, training=True), strict=True)
    got = {name: unfold(out, name) for name, out in outputs}
    solid, cross = dense_loss(got["dense"], dense)
    parts = {
        "heat": heat_loss(got["heat"], heat),
        "box": box_loss(got["box"], box),
        "chromosome": solid,
        "crossing": cross,
        "votes": vote_loss(got["votes"], votes, dense),
    }
    return sum(WEIGHTS[name] * part for name, part in parts.items()), parts
