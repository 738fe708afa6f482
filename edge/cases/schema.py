"""The database file: its tables, its version, and the way it is opened so that what is acknowledged is on the disk.

``cases`` and ``cells`` hold what was opened and captured, ``log`` every act in order, chained by hashes (see
``edge.cases.log``); triggers refuse to change or delete a row of any of them. ``head`` repeats the log's last row, so
that a cut-off end is seen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.cases.log import FIRST_SHA256
from edge.disk import DISK_ERRORS, disk_fault
from edge.errors import DiskFault, StoreDamaged, StoreError
from edge.sinks.files import reason

VERSION = 1
APPLICATION_ID = 0x43484D45
"""``CHME`` in the file's header: this is a case store and not some other SQLite file."""
BUSY_S = 10.0
"""So long a lock that another program holds is waited for."""
IMAGES = "images"
"""The folder of pictures beside the file."""

_TABLES = """
CREATE TABLE cases (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    opened_utc TEXT NOT NULL
) STRICT;
CREATE TABLE cells (
    id INTEGER PRIMARY KEY,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    number INTEGER NOT NULL,
    frame_sha256 TEXT NOT NULL,
    um_per_px REAL NOT NULL,
    captured_utc TEXT NOT NULL,
    document TEXT NOT NULL,
    UNIQUE (case_id, number)
) STRICT;
CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    at_utc TEXT NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    case_id INTEGER NOT NULL REFERENCES cases (id),
    cell_id INTEGER REFERENCES cells (id),
    revision INTEGER,
    body TEXT NOT NULL,
    previous_sha256 TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    UNIQUE (cell_id, revision)
) STRICT;
CREATE INDEX log_of_case ON log (case_id);
CREATE TABLE head (only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL, sha256 TEXT NOT NULL) STRICT;
CREATE TRIGGER log_in_order BEFORE INSERT ON log
WHEN NEW.seq <> 1 + (SELECT coalesce(max(seq), 0) FROM log)
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER head_stays BEFORE DELETE ON head BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
CREATE TRIGGER head_grows BEFORE UPDATE ON head WHEN NEW.seq <> OLD.seq + 1
BEGIN SELECT raise(ABORT, 'the log is append-only'); END;
"""
_KEPT = ("cases", "cells", "log")


def _triggers() -> str:
    return "".join(
        f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
        f"BEGIN SELECT raise(ABORT, '{table} is append-only'); END;\n"
        for table in _KEPT
        for act in ("UPDATE", "DELETE")
    )


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """The open database at ``path``, made if it is not there and ``create``.

    Raises ``StoreError`` when it cannot be opened, is newer than this version, is no case store, or is not there;
    ``StoreDamaged`` when it is lost or emptied, and its pictures are there; ``DiskFault`` as ``store_errors``.
    """
    with store_errors(path):
        _refuse_lost(path)
        if not create and not path.is_file():
            raise _no_store(path)
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, path, create)
        except BaseException:
            db.close()
            raise
    return db


def _refuse_lost(path: Path) -> None:
    """Raises ``StoreDamaged`` for pictures without a database: a new one would hide that theirs was lost."""
    pictures = any((path.parent / IMAGES).glob("*/*.png"))  # looked for first: another program may make a store now
    if pictures and not (path.exists() and path.stat().st_size):
        raise StoreDamaged(
            f"{path}: pictures of cases are beside it, the database with the cases is "
            f"{'empty' if path.exists() else 'gone'}; restore it from a copy"
        )


def _no_store(path: Path) -> StoreError:
    return StoreError(
        f"no case store in {path.parent}; expected {path.name} there: name its folder with --cases, "
        "or make one with 'chromo-edge case new'"
    )


def _prepare(db: sqlite3.Connection, path: Path, create: bool) -> None:
    _refuse_foreign(db, path)
    if not create and _pragma(db, "user_version") == 0:
        raise _no_store(path)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA recursive_triggers = ON")  # REPLACE, too, meets the triggers against deleting
    if _pragma(db, "user_version") == 0:
        with writing(db, path):
            if _pragma(db, "user_version") == 0:  # two processes may open a new store at once
                for statement in _statements(_TABLES + _triggers()):
                    db.execute(statement)
                db.execute("INSERT INTO head VALUES (1, 0, ?)", (FIRST_SHA256,))
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {VERSION}")


def _refuse_foreign(db: sqlite3.Connection, path: Path) -> None:
    version, application = _pragma(db, "user_version"), _pragma(db, "application_id")
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise StoreError(f"{path}: expected a case store, got another program's database; name another folder")
    if version > VERSION:
        raise StoreError(
            f"{path}: made by a newer chromo-edge (schema {version}, this one reads {VERSION}); update this program"
        )


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """One statement at a time: ``executescript`` would commit the transaction it stands in."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """SQLite's own failures as ``StoreError``, with what to do about them; ``DiskFault`` where it is the disk's."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise DiskFault(f"{path}: no space left on its disk; free some and try again, nothing was lost") from error
        if code == sqlite3.SQLITE_BUSY:
            raise StoreError(f"{path}: another program kept it locked for {BUSY_S:.0f} s; try again") from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise StoreDamaged(f"{path}: not a sound case store ({error}); restore it from a copy") from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            if fault := disk_fault(path.parent):
                raise DiskFault(str(fault)) from error
            raise StoreError(
                f"{path}: cannot be opened ({error}); its folder must be one that can be written, also to read it: "
                "copy the whole folder to such a place"
            ) from error
        raise (DiskFault if code == sqlite3.SQLITE_IOERR else StoreError)(
            f"{path}: cannot be read or written ({error}); its disk may be full or failing, nothing written was lost"
        ) from error
    except OSError as error:
        kind = DiskFault if error.errno in DISK_ERRORS else StoreError
        raise kind(f"{path}: cannot be opened: {reason(error)}; name another store") from error


@contextmanager
def writing(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    """One transaction: all of it on the disk when this ends, or nothing."""
    with store_errors(path):
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
