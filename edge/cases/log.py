"""The log: every capture with its automatic labels, model and frame hashes, every edit, in order and chained.

An entry's hash covers the entry before it and all that the entry says, so a changed, removed or moved entry shows at
its place. The last hash, the head, printed in each report, vouches for everything before it: give it to ``verify`` and
a log that was rewritten from some entry on is found too.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from edge.cases.codec import canonical
from edge.errors import StoreDamaged

FIRST_SHA256 = "0" * 64
"""Stands in the first entry for the hash of the entry before it."""

Act = Literal["open", "capture", "edit", "export"]
_NEEDED: Mapping[str, Mapping[str, type]] = {
    "open": {"name": str},
    "capture": {"frame": str, "labels": dict},
    "edit": {"edit": str},
}
"""The fields, with their types, that the body of each act must hold."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. ``cell_id`` and ``revision`` are None where it is not about one cell, or not an edit of it."""

    seq: int
    at_utc: str
    actor: str
    act: Act
    case_id: int
    cell_id: int | None
    revision: int | None
    body: str
    previous_sha256: str
    sha256: str

    @property
    def said(self) -> Mapping[str, Any]:
        """``body`` as it was written. Raises ``StoreDamaged`` where it is not what such an act says."""
        try:
            fields = json.loads(self.body)
        except (ValueError, RecursionError):
            fields = None
        if not isinstance(fields, dict) or not _is_complete(self.act, fields):
            raise StoreDamaged(
                f"entry {self.seq} of the log ({self.act}) is damaged: expected what such an act says as JSON, "
                f"got {self.body[:40]!r}; restore the store from a copy, 'chromo-edge case verify' tells more"
            )
        return fields

    @property
    def own_sha256(self) -> str:
        """The hash that this entry should have."""
        said = (self.at_utc, self.actor, self.act, self.case_id, self.cell_id, self.revision, self.body)
        return _hash(self.previous_sha256, said)


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def append(
    db: sqlite3.Connection,
    actor: str,
    act: Act,
    case_id: int,
    body: Mapping[str, Any],
    *,
    cell_id: int | None = None,
    revision: int | None = None,
) -> Entry:
    """Adds an entry within the transaction that ``db`` is in. Raises like ``head``."""
    seq, previous = head(db)
    said = (utc_now(), actor, act, case_id, cell_id, revision, canonical(body))
    entry = Entry(seq + 1, *said, previous, _hash(previous, said))
    db.execute(
        "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (entry.seq, *said, entry.previous_sha256, entry.sha256),
    )
    db.execute("UPDATE head SET seq = ?, sha256 = ?", (entry.seq, entry.sha256))
    return entry


def head(db: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the last entry. Raises ``StoreDamaged`` where the head is gone."""
    row: tuple[int, str] | None = db.execute("SELECT seq, sha256 FROM head").fetchone()
    if row is None:
        raise StoreDamaged(
            "the head of the log is gone: expected one row in the table head, got none; restore the store from a copy"
        )
    return row


def entries(db: sqlite3.Connection, where: str = "1", *values: object) -> Iterator[Entry]:
    """In order; ``where`` is SQL over the log's columns, with ``?`` for ``values``."""
    query = (
        "SELECT seq, at_utc, actor, act, case_id, cell_id, revision, body, previous_sha256, sha256 "
        f"FROM log WHERE {where} ORDER BY seq"
    )
    return (Entry(*row) for row in db.execute(query, values))


def faults(db: sqlite3.Connection, vouched_sha256: str | None = None) -> list[str]:
    """What is wrong with the log, a line each; empty for one that is as it was written.

    ``vouched_sha256``: a head noted earlier (the beginning of it is enough), which must still be in the chain.
    """
    found: list[str] = []
    seen: dict[str, int] = {FIRST_SHA256: 0}
    expected_seq, previous = 1, FIRST_SHA256
    all_entries = list(entries(db))
    places = {entry.sha256: entry.seq for entry in all_entries}
    for entry in all_entries:
        if entry.seq > expected_seq:
            gone = (
                f"entry {expected_seq} is"
                if entry.seq == expected_seq + 1
                else (f"entries {expected_seq} to {entry.seq - 1} are")
            )
            found.append(f"{gone} missing")
        if entry.own_sha256 != entry.sha256:
            found.append(f"entry {entry.seq} ({_named(entry)}) was changed after it was written")
        elif entry.previous_sha256 != previous and entry.seq == expected_seq:
            after = places.get(entry.previous_sha256)
            where = f"its place is after entry {after}" if after else "the entry it followed is gone"
            found.append(f"entry {entry.seq} ({_named(entry)}) was moved or replaced: {where}")
        seen[entry.sha256] = entry.seq
        expected_seq, previous = entry.seq + 1, entry.sha256
    found += _head_faults(db, expected_seq - 1, previous)
    if vouched_sha256 is not None and not any(sha256.startswith(vouched_sha256.lower()) for sha256 in seen):
        found.append(f"no entry has the hash {vouched_sha256[:12]}...: the log was rewritten since it was noted")
    return found


def sha256_of(text: str) -> str:
    """The SHA-256 of ``text`` in UTF-8, as hex digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _head_faults(db: sqlite3.Connection, last_seq: int, last_sha256: str) -> list[str]:
    """What is wrong with the head of a log that ends with the entry ``last_seq``."""
    try:
        seq, sha256 = head(db)
    except StoreDamaged as error:
        return [str(error)]
    if seq > last_seq:
        gone = f"entry {seq} is" if seq == last_seq + 1 else f"entries {last_seq + 1} to {seq} are"
        return [f"the end is cut off: {gone} missing"]
    if (seq, sha256) != (last_seq, last_sha256):
        return [f"the head names entry {seq}, {sha256[:12]}..., and the log ends otherwise"]
    return []


def _is_complete(act: str, fields: Mapping[str, Any]) -> bool:
    """Whether ``fields`` hold what ``_NEEDED`` says, and ids of the chromosomes that an edit made."""
    if any(not isinstance(fields.get(name), kind) for name, kind in _NEEDED.get(act, {}).items()):
        return False
    parts = fields.get("parts", [])
    made = [parts] if not isinstance(parts, list) else [*parts, *(fields[k] for k in ("whole", "drawn") if k in fields)]
    return act != "edit" or all(isinstance(one, dict) and "id" in one for one in made)


def _named(entry: Entry) -> str:
    cell = "" if entry.cell_id is None else f", cell {entry.cell_id}"
    return f"{entry.act} by {entry.actor} at {entry.at_utc}{cell}"


def _hash(previous_sha256: str, said: tuple[object, ...]) -> str:
    return sha256_of(f"{previous_sha256}\n{canonical(said)}")
