"""Pictures beside the database, each under the SHA-256 of its file: the same picture is kept once, and a changed one is
found when it is read. ``sha256sum`` agrees with the names."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from edge.cases.codec import pixels_of, png_of
from edge.errors import StoreDamaged, StoreError
from edge.records import UInt8Array
from edge.sinks.files import reason, replacing, sync_names

_SHA256 = re.compile("[0-9a-f]{64}")


def picture_sha256(pixels: UInt8Array) -> str:
    """The name under which ``pixels``, uint8 (H, W), are kept."""
    return hashlib.sha256(png_of(pixels)).hexdigest()


class Images:
    """Grey pictures in ``folder``, as ``ab/abcd....png``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path_of(self, sha256: str) -> Path:
        """Where the picture of that hash is. ``StoreDamaged`` for what is no hash: it might lead out of the folder."""
        if not _SHA256.fullmatch(sha256):
            raise StoreDamaged(f"expected the SHA-256 of a picture, got {sha256!r}; restore the store from a copy")
        return self._folder / sha256[:2] / f"{sha256}.png"

    def put(self, pixels: UInt8Array) -> str:
        """The hash of ``pixels``, uint8 (H, W), which are on the disk when this returns: the whole file or none.

        Raises ``StoreError`` when it cannot be written.
        """
        png = png_of(pixels)
        sha256 = hashlib.sha256(png).hexdigest()
        path = self.path_of(sha256)
        try:
            if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return sha256
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                file.write(png)
            for folder in (path.parent, path.parent.parent):  # the names, too, must outlive a power cut
                sync_names(folder)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {reason(error)}; free some space or name another store") from error
        return sha256

    def png(self, sha256: str) -> bytes:
        """The file's bytes, verified. Raises ``StoreDamaged`` when it is gone or not what was written."""
        path = self.path_of(sha256)
        try:
            png = path.read_bytes()
        except PermissionError as error:
            raise StoreDamaged(
                f"cannot read the picture {path}: {reason(error)}; give this user the right to read the store's files"
            ) from error
        except OSError as error:
            raise StoreDamaged(f"cannot read the picture {path}: {reason(error)}; restore it from a copy") from error
        found = hashlib.sha256(png).hexdigest()
        if found != sha256:
            raise StoreDamaged(f"{path} has changed: its sha256 is {found[:12]}...; restore it from a copy")
        return png

    def get(self, sha256: str) -> UInt8Array:
        """The picture, uint8 (H, W), verified like ``png``."""
        return pixels_of(self.png(sha256))
