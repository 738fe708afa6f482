"""Fixtures of the trainer's tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings log, check and save after each step."""
    from trainer.fit import loop

    for name in ("LOG_EVERY", "SAVE_EVERY", "CHECK_EVERY"):
        monkeypatch.setattr(loop, name, 1)
