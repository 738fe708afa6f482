"""Stores as earlier versions wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def unchecked() -> Iterator[None]:
    """Within this a store keeps whatever names, reasons and edits it is given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge.cases.store.checked", lambda change: change)
        patch.setattr("edge.cases.store.printable", lambda text: text)
        patch.setattr("edge.cases.store.checked_name", str)
        patch.setattr("edge.cases.store.checked_actor", str)
        yield
