"""The seam between the stages and whatever computes: one Protocol, and who stands behind it.

A bundle's ``.tflite`` runs in LiteRT, its ``.onnx`` in ONNX Runtime. On the CPU both run in this process. On an
accelerator they run in a child process (``edge.runtime.guarded``), because a driver's call can hang for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import BundleMismatch, ConfigError
from edge.records import Float32Array, UInt8Array
from edge.runtime.bundle import Bundle, Task

if TYPE_CHECKING:
    from edge.runtime.guarded import Accelerator

Shape = tuple[int, int, int, int]

MOST_AT_ONCE = 64
"""A cell's crops fit. A runtime keeps what its largest batch ever took: at 128 the four networks kept 30 MB more after
the first frame full of debris."""

DELEGATES = ("cpu", "edgetpu", "gpu")
ON_CPU: tuple[Task, ...] = ("arbiter",)
"""Networks that stay on the processor: float, and small operators that would wait for a GPU longer than they take."""
_wanted: ContextVar[Accelerator | None] = ContextVar("accelerator", default=None)

_compiled: ContextVar[dict[str, str] | None] = ContextVar("compiled", default=None)


class PictureNetwork(Protocol):
    """A network with one picture input (n, H, W, C) and named outputs; not to be shared between threads."""

    input_shape: Shape
    input_dtype: np.dtype[Any]

    def run(self, batch: npt.NDArray[np.floating[Any]]) -> dict[str, Float32Array]:
        """Outputs by name, float32 (n, ...), for ``batch`` of real values (n, H, W, C), or (n, H, W) if C is 1."""

    def run_uint8(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        """As ``run``, for 8-bit pictures that mean ``pixels / 255``."""


def batch_for(input_shape: Shape, pictures: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``pictures`` (n, H, W, C), or (n, H, W) if C is 1, as (n, H, W, C). ``ValueError`` unless they are of the
    network's ``input_shape``, and there is one."""
    shaped = pictures[..., None] if pictures.ndim == 3 else pictures
    if shaped.shape[1:] != input_shape[1:] or len(shaped) == 0:
        raise ValueError(f"expected a batch (n >= 1, {input_shape[1:]}), got {pictures.shape}")
    return shaped


def require_uint8(pixels: npt.NDArray[Any]) -> None:
    if pixels.dtype != np.uint8:
        raise ValueError(f"run_uint8 expects uint8 pixels, got {pixels.dtype}")


@contextmanager
def networks_on(delegate: str) -> Iterator[None]:
    """Networks opened within run on ``delegate``, one of ``DELEGATES``, together, all but those ``ON_CPU``: an
    accelerator can be opened by one process only. ``ConfigError`` for another word."""
    if delegate not in DELEGATES:
        raise ConfigError(f"expected --delegate {', '.join(DELEGATES)}, got {delegate!r}")
    token = _wanted.set(_accelerator(delegate))
    try:
        yield
    finally:
        _wanted.reset(token)


@contextmanager
def compiled_models() -> Iterator[dict[str, str]]:
    """Fills with the compiled models that compute anything within, in this thread, as a cell names them:
    ``{"locator_edgetpu": "sha256:<hex>"}``."""
    found: dict[str, str] = {}
    token = _compiled.set(found)
    try:
        yield found
    finally:
        _compiled.reset(token)


def computed_by(name: str, model_id: str) -> None:
    """A network on an accelerator says what has just computed."""
    found = _compiled.get()
    if found is not None:
        found[name] = model_id


def _accelerator(delegate: str) -> Accelerator | None:
    if delegate == "cpu":
        return None
    from edge.runtime.guarded import Accelerator

    return Accelerator(delegate)


def open_network(bundle: Bundle, threads: int) -> PictureNetwork:
    """The network of a verified bundle. ``BundleMismatch`` if its input is not what the bundle says."""
    network = cpu_network(bundle.model_bytes, bundle.model_path.suffix, threads)
    stated = (bundle.input_height_px, bundle.input_width_px)
    if network.input_shape[1:3] != stated:
        raise BundleMismatch(
            f"{bundle.model_path}: bundle.json says an input of {stated} px (height, width), "
            f"the model has {network.input_shape[1:3]}; export it again"
        )
    accelerator = _wanted.get()
    if accelerator is None or bundle.task in ON_CPU:
        return network
    from edge.runtime.guarded import GuardedNetwork

    return GuardedNetwork.of_bundle(bundle, network, threads, accelerator)


def cpu_network(model: bytes, suffix: str, threads: int) -> PictureNetwork:
    """``suffix`` is the model file's, ``.tflite`` or ``.onnx``."""
    if suffix == ".onnx":
        from edge.runtime.onnx import OnnxNetwork

        return OnnxNetwork(model, threads)
    from edge.runtime.interpreter import Network

    return Network(model, threads)
