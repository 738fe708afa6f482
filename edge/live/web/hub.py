"""From the loop's threads to the browsers: the newest picture and the newest labels, never a queue.

The camera's thread and the labelling thread leave what they have in a slot and go on. The server's own thread encodes
the newest picture when somebody looks, and sends a client the next one only when that client has shown the last but
one: a slow browser sees fewer pictures, none of them old, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from starlette.websockets import WebSocket

from edge.cases.codec import Json
from edge.errors import ChromoError
from edge.live.focus import guide
from edge.live.stage import MOVING, Stage
from edge.live.watch import Watch
from edge.live.web.messages import guidance_message, labels_message
from edge.live.web.metrics import Metrics
from edge.records import Cell, Frame, UInt8Array
from edge.runtime.guarded import acceleration

MOST_CLIENTS = 8
_IN_FLIGHT = 2
"""So many pictures are sent to a page before it has said that it shows the first of them."""
_TICK_S = 0.1
_HEARD_S = 0.002
"""After a message of a page others have their turn for so long: it has fewer than fifty a second to say."""
_LONGEST_SIDE_PX = 1400
_JPEG_QUALITY = 88
_PICTURE = struct.Struct("<II")
"""What stands before the JPEG in a message: the frame's index and its scene."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The last labels, and the frame that they are of."""

    frame: Frame
    cell: Cell
    scene: int


@dataclass(slots=True, eq=False)
class _Client:
    """``clock`` is the newest time that the page sent, by its own clock. ``echo`` is what that was at the last tick; it
    goes back with the state, and tells the page how old that state is at most, however slow the network."""

    wake: asyncio.Event = field(default_factory=asyncio.Event)
    in_flight: int = 0
    clock: float | None = None
    echo: float | None = None


class Hub:
    """The viewer and the sink of the live loop, on one side; ``serve`` a browser's socket, on the other."""

    def __init__(self, stage: Stage, watch: Watch, metrics: Metrics) -> None:
        self._stage = stage
        self._watch = watch
        self.metrics = metrics
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fresh = asyncio.Event()
        self._frame: Frame | None = None
        self._captured_s: OrderedDict[int, float] = OrderedDict()
        self._frame_times_s: deque[float] = deque(maxlen=30)
        self._label_times_s: deque[float] = deque(maxlen=30)
        self._clients: set[_Client] = set()
        self._picture = b""
        self._newest: dict[str, Json] = {}
        self._latency_ms = 0
        self.labelled: Labelled | None = None
        self.unkept = ""
        """Why the store can keep nothing now, for the technician; empty where it can."""

    # The loop's side.

    def show(self, frame: Frame) -> None:
        """The camera's newest frame, labelled or not."""
        self._stage.seen(frame)  # before the watch: a camera that is back must not be sound with its old scene
        self._watch.seen(frame)
        self.metrics.count("frames")
        self._frame_times_s.append(frame.captured_s)
        self._frame = frame
        self._soon(self._fresh.set)

    def lost(self, why: ChromoError) -> None:
        """The camera failed; what it shows when it comes back is a new scene."""
        self._watch.lost(why)
        self._stage.interrupted()

    def put(self, frame: Frame, cell: Cell) -> None:
        """A labelled frame."""
        self.metrics.count("labelled")
        scene = self._stage.scene_of(frame.index)
        self._label_times_s.append(time.monotonic())
        self.labelled = Labelled(frame, cell, scene)
        if scene == MOVING:
            return
        labels = labels_message(frame, cell, scene)
        self._soon(lambda: self._labels(frame, labels))
        guidance = guidance_message(guide(frame, cell), scene)  # the labels need not wait for it
        self._soon(lambda: self.tell(guidance))

    def close(self) -> None:
        self._soon(lambda: self.tell({"type": "ended"}))

    # The server's side: all of it in the event loop's thread.

    @property
    def clients(self) -> int:
        return len(self._clients)

    @property
    def fault(self) -> str:
        return self._watch.fault

    @property
    def capturable(self) -> Labelled | None:
        """What a capture would keep: the newest labels, if they are of what is under the lens now."""
        if self.fault:  # asked before the scene, as ``show`` tells them: the scene is never older than the fault
            return None
        newest = self.labelled
        sound = newest is not None and newest.scene != MOVING and newest.scene == self._stage.scene
        return newest if sound else None

    def tell(self, message: Json) -> None:
        """``message`` to every client, now or when it comes; a newer one of the same type replaces it."""
        self._newest[message["type"]] = message
        self._wake_all()

    async def run(self) -> None:
        """Encodes and watches, until cancelled."""
        self._loop = asyncio.get_running_loop()
        encoder = asyncio.create_task(self._encode())
        try:
            while True:
                self._tick()
                await asyncio.sleep(_TICK_S)
        finally:
            encoder.cancel()

    async def serve(self, socket: WebSocket) -> None:
        """One browser, until it leaves."""
        if len(self._clients) >= MOST_CLIENTS:
            self.metrics.count("refused_clients")
            await socket.accept()  # a browser is told no reason of what was never open
            await socket.close(1013, f"{MOST_CLIENTS} pages are open already; close one")
            return
        await socket.accept()
        client = _Client()
        self._clients.add(client)
        client.wake.set()
        self._fresh.set()
        sender = asyncio.create_task(self._send(socket, client, self._picture))
        try:
            async for said in socket.iter_json():
                self._heard(client, said)
                await asyncio.sleep(_HEARD_S)
                if sender.done():  # it left before it was heard out
                    break
        except (ValueError, KeyError, OverflowError, RecursionError):  # also brackets without end, huge numbers
            await socket.close(1003, "expected JSON with shown or drawn")
        finally:
            self._clients.discard(client)
            sender.cancel()

    def _heard(self, client: _Client, said: Any) -> None:
        if not isinstance(said, dict):
            raise ValueError("expected an object")
        if "shown" in said:
            client.in_flight = max(0, client.in_flight - 1)
            self.metrics.count("shown")
            client.wake.set()
        if isinstance(now := said.get("now"), int | float) and math.isfinite(now):
            client.clock = float(now)
        captured_s = self._captured_s.get(said["drawn"]) if isinstance(said.get("drawn"), int) else None
        if captured_s is not None:
            latency_s = time.monotonic() - captured_s
            self._latency_ms = round(latency_s * 1e3)
            self.metrics.drawn(latency_s)

    async def _send(self, socket: WebSocket, client: _Client, picture: bytes) -> None:
        """Sends all that is newer than ``picture``, the last one encoded: it may be as old as the last client."""
        told: dict[str, Json] = {}
        while True:
            await client.wake.wait()
            client.wake.clear()
            for kind in list(self._newest):
                message = self._newest[kind]  # as it is now: sending the one before may have taken long
                if told.get(kind) is not message:
                    told[kind] = message
                    await socket.send_json({**message, "echo": client.echo} if kind == "state" else message)
            if self._picture is not picture and client.in_flight < _IN_FLIGHT:
                picture = self._picture
                client.in_flight += 1
                await socket.send_bytes(picture)

    async def _encode(self) -> None:
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            frame = self._frame
            if frame is None or not self._clients:
                continue
            head = _PICTURE.pack(frame.index, self._stage.scene_of(frame.index))
            self._picture = head + await asyncio.to_thread(_jpeg, frame.pixels)
            self._wake_all()

    def _labels(self, frame: Frame, message: Json) -> None:
        self._captured_s[frame.index] = frame.captured_s
        while len(self._captured_s) > 64:
            self._captured_s.popitem(last=False)
        self.tell(message)

    def _tick(self) -> None:
        for client in self._clients:
            client.echo = client.clock
        computed = acceleration()
        state = {
            "type": "state",
            "fault": self.fault,
            "unkept": self.unkept,
            "scene": self._stage.scene,
            "frames_per_s": _rate(self._frame_times_s),
            "labels_per_s": _rate(self._label_times_s),
            "latency_ms": self._latency_ms,
            "computed": computed.said if computed is not None else "",
        }
        self.tell(state)  # each time: the page knows by it that the board is alive

    def _wake_all(self) -> None:
        for client in self._clients:
            client.wake.set()

    def _soon(self, what: Callable[[], object]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the server has just ended
                self._loop.call_soon_threadsafe(what)


def _rate(times_s: deque[float]) -> float:
    """Events a second over the last ones; 0 when they stopped."""
    seen = list(times_s)
    if len(seen) < 2 or time.monotonic() - seen[-1] > 2.0:
        return 0.0
    return round((len(seen) - 1) / max(seen[-1] - seen[0], 1e-6), 1)


def _jpeg(pixels: UInt8Array) -> bytes:
    scale = _LONGEST_SIDE_PX / max(pixels.shape)
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in pixels.shape)
        pixels = np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes() if done else b""
