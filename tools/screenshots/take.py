"""Takes the screenshots beside this file, of drawn cells: python -m tools.screenshots.take [SEED]

Needs the dev extra, a Chromium (named in CHROMIUM, or on the path) and pdftoppm (poppler-utils). The stage stands
still, so that a slow machine gives the same pictures. The cells of the case are labelled as they were drawn.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from edge.camera.metaphase import draw_metaphase
from edge.camera.simulated import SimulatedCamera
from edge.cases.edits import Accept
from edge.cases.report import ReportInput, report_pdf
from edge.cases.store import CaseStore
from edge.live.loop import run
from edge.live.web.page import LivePage
from edge.pipeline import Pipeline, load_pipeline
from edge.records import Cell, Frame

HERE = Path(__file__).resolve().parent
SIZES = ((1280, 720), (1920, 1080))
PATIENCE_MS = 240_000
CASE, ACTOR = "S24-117", "technician"
DRAWN = ("47,XY,+21", "47,XY,+21", "46,XY", "47,XY,+21", "46,XY", "47,XY,+21", "46,XY", "47,XY,+21")
GAP_PX, DESK = 24, (120, 124, 130)


def main(seed: int) -> None:
    camera = SimulatedCamera(seed=seed, karyotypes=("47,XY,+21",), fps=10, hold_s=3600)
    pipeline = load_pipeline()
    cells = drawn_cells(pipeline.label)
    with (
        tempfile.TemporaryDirectory() as folder,
        CaseStore(Path(folder)) as store,
        live_page(camera, pipeline, Path(folder)) as address,
        browser_page() as page,
    ):
        page.goto(address)
        at_each_size(page, live)
        fill(store, cells)
        at_each_size(page, case)
        report(store)
        at_each_size(page, karyogram)


@contextmanager
def live_page(camera: SimulatedCamera, pipeline: Pipeline, cases: Path) -> Iterator[str]:
    page = LivePage(
        camera,
        lambda: camera,
        pipeline,
        cases=cases,
        case=CASE,
        host="127.0.0.1",
        port=0,
    )
    loop = threading.Thread(target=lambda: run(page.camera, page.label, [page]))
    loop.start()
    try:
        yield page.address
    finally:
        page.camera.close()
        loop.join()
        page.close()


@contextmanager
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=PATIENCE_MS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


def at_each_size(page: Page, show: Callable[[Page], None]) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        show(page)
        page.wait_for_timeout(1500)
        shot = page.screenshot(timeout=PATIENCE_MS)
        save(Image.open(io.BytesIO(shot)), f"{show.__name__}-{width}")


def live(page: Page) -> None:
    page.wait_for_selector("#capture:not([disabled])")
    page.wait_for_timeout(3000)
    page.wait_for_selector("#capture:not([disabled])")


def case(page: Page) -> None:
    page.wait_for_selector(f"#cells li:nth-child({len(DRAWN)})")
    live(page)


def karyogram(page: Page) -> None:
    """The karyogram of the last cell, which waits for review."""
    page.keyboard.press("k")
    page.wait_for_selector(".chromosome img")
    for image in page.locator(".chromosome img").all():
        image.evaluate("(img) => img.decode()")
    while not page.locator("#bands", has_text="550").is_visible():
        page.keyboard.press("b")
        page.wait_for_timeout(500)
    page.wait_for_selector(".beside svg")


def drawn_cells(label: Callable[[Frame], Cell]) -> list[tuple[Frame, Cell]]:
    seeds = itertools.count()
    found = []
    for karyotype in DRAWN:
        cell = None
        while cell is None or cell.karyotype != karyotype:
            seed = next(seeds)
            frame = Frame(draw_metaphase(seed, karyotype, crowding=0.0).pixels, seed, 0.0, "sim")
            cell = label(frame)
        found.append((frame, cell))
    return found


def fill(store: CaseStore, cells: Sequence[tuple[Frame, Cell]]) -> None:
    """Fills the store with a case of ``cells``, all but the last reviewed."""
    store.new_case(CASE, ACTOR)
    for frame, cell in cells:
        state = store.capture(CASE, frame, cell, ACTOR)
        if cell is not cells[-1][1]:
            everyone = tuple(place.id for place in state.counted)
            store.edit(state.id, Accept(everyone), based_on=state.revision, actor=ACTOR)


def report(store: CaseStore) -> None:
    """Takes the report's first two pages, side by side."""
    pdf = report_pdf(ReportInput(store.case(CASE), store.cells(CASE), store.head(), store.frame))
    for width, _ in SIZES:
        pages = [rendered(pdf, number, (width - 3 * GAP_PX) // 2) for number in (1, 2)]
        desk = Image.new("RGB", (width, pages[0].height + 2 * GAP_PX), DESK)
        for k, sheet in enumerate(pages):
            desk.paste(sheet, (GAP_PX + k * (sheet.width + GAP_PX), GAP_PX))
        save(desk, f"report-{width}")


def rendered(pdf: bytes, number: int, width_px: int) -> Image.Image:
    command = ["pdftoppm", "-f", str(number), "-l", str(number), "-scale-to-x", str(width_px), "-scale-to-y", "-1", "-"]
    done = subprocess.run(command, input=pdf, capture_output=True, check=True)
    return Image.open(io.BytesIO(done.stdout))


def save(shot: Image.Image, name: str) -> None:
    shot.save(HERE / f"{name}.webp", quality=82, method=6)
    print(HERE / f"{name}.webp", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
