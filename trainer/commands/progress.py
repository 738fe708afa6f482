"""A progress bar on stderr, if that is a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Counted(Iterable[T_co], Protocol[T_co]):
    def __len__(self) -> int: ...


def tracked(items: Counted[T_co], what: str) -> Iterable[T_co]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, what, len(items), console=console, disable=not console.is_terminal)
