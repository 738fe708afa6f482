"""Where frames come from. ``open_camera`` turns a name into a running source; each kind has its own module."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from edge.camera.base import Camera
from edge.camera.nodes import video_nodes
from edge.camera.settings import USUAL, CameraSettings
from edge.errors import CameraError, CameraNotFound

__all__ = ["Camera", "CameraSettings", "is_device", "is_stored", "open_camera"]

_log = logging.getLogger(__name__)
_NUMBERED = re.compile(r"(picamera2|csi|genicam)(?::(\d+))?")


def is_device(source: str | None) -> bool:
    """Whether ``source`` names what may be unplugged and come back, not the simulated scope or stored frames."""
    if source is None or _NUMBERED.fullmatch(source):
        return True
    return source.isdecimal() or source.startswith("/dev/")


def is_stored(source: str | None) -> bool:
    """Whether ``source`` names stored frames. So does a path that may not be looked at: opening it says why not."""
    if not source or source == "sim" or is_device(source):
        return False
    try:
        return Path(source).exists()
    except OSError:
        return True


def open_camera(source: str | None, settings: CameraSettings = USUAL, *, seed: int = 0) -> Camera:
    """The frame source that ``source`` names.

    ``sim`` (seeded with ``seed``), ``picamera2``, ``csi`` (Jetson) or ``genicam``, each with ``:1`` for the second
    camera and so on, ``/dev/videoN`` or its number, a folder of pictures, a picture or a video file; None: the first
    that answers, picamera2 before ``/dev/video*``.
    Of ``settings`` exposure, gain and size go to cameras that have such controls. Raises ``CameraNotFound`` or
    ``CameraTimeout``, ``FrameError`` for a folder or file that holds no frames, ``ConfigError`` for a setting that is
    out of the camera's bounds.
    """
    # Each import waits until it is needed: `import edge` and --help stay fast, and no source needs another's library.
    if source is None:
        return _first_that_answers(settings)
    if source == "sim":
        from edge.camera.simulated import SimulatedCamera

        return SimulatedCamera(seed=seed, um_per_px=settings.um_per_px)
    if is_device(source):
        return _open_device(source, settings)
    if is_stored(source):
        from edge.camera.files import FolderCamera

        return FolderCamera(Path(source), um_per_px=settings.um_per_px)
    raise CameraNotFound(
        f"expected --camera sim, picamera2, csi, genicam (or :1 behind it), /dev/videoN, a folder or a file; got "
        f"{source!r}, "
        "which is none of them"
    )


def _open_device(source: str, settings: CameraSettings) -> Camera:
    numbered = _NUMBERED.fullmatch(source)
    if numbered is not None:
        kind, number = numbered[1], int(numbered[2] or 0)
        if kind == "picamera2":
            from edge.camera.picamera import open_picamera2

            return open_picamera2(settings, number)
        if kind == "csi":
            from edge.camera.csi import open_csi

            return open_csi(settings, number)
        from edge.camera.genicam import open_genicam

        return open_genicam(settings, number)
    from edge.camera.v4l2 import open_v4l2

    path = Path(f"/dev/video{int(source)}" if source.isdecimal() else source)
    return open_v4l2(path, settings)


def _first_that_answers(settings: CameraSettings) -> Camera:
    devices = video_nodes()
    for source in ("picamera2", *map(str, devices)):
        try:
            return open_camera(source, settings)
        except CameraError as why:
            _log.info("%s", why)
    raise CameraNotFound(
        f"no camera answers (tried picamera2 and {len(devices)} /dev/video devices); connect one, name one with "
        "--camera SOURCE, or look at the simulated scope: --camera sim"
    )
