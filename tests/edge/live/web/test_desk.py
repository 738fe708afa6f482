"""The desk without a server: which case it captures into."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.cases.store import CaseStore
from edge.errors import CapturedBefore, EditRefused, StoreError
from edge.live.stage import Stage
from edge.live.watch import Watch
from edge.live.web.desk import Desk
from edge.live.web.hub import Hub
from edge.live.web.memory import Memory
from edge.live.web.metrics import Metrics
from edge.records import Cell, Frame
from tests.edge.cases.older import unchecked
from tests.edge.disks import full
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


def test_a_case_is_found_however_its_umlaut_was_typed(served: Served) -> None:
    typed = unicodedata.normalize("NFD", "24 Müller")
    desk = Desk(served.store, typed, served.hub, SameAgain(served.hub))
    served.show()
    kept = desk.capture(typed, shown=typed)
    assert kept["case"] == desk.name == "24 Müller"
    done = desk.edit(kept["id"], {"edit": "flip", "chromosome": 0}, based_on=0, actor=typed)
    assert (done["can_undo"], done["seen"]) == (True, True)


def test_a_case_of_an_earlier_version_is_open_under_its_name(served: Served) -> None:
    with unchecked():
        older = served.store.new_case(unicodedata.normalize("NFD", "24 Müller"), "kim").name
    desk = Desk(served.store, "24 Müller", served.hub, SameAgain(served.hub))
    assert desk.name == desk.open("24 Müller", "kim")["name"] == older


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


class Start:
    """A desk of a run that has just started in ``served``'s store."""

    def __init__(
        self,
        served: Served,
        case: str | None = None,
        place: int | str | None = None,
        day: str = "2026-01-02",
        *,
        meant: bool = False,
    ) -> None:
        self._memory = Memory(served.store.path.parent, place, meant=meant)
        self._desk = Desk(served.store, case, served.hub, SameAgain(served.hub), lambda: day, memory=self._memory)

    def __enter__(self) -> Desk:
        return self._desk

    def __exit__(self, *_: object) -> None:
        self._memory.close()


def name_after(*words: Any, **more: Any) -> str:
    with Start(*words, **more) as desk:
        return desk.name


def test_the_case_that_was_open_is_open_after_a_restart(served: Served) -> None:
    with Start(served) as desk:
        desk.open("S24-117", "kim")
    with Start(served, day="2026-01-03") as again:
        assert again.name == "S24-117"
        again.open("2026-01-03", "kim")
    assert name_after(served, day="2026-01-04") == "2026-01-04"


def test_a_case_opened_after_the_stated_one_is_open_again_after_a_restart(served: Served) -> None:
    with Start(served, "S24-1") as desk:
        desk.open("S24-2", "kim")
    assert name_after(served, "S24-1") == "S24-2"
    assert name_after(served, "S24-3") == "S24-3"  # asked for on purpose
    assert name_after(served) == "2026-01-02"
    assert name_after(served, "S24-1", 8766) == "S24-1"  # another microscope of the same machine
    with Start(served, "S24-1") as desk:
        desk.open("2026-01-02", "kim")
    # That of the day was opened, too: the next cell is none of S24-1.
    assert name_after(served, "S24-1") == "2026-01-02"


def test_who_names_a_case_for_this_start_means_that_one(served: Served) -> None:
    with Start(served, "S24-1") as desk:
        desk.open("S24-2", "kim")
    assert name_after(served, "S24-1", meant=True) == "S24-1"
    assert name_after(served, "S24-1") == "S24-1"  # nor does the old one come back
    with Start(served, "S24-1", meant=True) as desk:
        desk.open("S24-2", "kim")
    assert name_after(served, "S24-1") == "S24-2"


def test_two_runs_in_one_place_do_not_share_what_is_open(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with Start(served) as first:
        first.open("S24-1", "kim")
        with Start(served) as second:
            assert second.name == "2026-01-02"
            second.open("S24-2", "lee")
            second.open("S24-3", "lee")
        assert [message[:40] for message in caplog.messages] == ["another run on this machine remembers its"[:40]]
        with Start(served, place=8766) as elsewhere:
            elsewhere.open("S24-4", "lee")
        with Start(served, place="/dev/video1") as camera:
            camera.open("S24-5", "lee")
    assert name_after(served) == "S24-1"
    assert name_after(served, place=8766) == "S24-4"
    assert name_after(served, place="/dev/video1") == "S24-5"
    assert name_after(served, place="/dev/video2") == "2026-01-02"


def test_the_open_case_is_known_while_the_stores_disk_takes_nothing(served: Served) -> None:
    with Start(served) as desk:
        desk.open("S24-117", "kim")
    folder = served.store.path.parent
    with full(), CaseStore(folder, waits=True) as store:
        memory = Memory(folder)
        assert Desk(store, None, served.hub, SameAgain(served.hub), memory=memory).name == "S24-117"
        memory.close()


def test_another_run_captures_the_same_field_while_this_one_reads_it(served: Served) -> None:
    class Slow(SameAgain):
        def label(self, frame: Frame) -> Cell:
            with CaseStore(served.store.path.parent) as other:
                other.capture("A-1", served.frame(), served.cell(), "lee")
            return super().label(frame)

    served.store.new_case("A-1", "kim")
    desk = Desk(served.store, "A-1", served.hub, Slow(served.hub))
    served.show()
    with pytest.raises(CapturedBefore, match="it is cell 1 already"):
        desk.capture("kim")
    assert len(served.store.cells("A-1")) == 1


def test_another_run_makes_the_case_of_the_day_while_this_one_reads_its_first_cell(served: Served) -> None:
    class Slow(SameAgain):
        def label(self, frame: Frame) -> Cell:
            with CaseStore(served.store.path.parent) as other:
                other.new_case("A-1", "lee")
            return super().label(frame)

    served.show()
    assert Desk(served.store, "A-1", served.hub, Slow(served.hub)).capture("kim")["number"] == 1


def test_a_full_disk_refuses_an_export_before_the_work(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    monkeypatch.setattr("edge.live.web.desk.report_pdf", made.append)
    desk = Desk(served.store, "A-1", served.hub, SameAgain(served.hub))
    served.show()
    desk.capture("kim")
    with full(), pytest.raises(StoreError):
        desk.export("report", "kim")
    assert not made
