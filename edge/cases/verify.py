"""Whether a store is what was written: the log's chain, and that the cells and pictures are those that it names."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.cases import log
from edge.cases.codec import edit_from_json
from edge.cases.images import Images
from edge.cases.log import Entry, sha256_of
from edge.errors import ChromoError


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much was checked, and what is wrong with it, a line each; ``head`` is the hash of the last entry."""

    entries: int
    cells: int
    pictures: int
    head: str
    faults: tuple[str, ...]


def verify(db: sqlite3.Connection, images: Images, vouched_sha256: str | None = None) -> Verdict:
    """The verdict on the whole store. ``vouched_sha256`` is a head that was noted earlier, or its beginning."""
    found = log.faults(db, vouched_sha256)
    all_entries = list(log.entries(db))
    opened = {entry.case_id: entry for entry in all_entries if entry.act == "open"}
    captured = {entry.cell_id: entry for entry in all_entries if entry.act == "capture"}

    for case_id, name in db.execute("SELECT id, name FROM cases").fetchall():
        entry = opened.pop(case_id, None)
        if entry is None or _said(entry).get("name") != name:
            found.append(f"case {name!r} is not the one that the log opened")
    found += [f"case {_said(entry).get('name')!r}, opened in entry {entry.seq}, is gone" for entry in opened.values()]

    pictures = set()
    rows = db.execute("SELECT id, number, frame_sha256, document FROM cells").fetchall()
    for id, number, frame_sha256, document in rows:
        found += _cell_faults(id, number, frame_sha256, document, captured.pop(id, None))
        pictures.add(frame_sha256)
    found += [f"cell {entry.cell_id}, captured in entry {entry.seq}, is gone" for entry in captured.values()]
    for sha256 in sorted(pictures):
        try:
            images.png(sha256)
        except ChromoError as error:
            found.append(str(error))
    found += _unreadable_edits(all_entries)
    head = db.execute("SELECT sha256 FROM head").fetchone()
    return Verdict(len(all_entries), len(rows), len(pictures), head[0] if head else "", tuple(found))


def _cell_faults(id: int, number: int, frame_sha256: str, document: str, entry: Entry | None) -> list[str]:
    if entry is None:
        return [f"cell {id} (number {number}) is not in the log"]
    said = _said(entry)
    found = []
    if said.get("document_sha256") != sha256_of(document):
        found.append(f"the automatic record of cell {id} (number {number}) was changed after entry {entry.seq}")
    if said.get("frame_sha256") != frame_sha256:
        found.append(f"cell {id} (number {number}) names another picture than entry {entry.seq}")
    if said.get("number") != number:
        found.append(f"cell {id} was captured as number {said.get('number')} in entry {entry.seq}, and is {number} now")
    return found


def _said(entry: Entry) -> Mapping[str, Any]:
    """What ``entry`` says; nothing where it is no longer readable, which the chain has found already."""
    try:
        said = entry.said
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _unreadable_edits(all_entries: list[Entry]) -> list[str]:
    found = []
    for entry in all_entries:
        if entry.act == "edit":
            try:
                edit_from_json(_said(entry))
            except (ChromoError, ValueError) as error:
                found.append(f"the edit in entry {entry.seq} cannot be read: {error}")
    return found
