"""Compiled models beside a bundle's own, as ``trainer edgetpu`` leaves them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from edge.runtime.bundle import Task, load_bundle


def compile_beside(models: Path, role: Task) -> str:
    """Its content is the role's own with a byte more, so that any CPU computes it; its model id."""
    content = load_bundle(models / role, role).model_bytes + b"\0"
    return compiled_beside(models, role, content, named=content)


def compiled_beside(models: Path, role: Task, content: bytes, *, named: bytes | None) -> str:
    """Puts the compiled form of a role's model beside it, names it with the hash of ``named``; its model id."""
    bundle = load_bundle(models / role, role)
    path = bundle.model_path.with_name(f"{bundle.model_path.stem}_edgetpu.tflite")
    path.write_bytes(content)
    digest = hashlib.sha256(named or b"").hexdigest()
    if named is not None:
        fields = json.loads((models / role / "bundle.json").read_text())
        fields["compiled"] = {"edgetpu": {"model": path.name, "sha256": digest}}
        (models / role / "bundle.json").write_text(json.dumps(fields))
    return f"sha256:{digest}"


def with_onnx(models: Path, role: Task, model: bytes, size_px: tuple[int, int]) -> None:
    """Makes the role's bundle one of an .onnx model with an input of ``size_px`` (height, width)."""
    path = models / role / "bundle.json"
    fields = json.loads(path.read_text()) | {"model": f"{role}.onnx", "sha256": hashlib.sha256(model).hexdigest()}
    fields["input"] = dict(zip(("height_px", "width_px"), size_px, strict=True))
    path.write_text(json.dumps(fields))
    (models / role / f"{role}.onnx").write_bytes(model)
