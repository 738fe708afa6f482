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
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from edge.cases.state import CellState
from edge.cases.store import CaseStore
from tests.browser.tap import Tap, tapping
from tests.builders import make_cell, make_frame

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


@pytest.fixture(scope="module")  # two at once would keep both cores busy
def scope(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The simulated scope, one run for all tests of a file."""
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
    ready = "#live:not([hidden]) #capture:enabled, #karyogram:not([hidden]) .chromosome"  # of a capture that was slow
    for _ in range(10):
        expect(page.locator(ready).first).to_be_visible()
        page.keyboard.press("Space")
        page.wait_for_timeout(300)
        if page.locator("#karyogram").is_visible():
            break
        page.wait_for_timeout(700)
        if page.locator("#karyogram").is_visible():
            break
    expect(page.locator(".chromosome").first).to_be_visible()


@dataclass(frozen=True)
class Bench:
    """A page on a case of two cells, of each of which 5, an 3, and 20, an 11, are to review."""

    page: Page
    store: CaseStore
    case: str
    cells: tuple[CellState, ...]

    def open(self, number: int) -> None:
        self.page.locator("#cells button", has_text=f"{number}.").click()
        expect(self.page.locator("#corrections")).to_contain_text(f"Cell {number} ")

    def capture(self, said: str) -> None:
        """Presses the button of the live view until that is said: it is disabled while labels wait for a slow board."""

        def told() -> bool:
            self.page.locator("#capture").click()
            return said in (self.page.locator("#live-said").text_content() or "")

        until(self.page, told)

    def chromosome(self, id: int) -> Locator:
        return self.page.locator(f'.chromosome[data-id="{id}"]')

    def place(self, name: str) -> Locator:
        return self.page.locator(f'.place[data-place="{name}"]')

    def address(self, number: int) -> re.Pattern[str]:
        return re.compile(rf"/api/cells/{self.cells[number - 1].id}\?")

    def hold(self, number: int) -> list[Route]:
        """What asks for that cell next, which waits for ``release``."""
        return self._held(self.address(number))

    def hold_edit(self) -> list[Route]:
        """The next edit, which waits for whoever continues it."""
        return self._held("**/edit")

    def _held(self, address: str | re.Pattern[str]) -> list[Route]:
        waiting: list[Route] = []
        self.page.route(address, lambda route: waiting.append(route), times=1)
        self.page.evaluate("fetch('/healthz')")  # by its answer requests are held; now and then the next one slipped by
        return waiting

    def release(self, number: int, waiting: list[Route]) -> None:
        until(self.page, lambda: bool(waiting))
        with self.page.expect_response(self.address(number)):
            waiting[0].continue_()

    def edits(self) -> list[tuple[int, str]]:
        """The number of the cell and the kind of each edit in the log."""
        numbers = {cell.id: cell.captured.number for cell in self.cells}
        log = self.store.log(self.case)
        return [(numbers[e.cell_id or 0], e.said["edit"]) for e in log if e.act == "edit"]


@pytest.fixture(scope="module")
def board(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, CaseStore]]:
    """A scope that stands still: where the stage moves, a click that comes then is one on a disabled button."""
    cases = tmp_path_factory.mktemp("cases")
    with CaseStore(cases) as store, tapping(Tap(), models_dir, cases) as address:
        yield address, store


@pytest.fixture
def bench(board: tuple[str, CaseStore], page: Page, request: pytest.FixtureRequest) -> Bench:
    address, store = board
    case = request.node.name.removeprefix("test_")
    store.new_case(case, "kim")
    cells = [store.capture(case, make_frame(300, 340, level=k), make_cell(review=[5, 20]), "kim") for k in (220, 221)]
    page.goto(address)
    expect(page.locator("#case-name")).not_to_have_value("")
    page.locator("#case-name").fill(case)
    page.locator("#case-name").press("Enter")
    expect(page.locator("#live-said")).to_have_text(f"Case {case} is open")
    expect(page.locator("#cells li")).to_have_count(2)
    return Bench(page, store, case, tuple(cells))
