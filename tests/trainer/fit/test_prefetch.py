"""Batches come in order, from a thread that ends when the loop does."""

from __future__ import annotations

import threading
import time

import pytest

from trainer.fit.prefetch import Prefetcher


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "batches"]


def test_every_step_once_in_order() -> None:
    with Prefetcher(lambda step: step * step, 3, 40) as batches:
        assert list(batches) == [(step, step * step) for step in range(3, 40)]
    assert threads() == []


@pytest.mark.parametrize(("first", "last"), [(5, 5), (7, 5)])
def test_nothing_to_do(first: int, last: int) -> None:
    with Prefetcher(lambda step: step, first, last) as batches:
        assert list(batches) == []
    assert threads() == []


def test_an_error_reaches_the_loop_after_the_batches_before_it() -> None:
    def make(step: int) -> int:
        if step == 3:
            raise OSError("the disk is gone")
        return step

    with Prefetcher(make, 0, 10) as batches:
        steps = iter(batches)
        assert [next(steps)[0] for _ in range(3)] == [0, 1, 2]
        with pytest.raises(OSError, match="the disk is gone"):
            next(steps)
    assert threads() == []


def test_leaving_early_ends_the_thread_even_when_the_queue_is_full() -> None:
    made = []

    def make(step: int) -> int:
        made.append(step)
        return step

    with Prefetcher(make, 0, 10**6, depth=2) as batches:
        assert next(iter(batches)) == (0, 0)
        until = time.monotonic() + 5
        while len(made) < 4 and time.monotonic() < until:
            time.sleep(0.01)
    assert threads() == []
    assert len(made) <= 5  # no more than the queue holds, the one taken and the one in hand


def test_it_works_ahead_while_the_loop_is_busy() -> None:
    ready = threading.Event()

    def make(step: int) -> int:
        if step == 2:
            ready.set()
        return step

    with Prefetcher(make, 0, 5) as batches:
        steps = iter(batches)
        next(steps)
        assert ready.wait(5)  # two more were made without being asked for
        assert [step for step, _ in steps] == [1, 2, 3, 4]
