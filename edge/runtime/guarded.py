"""An accelerator that may be absent, hang or die, and the CPU that goes on without it.

The accelerator computes in a child process. Each answer is waited for ``ANSWER_S`` at most; whatever goes wrong, the
child is killed, the same batch is computed on the CPU, and the accelerator is tried again after a pause that doubles.
Nobody waits for it to start either: until it is ready, and proven to say the same as the CPU, the CPU works.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.records import Float32Array, UInt8Array
from edge.runtime import worker
from edge.runtime.bundle import Bundle
from edge.runtime.network import PictureNetwork

ANSWER_S = 1.5
"""With the CPU's own time for the batch, labels go on within two seconds."""
START_S = 60.0
ENGINE_START_S = 900.0
"""TensorRT builds its engine at the first start on a board."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
MOST_DIFFERENCE = 0.05
"""Mean difference to the CPU's answer, as a share of its range, that quantization and half floats explain."""

_ROOT = Path(__file__).resolve().parents[2]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What the child process is told to be: a delegate's name, the model and its file's suffix, threads."""

    delegate: str
    model: bytes
    suffix: str
    threads: int


class GuardedNetwork:
    """A network on an accelerator, with ``cpu`` (the same model) in reserve; ``name`` is for people.

    ``command`` starts the child, which is given its end of a socket as last word: ``edge.runtime.worker``.
    """

    def __init__(
        self,
        name: str,
        order: Order,
        cpu: PictureNetwork,
        *,
        command: Sequence[str] = (sys.executable, "-m", "edge.runtime.worker"),
        start_s: float = START_S,
        answer_s: float = ANSWER_S,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self.name, self.input_shape, self.input_dtype = name, cpu.input_shape, cpu.input_dtype
        self.failures = 0
        self._order, self._cpu, self._command = order, cpu, tuple(command)
        self._start_s, self._answer_s, self._first_pause_s = start_s, answer_s, first_pause_s
        self._child: _Child | None = None
        self._pause_s = first_pause_s
        self._retry_s = time.monotonic()
        self._why = "is starting"
        self._proven = False
        self._wake()
        _all.add(self)

    @classmethod
    def of_bundle(cls, bundle: Bundle, cpu: PictureNetwork, threads: int, delegate: str) -> GuardedNetwork:
        """For the Edge TPU, a ``<model>_edgetpu.tflite`` beside the model is taken (what its compiler writes)."""
        path, model = bundle.model_path, bundle.model_bytes
        compiled = path.with_name(f"{path.stem}_edgetpu.tflite")
        if delegate == "edgetpu" and compiled.is_file():
            model = compiled.read_bytes()
        start_s = ENGINE_START_S if path.suffix == ".onnx" else START_S
        return cls(bundle.task, Order(delegate, model, path.suffix, threads), cpu, start_s=start_s)

    @property
    def accelerated(self) -> bool:
        """Whether the next batch goes to the accelerator."""
        return self._child is not None and self._proven

    @property
    def delegate(self) -> str:
        return self._order.delegate

    @property
    def status(self) -> str:
        """One line for people: ``locator on edgetpu``, ``locator on cpu: edgetpu did not answer within 1.5 s``."""
        return (
            f"{self.name} on {self.delegate}"
            if self.accelerated
            else f"{self.name} on cpu: {self.delegate} {self._why}"
        )

    def run(self, batch: npt.NDArray[np.floating[Any]]) -> dict[str, Float32Array]:
        return self._answer("run", batch)

    def run_uint8(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        return self._answer("run_uint8", pixels)

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._retry_s = float("inf")

    def _answer(self, method: str, batch: npt.NDArray[Any]) -> dict[str, Float32Array]:
        self._wake()
        if not self._ready():
            return self._on_cpu(method, batch)
        assert self._child is not None
        try:
            answer = self._child.ask((method, batch), self._answer_s)
        except _Gone as why:
            self._fall_back(str(why))
            return self._on_cpu(method, batch)
        if self._proven:
            self._pause_s = self._first_pause_s
            return answer
        expected = self._on_cpu(method, batch)
        if _same(answer, expected):
            self._proven = True
            _log.warning(
                "%s: %s answers, and as the CPU does; it computes from now on", self.name, self._order.delegate
            )
        else:
            self._fall_back("gives other answers than the CPU: a model compiled from another one, or a fault")
        return expected

    def _on_cpu(self, method: str, batch: npt.NDArray[Any]) -> dict[str, Float32Array]:
        return self._cpu.run(batch) if method == "run" else self._cpu.run_uint8(batch)

    def _wake(self) -> None:
        """Starts the child when its time has come; does not wait for it."""
        if self._child is not None or time.monotonic() < self._retry_s:
            return
        order = self._order
        try:
            self._child = _Child(self._command, (order.delegate, order.model, order.suffix, order.threads))
        except OSError as error:  # no memory, no process to spare
            self._fall_back(f"cannot be started ({error.strerror})")

    def _ready(self) -> bool:
        child = self._child
        if child is None:
            return False
        try:
            if child.ready():
                return True
            if time.monotonic() - child.started_s > self._start_s:
                raise _Gone(f"was not ready within {self._start_s:g} s")
        except _Gone as why:
            self._fall_back(str(why))
        return False

    def _fall_back(self, why: str) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._proven = False
        self.failures += 1
        self._why = why
        _log.warning(
            "%s: %s %s; working on the CPU, next try in %g s", self.name, self._order.delegate, why, self._pause_s
        )
        self._retry_s = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)


@dataclass(frozen=True, slots=True)
class Acceleration:
    """Where the networks compute now. ``networks``: name to whether ``delegate``, which was asked for, computes it;
    ``failures``: how often it failed since the start. The log says why."""

    delegate: str
    networks: Mapping[str, bool]
    failures: int

    @property
    def said(self) -> str:
        """For people: ``on edgetpu``, ``on cpu, not edgetpu``, ``on edgetpu, but locator on cpu``."""
        on_cpu = [name for name, accelerated in self.networks.items() if not accelerated]
        if len(on_cpu) == len(self.networks):
            return f"on cpu, not {self.delegate}"
        return f"on {self.delegate}, but {', '.join(on_cpu)} on cpu" if on_cpu else f"on {self.delegate}"


def acceleration() -> Acceleration | None:
    """Of this program's networks; None where all work on the CPU as asked."""
    networks = sorted(_all, key=lambda network: network.name)
    if not networks:
        return None
    failures = sum(network.failures for network in networks)
    return Acceleration(networks[0].delegate, {n.name: n.accelerated for n in networks}, failures)


_all: weakref.WeakSet[GuardedNetwork] = weakref.WeakSet()


class _Gone(Exception):
    """The child hangs, died or gave up; the message goes on ``edgetpu ...``."""


class _Child:
    def __init__(self, command: Sequence[str], order: tuple[object, ...]) -> None:
        self.started_s = time.monotonic()
        self._ready = False
        self._order = order
        here, there = socket.socketpair()
        paths = (str(_ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep))
        with ExitStack() as failed, there:
            failed.callback(here.close)
            self._process = subprocess.Popen(
                [*command, str(there.fileno())],
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
                start_new_session=True,  # Ctrl-C is the parent's alone
            )
            failed.pop_all()
        self._channel = here
        # The model can be larger than the socket's buffer, and nobody should wait for a child to start reading.
        threading.Thread(target=self._give_order, daemon=True).start()
        # Its end is collected whenever it comes: a process stuck in a driver does not die when it is killed.
        threading.Thread(target=self._process.wait, daemon=True).start()

    def _give_order(self) -> None:
        with suppress(OSError), self._channel.dup() as channel:  # a failure is seen when the first answer is due
            worker.send(channel, self._order, 30.0)

    def ready(self) -> bool:
        """Whether it may be asked. ``_Gone`` when it gave up."""
        if self._ready:
            return True
        self._channel.settimeout(0)
        try:
            if not self._channel.recv(1, socket.MSG_PEEK):
                raise _Gone(self._end())
        except BlockingIOError:
            return False
        except OSError:
            raise _Gone(self._end()) from None
        self._ready = isinstance(self._receive(1.0), worker.Ready)
        return self._ready

    def ask(self, request: tuple[str, npt.NDArray[Any]], within_s: float) -> dict[str, Float32Array]:
        deadline_s = time.monotonic() + within_s
        try:
            worker.send(self._channel, request, within_s)
        except TimeoutError:
            raise _Gone(f"did not take a batch within {within_s:g} s") from None
        except OSError:
            raise _Gone(self._end()) from None
        answer = self._receive(max(deadline_s - time.monotonic(), 1e-3), within_s)
        if not isinstance(answer, dict):
            raise _Gone(f"answered with a {type(answer).__name__}")
        return answer

    def kill(self) -> None:
        self._process.kill()
        self._channel.close()

    def _receive(self, within_s: float, told_s: float = 0.0) -> Any:
        try:
            answer = worker.receive(self._channel, within_s)
        except TimeoutError:
            raise _Gone(f"did not answer within {told_s or within_s:g} s") from None
        except (OSError, EOFError):
            raise _Gone(self._end()) from None
        except Exception as error:  # what is no pickle
            raise _Gone(f"answered with rubbish ({type(error).__name__})") from None
        if isinstance(answer, worker.Failed):
            raise _Gone(f"gave up: {answer.why}")
        return answer

    def _end(self) -> str:
        """How the process ended, as far as that is known by now."""
        try:
            code = self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            return "closed its channel"
        return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _same(answer: dict[str, Float32Array], expected: dict[str, Float32Array]) -> bool:
    if answer.keys() != expected.keys():
        return False
    for name, right in expected.items():
        got = answer[name]
        if got.shape != right.shape or not np.isfinite(got).all():
            return False
        if float(np.abs(got - right).mean()) > MOST_DIFFERENCE * (float(np.ptp(right)) + 1e-6):
            return False
    return True
