"""What a case and a person may be called."""

from __future__ import annotations

from edge.errors import EditRefused

LONGEST_NAME = 100


def checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise EditRefused(f"a case's name must be 1 to {LONGEST_NAME} printable characters; got {name!r}")
    return name


def checked_actor(actor: str) -> str:
    actor = actor.strip()
    if not actor or len(actor) > LONGEST_NAME or not actor.isprintable():
        raise EditRefused(f"who does this must be named in 1 to {LONGEST_NAME} printable characters; got {actor!r}")
    return actor
