"""Changing a store's file behind its back."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def tamper(folder: Path, *statements: str) -> None:
    """As someone with the file in an editor would, past the triggers."""
    db = sqlite3.connect(folder / "cases.sqlite")
    triggers = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    for trigger in triggers:
        db.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
