"""An accelerator that computes rightly, then goes wrong: ``python -m tests.edge.runtime.faulty_worker FAULT AFTER FD``.

It is the real child process, with the CPU in the accelerator's place; call number ``AFTER`` (the warm-up is 0) hangs,
crashes, throws, or gives what is wrong. Each network has its warm-up.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

import numpy as np

from edge.records import Float32Array, UInt8Array
from edge.runtime import delegate, worker
from edge.runtime.interpreter import Network
from edge.runtime.network import PictureNetwork

FAULT, AFTER = sys.argv[1], int(sys.argv[2])


class Faulty(Network):
    calls = 0  # of all networks

    def run_uint8(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        answer = super().run_uint8(pixels)
        Faulty.calls += 1
        if Faulty.calls <= AFTER:
            return answer
        match FAULT:
            case "hang":
                time.sleep(3600)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "throw":
                raise RuntimeError("EdgeTpuDelegateForCustomOp failed to invoke")
            case "wrong":
                return {name: np.flip(values, -1) + 1 for name, values in answer.items()}
            case "one wrong":  # of several networks, the second one that computes
                wrong = Faulty.calls == AFTER + 1
                return {name: values + wrong * 5 for name, values in answer.items()}
            case "nan":
                return {name: values * np.float32("nan") for name, values in answer.items()}
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
        return answer


def faulty_network(name: str, model: bytes, suffix: str, threads: int) -> PictureNetwork:
    return Faulty(model, threads)


if __name__ == "__main__":
    worker.end_with_parent()
    delegate.accelerated_network = faulty_network
    worker.serve(socket.socket(fileno=int(sys.argv[3])))
