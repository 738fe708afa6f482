"""Every error that a user can cause or meet, as one tree.

::

    ChromoError                  exit 1
    ├── ConfigError              exit 2   an option or a setting is not usable
    ├── FrameError               exit 3   a picture cannot be read as a metaphase frame
    ├── CameraError              exit 4
    │   ├── CameraNotFound                no camera answers to that name
    │   ├── CameraLost                    it answered, then it was gone
    │   └── CameraTimeout                 it is there, but no frame came in time
    ├── ModelError               exit 5
    │   ├── BundleInvalid                 missing, truncated, changed or foreign model files
    │   ├── BundleMismatch                a sound bundle, for another task or another version
    │   └── DelegateUnavailable           the accelerator asked for is not here
    ├── StoreError               exit 6   the case store cannot be read or written
    │   ├── CaseNotFound                  no case or cell of that name
    │   ├── EditRefused                   an edit that cannot be made of this cell
    │   ├── CapturedBefore                the same field is a cell of the case already
    │   ├── EditConflict                  someone else edited the same chromosome first
    │   ├── DiskFault                     the disk is full, read-only or failing; it may be better soon
    │   └── StoreDamaged                  a picture, a record or the log is not what was written
    └── SinkError                exit 7   a result cannot be written

The command line prints one line, ``error: <message>``, and leaves with ``exit_code``; ``--debug`` shows the traceback.
A message says what was expected, what came and what to do. No chromosome, a blurred frame and a low confidence are
results, not errors. The trainer adds its own leaves in ``trainer/errors.py``.

``FrameError`` stands apart from ``CameraError`` because a batch goes on after a bad file, and a live run waits for a
lost camera.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.cases.state import CellState


class ChromoError(Exception):
    """Base of all expected failures. ``exit_code`` is the process's exit status."""

    exit_code = 1


class ConfigError(ChromoError):
    exit_code = 2


class FrameError(ChromoError):
    exit_code = 3


class CameraError(ChromoError):
    exit_code = 4


class CameraNotFound(CameraError):
    pass


class CameraLost(CameraError):
    pass


class CameraTimeout(CameraError):
    pass


class ModelError(ChromoError):
    exit_code = 5


class BundleInvalid(ModelError):
    pass


class BundleMismatch(ModelError):
    pass


class DelegateUnavailable(ModelError):
    pass


class StoreError(ChromoError):
    exit_code = 6


class CaseNotFound(StoreError):
    pass


class EditRefused(StoreError):
    pass


class CapturedBefore(StoreError):
    """``cell`` is what was captured of the same field, as it is now."""

    def __init__(self, cell: CellState) -> None:
        aside = ", which is set aside" if cell.set_aside else ""
        super().__init__(f"it is cell {cell.captured.number} already{aside}")
        self.cell = cell


class EditConflict(StoreError):
    """``newer`` is the cell as it is now, with the other's edit in it."""

    def __init__(self, message: str, newer: CellState) -> None:
        super().__init__(message)
        self.newer = newer


class DiskFault(StoreError):
    pass


class StoreDamaged(StoreError):
    pass


class SinkError(ChromoError):
    exit_code = 7
