"""One process at a time in a run folder: two would write each other's checkpoints and log."""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

from edge.errors import ConfigError


class FolderLock:
    """A folder's lock, held as long as this lives; the system releases it when the process dies.

    ``ConfigError`` if another process holds it. On a file system without locks nothing is held."""

    def __init__(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY)
        weakref.finalize(self, os.close, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{folder}: expected a run folder to work in alone, another process is at work in it; wait until it is "
                "done, or choose another --out"
            ) from None
        except OSError:
            pass


_held: weakref.WeakValueDictionary[Path, FolderLock] = weakref.WeakValueDictionary()


def lock_of(folder: Path) -> FolderLock:
    """The lock of the folder, which must be there; within one process all share it."""
    own = folder.resolve()
    lock = _held.get(own)
    if lock is None:
        lock = _held[own] = FolderLock(folder)
    return lock
