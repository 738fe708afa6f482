"""Industrial cameras (GigE Vision, USB3 Vision) through GenICam: harvesters and the vendor's GenTL producer (.cti)."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edge.camera.reader import DeviceCamera
from edge.camera.settings import USUAL, CameraSettings
from edge.errors import CameraLost, CameraNotFound, CameraTimeout, ConfigError
from edge.records import UInt8Array
from edge.text import one_line

PRODUCERS_VARIABLE = "GENICAM_GENTL64_PATH"
"""Folders of producers, as the vendors' installers set it (GenICam GenTL standard)."""

_MEND = "in the project's folder: pip install -e '.[genicam]', and install the camera vendor's GenTL producer"
FRAME_S = 3.0
"""A frame must come within this time."""
_log = logging.getLogger(__name__)


def producers() -> tuple[Path, ...]:
    """Every .cti file in the folders of ``GENICAM_GENTL64_PATH``."""
    folders = filter(None, os.environ.get(PRODUCERS_VARIABLE, "").split(os.pathsep))
    return tuple(path for folder in folders for path in sorted(Path(folder).glob("*.cti")))


class GenicamDevice:
    """Camera number ``number`` of the producers found. Exposure and gain go to ExposureTime and Gain. The size in
    ``settings`` is not used: on these cameras it would cut the picture, not scale it, and the vendor's tool sets it."""

    def __init__(self, number: int = 0, settings: CameraSettings = USUAL) -> None:
        self.name = f"genicam:{number}" if number else "genicam"
        self._number = number
        self._settings = settings
        self._harvester: Any = None
        self._camera: Any = None

    def open(self) -> None:
        try:
            from harvesters.core import Harvester
        except ImportError as why:
            raise CameraNotFound(f"{self.name}: cannot be used ({why}); {_MEND}") from why
        found = producers()
        if not found:
            raise CameraNotFound(f"{self.name}: expected GenTL producers in ${PRODUCERS_VARIABLE}, found none; {_MEND}")
        self._harvester = Harvester()
        for path in found:
            self._harvester.add_file(str(path))
        self._harvester.update()
        cameras = self._harvester.device_info_list
        if self._number >= len(cameras):
            raise CameraNotFound(
                f"{self.name}: expected camera {self._number}, found {len(cameras)}; check cable and power, and that "
                "no other program holds it"
            )
        self._camera = self._harvester.create(self._number)
        nodes = self._camera.remote_device.node_map
        self._set(nodes, "PixelFormat", "Mono8")
        if self._settings.exposure_us is not None:
            self._set(nodes, "ExposureAuto", "Off")
            self._set(nodes, "ExposureTime", float(self._settings.exposure_us))
        if self._settings.gain is not None:
            self._set(nodes, "GainAuto", "Off")
            self._set(nodes, "Gain", self._settings.gain)
        # As few as the producer bears: what waits is old.
        self._camera.num_buffers = max(2, self._camera.min_num_buffers)
        self._camera.start()

    def read(self) -> UInt8Array:
        try:
            buffer = self._camera.fetch(timeout=FRAME_S)
        except Exception as why:
            if type(why).__name__ == "TimeoutException":  # of genicam.gentl, which is imported with harvesters alone
                raise CameraTimeout(
                    f"{self.name}: expected a frame within {FRAME_S:g} s, none came; check cable and trigger"
                ) from why
            raise CameraLost(f"{self.name}: the camera failed ({one_line(why)}); reconnect it") from why
        if buffer is None:
            raise CameraTimeout(f"{self.name}: the camera gave an empty buffer; check cable and trigger")
        with buffer:
            part = buffer.payload.components[0]
            if part.data_format != "Mono8":
                raise ConfigError(f"{self.name}: expected Mono8 pictures, got {part.data_format}; set it in its tool")
            # A copy, as the buffer goes back to the driver, which writes the next frame into it; and without what some
            # cameras fill rows up with.
            return np.array(part.represent_pixel_location()[: part.height, : part.width], np.uint8)

    def close(self) -> None:
        # Each, although the one before failed, as stop does once the camera was pulled: a producer that stays open does
        # not find it again.
        if self._camera is not None:
            with suppress(Exception):
                self._camera.stop()
            with suppress(Exception):
                self._camera.destroy()
            self._camera = None
        if self._harvester is not None:
            with suppress(Exception):
                self._harvester.reset()
            self._harvester = None

    def _set(self, nodes: Any, name: str, value: Any) -> None:
        """Sets a feature that the camera has and lets be set; a value beyond its bounds is a ``ConfigError``."""
        try:
            node = getattr(nodes, name)
            if node.value != value:  # what it is anyway need not be settable
                _write(node, value)
        except Exception as why:
            if type(why).__name__ in ("AttributeError", "AccessException"):  # the latter of genicam.genapi
                _log.warning("%s: this camera has no %s that can be set; left as it is", self.name, name)
                return
            raise ConfigError(f"{self.name}: the camera does not take {name} {value} ({one_line(why)})") from why


def _write(node: Any, value: Any) -> None:
    try:
        node.value = value
    except TypeError:  # a feature in whole numbers
        node.value = round(value)


def open_genicam(settings: CameraSettings = USUAL, number: int = 0) -> DeviceCamera:
    """Camera ``number``, running. Raises ``CameraNotFound``, ``CameraTimeout`` or ``ConfigError``."""
    device = GenicamDevice(number, settings)
    return DeviceCamera(device, um_per_px=settings.um_per_px, timeout_s=10.0, read_s=FRAME_S)
