"""The open database of a store, for all its threads; where its disk failed, each who asks opens it anew."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.cases.kept import KeptCells
from edge.cases.schema import connect, store_errors, writing
from edge.disk import disk_fault
from edge.errors import StoreError


class Database:
    """The database at ``path``, made if it is not there and ``create``.

    Making this object opens nothing. Whatever asks for the database opens it if it is not open yet, so that a disk that
    was full, read-only or failing is tried again each time. Every method raises ``StoreError``, and of these
    ``DiskFault`` where the disk is at fault.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        self._create = create
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._kept: KeptCells

    def open(self) -> None:
        with self._lock:
            self._opened()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    @property
    def cells(self) -> KeptCells:
        """The cells in it; ask within ``reading`` or ``writing``."""
        self._opened()
        return self._kept

    @property
    def fault(self) -> str:
        """Why nothing can be kept now; empty where it can."""
        if fault := disk_fault(self._path.parent):
            return str(fault)
        try:
            with self.reading():
                return ""
        except StoreError as why:
            return str(why)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, store_errors(self._path):
            yield self._opened()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it on the disk when this ends, or nothing."""
        with self._lock:
            db = self._opened()
            with writing(db, self._path):
                yield db

    @contextmanager
    def at_once(self) -> Iterator[sqlite3.Connection]:
        """What is read within is of one moment, whatever another program writes meanwhile. Nothing can be written."""
        with self.reading() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("ROLLBACK")

    def _opened(self) -> sqlite3.Connection:
        """The connection, opened now where it is not. Who asks holds the lock."""
        if self._connection is None:
            if self._create:
                with store_errors(self._path.parent):
                    self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = connect(self._path, create=self._create)
            self._kept = KeptCells(self._connection, self._path)
        return self._connection
