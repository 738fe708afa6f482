"""Takes the screenshots beside this file anew, of the simulated scope: python -m tools.screenshots.take [SEED]

Needs the dev extra and a Chromium (named in CHROMIUM, or on the path). The stage stands still all the while, so that a
slow machine gives the same pictures.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from edge.camera.simulated import SimulatedCamera
from edge.live.loop import run
from edge.live.web.page import LivePage
from edge.pipeline import load_pipeline

HERE = Path(__file__).resolve().parent
SIZES = ((1280, 720), (1920, 1080))
PATIENCE_MS = 240_000


def main(seed: int) -> None:
    camera = SimulatedCamera(seed=seed, karyotypes=("47,XY,+21",), fps=4, hold_s=3600)
    with tempfile.TemporaryDirectory() as cases:
        page = LivePage(
            camera,
            lambda: camera,
            load_pipeline().label,
            models=None,
            cases=Path(cases),
            case="Demo",
            host="127.0.0.1",
            port=0,
        )
        loop = threading.Thread(target=lambda: run(page.camera, page.label, [page]))
        loop.start()
        try:
            for width, height in SIZES:
                shoot(page.address, width, height)
        finally:
            page.camera.close()
            loop.join()
            page.close()


def shoot(address: str, width: int, height: int) -> None:
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"], timeout=PATIENCE_MS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.wait_for_selector("#capture:not([disabled])")
        page.wait_for_timeout(3000)
        page.wait_for_selector("#capture:not([disabled])")
        save(page, f"live-{width}")
        while not page.locator("#karyogram").is_visible():
            page.wait_for_selector("#capture:not([disabled])")
            page.keyboard.press("Space")
            page.wait_for_timeout(1500)
        page.wait_for_selector(".chromosome img")
        for image in page.locator(".chromosome img").all():
            image.evaluate("(img) => img.decode()")
        page.keyboard.press("b")
        page.keyboard.press("b")
        page.wait_for_selector(".beside svg")
        page.wait_for_timeout(1500)
        save(page, f"karyogram-{width}")
        browser.close()


def save(page: Page, name: str) -> None:
    shot = Image.open(io.BytesIO(page.screenshot(timeout=PATIENCE_MS)))
    shot.save(HERE / f"{name}.webp", quality=82, method=6)
    print(HERE / f"{name}.webp", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
