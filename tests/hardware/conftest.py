"""Tests of real devices run only when they are asked for: ``pytest -m hardware tests/hardware``."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "hardware" in str(config.getoption("markexpr")):
        return
    for item in items:
        if item.get_closest_marker("hardware"):
            item.add_marker(pytest.mark.skip(reason="needs real devices: pytest -m hardware tests/hardware"))
