"""A network in ONNX Runtime: what Jetsons are fed with (TensorRT, CUDA), and the CPU where neither is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import BundleInvalid, DelegateUnavailable, ModelError
from edge.records import Float32Array, UInt8Array
from edge.runtime.delegate import mend
from edge.runtime.network import MOST_AT_ONCE, Shape, batch_for, require_uint8
from edge.text import first_line

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


class OnnxNetwork:
    """An .onnx model with one float input (n, H, W, C) and named outputs, as ``trainer export --onnx`` writes it.

    ``providers``: accelerators of which one must be here, best first; none: the CPU. ``note`` says so where it is not
    the first that ONNX Runtime has. Beyond ``MOST_AT_ONCE`` a batch goes through in several.

    ``ModelError``: onnxruntime is not installed; ``BundleInvalid``: it refuses the model; ``DelegateUnavailable``: no
    such provider, or none that takes the model.
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
                f"{mend('gpu', '.onnx')}"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what goes wrong is raised as well
        opened = partial(onnxruntime.InferenceSession, model, options)
        try:
            self._session = opened(providers=[CPU])
        except Exception as error:  # its errors are RuntimeError's and Exception's own children, by version
            raise BundleInvalid(f"onnxruntime refuses the model: {first_line(error)}; export it again") from error
        inputs = self._session.get_inputs()
        shape: list[Any] = inputs[0].shape if len(inputs) == 1 and inputs[0].type == "tensor(float)" else []
        if len(shape) != 4 or not all(isinstance(side, int) for side in shape[1:]):  # text or None: any
            found = [(i.type, i.shape) for i in inputs]
            raise BundleInvalid(
                f"expected a model of one float input (n, height, width, channels), got {found}; export it again"
            )
        self._input = inputs[0].name
        self._outputs = [o.name for o in self._session.get_outputs()]
        batch, height, width, channels = shape
        self.input_shape: Shape = (1, height, width, channels)
        self.input_dtype: np.dtype[Any] = np.dtype(np.float32)
        self._at_once = 1 if batch == 1 else MOST_AT_ONCE
        self.note = ""
        if usable:
            self._accelerate(opened, usable, hashlib.sha256(model).hexdigest())

    def _accelerate(self, opened: Callable[..., Any], usable: Sequence[str], sha256: str) -> None:
        """Goes on in a session on the first of ``usable`` that computes. ONNX Runtime would itself fall back to the
        next one or to the CPU, at the start and at work, and tell only stdout."""
        refused = []
        for k, provider in enumerate(usable):
            try:
                session = opened(
                    providers=[*((name, _options(name, sha256)) for name in usable[k:]), CPU], enable_fallback=False
                )
                if session.get_providers()[0] != provider:
                    raise RuntimeError("is installed but does not start here")
                session.disable_fallback()
                self._try_sizes(session)
            except Exception as error:
                refused.append(f"{_short(provider)}: {first_line(error)}")
                continue
            self._session = session
            self.note = f"by {_short(provider)}, not by {'; '.join(refused)}" if refused else ""
            return
        raise DelegateUnavailable(f"no accelerator takes the model: {'; '.join(refused)}; {mend('gpu', '.onnx')}")

    def _try_sizes(self, session: Any) -> None:
        """TensorRT's engine is for the batches that it has seen; one that is larger or smaller has it built again, for
        minutes. Here they are waited for. (Shapes that are given, trt_profile_min_shapes, would have to name what
        flows between the graph's parts, too, where TensorRT does not take it whole.)"""
        for size in dict.fromkeys((self._at_once, 1)):
            session.run(self._outputs, {self._input: np.zeros((size, *self.input_shape[1:]), np.float32)})

    def run(self, batch: npt.NDArray[np.floating[Any]]) -> dict[str, Float32Array]:
        real = np.ascontiguousarray(batch_for(self.input_shape, batch), np.float32)
        parts = [real[i : i + self._at_once] for i in range(0, len(real), self._at_once)]
        try:
            answers = [self._session.run(self._outputs, {self._input: part}) for part in parts]
        except Exception as error:
            raise ModelError(f"onnxruntime cannot run the model: {first_line(error)}; export it again") from error
        return {
            name.partition(":")[0]: np.concatenate([np.asarray(answer[k], np.float32) for answer in answers])
            for k, name in enumerate(self._outputs)
        }

    def run_uint8(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        require_uint8(pixels)
        return self.run(pixels * np.float32(1 / 255))


def _options(provider: str, sha256: str) -> dict[str, str]:
    """A provider's options for the model of that hash. ``OSError``: TensorRT's engines cannot be kept."""
    if provider == TENSORRT:
        # Its engines bear the names in the graph, not the weights: each model has a folder of its own.
        folder = _engines() / sha256[:16]
        folder.mkdir(parents=True, exist_ok=True)  # it makes the last folder only
        return {
            "trt_engine_cache_enable": "True",  # it takes no 1
            "trt_engine_cache_path": str(folder),
            "trt_int8_enable": "True",
            "trt_fp16_enable": "True",
        }
    if provider == CUDA:
        # By default each new size of batch has all kernels tried, for up to seconds.
        return {"cudnn_conv_algo_search": "HEURISTIC"}
    return {}


def _engines() -> Path:
    """TensorRT builds for minutes; its engines are kept for the next start: in the service's cache, which systemd
    names, else in the user's."""
    service = os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    if service:
        return Path(service) / "tensorrt"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(cache) / "chromo-edge" / "tensorrt"


def _short(provider: str) -> str:
    return provider.removesuffix("ExecutionProvider")
