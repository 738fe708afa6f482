"""A scope that stands still, in this process, with a hand on its cable."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edge.camera.simulated import SimulatedCamera
from edge.live.loop import run
from edge.live.web.page import LivePage
from edge.pipeline import load_pipeline
from edge.records import Frame


class Tap:
    """The simulated scope on one cell: ``hold`` for a picture that stands still for ever, ``stop`` for none at all."""

    name = "tap"

    def __init__(self, size_px: tuple[int, int] = (500, 500)) -> None:
        self._camera = SimulatedCamera(seed=3, hold_s=3600.0, size_px=size_px)
        self.hold = threading.Event()
        self.stop = threading.Event()

    def frames(self) -> Iterator[Frame]:
        held: Frame | None = None
        for frame in self._camera.frames():
            if self.stop.is_set():
                continue
            held = frame if held is None or not self.hold.is_set() else held
            yield replace(held, index=frame.index, captured_s=time.monotonic())

    def close(self) -> None:
        self._camera.close()


@contextmanager
def tapping(tap: Tap, models: Path, cases: Path) -> Iterator[str]:
    """``chromo-edge run`` on that scope, on a case ``tap``; yields the page's address."""
    pipeline = load_pipeline(models)
    page = LivePage(tap, lambda: tap, pipeline, cases=cases, case="tap", host="127.0.0.1", port=0)
    thread = threading.Thread(target=lambda: run(page.camera, page.label, [page]))
    thread.start()
    try:
        yield page.address
    finally:
        page.camera.close()
        thread.join(30)
        page.close()
