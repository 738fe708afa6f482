"""Whether a store is what was written: the log's chain, and that the cells and pictures are those that it names."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from edge.cases import log
from edge.cases.codec import edit_from_json
from edge.cases.images import Images
from edge.cases.log import Entry, sha256_of
from edge.errors import ChromoError, StoreDamaged
from edge.text import one_line

LONGEST_WRITE = timedelta(seconds=60)
"""A row and its log entry are written in one transaction: their times lie at most so far apart."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much was checked, and what is wrong with it, a line each; ``head`` is the hash of the last entry."""

    entries: int
    cells: int
    pictures: int
    head: str
    faults: tuple[str, ...]


def verify(db: sqlite3.Connection, images: Images, vouched_sha256: str | None = None) -> Verdict:
    """The verdict on the whole store. ``vouched_sha256`` is a head that was noted earlier, or its beginning.

    Where SQLite itself finds the database malformed, only that is said: whatever else is read from it means nothing.
    """
    if malformed := _malformed(db):
        return Verdict(0, 0, 0, "", tuple(malformed))
    found = log.faults(db, vouched_sha256)
    all_entries = list(log.entries(db))
    opened = {entry.case_id: entry for entry in all_entries if entry.act == "open"}
    captured = {entry.cell_id: entry for entry in all_entries if entry.act == "capture"}

    for case_id, name, opened_utc in db.execute("SELECT id, name, opened_utc FROM cases").fetchall():
        found += _case_faults(name, opened_utc, opened.pop(case_id, None))
    found += [f"case {_said(entry).get('name')!r}, opened in entry {entry.seq}, is gone" for entry in opened.values()]

    pictures = set()
    rows = [_CellRow(*row) for row in db.execute(f"SELECT {', '.join(_CellRow._fields)} FROM cells")]
    for row in rows:
        found += _cell_faults(row, captured.pop(row.id, None))
        pictures.add(row.frame_sha256)
    found += [f"cell {entry.cell_id}, captured in entry {entry.seq}, is gone" for entry in captured.values()]
    for sha256 in sorted(pictures):
        try:
            images.png(sha256)
        except ChromoError as error:
            found.append(str(error))
    found += _unreadable_edits(all_entries)
    head = db.execute("SELECT sha256 FROM head").fetchone()
    return Verdict(len(all_entries), len(rows), len(pictures), head[0] if head else "", tuple(found))


class _CellRow(NamedTuple):
    """A row of the table cells, under its columns' names."""

    id: int
    case_id: int
    number: int
    frame_sha256: str
    um_per_px: float
    captured_utc: str
    document: str


def _malformed(db: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with the file; at most ten lines."""
    try:
        said = [one_line(row[0]) for row in db.execute("PRAGMA integrity_check(10)")]
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        said = [str(error)]
    return [] if said == ["ok"] else [f"the database is malformed: {line}; restore it from a copy" for line in said]


def _case_faults(name: str, opened_utc: str, entry: Entry | None) -> list[str]:
    if entry is None or _said(entry).get("name") != name:
        return [f"case {name!r} is not the one that the log opened"]
    return _time_faults(f"case {name!r} was opened", opened_utc, _said(entry).get("opened_utc"), entry)


def _cell_faults(row: _CellRow, entry: Entry | None) -> list[str]:
    cell = f"cell {row.id} (number {row.number})"
    if entry is None:
        return [f"{cell} is not in the log"]
    said = _said(entry)
    found = []
    if said.get("document_sha256") != sha256_of(row.document):
        found.append(f"the automatic record of {cell} was changed after entry {entry.seq}")
    if said.get("frame_sha256") != row.frame_sha256:
        found.append(f"{cell} names another picture than entry {entry.seq}")
    if said.get("number") != row.number:
        found.append(
            f"cell {row.id} was captured as number {said.get('number')} in entry {entry.seq}, and is {row.number} now"
        )
    if entry.case_id != row.case_id:
        found.append(f"{cell} was captured in case {entry.case_id} in entry {entry.seq}, and is in {row.case_id} now")
    if said.get("um_per_px", row.um_per_px) != row.um_per_px:
        found.append(
            f"{cell} was captured at {said['um_per_px']} um per pixel in entry {entry.seq}, and has {row.um_per_px} now"
        )
    return found + _time_faults(f"{cell} was captured", row.captured_utc, said.get("captured_utc"), entry)


def _time_faults(what: str, utc: str, logged_utc: str | None, entry: Entry) -> list[str]:
    """A fault where ``utc`` is not ``logged_utc``. Older entries have none (None): then their own time counts."""
    if utc == logged_utc or (logged_utc is None and _about_then(utc, entry.at_utc)):
        return []
    return [f"{what} at {logged_utc or entry.at_utc} by entry {entry.seq}, and says {utc} now"]


def _about_then(utc: str, at_utc: str) -> bool:
    try:
        return abs(datetime.fromisoformat(at_utc) - datetime.fromisoformat(utc)) <= LONGEST_WRITE
    except (TypeError, ValueError):
        return False


def _said(entry: Entry) -> Mapping[str, Any]:
    """What ``entry`` says; nothing where it is no longer readable, which the chain has found already."""
    try:
        return entry.said
    except StoreDamaged:
        return {}


def _unreadable_edits(all_entries: list[Entry]) -> list[str]:
    found = []
    for entry in all_entries:
        if entry.act == "edit":
            try:
                edit_from_json(_said(entry))
            except (ChromoError, ValueError) as error:
                found.append(f"the edit in entry {entry.seq} cannot be read: {error}")
    return found
