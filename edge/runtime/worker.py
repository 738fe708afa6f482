"""The child process that an accelerator lives in, and how its parent talks to it.

``python -m edge.runtime.worker FD``: over the socket ``FD`` it is given a delegate and every network's name with its
model, suffix and threads; it answers ``Ready`` or ``Failed``, then computes (name, method, batch) at a time until the
socket closes. Messages are pickles with their length in front; both ends are this program, the socket has no name.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any

from edge.text import one_line

_LENGTH = struct.Struct("!Q")
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Ready:
    """``refused``: networks that the accelerator does not take, and why in one line; ``notes``: those that it does not
    take in the best way, and how it takes them."""

    refused: dict[str, str]
    notes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Failed:
    """``why``: one line. The child ends itself after it."""

    why: str


def send(channel: socket.socket, message: object, within_s: float | None = None) -> None:
    """Raises ``TimeoutError`` when the other end does not take it in time, ``OSError`` when it is gone."""
    content = pickle.dumps(message, protocol=5)
    channel.settimeout(within_s)
    channel.sendall(_LENGTH.pack(len(content)) + content)


def receive(channel: socket.socket, within_s: float | None = None) -> Any:
    """Raises ``TimeoutError`` when it is not whole in time, ``OSError`` or ``EOFError`` when the other end is gone."""
    deadline_s = None if within_s is None else time.monotonic() + within_s
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size, deadline_s))
    return pickle.loads(_exactly(channel, length, deadline_s))


def _exactly(channel: socket.socket, length: int, deadline_s: float | None) -> bytearray:
    content = bytearray(length)
    view, got = memoryview(content), 0
    while got < length:
        channel.settimeout(None if deadline_s is None else max(deadline_s - time.monotonic(), 1e-3))
        count = channel.recv_into(view[got:])
        if count == 0:
            raise EOFError("the other end closed the socket")
        got += count
    return content


def serve(channel: socket.socket) -> None:
    """The child's life. Returns when the parent closes its end."""
    from edge.errors import BundleInvalid, ChromoError, DelegateUnavailable
    from edge.runtime.delegate import accelerated_network
    from edge.runtime.onnx import OnnxNetwork

    try:
        delegate, orders = receive(channel)
        networks, refused = {}, {}
        for name, order in orders.items():
            try:
                networks[name] = accelerated_network(delegate, *order)
            except (BundleInvalid, DelegateUnavailable) as error:
                refused[name] = one_line(error)
        if not networks:
            raise DelegateUnavailable(_together(refused))
        for network in networks.values():  # proven on one picture before the parent relies on it
            network.run_uint8(_blank(network.input_shape))
        notes = {name: net.note for name, net in networks.items() if isinstance(net, OnnxNetwork) and net.note}
        send(channel, Ready({name: f"does not take it: {why}" for name, why in refused.items()}, notes))
        while True:
            name, method, batch = receive(channel)
            send(channel, getattr(networks[name], method)(batch))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except (ChromoError, ValueError, RuntimeError) as error:
        send(channel, Failed(one_line(error)))


def _together(refused: dict[str, str]) -> str:
    """All reasons in one line; one that all share, such as a missing library, once."""
    reasons = set(refused.values())
    return reasons.pop() if len(reasons) == 1 else "; ".join(f"{name}: {why}" for name, why in refused.items())


def _blank(shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.zeros(shape, np.uint8)


def end_with_parent() -> None:
    """Linux kills this process when its parent ends, however that ends and whatever call hangs here then."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:  # it was gone before
            sys.exit(0)


if __name__ == "__main__":
    end_with_parent()
    # Its messages name this module's classes, which here would be __main__'s.
    from edge.runtime import worker

    worker.serve(socket.socket(fileno=int(sys.argv[1])))
