"""Figures of a run that no server is needed for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.board import host
from edge.live.web.metrics import Metrics


@pytest.mark.parametrize(("status", "expected"), [("Name:\tx\nVmRSS:\t  160000 kB\n", 163_840_000), (None, 0)])
def test_resident_memory_is_what_the_kernel_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: str | None, expected: int
) -> None:
    """In bytes, however large its pages are: a Pi 5's have 16 KiB."""
    if status is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/status").write_text(status)
    monkeypatch.setattr(host, "ROOT", tmp_path)
    assert f"chromo_resident_bytes {expected}\n" in Metrics().text(clients=0, fault=False, unkept=False)
