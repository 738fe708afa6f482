"""An ONNX Runtime with NVIDIA's providers, as a Jetson has it; the CPU computes.

It does what ONNX Runtime does (onnxruntime_pybind_state.cc, tensorrt_execution_provider.cc, its Python wrapper): it
takes True and False, makes the cache's last folder only, builds an engine for each size of batch beyond those that the
engine was built for, keeps it by the names in the graph, has CUDA try all kernels for each new size of batch unless
told otherwise, and falls back to CUDA or the CPU without raising.

``python -m tests.edge.runtime.jetson FD`` is the worker process on such a board. JETSON_BUILD_S names the seconds that
a build takes, JETSON_BROKEN providers that raise, JETSON_SILENT such that are left out without a word.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import onnxruntime

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
BOOLEANS = ("trt_engine_cache_enable", "trt_int8_enable", "trt_fp16_enable")

_real = onnxruntime.InferenceSession


class Session:
    """Of all sessions, ``builds``: the cache's folder and the sizes of batch that each built engine takes;
    ``searches``: sizes of batch that CUDA tried all kernels for."""

    builds: list[tuple[str, int, int]] = []  # noqa: RUF012
    searches: list[int] = []  # noqa: RUF012

    def __init__(self, model: bytes, options: Any, providers: list[Any], enable_fallback: bool = True) -> None:
        self._real = _real(model, options, providers=[CPU])
        self._fallback = enable_fallback
        try:
            self._start(providers)
        except RuntimeError:
            if not enable_fallback:
                raise
            names = [self._named(one)[0] for one in providers]
            self._start([CUDA, CPU] if {CUDA, TENSORRT} <= {*names} else [CPU])
        self.get_inputs, self.get_outputs = self._real.get_inputs, self._real.get_outputs

    def get_providers(self) -> list[str]:
        return self._providers

    def disable_fallback(self) -> None:
        self._fallback = False

    def run(self, names: Any, inputs: dict[str, Any]) -> Any:
        (batch,) = inputs.values()
        if self._providers[0] == TENSORRT:
            self._fit(len(batch))
        elif self._providers[0] == CUDA and self._searches:
            self.searches.append(len(batch))
        return self._real.run(names, inputs)

    @staticmethod
    def _named(provider: Any) -> tuple[str, dict[str, str]]:
        return (provider, {}) if isinstance(provider, str) else provider

    def _start(self, providers: list[Any]) -> None:
        self._providers: list[str] = []
        for name, options in map(self._named, providers):
            for key in BOOLEANS:
                if options.get(key, "True") not in ("True", "true", "False", "false"):
                    raise RuntimeError(f"[ERROR] [TensorRT] The value for the key '{key}' should be 'True' or 'False'.")
            if name == CUDA:
                self._searches = options.get("cudnn_conv_algo_search", "EXHAUSTIVE") == "EXHAUSTIVE"
            if name == TENSORRT:
                self._cache = Path(options["trt_engine_cache_path"])
                if not self._cache.is_dir():
                    self._cache.mkdir()
            if name in os.environ.get("JETSON_BROKEN", ""):
                raise RuntimeError(f"lib of {name}: cannot open shared object file")
            if name not in os.environ.get("JETSON_SILENT", ""):
                self._providers.append(name)

    def _fit(self, size: int) -> None:
        profile = self._cache / "by_names_in_the_graph.profile"
        low, high = json.loads(profile.read_text()) if profile.exists() else (size + 1, size - 1)
        if not low <= size <= high:
            time.sleep(float(os.environ.get("JETSON_BUILD_S", "0")))
            low, high = min(low, size), max(high, size)
            profile.write_text(json.dumps([low, high]))
            self.builds.append((str(self._cache), low, high))


def providers_here() -> list[str]:
    return [TENSORRT, CUDA, CPU]


if __name__ == "__main__":
    from edge.runtime import worker

    worker.end_with_parent()
    onnxruntime.InferenceSession, onnxruntime.get_available_providers = Session, providers_here
    worker.serve(socket.socket(fileno=int(sys.argv[1])))
