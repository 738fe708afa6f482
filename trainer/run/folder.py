"""A run folder: everything that a training leaves behind, and all that it needs to go on after a power cut.

::

    RUN/
      config.json        the run's settings; to resume it needs the same
      log.csv            one row a logged step, one column a value
      curves.png         the same, drawn
      data.json          which sets it learns from, as they were when it began
      train.npz, val.npz                         the samples of them that a task keeps
      TASK.keras, TASK.h5                        the trained network
      checkpoints/
        00001200/        weights, optimizer state and whatever else was passed to save(); only the last few are kept

A checkpoint is written under a hidden name and renamed when it is whole; a row of the log that is later than the
checkpoint restored is cut off again. So ``kill -9`` costs the steps since the last save, nothing else::

    run = Run.open(folder, config, resume=True)
    step = run.restore(model=model, optimizer=optimizer)     # 0 in a fresh run
    while step < last:
        ...
        run.log(step, loss=loss)
        run.save(step, model=model, optimizer=optimizer)
    run.draw_curves()
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.errors import ConfigError, SinkError
from edge.runtime.bundle import BUNDLE_FILE, TASKS
from edge.text import first_line
from trainer.data_note import DATA_NOTE, Stamp, require_noted, write_note
from trainer.files import write_atomic
from trainer.run.curves import drawn_curves
from trainer.run.lock import FolderLock, lock_of
from trainer.run.log import RunLog

KEPT_CHECKPOINTS = 3
STEP_DIGITS = 8
LOG_FILE = "log.csv"
CROP_FILES = ("train.npz", "val.npz")
WEIGHT_FILES = tuple(f"{task}{suffix}" for task in TASKS for suffix in (".keras", ".h5"))


class RunWarning(UserWarning):
    """Something in a run folder was damaged and could be worked around."""


@dataclass(frozen=True, slots=True)
class Run:
    """An open run folder; make one with ``Run.open``."""

    folder: Path
    lock: FolderLock | None = field(default=None, repr=False, compare=False)
    """Keeps other processes out, see ``Run.open``."""

    @classmethod
    def open(cls, folder: Path, config: Mapping[str, Any], resume: bool, data: Collection[Stamp] = ()) -> Run:
        """Open ``folder`` for a run with ``config`` (anything JSON can say; paths are written as text) on ``data``.

        With ``resume`` a run that is there goes on, and ``ConfigError`` names the settings that differ from its own, or
        the set of ``data`` that does; leave out of ``config`` what may differ, such as how long to train. Without, a
        run that is there is removed, its crops and its network too; ``ConfigError`` where ``config`` goes on from that
        very network, for a folder of other things, and for one that another process has open: it is this one's as long
        as the ``Run`` lives. A run that ended before its first logged step has nothing to go on from: it takes the new
        settings and data, and crops made for other settings go.
        """
        wanted: dict[str, Any] = json.loads(json.dumps(dict(config), default=str))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            run = cls(folder, lock_of(folder))
            if not resume:
                run._require_unneeded(wanted)
            run._require_own(wanted)
            if not resume:
                run._clear()
            run._checkpoints.mkdir(parents=True, exist_ok=True)
            if run._config_path.exists() and (run._saved() or run._log.path.exists()):
                _compare(run._config_path, wanted)
                require_noted(folder, data, f"the run in {folder} learned from")
            else:
                if run._config_path.exists() and run._config_path.read_bytes() != _as_json(wanted):
                    run._remove((*CROP_FILES, DATA_NOTE))
                write_atomic(run._config_path, _as_json(wanted))
                if data:
                    write_note(folder, data)
        except OSError as error:
            raise ConfigError(f"run folder {folder} cannot be used: {error.strerror}; choose another --out") from error
        return run

    def log(self, step: int, **values: float) -> None:
        """Append one row to the log, see ``RunLog.append``."""
        self._log.append(step, **values)

    def history(self) -> dict[str, list[tuple[int, float]]]:
        """Every logged column as (step, value) pairs, in order."""
        return self._log.history()

    def save(self, step: int, **objects: Any) -> None:
        """Write a checkpoint of TensorFlow trackables (models, optimizers, variables), by name; drops older ones.

        ``SinkError`` when the disk does not take it; those before it stay.
        """
        import tensorflow as tf

        final = self._checkpoints / f"{step:0{STEP_DIGITS}d}"
        part = self._checkpoints / f".{final.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        try:
            tf.train.Checkpoint(**objects).write(str(part / "state"))
            shutil.rmtree(final, ignore_errors=True)
            part.rename(final)
        except (OSError, tf.errors.OpError) as error:
            shutil.rmtree(part, ignore_errors=True)
            raise SinkError(
                f"cannot write the checkpoint {final}: {first_line(error)}; free some space and give the same command "
                "again: it goes on from the one before"
            ) from error
        for old in self._saved()[KEPT_CHECKPOINTS:]:
            shutil.rmtree(old, ignore_errors=True)

    def restore(self, **objects: Any) -> int:
        """Load the newest sound checkpoint into ``objects``, named as for ``save``; its step, or 0 if there is none.

        A damaged checkpoint is skipped with a ``RunWarning``; if all are damaged, ``ConfigError``. Variables that an
        optimizer has not made yet are filled when it makes them.
        """
        saved = self._saved()
        for path in saved:
            damage = _damage(path)
            if damage:
                warnings.warn(
                    f"checkpoint {path} is damaged ({damage}); trying the one before", RunWarning, stacklevel=2
                )
                continue
            _load(path, objects)
            step = int(path.name)
            self._log.cut_after(step)
            return step
        if saved:
            raise ConfigError(f"{self._checkpoints}: none of {len(saved)} checkpoints is readable; start with --fresh")
        self._log.cut_after(0)
        return 0

    def draw_curves(self) -> None:
        """Writes ``curves`` as ``curves.png``, if anything is logged."""
        picture = self.curves()
        if picture:
            write_atomic(self.folder / "curves.png", picture)

    def curves(self) -> bytes:
        """The log as PNG, see ``drawn_curves``; empty if nothing is logged."""
        return drawn_curves(self.history())

    @property
    def _config_path(self) -> Path:
        return self.folder / "config.json"

    @property
    def _log(self) -> RunLog:
        return RunLog(self.folder / LOG_FILE)

    @property
    def _checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def _saved(self) -> list[Path]:
        """Finished checkpoints, newest first."""
        return sorted((p for p in self._checkpoints.iterdir() if p.name.isdecimal()), key=lambda p: -int(p.name))

    def _clear(self) -> None:
        self._remove(("config.json", LOG_FILE, "curves.png", *CROP_FILES, DATA_NOTE, *WEIGHT_FILES))
        for saved in (*self._checkpoints.glob("[0-9]*"), *self._checkpoints.glob(".*.part")):
            shutil.rmtree(saved)

    def _require_own(self, wanted: Mapping[str, Any]) -> None:
        """``ConfigError`` if a bundle lies in the folder, or files named as a run's but not of a run: they would be
        lost."""
        made = (BUNDLE_FILE, "config.json", LOG_FILE, *WEIGHT_FILES)
        there = [name for name in made if (self.folder / name).exists()]
        if there[:1] == ["config.json"] and _like(self._config_path, wanted):
            return
        if there:
            raise ConfigError(
                f"{self.folder}: expected a new folder or that of a run, got a {there[0]} of something else, which "
                "would be lost; choose another --out"
            )

    def _require_unneeded(self, wanted: Mapping[str, Any]) -> None:
        """``ConfigError`` if the settings ``wanted`` name weights or a run that clearing this folder would remove."""
        here = self.folder.resolve()
        named = [name for name in (wanted.get("start"), *wanted.get("teachers", ())) if name]
        lost = [name for name in named if Path(name).resolve().parent == here]
        lost += [name for name in (wanted.get("run"),) if name and Path(name).resolve() == here]
        if lost:
            raise ConfigError(
                f"{lost[0]} is to be learned from, and --fresh would remove it with the run in {self.folder}; choose "
                "another --out"
            )

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def _as_json(config: Mapping[str, Any]) -> bytes:
    return (json.dumps(config, indent=2) + "\n").encode()


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not readable as JSON ({error}); start with --fresh") from error


def _like(path: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether the settings at ``path`` are a run's: half of the names in ``wanted`` are among them, or they are
    damaged."""
    try:
        settings = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return True
    return not isinstance(settings, dict) or 2 * len(settings.keys() & wanted.keys()) >= len(wanted)


def _compare(path: Path, wanted: dict[str, Any]) -> None:
    stored = _read(path)
    if not isinstance(stored, dict):
        raise ConfigError(f"{path}: expected a JSON object, got {type(stored).__name__}; start with --fresh")
    missing = object()
    differing = [
        f"{key} ({stored.get(key, 'absent')} there, {wanted.get(key, 'absent')} now)"
        for key in sorted({*stored, *wanted})
        if stored.get(key, missing) != wanted.get(key, missing)
    ]
    if differing:
        raise ConfigError(
            f"{path.parent} holds a run with other settings: {', '.join(differing)}; "
            "give the same settings, another --out, or --fresh to start over"
        )


def _damage(path: Path) -> str:
    """Why the checkpoint in ``path`` cannot be read, or "". Reads every tensor, so that TensorFlow checks the
    checksums."""
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(path / "state"))
        for name in reader.get_variable_to_dtype_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:  # IndexError: file too short
        return first_line(error)
    return ""


def _load(path: Path, objects: Mapping[str, Any]) -> None:
    import tensorflow as tf

    try:
        status = tf.train.Checkpoint(**objects).read(str(path / "state"))
        status.assert_existing_objects_matched()
        status.expect_partial()
    except (AssertionError, ValueError) as error:
        reason = first_line(error)
        raise ConfigError(f"checkpoint {path} is of another network ({reason}); start with --fresh") from error
