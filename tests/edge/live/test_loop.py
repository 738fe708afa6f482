"""The newest frame is labelled, nothing piles up, and every way out closes the camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from edge.camera.base import Camera
from edge.errors import CameraLost, SinkError
from edge.live import loop
from edge.live.loop import Mailbox, run
from edge.records import Cell, Frame
from tests.builders import make_cell, make_frame


class FewFrames:
    """A camera that gives ``count`` frames, ``pause_s`` apart, then ends or fails."""

    name = "few"

    def __init__(self, count: int, *, pause_s: float = 0.0, error: Exception | None = None) -> None:
        self._count, self._pause_s, self._error = count, pause_s, error
        self.closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        for index in range(self._count):
            if self.closed.wait(self._pause_s):
                return
            yield make_frame(index=index)
        if self._error:
            raise self._error

    def close(self) -> None:
        self.closed.set()


class Kept:
    """A sink that keeps the indices of its frames."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def put(self, frame: Frame, cell: Cell) -> None:
        self.seen.append(frame.index)

    def close(self) -> None:
        pass


def quick(frame: Frame) -> Cell:
    return make_cell([])


def slow(frame: Frame) -> Cell:
    time.sleep(0.05)
    return make_cell([])


def camera_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "camera"]


def test_every_frame_in_order() -> None:
    kept, camera = Kept(), FewFrames(20)
    run(camera, quick, [kept], every_frame=True)
    assert kept.seen == list(range(20))
    assert camera.closed.is_set()


def test_a_slow_labeller_gets_the_newest_frame_and_the_last_one() -> None:
    kept = Kept()
    run(FewFrames(40, pause_s=0.005), slow, [kept])
    assert kept.seen == sorted(set(kept.seen))
    assert kept.seen[-1] == 39
    assert len(kept.seen) < 20


def test_the_label_is_of_a_frame_no_older_than_the_camera_s_last() -> None:
    """The frame taken after a long stall is the newest, not the one that waited first."""
    mailbox = Mailbox()
    for index in range(5):
        mailbox.put(make_frame(index=index))
    taken = mailbox.take()
    assert taken is not None
    assert taken.index == 4


@pytest.mark.parametrize(("ages_s", "taken"), [((0.085, 0.04), 2), ((2.0, 0.5), 1), ((0.05, 0.04), 1)])
def test_a_frame_is_passed_over_for_one_that_is_about_to_come(
    ages_s: tuple[float, float], taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Due in 5 ms, in a second, and 30 ms ago: then it is not waited for."""
    clock_s = 100.0
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock_s))
    monkeypatch.setattr(loop, "NEXT_S", 0.01)
    mailbox = Mailbox()
    for index, age_s in enumerate(ages_s):
        mailbox.put(replace(make_frame(index=index), captured_s=clock_s - age_s))
    waiting = mailbox._changed.wait

    def comes(timeout: float) -> bool:
        mailbox.put(replace(make_frame(index=2), captured_s=clock_s))
        return waiting(0)

    monkeypatch.setattr(mailbox._changed, "wait", comes)
    frame = mailbox.take()
    assert frame is not None
    assert frame.index == taken


def test_who_waits_is_woken_by_the_frame() -> None:
    """Not when it looks for Ctrl-C the next time, which is 0.2 s after it began to wait."""
    waits_s = []
    for index in range(5):
        mailbox = Mailbox()
        threading.Timer(0.02, mailbox.put, [make_frame(index=index)]).start()
        began_s = time.monotonic()
        assert mailbox.take() is not None
        waits_s.append(time.monotonic() - began_s)
    assert min(waits_s) < 0.18


@pytest.mark.parametrize("every_frame", [True, False])
def test_max_frames_ends_an_endless_camera(every_frame: bool) -> None:
    kept, camera = Kept(), FewFrames(10**6, pause_s=0.001)
    run(camera, quick, [kept], every_frame=every_frame, max_frames=3)
    assert len(kept.seen) == 3
    assert camera.closed.is_set()
    assert camera_threads() == []


@pytest.mark.parametrize("every_frame", [True, False])
def test_a_lost_camera_is_raised_after_its_last_frame(every_frame: bool) -> None:
    kept = Kept()
    with pytest.raises(CameraLost, match="unplugged"):
        run(FewFrames(1, error=CameraLost("unplugged")), quick, [kept], every_frame=every_frame)
    assert kept.seen == [0]


@pytest.mark.parametrize("every_frame", [True, False])
@pytest.mark.parametrize("failure", [SinkError("full"), KeyboardInterrupt()])
def test_whatever_stops_the_loop_closes_the_camera(every_frame: bool, failure: BaseException) -> None:
    class Broken(Kept):
        def put(self, frame: Frame, cell: Cell) -> None:
            raise failure

    camera = FewFrames(10**6, pause_s=0.001)
    with pytest.raises(type(failure)):
        run(camera, quick, [Broken()], every_frame=every_frame)
    assert camera.closed.is_set()
    assert camera_threads() == []


@pytest.mark.parametrize("every_frame", [True, False])
def test_a_camera_without_a_frame(every_frame: bool) -> None:
    kept = Kept()
    run(FewFrames(0), quick, [kept], every_frame=every_frame)
    assert kept.seen == []


def test_the_first_end_of_a_mailbox_counts() -> None:
    mailbox = Mailbox()
    mailbox.end()
    mailbox.end(CameraLost("too late"))
    assert mailbox.take() is None


def test_the_test_camera_is_a_camera() -> None:
    camera: Camera = FewFrames(1)
    assert camera.name == "few"
