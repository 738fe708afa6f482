"""harvesters as far as it is used: the same names, arguments and order of calls, checked as it checks them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


class TimeoutException(Exception):
    """genicam.gentl's."""


class AccessException(Exception):
    """genicam.genapi's."""


class Node:
    """A feature; ``locked`` can be read and not set, ``whole`` takes whole numbers alone."""

    def __init__(self, value: object, high: float = float("inf"), *, locked: bool = False, whole: bool = False) -> None:
        self._value, self._high, self._locked, self._whole = value, high, locked, whole

    @property
    def value(self) -> object:
        return self._value

    @value.setter
    def value(self, value: object) -> None:
        if self._locked:
            raise AccessException("Node is not writable")
        if self._whole and not isinstance(value, int):
            raise TypeError("Wrong number or type of arguments for overloaded function 'IInteger__primary_set_value'")
        if isinstance(value, int | float) and value > self._high:
            raise RuntimeError(f"OutOfRangeException: {value} > {self._high}")
        self._value = value


class Missing:
    """A feature that is listed, but that the camera does not have: it cannot be read either."""

    @property
    def value(self) -> object:
        raise AccessException("Node is not readable")


class Component2DImage:
    """``rows``: as they come, of which the last ``padding`` bytes are no pixels."""

    def __init__(self, rows: np.ndarray, form: str, padding: int) -> None:
        self._rows, self._form, self._padding = rows, form, padding

    @property
    def data(self) -> np.ndarray:
        return self._rows.reshape(-1)

    @property
    def width(self) -> int:
        return self._rows.shape[1] - self._padding

    @property
    def height(self) -> int:
        return self._rows.shape[0]

    @property
    def data_format(self) -> str:
        return self._form

    def represent_pixel_location(self) -> np.ndarray:
        return self._rows


class Buffer:
    def __init__(self, rows: np.ndarray, form: str, padding: int) -> None:
        self.payload = SimpleNamespace(components=[Component2DImage(rows, form, padding)])
        self.queued = False

    def __enter__(self) -> Buffer:
        return self

    def __exit__(self, *_: object) -> None:
        self.payload.components[0].data[:] = 0  # the driver writes into it again
        self.queued = True


class ImageAcquirer:
    least = 1
    """Buffers that the producer wants announced, or harvesters' 3 where it does not say."""

    padding = 0
    """Bytes that each row is filled up with."""
    pulled = False
    number = 0

    def __init__(self, script: list[Any], form: str, nodes: dict[str, Node | Missing]) -> None:
        self.remote_device = SimpleNamespace(node_map=SimpleNamespace(**nodes))
        self._num_buffers = max(3, self.least)
        self.running = self.destroyed = False
        self._script, self._form = script, form

    @property
    def min_num_buffers(self) -> int:
        return self.least

    @property
    def num_buffers(self) -> int:
        return self._num_buffers

    @num_buffers.setter
    def num_buffers(self, value: int) -> None:
        if value < self.least:
            raise ValueError(f"The number of buffers must be greater than or equal to {self.least}")
        self._num_buffers = value

    def start(self) -> None:
        self.running = True

    def fetch(self, *, timeout: float = 0) -> Buffer:
        assert self.running
        assert timeout > 0
        step = self._script.pop(0) if self._script else TimeoutException("nothing")
        if isinstance(step, Exception):
            raise step
        return Buffer(np.pad(step, ((0, 0), (0, self.padding)), constant_values=99), self._form, self.padding)

    def stop(self) -> None:
        if self.pulled:
            raise RuntimeError("InvalidHandleException")
        self.running = False

    def destroy(self) -> None:
        assert self.pulled or not self.running
        self.destroyed = True


class Harvester:
    script: list[Any] = []  # noqa: RUF012
    cameras = 1
    form = "Mono8"
    nodes: dict[str, Node | Missing] = {}  # noqa: RUF012
    """Other features than usual."""
    made: list[ImageAcquirer] = []  # noqa: RUF012
    resets = 0

    def __init__(self) -> None:
        self.files: list[str] = []
        self.device_info_list: list[object] = []

    def add_file(self, file_path: str) -> None:
        self.files.append(file_path)

    def update(self) -> None:
        assert self.files
        self.device_info_list = [object()] * self.cameras

    def create(self, search_key: int) -> ImageAcquirer:
        assert search_key < len(self.device_info_list)
        usual = {"PixelFormat": Node("BayerRG8"), "ExposureTime": Node(1000.0, 1e6), "ExposureAuto": Node("Continuous")}
        self.made.append(ImageAcquirer(list(self.script), self.form, usual | self.nodes))
        self.made[-1].number = search_key
        return self.made[-1]

    def reset(self) -> None:
        assert all(camera.destroyed for camera in self.made)
        type(self).resets += 1
