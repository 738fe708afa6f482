"""What compression did to each layer, and what it left alone and why: ``layers.json`` and a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.compress.layers import why_not_pruned, why_not_quantized
from trainer.files import write_atomic
from trainer.networks.stored import QUANT

LAYERS_FILE = "layers.json"


@dataclass(frozen=True, slots=True)
class LayerReport:
    """``weights`` counts the kernel's weights, ``zeros`` is the share of them that is zero. ``not_*`` says why
    something was not done, "" where it was."""

    name: str
    kind: str
    weights: int
    zeros: float
    pruned: bool
    not_pruned: str
    quantized: str
    """What is int8: "weights per channel", "output", "with its neighbour" (folded or passed on), or ""."""
    not_quantized: str


def layers_of(network: Any, aware: Any = None) -> list[LayerReport]:
    """One report a layer of the plain ``network``; ``aware`` is its quantization-aware form, if it has one."""
    wrapped = {} if aware is None else {layer.name: layer for layer in aware.layers}
    reports = []
    for layer in network.layers:
        kernel = _kernel(layer)
        zeros = float((kernel == 0).mean()) if kernel.size else 0.0
        not_pruned = why_not_pruned(layer) or ("" if zeros > 0 else "not asked for")
        if aware is None:
            quantized, not_quantized = "", "not asked for"
        else:
            quantized = _quantized(wrapped.get(QUANT + layer.name), layer)
            not_quantized = "" if quantized else why_not_quantized(layer)
        reports.append(
            LayerReport(
                layer.name,
                type(layer).__name__,
                int(kernel.size),
                zeros,
                not not_pruned,
                not_pruned,
                quantized,
                not_quantized,
            )
        )
    return reports


def _kernel(layer: Any) -> Any:
    for name in ("kernel", "depthwise_kernel"):
        value = getattr(layer, name, None)
        if value is not None:
            return np.asarray(value)
    return np.zeros(0, np.float32)


def _quantized(wrapper: Any, layer: Any) -> str:
    if wrapper is None:
        return "input" if not layer.weights and not layer.inbound_nodes[0].inbound_layers else ""
    ranges = {v.name.split("/")[-1].split(":")[0]: v for v in wrapper.weights}
    said = []
    for name in ("kernel", "depthwise_kernel"):
        if f"{name}_min" in ranges:
            said.append("weights per channel" if ranges[f"{name}_min"].shape.rank else "weights per tensor")
    if any(name.endswith("_min") and "kernel" not in name for name in ranges):
        said.append("output")
    return ", ".join(said) or "with its neighbour"


def write_layers(folder: Path, layers: Sequence[LayerReport]) -> None:
    write_atomic(folder / LAYERS_FILE, (json.dumps([asdict(r) for r in layers], indent=1) + "\n").encode())


def read_layers(folder: Path) -> list[LayerReport]:
    return [LayerReport(**fields) for fields in json.loads((folder / LAYERS_FILE).read_bytes())]


def zero_share(layers: Sequence[LayerReport]) -> float:
    """Share of all kernels' weights that is zero."""
    return sum(r.zeros * r.weights for r in layers) / max(1, sum(r.weights for r in layers))


def print_layers(layers: Sequence[LayerReport], title: str) -> None:
    """The layers that have weights, or that were left out; the others follow their neighbours."""
    from rich.console import Console
    from rich.table import Table

    table = Table("layer", "kind", title=title, title_justify="left")
    for name in ("weights", "zeros"):
        table.add_column(name, justify="right")
    table.add_column("pruned")
    table.add_column("int8")
    for r in layers:
        if r.weights or (r.not_quantized and any(other.quantized for other in layers)):
            pruned = "yes" if r.pruned else f"no: {r.not_pruned}"
            table.add_row(
                r.name, r.kind, str(r.weights), f"{r.zeros:.1%}", pruned, r.quantized or f"no: {r.not_quantized}"
            )
    total = sum(r.weights for r in layers)
    table.add_row("all", "", str(total), f"{zero_share(layers):.1%}", "", "", end_section=True)
    Console().print(table)
