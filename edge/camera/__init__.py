"""Where frames come from. ``open_camera`` turns a name into a running source; each kind has its own module."""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path

from edge.camera.base import Camera
from edge.errors import CameraError, CameraNotFound, ConfigError
from edge.records import NOMINAL_UM_PER_PX

__all__ = ["Camera", "is_device", "open_camera"]

_log = logging.getLogger(__name__)


def is_device(source: str | None) -> bool:
    """Whether ``source`` names what may be unplugged and come back, not the simulated scope or stored frames."""
    if source is None or source in ("picamera2", "csi", "genicam"):
        return True
    return source.isdecimal() or source.startswith("/dev/")


def open_camera(
    source: str | None,
    *,
    um_per_px: float = NOMINAL_UM_PER_PX,
    exposure_us: int | None = None,
    gain: float | None = None,
    seed: int = 0,
) -> Camera:
    """The frame source that ``source`` names.

    ``sim`` (seeded with ``seed``), ``picamera2``, ``/dev/videoN`` or its number, ``csi`` (Jetson), ``genicam``, a
    folder of pictures, a picture or a video file; None: the first that answers, picamera2 before ``/dev/video*``.
    ``exposure_us`` and ``gain`` go to cameras that have such controls. Raises ``CameraNotFound`` or ``CameraTimeout``,
    ``FrameError`` for a folder or file that holds no frames, ``ConfigError`` for a setting that is out of bounds.
    """
    # Each import waits until it is needed: `import edge` and --help stay fast, and no source needs another's library.
    if (exposure_us is not None and exposure_us <= 0) or (gain is not None and not 0 <= gain < math.inf):
        raise ConfigError(f"expected exposure_us > 0 and gain >= 0, got exposure_us {exposure_us} and gain {gain}")
    if source is None:
        return _first_that_answers(um_per_px, exposure_us, gain)
    if source == "sim":
        from edge.camera.simulated import SimulatedCamera

        return SimulatedCamera(seed=seed, um_per_px=um_per_px)
    if is_device(source):
        return _open_device(source, um_per_px, exposure_us, gain)
    path = Path(source)
    if source and path.exists():
        from edge.camera.files import FolderCamera

        return FolderCamera(path, um_per_px=um_per_px)
    raise CameraNotFound(
        f"expected --camera sim, picamera2, /dev/videoN, csi, genicam, a folder or a file; got {source!r}, "
        "which is none of them"
    )


def _open_device(source: str, um_per_px: float, exposure_us: int | None, gain: float | None) -> Camera:
    if source == "picamera2":
        from edge.camera.picamera import open_picamera2

        return open_picamera2(um_per_px=um_per_px, exposure_us=exposure_us, gain=gain)
    if source == "csi":
        from edge.camera.csi import open_csi

        return open_csi(um_per_px=um_per_px, exposure_us=exposure_us, gain=gain)
    if source == "genicam":
        from edge.camera.genicam import open_genicam

        return open_genicam(um_per_px=um_per_px, exposure_us=exposure_us, gain=gain)
    from edge.camera.v4l2 import open_v4l2

    path = Path(f"/dev/video{int(source)}" if source.isdecimal() else source)
    return open_v4l2(path, um_per_px=um_per_px, exposure_us=exposure_us, gain=gain)


def _first_that_answers(um_per_px: float, exposure_us: int | None, gain: float | None) -> Camera:
    devices = sorted(
        (path for path in Path("/dev").glob("video*") if re.fullmatch(r"video\d+", path.name)),
        key=lambda path: int(path.name.removeprefix("video")),
    )
    for source in ("picamera2", *map(str, devices)):
        try:
            return open_camera(source, um_per_px=um_per_px, exposure_us=exposure_us, gain=gain)
        except CameraError as why:
            _log.info("%s", why)
    raise CameraNotFound(
        f"no camera answers (tried picamera2 and {len(devices)} /dev/video devices); connect one, name one with "
        "--camera SOURCE, or look at the simulated scope: --camera sim"
    )
