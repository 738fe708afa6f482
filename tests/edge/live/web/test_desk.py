"""The desk without a server: which case it captures into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.cases.store import CaseStore
from edge.errors import EditRefused
from edge.live.stage import Stage
from edge.live.watch import Watch
from edge.live.web.desk import Desk
from edge.live.web.hub import Hub
from edge.live.web.metrics import Metrics
from edge.records import Cell, Frame
from tests.edge.live.web.serving import Clock, SameAgain, Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as started:
        yield started


def test_a_stray_blank_in_the_cases_name_is_harmless(served: Served) -> None:
    desk = Desk(served.store, "S24-117 ", served.hub, SameAgain(served.hub))
    served.show()
    assert desk.capture("kim")["case"] == "S24-117"
    served.move_on()
    assert desk.capture("kim")["number"] == 2


def test_a_speck_that_only_live_labels_took_for_a_chromosome_is_no_cell(served: Served) -> None:
    class Thorough(SameAgain):
        def label(self, frame: Frame) -> Cell:
            return replace(super().label(frame), chromosomes=())

    served.show()
    desk = Desk(served.store, "S24-1", served.hub, Thorough(served.hub))
    with pytest.raises(EditRefused, match="no chromosome under the lens"):
        desk.capture("kim")
    assert served.store.cases() == ()


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101])
def test_a_name_that_cannot_be_one_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    hub = Hub(Stage(), Watch(Clock()), Metrics())
    with CaseStore(tmp_path) as store, pytest.raises(EditRefused, match="1 to 100 printable"):
        Desk(store, name, hub, SameAgain(hub))


def test_the_case_that_was_open_is_open_after_a_restart(served: Served) -> None:
    desk = Desk(served.store, None, served.hub, SameAgain(served.hub), lambda: "2026-01-02")
    desk.open("S24-117", "kim")
    again = Desk(served.store, None, served.hub, SameAgain(served.hub), lambda: "2026-01-03")
    assert again.name == "S24-117"
    again.open("2026-01-03", "kim")
    assert Desk(served.store, None, served.hub, SameAgain(served.hub), lambda: "2026-01-04").name == "2026-01-04"


def test_a_case_opened_after_the_stated_one_is_open_again_after_a_restart(served: Served) -> None:
    def desk(case: str | None = "S24-1", place: str = "") -> Desk:
        return Desk(served.store, case, served.hub, SameAgain(served.hub), lambda: "2026-01-02", place=place)

    desk().open("S24-2", "kim")
    assert desk().name == "S24-2"
    assert desk("S24-3").name == "S24-3"  # asked for on purpose
    assert desk(None).name == "2026-01-02"
    assert desk(place=".8766").name == "S24-1"  # another microscope of the same machine
    desk().open("2026-01-02", "kim")
    assert desk().name == "2026-01-02"  # that of the day was opened, too: the next cell is none of S24-1
