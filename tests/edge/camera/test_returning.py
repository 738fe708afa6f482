"""A camera that goes and comes back, that repeats itself, that breaks frames off: each fault twenty times."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from edge.camera import reader
from edge.camera.reader import DeviceCamera
from edge.camera.returning import ReturningCamera
from edge.errors import CameraError, CameraLost, CameraNotFound, CameraTimeout
from edge.records import UInt8Array

TRIES = 20


def noise(number: int, size: tuple[int, int] = (80, 96)) -> UInt8Array:
    return np.random.default_rng(number).integers(1, 250, size, np.uint8)


class Plugged:
    """A device that gives ``frames`` and then fails; ``frames`` are pictures, or an error to raise in their place."""

    name = "usb"

    def __init__(self, frames: Iterator[UInt8Array | CameraError]) -> None:
        self._frames = frames
        self.closed = False

    def open(self) -> None: ...

    def read(self) -> UInt8Array:
        time.sleep(0.0005)
        frame = next(self._frames, CameraLost("usb: unplugged"))
        if isinstance(frame, CameraError):
            raise frame
        return frame

    def close(self) -> None:
        self.closed = True


def test_twenty_times_unplugged_and_back() -> None:
    opened: list[Plugged] = []
    away = threading.Event()

    def reopen() -> DeviceCamera:
        if not away.is_set():
            away.set()
            raise CameraNotFound("usb: no such device")
        away.clear()
        opened.append(Plugged(noise(1000 * len(opened) + n) for n in range(40)))
        return DeviceCamera(opened[-1])

    away.set()
    camera = ReturningCamera(reopen(), reopen, first_pause_s=0.001)
    seen: list[tuple[int, bytes]] = []
    for frame in camera.frames():
        seen.append((frame.index, frame.pixels.tobytes()))
        if len(opened) > TRIES:
            camera.close()
    assert [index for index, _ in seen] == list(range(len(seen)))
    assert len({pixels for _, pixels in seen}) == len(seen)  # never an old frame
    assert all(device.closed for device in opened)
    assert threading.active_count() < 10


def test_while_it_is_away_it_says_why_once_and_can_be_closed(caplog: pytest.LogCaptureFixture) -> None:
    def never() -> DeviceCamera:
        raise CameraTimeout("usb: nothing")

    camera = ReturningCamera(DeviceCamera(Plugged(noise(n) for n in range(2))), never, first_pause_s=0.001)
    threading.Timer(0.3, camera.close).start()
    assert len(list(camera.frames())) <= 2
    said = [record.getMessage() for record in caplog.records]
    assert said == ["usb: unplugged; waiting for it", "usb: nothing; waiting for it"]


def test_twenty_times_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "FROZEN_S", 0.02)
    for number in range(TRIES):
        still = noise(number)

        def frames(still: UInt8Array = still, number: int = number) -> Iterator[UInt8Array]:
            yield noise(number + 100)
            while True:
                yield still

        camera = DeviceCamera(Plugged(frames()))
        shown: list[bytes] = []
        with pytest.raises(CameraLost, match="one picture again and again"):
            shown.extend(frame.pixels.tobytes() for frame in camera.frames())
        assert len(shown) == len(set(shown)) <= 2  # the frozen picture is shown once at most
        camera.close()


@pytest.mark.parametrize("fill", [0, 16, 128])
def test_half_frames_are_left_out(fill: int) -> None:
    def frames() -> Iterator[UInt8Array]:
        for number in range(2 * TRIES):
            picture = noise(number)
            if number % 2:
                picture[40 + number :] = fill
            yield picture

    camera = DeviceCamera(Plugged(frames()))
    seen: list[UInt8Array] = []
    with pytest.raises(CameraLost, match="unplugged"):
        seen.extend(frame.pixels for frame in camera.frames())
    assert not any((pixels[-10:] == fill).all() for pixels in seen)
    camera.close()


def test_what_only_looks_like_a_fault_is_shown() -> None:
    over = noise(0)
    over[60:] = 255  # over-exposed, as an empty field often is
    dark = np.zeros((80, 96), np.uint8)
    fresh = reader._Fresh("usb")
    assert fresh(over)
    assert fresh(dark)
    assert fresh(dark)


@pytest.mark.parametrize("ground", [0, 235, 255])  # fluorescence, over-exposed in video levels, over-exposed
@pytest.mark.parametrize("lowest", [20, 65])
def test_a_ground_without_noise_is_no_half_frame(ground: int, lowest: int) -> None:
    cell = np.full((80, 96), ground, np.uint8)
    cell[5:lowest, 20:50] = noise(0)[5:lowest, 20:50]
    assert reader._Fresh("usb")(cell)
    cell[40:] = 128  # and broken off
    assert not reader._Fresh("usb")(cell)


def test_twenty_changes_of_size() -> None:
    sizes = [(80 + n, 96 + 2 * n) for n in range(TRIES)]
    camera = DeviceCamera(Plugged(noise(n, size) for n in range(50) for size in sizes))
    seen = set()
    with pytest.raises(CameraLost):
        seen.update(frame.pixels.shape for frame in camera.frames())
    assert seen <= set(sizes)
    assert len(seen) > 1
    camera.close()
