"""Accelerators: what their libraries are called, and what their absence looks like."""

from __future__ import annotations

import importlib
from typing import Any

from edge.errors import DelegateUnavailable
from edge.runtime.network import PictureNetwork
from edge.text import one_line

LIBRARIES = {
    "edgetpu": ("libedgetpu.so.1",),
    "gpu": ("libtensorflowlite_gpu_delegate.so", "libLiteRtGpuAccelerator.so"),
}
MENDS = {
    "edgetpu": "plug the Coral in and install libedgetpu (feranick's builds; the stock one crashes with runtimes from "
    "2.12 on)",
    "gpu": "install the board's TFLite GPU delegate, or use --delegate cpu",
}
ONNX_MENDS = {
    "edgetpu": "use --delegate gpu",
    "gpu": "install an onnxruntime-gpu for this board and Python, or use --delegate cpu",
}
ONNX_PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
"""What ``gpu`` means for an .onnx model, best first."""


def accelerated_network(delegate: str, model: bytes, suffix: str, threads: int) -> PictureNetwork:
    """The network on an accelerator, in this process: for the child process only, since its calls may never return.

    ``DelegateUnavailable`` where the accelerator or its library is not here.
    """
    if suffix == ".onnx":
        from edge.runtime.onnx import OnnxNetwork

        if delegate != "gpu":
            raise DelegateUnavailable(
                f"{delegate} takes .tflite models, this bundle has an .onnx; {mend(delegate, suffix)}"
            )
        return OnnxNetwork(model, threads, ONNX_PROVIDERS)
    from edge.runtime.interpreter import Network

    return Network(model, threads, load(delegate))


def mend(delegate: str, suffix: str) -> str:
    """What to do where ``delegate`` does not take models whose files end in ``suffix``."""
    return (ONNX_MENDS if suffix == ".onnx" else MENDS)[delegate]


def load(delegate: str, libraries: tuple[str, ...] = ()) -> Any:
    """The runtime's delegate object from the first of ``libraries`` (default: the delegate's own) that loads.

    The runtimes say it so: a library that is missing raises ``OSError``, one that finds no device ``ValueError``.
    """
    from edge.runtime.interpreter import interpreter_class

    loader = importlib.import_module(interpreter_class().__module__).load_delegate
    reasons = []
    for library in libraries or LIBRARIES[delegate]:
        try:
            return loader(library)
        except OSError as error:
            reasons.append(str(error))
        except ValueError as error:
            reasons.append(f"{library} finds no device ({one_line(error)})")
    raise DelegateUnavailable(f"no {delegate}: {'; '.join(reasons)}; {MENDS[delegate]}")
