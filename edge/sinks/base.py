"""Where labelled cells go. The live page, the terminal and the files are all sinks behind this one Protocol."""

from __future__ import annotations

from typing import Protocol

from edge.records import Cell, Frame


class Sink(Protocol):
    """Takes each labelled frame in order. Raises ``SinkError`` when it cannot keep it."""

    def put(self, frame: Frame, cell: Cell) -> None: ...

    def close(self) -> None: ...
