"""An accelerator's child process as its parent sees it: started, asked, killed."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from edge.records import Float32Array
from edge.runtime import worker

_ROOT = Path(__file__).resolve().parents[2]


class Gone(Exception):
    """The child hangs, died or gave up; the message goes on ``edgetpu ...``."""


class Child:
    """Runs ``command``, which is given its end of a socket as last word, and sends it ``order``. ``OSError``: it cannot
    be started.

    It may be asked once it is ``ready``. ``refused``: networks that it does not take, and why; ``notes``: how it takes
    others, where that is not in the best way; ``proven``: those whose answers were found to be right.
    """

    def __init__(self, command: Sequence[str], order: object) -> None:
        self.started_s = time.monotonic()
        self.refused: dict[str, str] = {}
        self.notes: dict[str, str] = {}
        self.proven: set[str] = set()
        self.ready = False
        self._order = order
        here, there = socket.socketpair()
        with ExitStack() as failed, there:
            failed.callback(here.close)
            self._process = _start(command, there.fileno())
            failed.pop_all()
        self._channel = here
        # The models can be larger than the socket's buffer, and nobody should wait for a child to start reading.
        threading.Thread(target=self._give_order, daemon=True).start()

    def look(self) -> bool:
        """Whether it has just become ready to be asked; does not wait for it. ``Gone`` when it gave up."""
        self._channel.settimeout(0)
        try:
            if not self._channel.recv(1, socket.MSG_PEEK):
                raise Gone(self._end())
        except BlockingIOError:
            return False
        except OSError:
            raise Gone(self._end()) from None
        said = self._receive(1.0)
        if not isinstance(said, worker.Ready):
            raise Gone(f"began with a {type(said).__name__}")
        self.ready, self.refused, self.notes = True, dict(said.refused), dict(said.notes)
        return True

    def ask(self, request: tuple[object, ...], within_s: float) -> dict[str, Float32Array]:
        """The answer to a network's name, its method and a batch. ``Gone`` when there is none within ``within_s``, or
        one of a ``proven`` network that holds what is no number."""
        deadline_s = time.monotonic() + within_s
        try:
            worker.send(self._channel, request, within_s)
        except TimeoutError:
            raise Gone(f"did not take a batch within {within_s:g} s") from None
        except OSError:
            raise Gone(self._end()) from None
        answer = self._receive(max(deadline_s - time.monotonic(), 1e-3), within_s)
        if not isinstance(answer, dict):
            raise Gone(f"answered with a {type(answer).__name__}")
        if request[0] in self.proven and not all(np.isfinite(values).all() for values in answer.values()):
            raise Gone("gave NaN or infinite numbers")
        return answer

    def kill(self) -> None:
        self._process.kill()
        self._channel.close()

    def _give_order(self) -> None:
        with suppress(OSError), self._channel.dup() as channel:  # a failure is seen when the first answer is due
            worker.send(channel, self._order, 30.0)

    def _receive(self, within_s: float, told_s: float = 0.0) -> Any:
        try:
            answer = worker.receive(self._channel, within_s)
        except TimeoutError:
            raise Gone(f"did not answer within {told_s or within_s:g} s") from None
        except (OSError, EOFError):
            raise Gone(self._end()) from None
        except Exception as error:  # what is no pickle
            raise Gone(f"answered with rubbish ({type(error).__name__})") from None
        if isinstance(answer, worker.Failed):
            raise Gone(f"gave up: {answer.why}")
        return answer

    def _end(self) -> str:
        """How the process ended, as far as that is known by now."""
        try:
            code = self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            return "closed its channel"
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _start(command: Sequence[str], descriptor: int) -> subprocess.Popen[bytes]:
    """Starts it in a thread that lives as long as it does: Linux counts a child's parent as gone when the thread that
    started it ends. That thread also collects it, which a process stuck in a driver makes nobody else wait for."""
    paths = (str(_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep))
    started: Future[subprocess.Popen[bytes]] = Future()

    def live() -> None:
        try:
            process = subprocess.Popen(
                [*command, str(descriptor)],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
                start_new_session=True,  # Ctrl-C is the parent's alone
            )
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(process)
        process.wait()

    threading.Thread(target=live, name="accelerator", daemon=True).start()
    return started.result()
