"""An accelerator that may be absent, hang or die, and the CPU that goes on without it.

The accelerator computes in one child process for all networks: a Coral lets one process open it; a second is refused,
or makes the first one abort. Each answer is waited for ``ANSWER_S`` at most; whatever goes wrong, the child is killed,
all networks go on on the CPU, and the accelerator is tried again after a pause that doubles. Nobody waits for it to
start either: until it is ready, and proven to say the same as the CPU, the CPU works.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import BundleInvalid
from edge.records import Float32Array, UInt8Array
from edge.runtime.bundle import Bundle
from edge.runtime.child import Child, Gone
from edge.runtime.network import PictureNetwork, computed_by

ANSWER_S = 1.0
"""How long an answer is waited for. With the CPU's own time for the batch, labels then go on within two seconds; at 1.5
s they came after 2.5."""
START_S = 60.0
ENGINE_START_S = 3600.0
"""TensorRT builds its engines at the first start on a board, two a network."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
MOST_DIFFERENCE = 0.05
"""Mean difference to the CPU's answer, as a share of its range, that quantization and half floats explain."""

_log = logging.getLogger(__name__)

Outputs = dict[str, Float32Array]
Order = tuple[bytes, str, int]
"""What the child is told of a network: the model, its file's suffix, threads."""


class Accelerator:
    """``delegate``'s child process with all networks that joined, started again after it failed. Any thread may ask.

    ``command`` starts the child, ``edge.runtime.worker``, which is ready within ``start_s`` or killed.
    """

    def __init__(
        self,
        delegate: str,
        *,
        command: Sequence[str] = (sys.executable, "-m", "edge.runtime.worker"),
        start_s: float = START_S,
        answer_s: float = ANSWER_S,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self.delegate = delegate
        self.failures = 0
        self._command, self.start_s, self._answer_s = tuple(command), start_s, answer_s
        self._first_pause_s = self._pause_s = first_pause_s
        self._lock = threading.Lock()
        self._orders: dict[str, Order] = {}
        self._compiled: dict[str, str] = {}
        self.left_out: dict[str, str] = {}
        self._child: Child | None = None
        self._retry_s = time.monotonic()
        self._why = "is starting"
        self._blamed = ""
        _all.add(self)

    def join(self, name: str, order: Order, compiled_id: str = "") -> None:
        """The child will hold this network, too, from its next start on; a running one is started again.

        ``compiled_id``: what a cell names the model by where it is another one than the CPU's.
        """
        with self._lock:
            if name in self._orders:
                raise ValueError(f"expected one network named {name} on {self.delegate}, got a second one")
            self._orders[name] = order
            self._compiled[name] = compiled_id
            if order[1] == ".onnx":
                self.start_s = max(self.start_s, ENGINE_START_S)
            self._drop()

    def leave_out(self, name: str, why: str) -> None:
        """The network works on the CPU alone."""
        self.left_out[name] = why
        self._refused(name, why)

    def compute(self, name: str, method: str, batch: npt.NDArray[Any], on_cpu: Callable[[], Outputs]) -> Outputs:
        """``method`` (``run``, ``run_uint8``) of a network over ``batch``; ``on_cpu`` does the same on the CPU."""
        with self._lock:
            child = self._ready_for(name)
            try:
                answer = child.ask((name, method, batch), self._answer_s) if child is not None else None
            except Gone as why:
                answer, self._blamed = None, name
                self._fall_back(str(why))
            except BaseException:  # Ctrl-C: whoever asks next would get the answer that is still to come
                self._drop()
                raise
            if child is not None and answer is not None and name in child.proven:
                # Only who failed last can show that all is well again: the others' answers were never in doubt.
                if self._blamed in ("", name):
                    self._pause_s, self._blamed = self._first_pause_s, ""
                if self._compiled[name]:
                    computed_by(f"{name}_{self.delegate}", self._compiled[name])
                return answer
        expected = on_cpu()
        if child is not None and answer is not None:
            self._compare(child, name, _same(answer, expected))
        return expected

    def computes(self, name: str) -> bool:
        """Whether the network's next batch goes to the accelerator, and its answer is taken."""
        child = self._child
        return child is not None and name in child.proven

    def note(self, name: str) -> str:
        """How it computes, where that is not in the best way: ``by CUDA, not by TensorRT: ...``."""
        child = self._child
        return "" if child is None else child.notes.get(name, "")

    def why_not(self, name: str) -> str:
        """Why it does not compute, to go on ``edgetpu ...``."""
        child = self._child
        refused = {} if child is None else child.refused
        return (self.left_out | refused).get(name, self._why)

    @property
    def networks(self) -> Mapping[str, bool]:
        """Each network's name, and whether the accelerator computes it now."""
        return {name: self.computes(name) for name in sorted({*self._orders, *self.left_out})}

    def close(self) -> None:
        with self._lock:
            self._drop()
            self._retry_s = float("inf")
        _all.discard(self)

    def _ready_for(self, name: str) -> Child | None:
        """The child, if it can be asked for this network now. Starts it when its time has come; waits for nothing."""
        if name in self.left_out:
            return None
        try:
            if self._child is None and time.monotonic() >= self._retry_s:
                self._child = Child(self._command, (self.delegate, dict(self._orders)))
            child = self._child
            if child is None:
                return None
            if not child.ready and child.look():
                for refused, why in child.refused.items():
                    self._refused(refused, why)
                for noted, how in child.notes.items():
                    _log.warning("%s: %s computes %s", noted, self.delegate, how)
            if child.ready:
                return None if name in child.refused else child
            if time.monotonic() - child.started_s > self.start_s:
                raise Gone(f"was not ready within {self.start_s:g} s")
        except OSError as error:  # no memory, no process to spare
            self._fall_back(f"cannot be started ({error.strerror})")
        except Gone as why:
            self._fall_back(str(why))
        return None

    def _compare(self, child: Child, name: str, same: bool) -> None:
        with self._lock:
            if child is not self._child:
                return
            if same:
                child.proven.add(name)
                _log.warning("%s: %s answers, and as the CPU does; it computes from now on", name, self.delegate)
                return
            child.refused[name] = "gives other answers than the CPU: a model compiled from another one, or a fault"
            if len(child.refused) < len(self._orders):
                self._refused(name, child.refused[name])
            else:
                self._blamed = name
                self._fall_back(child.refused[name])

    def _refused(self, name: str, why: str) -> None:
        self.failures += 1
        _log.warning("%s: %s %s; it stays on the CPU", name, self.delegate, why)

    def _fall_back(self, why: str) -> None:
        self._drop()
        self.failures += 1
        self._why = why
        _log.warning("%s %s; working on the CPU, next try in %g s", self.delegate, why, self._pause_s)
        self._retry_s = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _drop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


class GuardedNetwork:
    """A network on ``accelerator``, with ``cpu`` (the same model) in reserve."""

    def __init__(self, name: str, accelerator: Accelerator, cpu: PictureNetwork) -> None:
        self.name, self.input_shape, self.input_dtype = name, cpu.input_shape, cpu.input_dtype
        self._accelerator, self._cpu = accelerator, cpu

    @classmethod
    def of_bundle(cls, bundle: Bundle, cpu: PictureNetwork, threads: int, accelerator: Accelerator) -> GuardedNetwork:
        """The accelerator is given the model that is compiled for it, where the bundle names one; where that is not
        sound, or is needed and not there, the network stays on the CPU, and it is said."""
        try:
            model, suffix, compiled_id = bundle.given_to(accelerator.delegate)
            accelerator.join(bundle.task, (model, suffix, threads), compiled_id)
        except BundleInvalid as error:
            accelerator.leave_out(bundle.task, f"is not used: {error}")
        return cls(bundle.task, accelerator, cpu)

    @property
    def accelerated(self) -> bool:
        return self._accelerator.computes(self.name)

    @property
    def failed(self) -> bool:
        """Whether the accelerator has ever failed."""
        return self._accelerator.failures > 0

    @property
    def left_out(self) -> bool:
        """Whether its bundle holds nothing that the accelerator could take."""
        return self.name in self._accelerator.left_out

    @property
    def note(self) -> str:
        """How the accelerator computes it, where that is not in the best way; else nothing."""
        return self._accelerator.note(self.name)

    @property
    def start_s(self) -> float:
        """How long the accelerator may take until it is ready."""
        return self._accelerator.start_s

    @property
    def status(self) -> str:
        """One line for people: ``locator on edgetpu``, ``locator on cpu: edgetpu did not answer within 1 s``."""
        delegate = self._accelerator.delegate
        if self.accelerated:
            return f"{self.name} on {delegate} {self.note}".rstrip()
        return f"{self.name} on cpu: {delegate} {self._accelerator.why_not(self.name)}"

    def close(self) -> None:
        """Ends the accelerator's process, for the other networks too; the CPU goes on."""
        self._accelerator.close()

    def run(self, batch: npt.NDArray[np.floating[Any]]) -> Outputs:
        return self._accelerator.compute(self.name, "run", batch, partial(self._cpu.run, batch))

    def run_uint8(self, pixels: UInt8Array) -> Outputs:
        return self._accelerator.compute(self.name, "run_uint8", pixels, partial(self._cpu.run_uint8, pixels))


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
    """How this program's accelerator is doing; None where all work on the CPU as asked."""
    accelerator = next(iter(_all), None)
    if accelerator is None:
        return None
    return Acceleration(accelerator.delegate, accelerator.networks, accelerator.failures)


_all: weakref.WeakSet[Accelerator] = weakref.WeakSet()


def _same(answer: Outputs, expected: Outputs) -> bool:
    return answer.keys() == expected.keys() and all(_near(answer[name], right) for name, right in expected.items())


def _near(got: Float32Array, right: Float32Array) -> bool:
    most = MOST_DIFFERENCE * (float(np.ptp(right)) + 1e-6)
    return got.shape == right.shape and float(np.abs(got - right).mean()) <= most  # no NaN is
