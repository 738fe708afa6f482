"""What a case and a person may be called, and the other short texts that people give."""

from __future__ import annotations

from edge.errors import EditRefused

LONGEST_NAME = 100


def checked_name(name: str) -> str:
    return _checked("a case's name must be", name)


def checked_actor(actor: str) -> str:
    return _checked("who does this must be named in", actor)


def checked_reason(reason: str) -> str:
    return _checked("a cell is set aside for a reason, which the log keeps, of", reason)


def _checked(what: str, text: str) -> str:
    """``text`` without blanks around it. Raises ``EditRefused``."""
    text = text.strip()
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        got = repr(text) if len(text) <= LONGEST_NAME else f"{len(text)}, {text[:20]!r}..."
        raise EditRefused(f"{what} 1 to {LONGEST_NAME} printable characters; got {got}")
    return text
