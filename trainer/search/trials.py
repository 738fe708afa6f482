"""The trials of a search: what their folders are called, which failed, and how a dead one is taken up."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.run.folder import CROP_FILES, LOG_FILE

if TYPE_CHECKING:
    import optuna

PARAMETERS = ("rate", "batch", "depth")
FOLDER, REVIVALS, SECONDS, FAULT, STOPPED = "folder", "revivals", "seconds", "fault", "stopped"
"""Attributes of a trial. Of the dead trials that it goes on from: the name of their folder, their number, and the time
that they took. Of itself: why it failed, and whether a person stopped it."""
MOST_REVIVALS = 2


def in_state(study: optuna.Study, *states: str) -> list[optuna.trial.FrozenTrial]:
    """The study's trials in any of ``states``: COMPLETE, RUNNING, WAITING, FAIL."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name in states]


def folder_of(trial: optuna.Trial | optuna.trial.FrozenTrial) -> str:
    """The name of a trial's folder, a number: its own or that of the dead one that it goes on from."""
    return str(trial.user_attrs.get(FOLDER, f"{trial.number:04d}"))


def fault_of(trial: optuna.trial.FrozenTrial) -> str:
    """Why a trial failed for good; "" where it did not fail, or is taken up again."""
    known = trial.user_attrs
    if trial.state.name != "FAIL" or FAULT in known:
        return str(known.get(FAULT, ""))
    died = known.get(REVIVALS, 0) == MOST_REVIVALS and not known.get(STOPPED)
    return f"its process died {MOST_REVIVALS + 1} times" if died else ""


def revive(study: optuna.Study, out: Path) -> int:
    """Queues again the trials whose process died, and returns their number. Call it with the study's lock held."""
    dead = 0
    for trial in in_state(study, "RUNNING"):
        folder = out / "trials" / folder_of(trial)
        with lock(folder.with_suffix(".lock"), wait=False) as mine:
            if mine:
                _queue_again(study, trial, folder)
                dead += 1
    return dead


def _queue_again(study: optuna.Study, dead: optuna.trial.FrozenTrial, folder: Path) -> None:
    """Marks a dead trial as failed and queues another that goes on in its ``folder``, with the time that it took,
    unless it died too often."""
    import optuna

    study.tell(dead.number, state=optuna.trial.TrialState.FAIL)
    revivals = dead.user_attrs.get(REVIVALS, 0) + (not dead.user_attrs.get(STOPPED))
    if revivals > MOST_REVIVALS:
        tidy(folder)
    elif len(dead.params) == len(PARAMETERS):
        kept = {FOLDER: folder.name, REVIVALS: revivals, SECONDS: _seconds(dead, folder)}
        study.enqueue_trial(dead.params, user_attrs=kept)
    elif "fixed_params" in dead.system_attrs:  # a trial of the grid, killed before it began
        study.enqueue_trial(dead.system_attrs["fixed_params"])


def _seconds(dead: optuna.trial.FrozenTrial, folder: Path) -> float:
    """How long a dead trial was trained in all, by the last line of its log."""
    before = float(dead.user_attrs.get(SECONDS, 0.0))
    log = folder / LOG_FILE
    if dead.datetime_start is None or not log.exists():
        return before
    return before + max(0.0, log.stat().st_mtime - dead.datetime_start.timestamp())


def tidy(folder: Path) -> None:
    """Removes what a finished trial no longer needs. Call it only when the study knows that it is finished."""
    for name in CROP_FILES:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


@contextmanager
def lock(path: Path, wait: bool = True) -> Iterator[bool]:
    """Holds ``path``'s lock inside the block; the system releases it when the process dies. Yields whether it is held:
    always with ``wait``."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
