"""Looks for the classifier's best learning rate, batch size and number of layers: ``trainer search``.

::

    OUT/
      study.log       the study: Optuna's journal file, unless --storage names another storage
      crops/          train.npz and val.npz, cut once for all trials
      trials/0007/    one run folder a trial, as ``trainer fit classifier`` leaves it
      results.json, results.md, results.png

Several processes, on one machine or on several that see the same folder, work on one study: each takes the next trial
from the storage. A trial's folder is locked while it is trained, so that a killed trial is told from one that another
process is busy with: the next process takes it up, and its training goes on from its last checkpoint. A trial whose
process died three times has failed, and so has one whose training fails; the results say so, and the search goes on.
Every trial learns from the same number of crops, whatever its batch size.
"""

from __future__ import annotations

import itertools
import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from edge.errors import ConfigError
from trainer.data.sources import stamp_of
from trainer.data_note import SAME
from trainer.errors import Diverged
from trainer.files import share, shipped_models
from trainer.run.folder import CROP_FILES
from trainer.search.results import results_of, write_results
from trainer.search.trials import FAULT, PARAMETERS, STOPPED, fault_of, folder_of, in_state, lock, revive, tidy

if TYPE_CHECKING:
    import optuna

Method = Literal["grid", "random", "tpe"]
METHODS: tuple[Method, ...] = get_args(Method)
STUDY = "classifier"
JOURNAL = "study.log"
MEASURE = "val_accuracy"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a trial tries: peak learning rate, crops a step, residual blocks at each size."""

    rate: float
    batch: int
    depth: int


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """What to search. ``rates``, ``batches``, ``depths``: the values of the grid; random and TPE draw rates between the
    ends, and batches and depths from the values. ``samples``: crops that a trial learns from."""

    data: tuple[str, ...]
    method: Method
    trials: int
    samples: int
    rates: tuple[float, ...] = (5e-4, 2e-3, 8e-3)
    batches: tuple[int, ...] = (32, 128)
    depths: tuple[int, ...] = (1, 2, 3)
    seed: int = 1
    models: str = field(default_factory=lambda: str(shipped_models()))

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"--method must be one of {', '.join(METHODS)}; got '{self.method}'")
        if not self.rates or not all(0 < rate <= 1 for rate in self.rates):  # written so that nan fails, too
            raise ConfigError(f"--rates must be numbers above 0, 1 at most, with commas between; got {self.rates}")
        for name, values in (("batches", self.batches), ("depths", self.depths)):
            if not values or min(values) <= 0:
                raise ConfigError(f"--{name} must be numbers above 0 with commas between; got {values}")


def search(config: SearchConfig, out: Path, storage: str = "") -> optuna.Study:
    """Train trials until the study has ``config.trials`` (a grid: at most all of it), then return it.

    ``storage``: an Optuna URL such as ``sqlite:///study.db`` or ``postgresql://...``; "" for the journal in ``out``.
    Whatever it is, all processes of a study need the same ``out``: the locks lie there. ``ConfigError`` if the folder
    or the storage cannot be used, or the study there is over other settings.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        (out / "trials").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{out} cannot be used: {error.strerror}; choose another --out") from error
    with lock(out / "study.lock"):
        study = open_study(config, out, storage)
        prepare_crops(config, out)
    while True:
        with ExitStack() as held:
            with lock(out / "study.lock"):
                revive(study, out)
                trial = _next(study, config)
                if trial is None:
                    write_results(results_of(study), out)  # a trial may just have been given up
                    return study
                folder = _folder(trial, out)
                # Within the study's lock: a running trial whose folder nobody holds is taken for dead.
                held.enter_context(lock(folder.with_suffix(".lock")))
                setting = _draw(trial, config)
            _try(study, trial, setting, config, out)


def _try(study: optuna.Study, trial: optuna.Trial, setting: Setting, config: SearchConfig, out: Path) -> None:
    """Train a trial and tell the study what came of it."""
    import optuna

    told: dict[str, Any] = {}
    try:
        told["values"] = run_trial(trial, setting, config, out)
    except Diverged as error:
        trial.set_user_attr(FAULT, str(error).partition("; ")[0])  # without the advice for another command
        told["state"] = optuna.trial.TrialState.FAIL
    except KeyboardInterrupt:
        trial.set_user_attr(STOPPED, True)
        raise
    with lock(out / "study.lock"):
        study.tell(trial, **told)
        write_results(results_of(study), out)
    tidy(_folder(trial, out))


def open_study(config: SearchConfig, out: Path, storage: str) -> optuna.Study:
    """The study, made if it is not there. All trials of a grid are queued at once, and tried before what another method
    then draws."""
    import optuna

    # No seed: processes that share one would draw the same trials.
    tpe = config.method == "tpe"
    sampler = optuna.samplers.TPESampler(constant_liar=True) if tpe else optuna.samplers.RandomSampler()
    study = optuna.create_study(
        study_name=STUDY,
        storage=_storage(out, storage),
        sampler=sampler,
        direction="maximize",
        load_if_exists=True,
    )
    settings = _settings(config)
    stored = study.user_attrs.get("settings", settings)
    differing = [f"{k} ({stored[k]} there, {v} now)" for k, v in settings.items() if stored[k] != v]
    if differing:
        raise ConfigError(
            f"{out} holds a search with other settings: {', '.join(differing)}; give the same or another --out"
        )
    study.set_user_attr("settings", settings)
    if config.method == "grid" and not study.user_attrs.get("grid"):
        grid = list(itertools.product(config.rates, config.batches, config.depths))
        random.Random(config.seed).shuffle(grid)  # so that a search that is cut short has looked everywhere a little
        for values in grid:
            study.enqueue_trial(dict(zip(PARAMETERS, values, strict=True)), skip_if_exists=True)
        study.set_user_attr("grid", True)
    return study


def _storage(out: Path, url: str) -> Any:
    import optuna
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy.exc import SQLAlchemyError

    if not url:
        return optuna.storages.JournalStorage(JournalFileBackend(str(out / JOURNAL)))
    try:
        return optuna.storages.RDBStorage(url)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        raise ConfigError(
            f"--storage {url}: cannot be opened as an Optuna storage ({error}); correct the URL, or leave it out"
        ) from error


def _settings(config: SearchConfig) -> dict[str, Any]:
    """The settings that must be the same for trials to be compared; their number and the method may differ. Sets are
    told apart by what they hold, as they may lie elsewhere on another machine."""
    lists = {"rates": list(config.rates), "batches": list(config.batches), "depths": list(config.depths)}
    sources = [Path(source) for source in config.data]
    data = {"data": [source.name for source in sources], "contents": [stamp_of(source) for source in sources]}
    return {**data, "samples": config.samples, "seed": config.seed, **lists}


def _next(study: optuna.Study, config: SearchConfig) -> optuna.Trial | None:
    """The next trial to train; None if the rest is done or other processes are working on it."""
    failed = [trial for trial in in_state(study, "FAIL") if fault_of(trial)]
    full = len(in_state(study, "COMPLETE", "RUNNING")) + len(failed) >= config.trials
    if full or (config.method == "grid" and not in_state(study, "WAITING")):
        return None
    return study.ask()


def run_trial(trial: optuna.Trial, setting: Setting, config: SearchConfig, out: Path) -> float:
    """Train one trial's setting; returns the accuracy on val of the averaged weights."""
    import tf_keras as keras

    from trainer.fit.classifier import ClassifierConfig, fit_classifier
    from trainer.run.folder import Run

    folder = _folder(trial, out)
    folder.mkdir(exist_ok=True)
    for name in CROP_FILES:
        share(out / "crops" / name, folder / name)
    steps = max(1, round(config.samples / setting.batch))
    keras.backend.clear_session()
    # Data and models are left out: a killed trial may go on elsewhere, with the crops of the study.
    settings = ClassifierConfig(
        tuple(Path(source).name for source in config.data),
        steps,
        setting.batch,
        rate=setting.rate,
        seed=config.seed,
        models="",
        depth=setting.depth,
    )
    fit_classifier(settings, folder, resume=True)
    history = Run(folder).history()
    trial.set_user_attr("steps", steps)
    return history[MEASURE][-1][1]


def _folder(trial: optuna.Trial, out: Path) -> Path:
    return out / "trials" / folder_of(trial)


def _draw(trial: optuna.Trial, config: SearchConfig) -> Setting:
    """The trial's setting: the grid's, if it was queued, else drawn. All methods draw from the same range, as Optuna
    demands within one study."""
    rate = trial.suggest_float("rate", min(config.rates), max(config.rates), log=True)
    batch, depth = (
        trial.suggest_categorical(n, getattr(config, w)) for n, w in (("batch", "batches"), ("depth", "depths"))
    )
    return Setting(float(rate), int(batch), int(depth))


def prepare_crops(config: SearchConfig, out: Path) -> None:
    """The crops that all trials share; one process makes them, the others wait."""
    from trainer.fit.align import undecided
    from trainer.fit.classifier import ClassifierConfig
    from trainer.fit.crops import load_crops

    load_crops(ClassifierConfig(config.data, 1, models=config.models), out / "crops", undecided, SAME)
