"""Edits as a person types them: ``relabel 12 8``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edge.cases.edits import (
    Accept,
    Change,
    Exclude,
    Flip,
    Mark,
    Relabel,
    Restore,
    SetAside,
    Swap,
    TakeBack,
)
from edge.cases.places import KINDS, Kind
from edge.cases.state import CellState
from edge.errors import ConfigError

_Reader = Callable[[Sequence[str], CellState], Change]
_READERS: dict[str, tuple[str, _Reader]] = {
    "relabel": ("ID LABEL", lambda w, _: Relabel(_id(w[0]), w[1].upper())),
    "flip": ("ID", lambda w, _: Flip(_id(w[0]))),
    "swap": ("ID ID", lambda w, _: Swap(_id(w[0]), _id(w[1]))),
    "mark": ("ID KIND", lambda w, _: Mark(_id(w[0]), _kind(w[1]))),
    "exclude": ("ID", lambda w, _: Exclude(_id(w[0]))),
    "restore": ("ID", lambda w, _: Restore(_id(w[0]))),
    "accept": ("[ID...]", lambda w, state: Accept(tuple(map(_id, w)) or state.unsure or _whole(state))),
    "set-aside": ("REASON...", lambda w, _: SetAside(" ".join(w))),
    "take-back": ("", lambda w, _: TakeBack()),
}


def _whole(state: CellState) -> tuple[int, ...]:
    """All counted chromosomes of a cell that nobody has reviewed yet; none of a reviewed one."""
    return () if state.reviewed else tuple(place.id for place in state.counted)


def change_of_words(words: Sequence[str], state: CellState) -> Change:
    """The change that ``words`` ask for of ``state``. Raises ``ConfigError`` where they ask for none."""
    verb, rest = words[0], words[1:]
    if verb in ("undo", "redo"):
        raise ConfigError(f"expected: {verb} and nothing after it, once for each edit; got: {' '.join(words)}")
    if verb not in _READERS:
        raise ConfigError(f"expected an edit, one of {', '.join(_READERS)}, undo, redo; got {verb!r}")
    usage, reader = _READERS[verb]
    many = usage.endswith("...]")
    if not many and (len(rest) < len(usage.split()) or (len(rest) > len(usage.split()) and "..." not in usage)):
        raise ConfigError(f"expected: {verb} {usage}; got: {' '.join(words)}".replace(" ;", ";"))
    return reader(rest, state)


def _id(word: str) -> int:
    if not word.isdecimal():
        raise ConfigError(f"a chromosome is named by its id, a whole number that 'show --cell' prints; got {word!r}")
    return int(word)


def _kind(word: str) -> Kind:
    for kind in KINDS:
        if kind == word:
            return kind
    raise ConfigError(f"a chromosome can be marked {', '.join(KINDS)}; got {word!r}")
