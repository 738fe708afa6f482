"""What pruning and quantization-aware training share: a finished run goes on, in the one training loop, with the
batches, losses and checks that it was fitted by."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import tf_keras as keras

from edge.errors import ConfigError
from edge.runtime.bundle import Task
from trainer.data.cropset import CropSet
from trainer.data_note import Stamp
from trainer.files import share
from trainer.fit.loop import Batch, Losses, Plan, train
from trainer.run.folder import CROP_FILES, Run
from trainer.run.trained import settings_of

CALIBRATION_BATCHES = 4
Fitted = TypeVar("Fitted")


class TuneWarning(UserWarning):
    """How the tuned network was fitted is not known."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The finished run to go on from, with which data, and for how long. ``rate`` is a tenth of a fit's: the weights
    are nearly right already."""

    run: str
    """Folder of the finished fit, of a pruned one, or a bundle with its float weights."""
    data: str
    """What it was trained on; used where the run folder does not keep its crops."""
    steps: int
    batch: int
    rate: float = 2e-4
    decay: float = 1e-4
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Lessons:
    """How a task is learned: ``losses`` and ``make`` as ``trainer.fit.loop.train`` takes them; ``check`` measures the
    network given."""

    losses: Losses
    make: Callable[[np.random.Generator], Batch]
    check: Callable[[Any], Mapping[str, float]]
    clip_norm: float

    def pictures(self, seed: int) -> list[npt.NDArray[np.float32]]:
        """The pictures of a few batches (n, H, W, channels), 0..1."""
        return [self.make(np.random.default_rng((seed, k)))[0] for k in range(CALIBRATION_BATCHES)]


def lessons_of(task: Task, tuning: Tuning, out: Path, network: Any) -> Lessons:
    """The lessons of the run that is tuned. A classifier's crops are shared with ``out``, so that it can be exported.

    ``ConfigError`` for a teacher that is no longer there; ``ModelError`` for models whose boxes the run mended, if they
    cannot be opened.
    """
    if task == "classifier":
        return _of_classifier(tuning, out, network)
    return _of_locator(tuning, out.parent) if task == "locator" else _of_separator(tuning, out.parent)


def _of_classifier(tuning: Tuning, out: Path, network: Any) -> Lessons:
    from trainer.fit.classifier import (
        CLIP_NORM,
        ClassifierConfig,
        check,
        mixed_batch,
        pick_losses,
        strengths_of,
    )
    from trainer.fit.crops import load_crops

    for name in CROP_FILES:
        if (Path(tuning.run) / name).exists():
            share(Path(tuning.run) / name, out / name)
    # Where they are not shared, the crops are cut anew, and the network tells their polarity.
    config = fitted_config(ClassifierConfig, tuning, data=(tuning.data,))
    strengths, losses = strengths_of(config), pick_losses(config)
    crops, val = load_crops(config, out, network)
    known: CropSet = crops
    return Lessons(
        losses,
        lambda rng: mixed_batch(known, rng, config, strengths),
        lambda tuned: check(tuned, val),
        CLIP_NORM,
    )


def _of_locator(tuning: Tuning, store: Path) -> Lessons:
    from trainer.data.framecache import train_frames
    from trainer.fit.locator import CLIP_NORM, LocatorConfig, losses, stack_windows

    config = fitted_config(LocatorConfig, tuning, data=tuning.data)
    frames = train_frames(Path(tuning.data), store)
    return Lessons(losses, lambda rng: stack_windows(frames, rng, config), lambda _: {}, CLIP_NORM)


def _of_separator(tuning: Tuning, store: Path) -> Lessons:
    from trainer.data.framecache import train_frames
    from trainer.data.proposals import asked
    from trainer.fit.separator import CLIP_NORM, VAL_ROIS, SeparatorConfig, figures, held_rois, losses, stack_rois

    config = fitted_config(SeparatorConfig, tuning, data=tuning.data)
    data = Path(tuning.data)
    frames, held = train_frames(data, store), held_rois(data, store, VAL_ROIS)
    if config.models:
        frames = asked(frames, Path(config.models))
    return Lessons(
        losses,
        lambda rng: stack_rois(frames, rng, tuning.batch),
        lambda tuned: figures(tuned, held),
        CLIP_NORM,
    )


def fitted_config(kind: Callable[..., Fitted], tuning: Tuning, **own: Any) -> Fitted:
    """The settings that the network to be tuned was fitted by, with steps, batch and ``own`` of the tuning; the usual
    settings, with a ``TuneWarning``, where no folder has them. The network itself is read from its file."""
    stored = settings_of(Path(tuning.run))
    if not stored:
        warnings.warn(
            f"{tuning.run}: no config.json says how this network was fitted; it goes on with the usual settings of "
            "'trainer fit'",
            TuneWarning,
            stacklevel=2,
        )
    names = {field.name for field in fields(kind)} - {"network"}  # type: ignore[arg-type]  # a dataclass
    kept = {name: tuple(v) if isinstance(v, list) else v for name, v in stored.items() if name in names}
    return kind(**{**kept, "steps": tuning.steps, "batch": tuning.batch, **own})


def tune(run: Run, tuning: Tuning, network: Any, lessons: Lessons) -> None:
    """Train ``network`` from the run's last checkpoint on; leaves the averaged weights in it."""
    train(
        run,
        network,
        Plan(tuning.steps, tuning.rate, tuning.decay, lessons.clip_norm, tuning.seed),
        lessons.losses,
        lessons.make,
        lambda: lessons.check(network),
    )


def weights_sha256(network: Any) -> str:
    """The hash of all weights of a network, which a run that goes on from them notes."""
    digest = hashlib.sha256()
    for weights in network.get_weights():
        digest.update(np.ascontiguousarray(weights).tobytes())
    return digest.hexdigest()


def opened(task: Task, tuning: Tuning, out: Path, resume: bool, **more: Any) -> Run:
    """The run folder ``out``; ``more`` are the further settings of this tuning. ``ConfigError`` or ``DatasetError``,
    before a run there is cleared, for a task or data that cannot be tuned with."""
    run = Run.open(out, asdict(tuning) | more, resume, _data_of(task, tuning, resume))
    keras.utils.set_random_seed(tuning.seed)
    return run


def _data_of(task: Task, tuning: Tuning, resume: bool) -> list[Stamp]:
    """The stamps that ``Run.open`` notes; none for a classifier, whose crops have their own note. ``ConfigError`` for a
    verifier or an arbiter: they learn from what other bundles find, which a tuning does not name."""
    from trainer.run.data import frames_for, stamps_of

    if task in ("verifier", "arbiter"):
        raise ConfigError(
            f"{tuning.run} is the run of a network of the kind {task}; quantize and prune take a locator's, a "
            "separator's or a classifier's. "
            "Theirs is exported after training, as the shipped ones"
        )
    if task != "classifier":
        return frames_for(tuning.data, "train", *(["val"] if task == "separator" else []))
    if not (resume or all((Path(tuning.run) / name).exists() for name in CROP_FILES)):
        stamps_of([tuning.data])
    return []
