"""Starts live programs quickly: one process has imported everything and forks a program each time it is asked.

``python -m fault_table.nursery FD`` is that process; ``Nursery`` its parent's side. A program that needs another
environment before its first instruction (a preloaded library, fewer capabilities) is started afresh with ``fresh``.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
_PATHS = os.pathsep.join((str(ROOT), str(ROOT / "tools")))
ENVIRONMENT = {k: v for k, v in os.environ.items() if "DISPLAY" not in k} | {"PYTHONPATH": _PATHS}
"""The environment of every process started here: no browser opens, and this checkout is what is imported."""
_LONGEST = 1 << 16


@dataclass
class Process:
    """A started program: its pid, its pipes, and how to learn of its end (an exit code, negative for a signal)."""

    pid: int
    stdin: IO[bytes]
    stdout: IO[bytes]
    reports: IO[str]
    await_end: Callable[[float | None], int | None]
    returncode: int | None = None

    def poll(self) -> int | None:
        return self._ended(0.0)

    def wait(self, timeout_s: float) -> int:
        """The exit code when it ends. ``RuntimeError`` if it goes on for longer than ``timeout_s``."""
        code = self._ended(timeout_s)
        if code is None:
            raise RuntimeError(f"the live program did not end within {timeout_s:g} s")
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def close(self) -> None:
        self.send_signal(signal.SIGKILL)
        self.wait(60)
        for pipe in (self.stdin, self.stdout, self.reports):
            pipe.close()

    def _ended(self, timeout_s: float) -> int | None:
        if self.returncode is None:
            self.returncode = self.await_end(timeout_s)
        return self.returncode


class Nursery:
    """The process that forks programs; it is started when first needed, and ``close`` ends it."""

    def __init__(self) -> None:
        self._here: socket.socket | None = None

    def start(self, words: Sequence[str], errors: Path, env: dict[str, str]) -> Process:
        """Starts the live program with ``words`` after ``python -m fault_table.program REPORTS``."""
        here = self._awake()
        pipes = [os.pipe() for _ in range(3)]  # its standard input, its output, its reports
        with errors.open("ab") as file:
            given = [pipes[0][0], pipes[1][1], file.fileno(), pipes[2][1]]
            socket.send_fds(here, [json.dumps({"words": list(words), "env": env}).encode()], given)
        pid = int(json.loads(here.recv(_LONGEST)))
        for handle in (pipes[0][0], pipes[1][1], pipes[2][1]):
            os.close(handle)

        def end(timeout_s: float | None) -> int | None:
            until_s = time.monotonic() + (timeout_s or 0.0)
            while True:
                here.send(json.dumps({"ended": pid}).encode())
                code = json.loads(here.recv(_LONGEST))
                if code is not None or time.monotonic() > until_s:
                    return None if code is None else int(code)
                time.sleep(0.02)

        stdin, stdout = os.fdopen(pipes[0][1], "wb"), os.fdopen(pipes[1][0], "rb")
        return Process(pid, stdin, stdout, os.fdopen(pipes[2][0]), end)

    def close(self) -> None:
        if self._here is not None:
            self._here.close()
            self._process.wait(60)

    def _awake(self) -> socket.socket:
        if self._here is None:
            self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with there:
                command = [sys.executable, "-m", "fault_table.nursery", str(there.fileno())]
                self._process = subprocess.Popen(command, pass_fds=[there.fileno()], cwd=ROOT, env=ENVIRONMENT)
        return self._here


def fresh(words: Sequence[str], errors: Path, env: dict[str, str], before: Sequence[str]) -> Process:
    """Starts the same program as a new process behind the command ``before``."""
    reports, there = os.pipe()
    with errors.open("ab") as file:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "fault_table.program", str(there), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            pass_fds=[there],
            cwd=ROOT,
            env=ENVIRONMENT | env,
        )
    os.close(there)
    assert process.stdin is not None
    assert process.stdout is not None

    def end(timeout_s: float | None) -> int | None:
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    return Process(process.pid, process.stdin, process.stdout, os.fdopen(reports), end)


def _serve(channel: socket.socket) -> None:
    """Forks a program for each request, and reports how each ended; ends with the parent."""
    import edge.live.web.page
    import edge.runtime.interpreter  # noqa: F401
    from fault_table import program

    codes: dict[int, int] = {}
    while True:
        asked, handles, _, _ = socket.recv_fds(channel, _LONGEST, 4)
        if not asked:
            break
        said = json.loads(asked)
        if "ended" in said:
            pid = said["ended"]
            if pid not in codes:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    codes[pid] = os.waitstatus_to_exitcode(status)
            channel.send(json.dumps(codes.get(pid)).encode())
            continue
        pid = os.fork()
        if pid == 0:
            channel.close()
            for target, handle in enumerate(handles[:3]):
                os.dup2(handle, target)
                os.close(handle)
            os.environ.update(said["env"])
            sys.argv = ["chromo-edge"]
            sys.exit(program.start(handles[3], said["words"]))
        for handle in handles:
            os.close(handle)
        channel.send(json.dumps(pid).encode())


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
