"""A page client that decides as ``edge/live/web/static/live.js`` does, and notes what it would have shown when."""

from __future__ import annotations

import json
import math
import struct
import threading
import time
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

OLD_S = 0.8
RETRY_S = 0.7


@dataclass(frozen=True, slots=True)
class Shown:
    """From ``since_s`` (monotonic seconds) on the page shows the labels of ``frame``, or none (-1)."""

    since_s: float
    frame: int
    names: tuple[str, ...]


class PageClient:
    """Looks at ``address`` (ws://...) until ``close``; comes back when it is cut off, as the page does."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._ended = threading.Event()
        self._labels: dict[str, Any] | None = None
        self._scene = 0
        self._fault = "Waiting for the board"
        self._heard_s, self._echoed_s = 0.0, -math.inf
        self.shown: list[Shown] = [Shown(time.monotonic(), -1, ())]
        self.faults: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5.0)

    @property
    def now(self) -> Shown:
        return self.shown[-1]

    def faults_since(self, since_s: float) -> list[str]:
        return list(dict.fromkeys(fault for at_s, fault in list(self.faults) if at_s >= since_s and fault))

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with connect(self._address, open_timeout=10, ping_timeout=None, max_queue=4) as socket:
                    self._look(socket)
            except (WebSocketException, OSError, TimeoutError):
                pass
            self._set_fault("Connection to the board lost")
            self._ended.wait(RETRY_S)

    def _look(self, socket: ClientConnection) -> None:
        self._heard_s, self._echoed_s = time.monotonic(), -math.inf
        while not self._ended.is_set():
            if self._echoed_s > 0 and (why := self._old()):
                self._set_fault(why)
            try:
                message = socket.recv(timeout=0.05)
            except TimeoutError:
                continue
            self._heard_s = time.monotonic()
            if isinstance(message, bytes):
                index, self._scene = struct.unpack_from("<II", message)
                self._refresh()
                socket.send(json.dumps({"shown": index}))
            else:
                self._told(socket, json.loads(message))

    def _told(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        if message["type"] == "state":
            socket.send(json.dumps({"now": time.monotonic()}))
            if message["echo"] is not None:
                self._echoed_s = message["echo"]
            if message["scene"] != self._scene:
                self._scene = 0
            self._set_fault(message["fault"] or self._old())
            self._refresh()
        elif message["type"] == "labels":
            self._labels = message
            self._refresh()
            socket.send(json.dumps({"drawn": message["frame"]}))
        elif message["type"] == "ended":
            self._set_fault("The run has ended")

    def _old(self) -> str:
        if self._echoed_s < 0:
            return "Waiting for the board"
        if time.monotonic() - self._echoed_s <= OLD_S:
            return ""
        silent = time.monotonic() - self._heard_s > OLD_S
        return "Connection to the board lost: it is silent" if silent else "Connection to the board is too slow"

    def _set_fault(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            self.faults.append((time.monotonic(), fault))
            self._refresh()

    def _refresh(self) -> None:
        labels = self._labels
        holds = not self._fault and labels is not None and self._scene != 0 and labels["scene"] == self._scene
        frame = int(labels["frame"]) if holds and labels is not None else -1
        if frame != self.now.frame:
            names = tuple(sorted(c["label"] for c in labels["chromosomes"])) if holds and labels is not None else ()
            self.shown.append(Shown(time.monotonic(), frame, names))
