"""What a case and a person may be called, and the other short texts that people give."""

from __future__ import annotations

from unicodedata import normalize

from edge.errors import EditRefused

LONGEST_NAME = 100


def plain(text: str) -> str:
    """``text`` without blanks around it, each letter in one character (NFC). Some keyboards give an umlaut as two, and
    the eye sees no difference. What is far too long for a name stays as it is, as it might take seconds."""
    text = text.strip()
    return normalize("NFC", text) if len(text) <= 10 * LONGEST_NAME else text


def spellings(name: str) -> tuple[str, str, str]:
    """What a case of that name may be called in a store: earlier versions kept names as they were typed."""
    return name.strip(), plain(name), normalize("NFD", plain(name))


def checked_name(name: str) -> str:
    return _checked("a case's name must be", name)


def checked_actor(actor: str) -> str:
    return _checked("who does this must be named in", actor)


def checked_reason(reason: str) -> str:
    return _checked("a cell is set aside for a reason, which the log keeps, of", reason)


def _checked(what: str, text: str) -> str:
    """``plain`` ``text``. Raises ``EditRefused``."""
    text = plain(text)
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        got = repr(text) if len(text) <= LONGEST_NAME else f"{len(text)}, {text[:20]!r}..."
        raise EditRefused(f"{what} 1 to {LONGEST_NAME} printable characters; got {got}")
    return text
