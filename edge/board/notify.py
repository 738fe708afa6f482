"""Telling systemd that the service is up, and that it is not stuck (sd_notify(3), over the socket it names)."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def notify(state: str) -> bool:
    """Sends ``READY=1``, ``STATUS=...`` and the like; False where no service manager listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    # An address that starts with @ is abstract: its first byte is zero.
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(state.encode(), name)
    except OSError:
        return False
    return True


class Heartbeat:
    """Says ``WATCHDOG=1`` as often as systemd wants (``WATCHDOG_USEC``), unless a watched call is stuck.

    A service that waits for its camera is alive; one that has been labelling the same frame for longer than the
    watchdog's time is not, and systemd starts it again. Without a service manager it does nothing.
    """

    def __init__(self) -> None:
        limit_us = os.environ.get("WATCHDOG_USEC", "")
        self._limit_s = int(limit_us) / 1e6 if limit_us.isdecimal() and os.environ.get("NOTIFY_SOCKET") else 0.0
        self._busy_since_s: float | None = None
        self._ended = threading.Event()

    def __enter__(self) -> Heartbeat:
        notify("READY=1")
        if self._limit_s > 0:
            threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        notify("STOPPING=1")

    def watch(self, call: Callable[P, R]) -> Callable[P, R]:
        """``call``, watched while it runs."""

        def watched(*args: P.args, **words: P.kwargs) -> R:
            self._busy_since_s = time.monotonic()
            try:
                return call(*args, **words)
            finally:
                self._busy_since_s = None

        return watched

    def _beat(self) -> None:
        while not self._ended.wait(self._limit_s / 3):
            since_s = self._busy_since_s
            if since_s is None or time.monotonic() - since_s < self._limit_s:
                notify("WATCHDOG=1")
