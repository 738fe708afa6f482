"""A server as ``run --camera`` starts it, over a hub that the test feeds itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.camera.metaphase import SimulatedMetaphase, draw_metaphase
from edge.cases.store import CaseStore
from edge.live.stage import Stage
from edge.live.watch import Watch
from edge.live.web.app import make_app
from edge.live.web.desk import Desk, Reader
from edge.live.web.hub import Hub
from edge.live.web.metrics import Metrics
from edge.live.web.server import WebServer
from edge.records import Cell, Frame
from tests.edge.live.test_focus import true_cell
from tests.edge.stages import BarClassifier

DRAWN, OTHER = (draw_metaphase(seed, crowding=0.0) for seed in (2, 3))


class Clock:
    """The watch's, and the wall's day: stands still until the test moves it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.day = "today"

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Served:
    hub: Hub
    store: CaseStore
    web: WebServer
    clock: Clock
    index: int = 0
    drawn: SimulatedMetaphase = DRAWN

    @property
    def base(self) -> str:
        return self.web.address.partition("?")[0].rstrip("/")

    def frame(self) -> Frame:
        """The next frame of a still stage: the same cell in new noise."""
        noise = np.random.default_rng(self.index).normal(0, 1.5, self.drawn.pixels.shape)
        pixels = np.clip(self.drawn.pixels + noise, 0, 255).astype(np.uint8)
        self.index += 1
        return Frame(pixels, self.index, self.clock.now_s, "sim")

    def cell(self) -> Cell:
        return true_cell(self.drawn)

    def move_on(self) -> None:
        """Another cell comes under the lens."""
        self.drawn = OTHER
        self.show()

    def show(self, frames: int = 3) -> None:
        """Shows and labels so many frames."""
        for _ in range(frames):
            frame = self.frame()
            self.hub.show(frame)
            self.hub.put(frame, self.cell())


class SameAgain:
    """Reads of what is captured what its live labels said."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.classify = BarClassifier().classify

    def label(self, frame: Frame) -> Cell:
        labelled = self._hub.labelled
        assert labelled is not None
        assert labelled.frame is frame
        return labelled.cell


@contextmanager
def serving(folder: Path, host: str = "127.0.0.1", reader_of: Callable[[Hub], Reader] = SameAgain) -> Iterator[Served]:
    clock = Clock()
    hub = Hub(Stage(), Watch(clock), Metrics())
    with CaseStore(folder, waits=True) as store:
        app = make_app(hub, Desk(store, None, hub, reader_of(hub), lambda: clock.day))
        web = WebServer(app, host, 0)
        try:
            yield Served(hub, store, web, clock)
        finally:
            web.close()
