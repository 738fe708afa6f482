"""A model's file, read and proved to be the one that its bundle names."""

from __future__ import annotations

import errno
import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from edge.errors import BundleInvalid

TFLITE_MARK = b"TFL3"
"""Bytes 4 to 8 of every .tflite."""
ONNX_MARK = b"\x08"
"""The first byte of every .onnx: the tag of ModelProto's first field, ir_version, a varint."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A model's form for an accelerator, and the hash that it must have."""

    path: Path
    sha256: str

    def read(self) -> bytes:
        """Raises like ``read_model``."""
        return read_model(self.path, self.sha256)

    @property
    def model_id(self) -> str:
        return f"sha256:{self.sha256}"


def read_model(path: Path, sha256: str) -> bytes:
    """The content of ``path``. ``BundleInvalid``: it cannot be read, has another hash, or is no model of the form that
    its suffix says."""
    try:
        data = file_content(path)
    except OSError as error:
        raise BundleInvalid(
            f"{path}: cannot be read: {error.strerror}; check its permissions or copy it again"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise BundleInvalid(
            f"{path}: {len(data)} bytes with sha256 {found[:12]}..., expected {sha256[:12]}...: "
            "truncated or changed; copy the model folder again"
        )
    if path.suffix == ".tflite" and data[4:8] != TFLITE_MARK:
        raise BundleInvalid(f"{path}: not a TFLite model; export it with 'trainer export --int8'")
    if path.suffix == ".onnx" and data[:1] != ONNX_MARK:
        raise BundleInvalid(f"{path}: not an ONNX model; export it with 'trainer export --onnx'")
    return data


def file_content(path: Path) -> bytes:
    """``OSError`` for what is no file: a pipe would be waited for, a device read until the memory ends."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "a folder, a device or a pipe in the place of a file")
    return path.read_bytes()
