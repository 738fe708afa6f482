"""A frozen, lost or late camera is named within a second, and is forgiven when it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from edge.camera.base import Camera
from edge.errors import CameraLost, CameraNotFound, ChromoError
from edge.live.watch import Watch, WatchedCamera
from edge.records import Frame
from tests.builders import make_frame


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def frame(clock: Clock, level: int, *, age_s: float = 0.0) -> Frame:
    seen = replace(make_frame(level=level), captured_s=clock.now_s - age_s)
    seen.pixels[100:150, 100:110] = 60  # something is under the lens
    return seen


def running(clock: Clock) -> Watch:
    watch = Watch(clock)
    for level in (200, 201):
        clock.now_s += 0.1
        watch.seen(frame(clock, level))
    return watch


def test_a_sound_camera_has_no_fault() -> None:
    assert running(Clock()).fault == ""


def test_before_the_first_frame_it_says_so() -> None:
    watch = Watch(Clock())
    assert "waiting" in watch.fault
    watch.lost(CameraNotFound("no camera answers"))
    assert watch.fault == "No camera: no camera answers"


def test_a_late_camera_is_named_within_a_second() -> None:
    clock = Clock()
    watch = running(clock)
    clock.now_s += 0.8
    assert watch.fault.startswith("Camera late")
    watch.seen(frame(clock, 202))
    assert watch.fault == ""


def test_long_exposures_are_not_late() -> None:
    clock = Clock()
    watch = Watch(clock)
    for level in range(200, 204):
        watch.seen(frame(clock, level))
        clock.now_s += 2.0
    assert watch.fault == ""
    clock.now_s += 1.1
    assert watch.fault.startswith("Camera late: no picture for 3 s")
    watch.seen(frame(clock, 204))
    assert watch.fault == ""


def test_one_long_gap_makes_no_slow_camera() -> None:
    clock = Clock()
    watch = running(clock)
    clock.now_s += 5.0
    watch.seen(frame(clock, 202))
    clock.now_s += 0.8
    assert watch.fault.startswith("Camera late")


def test_a_camera_that_is_back_is_measured_anew() -> None:
    clock = Clock()
    watch = running(clock)
    watch.lost(CameraLost("unplugged"))
    clock.now_s += 30.0
    for level in (202, 203):
        watch.seen(frame(clock, level))
        clock.now_s += 0.1
    clock.now_s += 0.7
    assert watch.fault.startswith("Camera late")
    watch.lost(CameraLost("unplugged"))
    for level in (204, 205):  # back with a longer exposure
        watch.seen(frame(clock, level))
        clock.now_s += 2.0
    assert watch.fault == ""


def test_a_frozen_camera_keeps_coming_with_the_same_picture() -> None:
    clock = Clock()
    watch = running(clock)
    for _ in range(8):
        clock.now_s += 0.1
        watch.seen(frame(clock, 201))
    assert watch.fault.startswith("Camera frozen")
    watch.seen(frame(clock, 190))
    assert watch.fault == ""


@pytest.mark.parametrize("level", [0, 255])
def test_a_field_without_light_or_with_far_too_much_is_live(level: int) -> None:
    """Every picture is the same then; nobody should look for the camera's fault where the lamp is to be turned."""
    clock = Clock()
    watch = running(clock)
    for _ in range(20):
        clock.now_s += 0.1
        watch.seen(replace(make_frame(level=level), captured_s=clock.now_s))
        assert watch.fault == ""


def test_pictures_that_come_in_time_but_are_old() -> None:
    clock = Clock()
    watch = running(clock)
    watch.seen(frame(clock, 202, age_s=2.5))
    assert "2.5 s old" in watch.fault


def test_what_a_picture_waited_for_counts() -> None:
    """Half a second on its way and 0.3 s on the screen: older than it may be."""
    clock = Clock()
    watch = running(clock)
    watch.seen(frame(clock, 202, age_s=0.5))
    assert watch.fault == ""
    clock.now_s += 0.3
    assert watch.fault.startswith("Camera late: no picture")


def test_a_lost_camera_says_why() -> None:
    watch = running(Clock())
    watch.lost(CameraLost("no frame\nany more"))
    assert watch.fault == "Camera lost: no frame any more"


class Breaks:
    """A camera that gives ``count`` frames, then fails or ends."""

    name = "breaks"

    def __init__(self, count: int, error: ChromoError | None) -> None:
        self._count, self._error = count, error
        self.closed = False

    def frames(self) -> Iterator[Frame]:
        for k in range(self._count):
            yield replace(make_frame(index=k), pixels=np.full((4, 4), k, np.uint8))
        if self._error:
            raise self._error

    def close(self) -> None:
        self.closed = True


class Seen:
    def __init__(self) -> None:
        self.events: list[object] = []

    def show(self, frame: Frame) -> None:
        self.events.append(frame.index)

    def lost(self, why: ChromoError) -> None:
        self.events.append(str(why))


def test_a_lost_camera_is_opened_again_and_frames_are_numbered_on(caplog: pytest.LogCaptureFixture) -> None:
    first = Breaks(2, CameraLost("unplugged"))
    answers: list[Camera | ChromoError] = [CameraNotFound("not yet"), CameraNotFound("not yet"), Breaks(2, None)]

    def reopen() -> Camera:
        answer = answers.pop(0)
        if isinstance(answer, ChromoError):
            raise answer
        return answer

    seen = Seen()
    camera = WatchedCamera(first, reopen, seen, retry_s=0.001)
    assert [f.index for f in camera.frames()] == [0, 1, 2, 3]
    assert seen.events == [0, 1, "unplugged", "not yet", "not yet", 2, 3]
    assert first.closed
    assert caplog.messages == [
        "unplugged; waiting for it",
        "not yet; waiting for it",
        "the camera gives frames again",
    ]


def test_closing_ends_the_wait_for_a_lost_camera() -> None:
    camera = WatchedCamera(Breaks(1, CameraLost("unplugged")), lambda: Breaks(1, None), Seen(), retry_s=60)
    frames = camera.frames()
    next(frames)
    camera.close()
    assert list(frames) == []


def test_closing_closes_the_camera() -> None:
    sound = Breaks(1, None)
    WatchedCamera(sound, lambda: sound, Seen()).close()
    assert sound.closed


def test_a_camera_that_opens_while_all_is_closed_is_closed_too() -> None:
    late = Breaks(1, None)

    def reopen() -> Camera:
        camera.close()
        return late

    camera = WatchedCamera(Breaks(1, CameraLost("unplugged")), reopen, Seen(), retry_s=0.001)
    assert [f.index for f in camera.frames()] == [0]
    assert late.closed
