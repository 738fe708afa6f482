"""A network in ONNX Runtime: what Jetsons are fed with (TensorRT, CUDA), and the CPU where neither is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import BundleInvalid, DelegateUnavailable, ModelError
from edge.records import Float32Array, UInt8Array
from edge.runtime.network import MOST_AT_ONCE, Shape

CPU = "CPUExecutionProvider"


class OnnxNetwork:
    """An .onnx model with one float input (n, H, W, C) and named outputs, as ``trainer export --onnx`` writes it.

    ``providers``: accelerators of which one must be here; none: the CPU. ``ModelError``: onnxruntime is not installed;
    ``BundleInvalid``: it refuses the model; ``DelegateUnavailable``: no such provider, or it does not take the model.
    """

    def __init__(self, model: bytes, threads: int = 2, providers: Sequence[str] = ()) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelError(
                f"this bundle holds an .onnx model, which needs onnxruntime ({error}); pip install onnxruntime"
            ) from error
        here = onnxruntime.get_available_providers()
        usable = [name for name in providers if name in here]
        if providers and not usable:
            raise DelegateUnavailable(
                f"expected ONNX Runtime with {' or '.join(providers)}, this one has {', '.join(here)}; "
                "install the board vendor's onnxruntime-gpu, or use --delegate cpu"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what goes wrong is raised as well
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=[*(_with_cache(name) for name in usable), CPU]
            )
        except Exception as error:  # its errors are RuntimeError's and Exception's own children, by version
            raise BundleInvalid(f"onnxruntime refuses the model: {_first_line(error)}; export it again") from error
        if usable and self._session.get_providers()[0] == CPU:  # it falls back without a word
            raise DelegateUnavailable(f"{usable[0]} is installed but does not start here; see 'chromo-edge doctor'")
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
            found = [(i.type, i.shape) for i in inputs]
            raise BundleInvalid(f"expected a model with one float input (n, height, width, channels), got {found}")
        self._input = inputs[0].name
        self._outputs = [o.name for o in self._session.get_outputs()]
        batch, height, width, channels = inputs[0].shape
        self.input_shape: Shape = (1, int(height), int(width), int(channels))
        self.input_dtype: np.dtype[Any] = np.dtype(np.float32)
        self._at_once = 1 if batch == 1 else MOST_AT_ONCE

    def run(self, batch: npt.NDArray[np.floating[Any]]) -> dict[str, Float32Array]:
        shaped = batch[..., None] if batch.ndim == 3 else batch
        if shaped.shape[1:] != self.input_shape[1:] or len(shaped) == 0:
            raise ValueError(f"expected a batch (n >= 1, {self.input_shape[1:]}), got {batch.shape}")
        real = np.ascontiguousarray(shaped, np.float32)
        parts = [real[i : i + self._at_once] for i in range(0, len(real), self._at_once)]
        try:
            answers = [self._session.run(self._outputs, {self._input: part}) for part in parts]
        except Exception as error:
            raise ModelError(f"onnxruntime cannot run the model: {_first_line(error)}") from error
        return {
            name.partition(":")[0]: np.concatenate([np.asarray(answer[k], np.float32) for answer in answers])
            for k, name in enumerate(self._outputs)
        }

    def run_uint8(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        if pixels.dtype != np.uint8:
            raise ValueError(f"run_uint8 expects uint8 pixels, got {pixels.dtype}")
        return self.run(pixels * np.float32(1 / 255))


def _with_cache(provider: str) -> str | tuple[str, dict[str, str]]:
    """TensorRT builds its engine for minutes; it is kept for the next start, in the user's cache."""
    if provider != "TensorrtExecutionProvider":
        return provider
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return provider, {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": f"{cache}/chromo-edge/tensorrt",
        "trt_int8_enable": "1",
        "trt_fp16_enable": "1",
    }


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
