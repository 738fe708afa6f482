"""The live page, put together: what stands between the camera and the labeller, and the server beside them."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from edge.camera.base import Camera
from edge.cases.store import CaseStore
from edge.config import default_state_dir
from edge.live.stage import Stage
from edge.live.track import Steady
from edge.live.watch import Watch, WatchedCamera
from edge.live.web.app import make_app
from edge.live.web.desk import Desk, Reader
from edge.live.web.guard import is_loopback, kept_token
from edge.live.web.hub import Hub
from edge.live.web.memory import Memory
from edge.live.web.metrics import Metrics
from edge.live.web.server import WebServer
from edge.locate.ways import Way
from edge.records import Cell, Frame


class Labeller(Reader, Protocol):
    def label_live(self, frame: Frame, way: Way) -> Cell:
        """The labelled cell of ``frame`` laid that ``way``, sooner than ``label`` and less thoroughly."""


class LivePage:
    """Serves the page from when it is made until ``close``; a sink of the live loop.

    Its ``camera`` and ``label`` are what the live loop should use: the camera given is watched and opened again with
    ``reopen``, the labels of ``labeller`` stand still with the stage. Captured cells are read once more and go into the
    store in ``cases``, to the case ``case``, or to that of the day if it is None; live labels wait for no disk. A case
    that was opened on the page is open again after a restart with the same ``port`` and ``source`` (the camera that was
    asked for), unless ``case`` is ``meant`` for this very start; the page's own ``case`` is the one that it starts
    with. Raises ``ConfigError`` for an address that cannot be served, and ``StoreError``.
    """

    def __init__(
        self,
        camera: Camera,
        reopen: Callable[[], Camera],
        labeller: Labeller,
        *,
        cases: Path,
        case: str | None,
        host: str,
        port: int | None,
        source: str | None = None,
        meant: bool = False,
    ) -> None:
        stage = Stage()
        self.hub = Hub(stage, Watch(), Metrics())
        self.camera = WatchedCamera(camera, reopen, self.hub)
        self.label = Steady(labeller.label_live, stage.scene_of)
        self._host = host
        self._store = CaseStore(cases, waits=True)
        self._memory = Memory(cases, port, source, meant=meant)
        token = None if is_loopback(host) else kept_token(default_state_dir() / "token")
        try:
            desk = Desk(self._store, case, self.hub, labeller, memory=self._memory)
            self._server = WebServer(make_app(self.hub, desk), host, port, token)
        except BaseException:
            self._memory.close()
            self._store.close()
            raise
        self.case = desk.name
        self.address, self.addresses = self._server.address, self._server.addresses

    def put(self, frame: Frame, cell: Cell) -> None:
        self.hub.put(frame, cell)

    def close(self) -> None:
        self.hub.close()
        self._server.close()
        self._memory.close()
        self._store.close()

    def open_browser(self) -> None:
        """On the board's own screen, where there is one; over a plain terminal a browser would only be in the way."""
        screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if screen and is_loopback(self._host):
            webbrowser.open(self.address)
