"""What every frame source is to the rest of the system."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from edge.records import Frame


class Camera(Protocol):
    """A source of frames.

    ``frames()`` yields until the source ends (a folder, a video) or for ever (a camera). It raises ``CameraLost`` or
    ``CameraTimeout`` when a live camera stops giving frames; it never repeats an old frame as if it were new.
    ``close()`` frees the device, may be called twice and from another thread.
    """

    name: str

    def frames(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...
