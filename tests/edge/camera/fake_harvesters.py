"""harvesters as far as it is used: the same names, arguments and order of calls, checked as it checks them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np


class TimeoutException(Exception):
    """genicam.gentl's."""


class Node:
    def __init__(self, value: object, high: float = float("inf")) -> None:
        self._value, self._high = value, high

    @property
    def value(self) -> object:
        return self._value

    @value.setter
    def value(self, value: object) -> None:
        if isinstance(value, float) and value > self._high:
            raise RuntimeError(f"OutOfRangeException: {value} > {self._high}")
        self._value = value


class Buffer:
    def __init__(self, pixels: np.ndarray, form: str) -> None:
        height, width = pixels.shape
        part = SimpleNamespace(data=pixels.reshape(-1), width=width, height=height, data_format=form)
        self.payload = SimpleNamespace(components=[part])
        self.queued = False

    def __enter__(self) -> Buffer:
        return self

    def __exit__(self, *_: object) -> None:
        self.payload.components[0].data[:] = 0  # the driver writes into it again
        self.queued = True


class ImageAcquirer:
    least = 1
    """Buffers that the producer wants announced, or harvesters' 3 where it does not say."""

    number = 0

    def __init__(self, script: list[Any], form: str) -> None:
        nodes = {"PixelFormat": Node("BayerRG8"), "ExposureTime": Node(1000.0, 1e6), "ExposureAuto": Node("Continuous")}
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
        return Buffer(np.array(step), self._form)

    def stop(self) -> None:
        self.running = False

    def destroy(self) -> None:
        assert not self.running
        self.destroyed = True


class Harvester:
    script: list[Any] = []  # noqa: RUF012
    cameras = 1
    form = "Mono8"
    made: list[ImageAcquirer] = []  # noqa: RUF012

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
        self.made.append(ImageAcquirer(list(self.script), self.form))
        self.made[-1].number = search_key
        return self.made[-1]

    def reset(self) -> None:
        assert all(camera.destroyed for camera in self.made)
