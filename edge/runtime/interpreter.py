"""One network, many runtimes: LiteRT where it is, else tflite-runtime, else the interpreter inside TensorFlow."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import BundleInvalid, ModelError
from edge.records import Float32Array, UInt8Array
from edge.runtime.blocks import blocks_of, in_blocks
from edge.runtime.bundle import Bundle
from edge.runtime.network import MOST_AT_ONCE, PictureNetwork, Shape, batch_for, open_network, require_uint8
from edge.runtime.tiles import no_tiles
from edge.text import first_line


class Network:
    """A TFLite network with one picture input (n, H, W, C) and named outputs, on the processor's cores.

    ``model`` is a file or its bytes; ``delegate`` what the runtime's ``load_delegate`` gave. Inputs are given and
    outputs returned as real values: a quantized model's scales and zero points are applied here. A batch goes through
    in one call, beyond ``MOST_AT_ONCE`` in several; the interpreter is resized only when the batch's size changes. On
    the processor, what can be read in blocks is (``edge.runtime.blocks``), and Intel's tiles are left alone
    (``edge.runtime.tiles``). Not to be shared between threads.

    ``ModelError``: no runtime is installed; ``BundleInvalid``: the model is not one that the runtime can use.
    """

    def __init__(self, model: bytes | Path, threads: int = 2, delegate: Any = None) -> None:
        content = model if isinstance(model, bytes) else _read(model)
        _, interpreter = _runtime()
        try:
            with _without_chatter(), no_tiles():
                delegates = None if delegate is None else [delegate]
                opened = partial(interpreter, num_threads=threads, experimental_delegates=delegates)
                self._interpreter = opened(model_content=content)
                blocks = None if delegate is not None else in_blocks(content, interpreter.__module__)
                if blocks is not None:
                    self._interpreter = opened(model_content=blocks)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BundleInvalid(f"{runtime_name()} refuses the model: {first_line(error)}; export it again") from error
        inputs = self._interpreter.get_input_details()
        if len(inputs) != 1 or len(inputs[0]["shape"]) != 4:
            shapes = [tuple(int(v) for v in d["shape"]) for d in inputs]
            raise BundleInvalid(
                f"expected a model of one input (n, height, width, channels), got {shapes}; export it again"
            )
        self._input = inputs[0]["index"]
        self._scale, self._zero = inputs[0]["quantization"]
        self._outputs = self._name_outputs()
        _, height, width, channels = self._taken = tuple(int(v) for v in inputs[0]["shape"])
        self._in_blocks = blocks is not None
        if self._in_blocks:
            height, width, channels = 2 * height, 2 * width, channels // 4
        self.input_shape: Shape = (1, height, width, channels)
        self.input_dtype: np.dtype[Any] = np.dtype(inputs[0]["dtype"])
        self._batch = int(inputs[0]["shape"][0])
        self._one_by_one = False
        self._pixel_table = self._quantize(np.arange(256, dtype=np.float32) / np.float32(255))
        self._flip_only = self.input_dtype == np.int8 and np.array_equal(
            self._pixel_table.view(np.uint8), np.arange(256, dtype=np.uint8) ^ 0x80
        )

    @classmethod
    def of_bundle(cls, bundle: Bundle, threads: int = 2) -> PictureNetwork:
        """The network of a verified bundle, in the runtime and on the device that are asked for (``open_network``)."""
        return open_network(bundle, threads)

    def run(self, batch: npt.NDArray[np.floating[Any]]) -> dict[str, Float32Array]:
        """Outputs by name, float32 (n, ...), for ``batch`` of real values (n, H, W, C), or (n, H, W) if C is 1."""
        return self._run(self._quantize(batch_for(self.input_shape, batch)))

    def run_uint8(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        """As ``run``, for 8-bit pictures that mean ``pixels / 255``; the usual int8 input costs one flipped bit."""
        require_uint8(pixels)
        shaped = batch_for(self.input_shape, pixels)
        return self._run((shaped ^ 0x80).view(np.int8) if self._flip_only else self._pixel_table[shaped])

    def _quantize(self, real: npt.NDArray[np.floating[Any]]) -> npt.NDArray[Any]:
        if self.input_dtype.kind == "f" or self._scale == 0:
            return real.astype(self.input_dtype)
        limits = np.iinfo(self.input_dtype)
        steps = np.rint(real.astype(np.float32) / np.float32(self._scale)) + self._zero
        return np.asarray(np.clip(steps, limits.min, limits.max), self.input_dtype)

    def _run(self, batch: npt.NDArray[Any]) -> dict[str, Float32Array]:
        at_once = 1 if self._one_by_one else min(len(batch), MOST_AT_ONCE)
        if not self._resize(at_once):
            return self._run(batch)
        parts = []
        for start in range(0, len(batch), at_once):
            part = batch[start : start + at_once]
            self._resize(len(part))
            parts.append(self._invoke(part))
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _resize(self, size: int) -> bool:
        """Make room for a batch of ``size``; False, from then on, for a network whose inner shapes are fixed."""
        if size == self._batch:
            return True
        try:
            self._interpreter.resize_tensor_input(self._input, (size, *self._taken[1:]), strict=False)
            self._interpreter.allocate_tensors()
            self._batch = size
            grown = all(int(d["shape"][0]) == size for d in self._interpreter.get_output_details())
        except (ValueError, RuntimeError) as error:
            if size == 1:
                raise ModelError(
                    f"{runtime_name()} cannot run the model: {first_line(error)}; export it again"
                ) from error
            self._batch, grown = 0, False
        self._one_by_one = self._one_by_one or not grown
        return grown

    def _invoke(self, batch: npt.NDArray[Any]) -> dict[str, Float32Array]:
        try:
            self._interpreter.set_tensor(self._input, blocks_of(batch) if self._in_blocks else batch)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{runtime_name()} cannot run the model: {first_line(error)}; export it again") from error
        return {name: self._real(index, *scaling) for name, (index, scaling) in self._outputs.items()}

    def _real(self, index: int, scale: float, zero: int) -> Float32Array:
        raw = self._interpreter.get_tensor(index)
        if raw.dtype.kind == "f" or scale == 0:
            return np.asarray(raw, np.float32)
        real = np.asarray(raw, np.float32)
        real -= np.float32(zero)
        real *= np.float32(scale)
        return real

    def _name_outputs(self) -> dict[str, tuple[int, tuple[float, int]]]:
        """Output name to tensor and (scale, zero point). Names are the signature's, else the tensors' own."""
        details = {d["name"]: d for d in self._interpreter.get_output_details()}
        signatures = self._interpreter.get_signature_list()
        if len(signatures) == 1:
            details = self._interpreter.get_signature_runner(next(iter(signatures))).get_output_details()
        return {name: (d["index"], d["quantization"]) for name, d in details.items()}


def interpreter_class() -> Any:
    """The runtime's ``Interpreter``."""
    return _runtime()[1]


def undelegated(model: bytes) -> Any:
    """The runtime's own interpreter over ``model`` with every operator as it is in the file, to look at, not to run.

    ``BundleInvalid``: the runtime refuses the model.
    """
    _, interpreter = _runtime()
    plain = sys.modules[interpreter.__module__].OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with _without_chatter():
            made = interpreter(model_content=model, experimental_op_resolver_type=plain)
            made.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise BundleInvalid(f"{runtime_name()} refuses the model: {first_line(error)}; export it again") from error
    return made


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keeps the runtimes' ``INFO:`` lines and deprecation notices off stderr; they write past Python, to descriptor 2,
    and offer no setting. What else is written meanwhile comes out afterwards."""
    try:
        stderr = os.dup(2)
    except OSError:  # a service without stderr
        yield
        return
    with os.fdopen(os.memfd_create("chatter"), "w+b") as held, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            held.seek(0)
            for line in held:
                if not line.startswith(b"INFO:"):
                    os.write(stderr, line)
            os.close(stderr)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleInvalid(f"{path}: cannot be read: {error.strerror}; copy it again") from error


def runtime_name() -> str:
    """Which interpreter is in use, with its version if it tells one: "ai-edge-litert 2.3.0"."""
    return _runtime()[0]


@cache
def _runtime() -> tuple[str, Any]:
    reasons = []
    for package in ("ai_edge_litert", "tflite_runtime"):
        try:
            interpreter = importlib.import_module(f"{package}.interpreter").Interpreter
        except (ImportError, AttributeError) as error:
            reasons.append(f"{_dashed(package)}: {first_line(error)}")
            continue
        if package == "tflite_runtime" and int(np.__version__.split(".")[0]) >= 2:
            # It imports, then Interpreter() fails: its last release was built against numpy 1.
            reasons.append(f"tflite-runtime needs numpy<2, numpy {np.__version__} is here (pip install 'numpy<2')")
            continue
        return f"{_dashed(package)} {_version(package)}".strip(), interpreter
    if importlib.util.find_spec("tensorflow") is not None:
        tensorflow = importlib.import_module("tensorflow")
        return f"tensorflow {tensorflow.__version__}", tensorflow.lite.Interpreter
    raise ModelError(f"no TFLite runtime is usable ({'; '.join(reasons)}); pip install ai-edge-litert")


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(_dashed(package))
    except PackageNotFoundError:  # Debian's tflite-runtime comes without metadata
        return ""


def _dashed(package: str) -> str:
    return package.replace("_", "-")
