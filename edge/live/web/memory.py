"""Which case was opened last on the live page, over a power cut: the next cell is that patient's."""

from __future__ import annotations

import fcntl
import logging
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from edge.sinks.files import write_bytes

_LONGEST_PLACE = 150
_log = logging.getLogger(__name__)


class Memory:
    """A file in the store's ``folder``, one for each machine and each ``place``, which tells runs on one machine apart:
    their port and camera, as far as they are given. Of several runs in one place the first alone has the file, until it
    ends; the others remember nothing, and log that.

    ``meant``: whoever started the run said for this start which case they mean, so nothing from before holds.
    """

    def __init__(self, folder: Path, *place: object, meant: bool = False) -> None:
        named = "".join(f".{quote(str(part), safe='')}" for part in place if part is not None)
        self._path = folder / f"open-case.{socket.gethostname()}{named[-_LONGEST_PLACE:]}"
        self._meant = meant
        self._lock: IO[str] | None = None
        self._warned = False

    def chosen(self, started_with: str) -> str | None:
        """The case that was opened last by a run that was started with the same case; "" is that of the day. None if
        nothing is remembered."""
        if not self._ours():
            return None
        with suppress(OSError, ValueError):
            if self._meant:
                self._path.unlink(missing_ok=True)
                return None
            before, chosen = self._path.read_text(encoding="utf-8").split("\n")
            if before == started_with:
                return chosen
        return None

    def keep(self, started_with: str, chosen: str) -> None:
        """Raises ``SinkError`` where it cannot be kept."""
        if self._ours():
            write_bytes(self._path, f"{started_with}\n{chosen}".encode())

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _ours(self) -> bool:
        """Whether this run has the file: no other has locked it, or the disk allows no lock, as a read-only one."""
        if self._lock is not None:
            return True
        try:
            lock = self._path.with_name(f"{self._path.name}.lock").open("a")
        except OSError:
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            if not self._warned:
                self._warned = True
                _log.warning(
                    "another run on this machine remembers its open case here, so this one cannot; "
                    "give each its camera or --port"
                )
            return False
        except OSError:
            lock.close()
            return True
        self._lock = lock
        return True
