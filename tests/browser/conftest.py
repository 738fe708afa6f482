"""A real Chromium on the real page, over the simulated scope with the committed models."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 60_000
SHOWN = """() => [
    document.body.dataset.view, document.activeElement.outerHTML,
    document.querySelector(".chromosome.selected")?.outerHTML,
    ...["said", "live-said", "corrections", "cells"].map((id) => document.getElementById(id)?.textContent),
]"""

Start = Callable[..., "Page"]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium here; tools/test installs it where CI is set")
        pytest.skip("no chromium here: apt-get install chromium, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(autouse=True)
def patience() -> None:
    expect.set_options(timeout=PATIENCE_MS)


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Waits for what no locator shows; fails with what the page shows instead."""
    deadline_s = time.monotonic() + PATIENCE_MS / 1e3
    while not holds():
        assert time.monotonic() < deadline_s, page.evaluate(SHOWN)
        page.wait_for_timeout(50)


@contextmanager
def running(*words: object, cases: Path) -> Iterator[str]:
    """``chromo-edge run`` in a process of its own; yields the address that it prints."""
    command = [sys.executable, "-m", "edge.cli", "run", "--port", "0", "--cases", str(cases), *map(str, words)]
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found is not None, line + (process.stderr.read() if process.stderr else "")
        yield found[0]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.fixture(scope="package")
def scope(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The simulated scope, one run for all tests."""
    with running("--camera", "sim", "--seed", "3", cases=tmp_path_factory.mktemp("cases")) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page at 1280 x 720; a script error on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def live(page: Page, scope: str) -> Page:
    """The live view, showing labels."""
    page.goto(scope)
    expect(page.locator("#capture")).to_be_enabled()
    return page


@pytest.fixture
def karyogram(live: Page) -> Page:
    """A captured cell's karyogram."""
    capture(live)
    return live


def capture(page: Page) -> None:
    """Captures with the keyboard; again where the stage moved at that very moment, or the cell is captured already."""
    for _ in range(10):
        expect(page.locator("#capture")).to_be_enabled()
        page.keyboard.press("Space")
        page.wait_for_timeout(300)
        if page.locator("#karyogram").is_visible():
            break
        page.wait_for_timeout(700)
        if page.locator("#karyogram").is_visible():
            break
    expect(page.locator(".chromosome").first).to_be_visible()
