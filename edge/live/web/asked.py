"""What a page asks to change in a cell, checked. What is drawn by hand comes as a line, and leaves as chromosomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.cases import parts
from edge.cases.codec import edit_from_json
from edge.cases.edits import Change, Draw, Join, Redo, Split, Undo
from edge.cases.places import index_of
from edge.cases.state import CellState
from edge.cases.store import CaseStore
from edge.errors import EditRefused
from edge.live.byhand import missed
from edge.records import Region

_MOST_POINTS = 200
_FAR_PX = 1e5
_HAND_MADE = ("split", "join", "draw")


def change_asked(store: CaseStore, id: int, asked: Mapping[str, Any], classify: parts.Classify) -> Change:
    """The edit of cell ``id`` that a page asks for as JSON. Raises ``EditRefused`` for what is none."""
    kind = asked.get("edit")
    if kind not in _HAND_MADE:
        change = edit_from_json(asked)
        if isinstance(change, Undo | Redo):
            raise EditRefused("undo and redo have addresses of their own")
        return change
    frame, state = store.frame(id), store.cell(id)
    if kind == "split":
        one = _id(asked.get("chromosome"))
        made = parts.cut(_region(state, one), _line(asked))
        return Split(one, parts.read(frame, state, made, [one], classify))
    if kind == "join":
        named = asked.get("chromosomes")
        ids = [_id(one) for one in named] if isinstance(named, list) else []
        whole = parts.joined([_region(state, one) for one in ids])
        return Join(tuple(ids), *parts.read(frame, state, [whole], ids, classify))
    return Draw(*parts.read(frame, state, [missed(frame, _line(asked))], [], classify))


def _region(state: CellState, id: int) -> Region:
    return state.places[index_of(state.places, id)].chromosome.region


def _id(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise EditRefused(f"a chromosome is named by its number; got {value!r}")
    return value


def _line(asked: Mapping[str, Any]) -> list[tuple[float, float]]:
    points = asked.get("line")
    if not isinstance(points, list) or not 2 <= len(points) <= _MOST_POINTS:
        raise EditRefused(f"a line has 2 to {_MOST_POINTS} points, each [x, y]")
    try:
        line = [(float(x), float(y)) for x, y in points]
    except (TypeError, ValueError, OverflowError) as why:  # the last: a number of hundreds of digits
        raise EditRefused("a line has points [x, y] in the picture's pixels") from why
    if any(not abs(v) < _FAR_PX for point in line for v in point):
        raise EditRefused("a line has points [x, y] in the picture's pixels; these are far outside")
    return line
