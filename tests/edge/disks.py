"""A disk without room, as any user can have one."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def full(spare_bytes: int = 0, path: Path | None = None) -> Iterator[None]:
    """No file grows by more than ``spare_bytes`` beyond what ``path`` has, or beyond nothing: the system's own refusal,
    of any user."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    there = 0 if path is None else path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (there + spare_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
