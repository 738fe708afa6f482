"""The case store on real files: what is acknowledged stays, two people keep their edits, damage is found."""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge import disk
from edge.cases import kept, log
from edge.cases.codec import png_of
from edge.cases.edits import Accept, Draw, Exclude, Flip, Mark, Relabel, Restore, SetAside, Split, Swap, TakeBack
from edge.cases.log import Entry
from edge.cases.schema import store_errors
from edge.cases.store import CaseStore
from edge.errors import CapturedBefore, CaseNotFound, DiskFault, EditConflict, EditRefused, StoreDamaged, StoreError
from edge.records import NOMINAL_UM_PER_PX
from edge.runtime.bundle import TASKS
from tests.builders import NORMAL_FEMALE, make_cell, make_chromosome, make_frame, make_stain
from tests.edge.cases.older import unchecked
from tests.edge.cases.tampering import tamper
from tests.edge.disks import full

KILLS = 50


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> Iterator[CaseStore]:
    with CaseStore(folder) as opened:
        opened.new_case("A-1", "kim")
        yield opened


def capture(store: CaseStore, *, level: int = 220) -> int:
    return store.capture("A-1", make_frame(level=level), make_cell(review=[3]), "kim").id


def test_a_captured_cell_comes_back_whole(store: CaseStore, folder: Path) -> None:
    frame, cell = make_frame(level=97, source="métaphase 1.png"), make_cell(review=[3], frame="métaphase 1.png")
    id = store.capture("A-1", frame, cell, "kim").id
    with CaseStore(folder) as again:
        state = again.cell(id)
        assert np.array_equal(again.frame(id).pixels, frame.pixels)
    kept = state.captured.cell
    assert (kept.frame, kept.karyotype, kept.models) == (cell.frame, cell.karyotype, cell.models)
    assert dict(kept.stage_ms) == dict(cell.stage_ms)
    for new, old in zip(kept.chromosomes, cell.chromosomes, strict=True):
        assert np.array_equal(new.region.mask, old.region.mask)
        assert np.array_equal(new.region.axis_px, old.region.axis_px)
        assert np.array_equal(new.crop.pixels, old.crop.pixels)
        assert (new.label, new.confidence, new.status, new.candidates, new.p_arm_up) == (
            old.label,
            old.confidence,
            old.status,
            old.candidates,
            old.p_arm_up,
        )
        assert (new.region.id, new.region.box_px, new.region.score) == (old.region.id, old.region.box_px, 0.9)


def test_a_cell_is_worked_on_at_the_scale_that_it_was_read_at(store: CaseStore, folder: Path) -> None:
    id = store.capture("A-1", make_frame(), replace(make_cell(), um_per_px=0.038), "kim").id
    with CaseStore(folder) as again:
        cell = again.cell(id).captured.cell
        assert (cell.um_per_px, cell.scale_stated, again.frame(id).um_per_px) == (0.038, False, 0.038)


@pytest.mark.parametrize(("taken_at", "stated"), [(0.1, True), (NOMINAL_UM_PER_PX, False)])
def test_a_cell_captured_before_cells_told_of_scale_has_its_frames(
    store: CaseStore, folder: Path, taken_at: float, stated: bool
) -> None:
    id = store.capture("A-1", replace(make_frame(), um_per_px=taken_at), make_cell(um_per_px=0.05), "kim").id
    tamper(folder, "UPDATE cells SET document = json_remove(document, '$.um_per_px', '$.scale_stated')")
    with CaseStore(folder) as again:
        cell = again.cell(id).captured.cell
        assert (cell.um_per_px, cell.scale_stated, again.frame(id).um_per_px) == (taken_at, stated, taken_at)


def test_edits_undo_and_redo_outlive_the_program(store: CaseStore, folder: Path) -> None:
    id = capture(store)
    store.edit(id, Relabel(3, "21"), based_on=0, actor="kim")
    store.edit(id, Mark(5, "marker"), based_on=1, actor="kim")
    assert store.cell(id).karyotype == "46,XX,-2,-3,+21,+mar"
    for revision in (2, 3):
        with CaseStore(folder) as again:
            again.undo(id, based_on=revision, actor="kim")
    with CaseStore(folder) as again:
        state = again.cell(id)
        assert state.karyotype == "46,XX"
        assert not state.can_undo("kim")
        with pytest.raises(EditRefused, match="nothing to undo"):
            again.undo(id, based_on=state.revision, actor="kim")
        again.redo(id, based_on=4, actor="kim")
        state = again.redo(id, based_on=5, actor="kim")
        assert (state.karyotype, state.can_redo("kim")) == ("46,XX,-2,-3,+21,+mar", False)
        assert again.verify().faults == ()


def test_what_was_not_removed_is_not_brought_back(store: CaseStore) -> None:
    """It would count as a person's correction. Whoever did not see that another brought it back is shown that."""
    id = capture(store)
    with pytest.raises(EditRefused, match="chromosome 3 was not removed"):
        store.edit(id, Restore(3), based_on=0, actor="kim")
    store.edit(id, Exclude(3), based_on=0, actor="kim")
    assert store.edit(id, Restore(3), based_on=1, actor="kim").revision == 2
    with pytest.raises(EditConflict, match="kim changed the same"):
        store.edit(id, Restore(3), based_on=1, actor="lee")


def test_two_people_keep_their_edits_on_different_chromosomes(store: CaseStore, folder: Path) -> None:
    id = capture(store)
    with CaseStore(folder) as other:
        store.edit(id, Relabel(3, "21"), based_on=0, actor="kim")
        state = other.edit(id, Exclude(7), based_on=0, actor="lee")
        assert {p.id for p in state.places if p.edited} == {3, 7}
        with pytest.raises(EditConflict, match="kim changed the same") as refused:
            other.edit(id, Flip(3), based_on=0, actor="lee")
        assert refused.value.newer.revision == 2
        assert other.edit(id, Flip(3), based_on=2, actor="lee").revision == 3


def test_two_people_who_draw_at_once_make_two_chromosomes(store: CaseStore) -> None:
    id = capture(store)
    store.edit(id, Draw(make_chromosome(0, "7")), based_on=0, actor="kim")
    state = store.edit(id, Draw(make_chromosome(0, "8")), based_on=0, actor="lee")
    assert [(p.id, p.label) for p in state.places[-2:]] == [(46, "7"), (47, "8")]


def test_an_undo_takes_back_ones_own_edit_only(store: CaseStore) -> None:
    id = capture(store)
    store.edit(id, Relabel(3, "21"), based_on=0, actor="kim")
    store.edit(id, Relabel(9, "22"), based_on=1, actor="lee")
    state = store.undo(id, based_on=2, actor="kim")
    assert {p.id for p in state.places if p.edited} == {9}
    store.redo(id, based_on=3, actor="kim")
    store.edit(id, Swap(3, 5), based_on=4, actor="lee")
    with pytest.raises(EditRefused, match="lee has changed the same since"):
        store.undo(id, based_on=5, actor="kim")
    store.undo(id, based_on=5, actor="lee")
    assert not any(p.edited for p in store.undo(id, based_on=6, actor="kim").places if p.id == 3)


def test_a_cell_that_is_not_set_aside_is_not_taken_back(store: CaseStore) -> None:
    """Who takes back nothing would stand among those who have seen the cell."""
    id = capture(store)
    with pytest.raises(EditRefused, match="the cell is not set aside"):
        store.edit(id, TakeBack(), based_on=0, actor="lee")
    store.edit(id, SetAside("two cells"), based_on=0, actor="kim")
    store.edit(id, TakeBack(), based_on=1, actor="lee")
    with pytest.raises(EditRefused, match=r"lee has changed the same since \(edit 2\)"):  # no chromosome, but the cell
        store.undo(id, based_on=2, actor="kim")
    assert store.cell(id).revision == 2


@pytest.mark.parametrize("table", ["cases", "cells", "log"])
def test_the_stores_own_connection_lets_nothing_be_replaced(store: CaseStore, table: str) -> None:
    """SQLite's REPLACE deletes without asking the triggers, unless the connection tells it to."""
    capture(store)
    with store._database.reading() as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


def test_a_split_is_undone_under_the_edits_of_its_parts(store: CaseStore) -> None:
    id = capture(store)
    parts = (make_chromosome(0, "4"), make_chromosome(0, "5"))
    store.edit(id, Split(3, parts), based_on=0, actor="kim")
    store.edit(id, Relabel(46, "9"), based_on=1, actor="kim")
    store.undo(id, based_on=2, actor="kim")
    state = store.undo(id, based_on=3, actor="kim")
    assert [p.id for p in state.places] == list(range(46))
    state = store.edit(id, Split(3, parts), based_on=4, actor="kim")
    assert [p.id for p in state.places][3:5] == [48, 49]  # an id is never used twice


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Relabel(99, "1"), "chromosome 99 is not in this cell"),
        (Accept((3, 99)), "chromosome 99 is not in this cell"),
    ],
)
def test_an_impossible_edit_changes_nothing(store: CaseStore, edit: Relabel | Accept, message: str) -> None:
    id, before = capture(store), store.head()
    with pytest.raises(EditRefused, match=message):
        store.edit(id, edit, based_on=0, actor="kim")
    with pytest.raises(EditRefused, match="cannot be based on number 5"):
        store.edit(id, Flip(1), based_on=5, actor="kim")
    assert store.cell(id).revision == 0
    assert store.head() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Accept(()), "expected one chromosome or more to accept, got none"),
        (Swap(3, 3), "a swap takes two chromosomes; got 3 twice"),
        (SetAside("schlechte Fl\udce4che"), r"1 to 100 printable characters; got 'schlechte Fl\\udce4che'"),
        (SetAside("a\nb"), "1 to 100 printable"),
        (SetAside("x" * 40_000), r"1 to 100 printable characters; got 40000, 'xxx.{,30}$"),
    ],
)
def test_what_may_not_be_asked_for_leaves_what_can_be_redone(
    store: CaseStore, change: Accept | Swap | SetAside, message: str
) -> None:
    id = capture(store)
    store.edit(id, Relabel(3, "21"), based_on=0, actor="kim")
    store.undo(id, based_on=1, actor="kim")
    with pytest.raises(EditRefused, match=message):
        store.edit(id, change, based_on=2, actor="kim")
    assert store.redo(id, based_on=2, actor="kim").revision == 3


def test_what_earlier_versions_let_be_asked_for_is_still_read(store: CaseStore, folder: Path) -> None:
    """Undone and redone, too; and the log that holds it is sound."""
    id = capture(store)
    asked = [Accept(()), Swap(3, 3), Exclude(5), Relabel(5, "3"), SetAside("Fl\udce4che\n" + "x" * 40_000)]
    with unchecked():
        for revision, change in enumerate(asked):
            store.edit(id, change, based_on=revision, actor="kim")
    with CaseStore(folder) as after:
        assert after.cell(id).set_aside == r"Fl\udce4che\n" + "x" * 40_000
        for revision in range(5, 10):
            after.undo(id, based_on=revision, actor="kim")
        for revision in range(10, 15):
            after.redo(id, based_on=revision, actor="kim")
        assert (after.cell(id).karyotype, after.verify().faults) == ("46,XX", ())


@pytest.mark.parametrize("name", ["b\x01\nc.jpg", "Fl\udce4che.jpg", "\ufffe.jpg", "métaphase 1.png", r"a\x01.png"])
def test_a_frames_name_is_kept_as_it_can_be_printed(store: CaseStore, folder: Path, name: str) -> None:
    printed = {"b": r"b\x01\nc.jpg", "F": r"Fl\udce4che.jpg", "\ufffe": r"\ufffe.jpg"}.get(name[0], name)
    new = store.capture("A-1", make_frame(), make_cell(frame=name), "kim")
    with unchecked():
        older = store.capture("A-1", make_frame(level=221), make_cell(frame=name), "kim")
    assert new.captured.cell.frame == older.captured.cell.frame == printed
    assert [entry.said["frame"] for entry in store.log("A-1")[1:]] == [printed, name]
    with CaseStore(folder) as after:
        assert after.cell(older.id).captured.cell.frame == after.frame(older.id).source == printed
        assert after.verify().faults == ()


def test_the_names_of_cases(store: CaseStore) -> None:
    assert store.new_case(" 24-0815 Müller ", "kim").name == "24-0815 Müller"
    assert [case.name for case in store.cases()] == ["24-0815 Müller", "A-1"]
    with pytest.raises(StoreError, match="there is a case 'A-1' already"):
        store.new_case("A-1", "lee")
    with pytest.raises(CaseNotFound, match="no case is named 'A-2'; the latest are 24-0815 Müller, A-1"):
        store.case("A-2")
    with pytest.raises(CaseNotFound, match="there is no cell 12"):
        store.cell(12)
    for name in ("", "a\nb", "x" * 101):
        with pytest.raises(StoreError, match="1 to 100 printable"):
            store.new_case(name, "kim")
        with pytest.raises(StoreError, match="1 to 100 printable"):
            store.new_case("B", name)


def test_what_is_acknowledged_is_on_the_disk(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill leaves what the kernel holds, a power cut does not."""
    with store._database.reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    done = []
    synced, renamed = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{handle}").readlink().is_dir() else "file")
        synced(handle)

    def replace_(self: Path, to: Path) -> Path:
        done.append("rename")
        return renamed(self, to)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace_)
    store.images.put(np.full((64, 64), 7, np.uint8))
    assert done.index("file") < done.index("rename") < len(done) - 1 - done[::-1].index("folder")


def test_a_damaged_picture_is_written_again_when_it_comes_again(store: CaseStore) -> None:
    pixels = np.full((64, 64), 7, np.uint8)
    sha256 = store.images.put(pixels)
    store.images.path_of(sha256).write_bytes(b"damaged")
    assert store.images.put(pixels) == sha256
    assert np.array_equal(store.images.get(sha256), pixels)


def test_nothing_acknowledged_is_lost_to_kill_9(store: CaseStore, folder: Path) -> None:
    words = [sys.executable, "-m", "tests.edge.cases.killed", str(folder), "A-1", str(KILLS)]
    edits = lives = 0
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            said = json.loads(line)
            with CaseStore(folder) as after:
                kept = {e.revision: e.edit for e in after.cell(said["cell"]).events}
            for revision, chromosome, label in said["edits"]:
                assert kept[int(revision)] == Relabel(int(chromosome), label)
            assert len(kept) - len(said["edits"]) in (0, 1)  # one may be on the disk and not yet said
            lives, edits = lives + 1, edits + len(said["edits"])
    assert program.returncode == 0
    assert lives == KILLS
    assert edits > KILLS
    assert store.verify().faults == ()
    assert [store.cell(id).captured.number for id in store.case("A-1").cells] == list(range(1, KILLS + 1))


def test_two_threads_and_two_stores_edit_one_cell(store: CaseStore, folder: Path) -> None:
    id = capture(store)
    failures: list[BaseException] = []

    def work(actor: str, own: range) -> None:
        try:
            with CaseStore(folder) as mine:
                for chromosome in own:
                    mine.edit(id, Flip(chromosome), based_on=0, actor=actor)
        except BaseException as failure:
            failures.append(failure)

    people = [threading.Thread(target=work, args=(f"p{k}", range(k, 46, 3))) for k in range(3)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert failures == []
    state = store.cell(id)
    assert state.revision == 46
    assert not any(p.chromosome.p_arm_up for p in state.places)
    assert store.verify().faults == ()


EDIT_ELSEWHERE = """
import sys
from pathlib import Path
from edge.cases.edits import Flip
from edge.cases.store import CaseStore
with CaseStore(Path(sys.argv[1])) as store:
    for chromosome in range(int(sys.argv[3]), 46, 2):
        store.edit(int(sys.argv[2]), Flip(chromosome), based_on=0, actor="p" + sys.argv[3])
"""


def test_two_processes_edit_one_cell(store: CaseStore, folder: Path) -> None:
    id = capture(store)
    people = [subprocess.Popen([sys.executable, "-c", EDIT_ELSEWHERE, str(folder), str(id), str(k)]) for k in range(2)]
    assert [person.wait(timeout=120) for person in people] == [0, 0]
    state = store.cell(id)
    assert (state.revision, any(p.chromosome.p_arm_up for p in state.places)) == (46, False)
    assert {e.actor for e in state.events} == {"p0", "p1"}
    assert store.verify().faults == ()


FILL_THE_DISK = """
import resource, signal, sys
from pathlib import Path
from edge.cases.edits import Relabel
from edge.cases.store import CaseStore
from edge.errors import StoreError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with CaseStore(Path(sys.argv[1])) as store:
    wal = Path(sys.argv[1]) / "cases.sqlite-wal"
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 60_000, resource.RLIM_INFINITY))
    revision = 0
    try:
        while True:
            revision = store.edit(1, Relabel(0, "3"), based_on=revision, actor="kim").revision
    except StoreError as error:
        print(revision, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(store.edit(1, Relabel(0, "4"), based_on=revision, actor="kim").revision)
"""


def test_a_full_disk_loses_nothing_and_is_survived(store: CaseStore, folder: Path) -> None:
    capture(store)
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(folder)], capture_output=True, text=True, timeout=120, check=True
    )
    refused, went_on = done.stdout.splitlines()
    last, message = refused.split(" ", 1)
    assert "cases.sqlite" in message
    assert ("no space left" in message) or ("cannot be read or written" in message)
    assert int(last) > 0
    assert int(went_on) == int(last) + 1
    assert store.cell(1).revision == int(went_on)
    assert store.verify().faults == ()


@pytest.mark.parametrize("there", [False, True])
def test_a_store_may_wait_for_its_disk(tmp_path: Path, there: bool) -> None:
    if there:
        CaseStore(tmp_path).close()
    with full():
        with pytest.raises(DiskFault):
            CaseStore(tmp_path)
        store = CaseStore(tmp_path, waits=True)
        assert "cases.sqlite" in store.fault
        with pytest.raises(DiskFault):
            store.cases()
    assert store.fault == ""
    store.new_case("a", "kim")
    store.close()
    with CaseStore(tmp_path) as again:
        assert [case.name for case in again.cases()] == ["a"]


def test_what_no_disk_mends_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "cases.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreDamaged):
        CaseStore(tmp_path, waits=True)
    with pytest.raises(StoreError, match="name another store"):
        CaseStore(tmp_path / "file" / "cases", waits=True)


def test_a_disk_that_is_nearly_full_is_told_before_it_is(
    store: CaseStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.fault == ""
    monkeypatch.setattr(disk, "NEEDED_BYTES", 1 << 60)
    assert store.fault.startswith(f"no space left on the disk of {folder}: ")


def test_a_read_only_disk_is_told(store: CaseStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = os.statvfs(folder)
    remounted = os.statvfs_result((*now[:8], now.f_flag | os.ST_RDONLY, now.f_namemax))
    monkeypatch.setattr(os, "statvfs", lambda _: remounted)
    assert store.fault.startswith(f"the disk of {folder} is read-only; ")
    assert str(disk.disk_fault(folder / "no" / "such")).startswith(f"the disk of {folder}/no/such is read-only; ")


def test_a_disk_that_does_not_tell_its_room_is_not_full(
    store: CaseStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = os.statvfs(folder)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((*now[:2], 0, 0, 0, 0, 0, 0, *now[8:])))
    assert store.fault == ""


def test_a_picture_that_cannot_be_written_leaves_no_cell(store: CaseStore, folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 255, (400, 400), np.uint8)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    frame = make_frame()
    object.__setattr__(frame, "pixels", noise)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(StoreError, match=r"cannot write .*\.png: File too large; free some space"):
            store.capture("A-1", frame, make_cell(), "kim")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert store.case("A-1").cells == ()
    assert not list((folder / "images").rglob("*.p*"))
    store.capture("A-1", frame, make_cell(), "kim")
    assert store.verify().faults == ()


@pytest.mark.parametrize("table", ["log", "cells", "cases"])
def test_the_database_itself_refuses_to_forget(store: CaseStore, folder: Path, table: str) -> None:
    capture(store)
    db = sqlite3.connect(folder / "cases.sqlite")
    db.execute("PRAGMA recursive_triggers = ON")
    column = {"log": "actor", "cells": "document", "cases": "name"}[table]
    for statement in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|FOREIGN KEY"):
            db.execute(statement)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("INSERT OR REPLACE INTO log SELECT * FROM log WHERE seq = 1")
    db.close()


@pytest.mark.parametrize(
    ("statements", "fault"),
    [
        (
            ["UPDATE log SET actor = 'lee' WHERE seq = 3"],
            r"entry 3 \(edit by lee .*\) was changed after it was written",
        ),
        (["UPDATE log SET body = replace(body, '\"21\"', '\"22\"') WHERE seq = 3"], r"entry 3 .* was changed"),
        (["UPDATE log SET body = 'x' WHERE seq = 2"], r"entry 2 .* was changed"),
        (["DELETE FROM log WHERE seq = 3"], r"^entry 3 is missing$"),
        (["DELETE FROM log WHERE seq > 3"], r"the end is cut off: entries 4 to 6 are missing"),
        (
            [
                "UPDATE log SET seq = 40, revision = 40 WHERE seq = 4",
                "UPDATE log SET seq = 4 WHERE seq = 5",
                "UPDATE log SET seq = 5 WHERE seq = 40",
            ],
            r"entry 4 \(edit by kim .*\) was moved or replaced: its place is after entry",
        ),
        (["UPDATE cells SET document = replace(document, '\"X\"', '\"Y\"')"], r"record of cell 1 .* was changed"),
        (["UPDATE cells SET frame_sha256 = 'ab'"], r"cell 1 \(number 1\) names another picture than entry 2"),
        (
            ["UPDATE cells SET case_id = (SELECT id FROM cases WHERE name = 'A-2')"],
            r"cell 1 \(number 1\) was captured in case 1 in entry 2, and is in 2 now",
        ),
        (
            ["UPDATE cells SET captured_utc = '2001-02-03T04:05:06.000+00:00'"],
            r"cell 1 \(number 1\) was captured at 20.* by entry 2, and says 2001-02-03T04:05:06.000\+00:00 now",
        ),
        (
            ["UPDATE cells SET um_per_px = 0.5"],
            r"cell 1 .* was captured at 0\.065 um per pixel in entry 2, and has 0\.5",
        ),
        (
            ["UPDATE cases SET opened_utc = substr(opened_utc, 1, 20) || '000' || substr(opened_utc, 24) || 'Z'"],
            r"case 'A-1' was opened at 20.* by entry 1, and says",
        ),
        (["DELETE FROM cells"], r"cell 1, captured in entry 2, is gone"),
        (["UPDATE cases SET name = 'B' WHERE id = 1"], r"case 'B' is not the one that the log opened"),
    ],
)
def test_tampering_is_found_and_named(store: CaseStore, folder: Path, statements: list[str], fault: str) -> None:
    id = capture(store)
    for revision, label in enumerate(["21", "22", "20"]):
        store.edit(id, Relabel(3, label), based_on=revision, actor="kim")
    store.new_case("A-2", "kim")
    assert store.verify().faults == ()
    store.close()
    tamper(folder, *statements)
    with CaseStore(folder) as after:
        found = after.verify().faults
    assert any(re.search(fault, line) for line in found), found


@pytest.mark.parametrize("asked", ["SELECT id, name, opened_utc FROM cases", "SELECT seq, sha256 FROM head"])
def test_a_capture_meanwhile_is_no_tampering(store: CaseStore, folder: Path, asked: str) -> None:
    """Another program captures while this one proves the store."""
    capture(store)
    done: list[int] = []
    with CaseStore(folder) as other:

        def meanwhile(statement: str) -> None:
            if asked in statement and not done:
                done.append(capture(other, level=201))

        with store._database.reading() as db:
            db.set_trace_callback(meanwhile)
        assert store.verify().faults == ()
        with store._database.reading() as db:
            db.set_trace_callback(None)
    assert done
    assert store.verify().cells == 2


@pytest.fixture
def older(store: CaseStore, folder: Path) -> Path:
    """A store whose log does not hold the times and the scale, as earlier versions wrote it."""
    store.close()
    folder = folder.with_name("older")
    with pytest.MonkeyPatch.context() as patch, CaseStore(folder) as opened:
        append = log.append

        def append_less(db: sqlite3.Connection, *said: Any, **about: Any) -> Entry:
            *others, body = said
            known = {k: v for k, v in body.items() if k not in ("opened_utc", "captured_utc", "um_per_px")}
            return append(db, *others, known, **about)

        patch.setattr(log, "append", append_less)
        opened.new_case("A-1", "kim")
        capture(opened)
    return folder


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (None, ""),
        (
            "UPDATE cells SET captured_utc = '2001-02-03T04:05:06.000+00:00'",
            r"^cell 1 .* was captured at .* by entry 2",
        ),
        ("UPDATE cells SET captured_utc = 'noon'", r"^cell 1 .* was captured at .* by entry 2, and says noon now"),
        ("UPDATE cases SET opened_utc = '2001-02-03T04:05:06.000+00:00'", r"^case 'A-1' was opened at .* by entry 1"),
    ],
)
def test_the_times_of_an_older_store_are_bounded_by_its_log(older: Path, statement: str | None, fault: str) -> None:
    tamper(older, *([statement] if statement else []))
    with CaseStore(older) as after:
        found = after.verify().faults
    assert [bool(re.search(fault, line)) for line in found] == ([True] if statement else [])


@pytest.mark.parametrize("table", ["cases", "sqlite_autoindex_cases_1", "log_of_case"])
def test_a_malformed_table_or_index_is_not_sound(store: CaseStore, folder: Path, table: str) -> None:
    capture(store)
    store.close()
    path = folder / "cases.sqlite"
    db = sqlite3.connect(path)
    page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    db.close()
    content = bytearray(path.read_bytes())
    content[4096 * (page - 1) : 4096 * (page - 1) + 512] = np.random.default_rng(1).bytes(512)
    path.write_bytes(content)
    with CaseStore(folder) as after:
        found = after.verify().faults
    assert found
    assert all(re.search(r"^the database is malformed: .*; restore it from a copy$", line) for line in found)


def test_what_only_reads_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no case store in .*typo; expected cases\.sqlite there"):
        CaseStore(tmp_path / "typo", create=False)
    assert not (tmp_path / "typo").exists()
    (tmp_path / "cases.sqlite").touch()
    with pytest.raises(StoreError, match="no case store in"):
        CaseStore(tmp_path, create=False)
    assert (tmp_path / "cases.sqlite").stat().st_size == 0


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("harm", [lambda p: p.unlink(), lambda p: p.write_bytes(b"")])
def test_a_lost_database_is_not_begun_anew(
    store: CaseStore, folder: Path, harm: Callable[[Path], object], create: bool
) -> None:
    capture(store)
    store.close()
    copy = store.path.read_bytes()
    harm(store.path)
    with pytest.raises(
        StoreDamaged, match=r"pictures of cases are beside it, the database .* is (gone|empty); restore"
    ):
        CaseStore(folder, create=create)
    assert not (store.path.exists() and store.path.stat().st_size)
    store.path.write_bytes(copy)
    with CaseStore(folder) as restored:
        assert restored.verify().faults == ()


def test_blanks_around_a_cases_name_are_harmless(store: CaseStore) -> None:
    store.capture(" A-1 ", make_frame(), make_cell(), "kim")
    assert store.case("A-1 ") == store.case("A-1")
    with pytest.raises(EditRefused, match="1 to 100 printable"):
        store.case(" ")


TYPED, COMPOSED = unicodedata.normalize("NFD", "24 Müller"), "24 Müller"
"""What looks the same, as two keyboards type it."""


def test_names_that_look_the_same_are_the_same(store: CaseStore) -> None:
    assert store.new_case(TYPED, "kim").name == COMPOSED
    with pytest.raises(StoreError, match="there is a case '24 Müller' already"):
        store.new_case(COMPOSED, "kim")
    assert store.case(TYPED) == store.case(COMPOSED)
    id = capture(store)
    store.edit(id, Flip(0), based_on=0, actor=TYPED)
    assert store.undo(id, based_on=1, actor=COMPOSED).corrections == 0


def test_names_of_earlier_versions_are_found_however_they_are_typed(store: CaseStore, folder: Path) -> None:
    with unchecked():
        older = store.new_case(TYPED, "kim")
    with pytest.raises(StoreError, match="already"):
        store.new_case(COMPOSED, "kim")
    assert store.case(COMPOSED) == store.case(TYPED) == older
    with CaseStore(folder) as after:
        assert after.verify().faults == ()


def test_two_spellings_of_a_person_in_an_older_log_are_two_who_undo(store: CaseStore) -> None:
    id = capture(store)
    with unchecked():
        for k, actor in enumerate((TYPED, COMPOSED)):
            store.edit(id, Flip(k), based_on=k, actor=actor)
        store.undo(id, based_on=2, actor=TYPED)
    assert store.cell(id).corrections == 1
    assert store.undo(id, based_on=3, actor=TYPED).corrections == 0


def test_of_two_names_of_earlier_versions_the_one_typed_is_found(store: CaseStore, folder: Path) -> None:
    store.new_case(COMPOSED, "kim")
    with closing(sqlite3.connect(folder / "cases.sqlite")) as db, db:
        db.execute("INSERT INTO cases (name, opened_utc) VALUES (?, '2026')", (TYPED,))
    assert [store.case(name).name for name in (TYPED, COMPOSED)] == [TYPED, COMPOSED]


def test_a_name_that_is_far_too_long_is_not_spelled_out(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its letters would be put in order one by one."""
    longest: list[int] = []

    def counted(form: Any, text: str) -> str:
        longest.append(len(text))
        return unicodedata.normalize(form, text)

    monkeypatch.setattr("edge.cases.names.normalize", counted)
    for ask in (store.case, store.cells, lambda name: store.new_case(name, "kim")):
        with pytest.raises(EditRefused, match="1 to 100 printable"):
            ask("a" + "\u0301\u0323" * 5000)
    assert max(longest, default=0) <= 1000


def test_who_is_not_named_captures_nothing(store: CaseStore, folder: Path) -> None:
    with pytest.raises(EditRefused, match="must be named"):
        store.capture("A-1", make_frame(), make_cell(), " ")
    assert not (folder / "images").exists()


def test_text_that_is_no_ascii_is_a_fault(store: CaseStore, folder: Path) -> None:
    capture(store)
    store.close()
    tamper(folder, "UPDATE cells SET document = 'é'", "UPDATE log SET previous_sha256 = 'é' WHERE seq = 2")
    with CaseStore(folder) as after:
        found = after.verify().faults
    assert any("record of cell 1 (number 1) was changed" in line for line in found)
    assert any(line.startswith("entry 2 ") and "was changed" in line for line in found)


@pytest.mark.parametrize("body", ["{}", "[]", "no JSON", "[" * 100_000, '{"edit": []}', '{"edit": "draw", "drawn": 1}'])
def test_a_log_entry_that_cannot_be_read_is_damage(store: CaseStore, folder: Path, body: str) -> None:
    id = capture(store)
    store.edit(id, Flip(3), based_on=0, actor="kim")
    store.close()
    tamper(folder, f"UPDATE log SET body = '{body}'")
    with CaseStore(folder) as after:
        for entry in after.log():
            with pytest.raises(StoreDamaged, match=rf"entry {entry.seq} of the log .* is damaged: expected .*, got"):
                _ = entry.said
        with pytest.raises(StoreDamaged, match="entry 3"):
            after.cell(id)
        assert len([line for line in after.verify().faults if "was changed after it was written" in line]) == 3


def broken_crop() -> str:
    """A crop of whose picture a length was changed: Pillow has an error of its own for it."""
    png = png_of(make_stain())
    at = png.index(b"IDAT")
    return base64.b64encode(png[: at - 4] + (5).to_bytes(4, "big") + png[at:]).decode()


@pytest.mark.parametrize(
    "document",
    [
        "'no JSON'",
        "'[]'",
        "'{}'",
        f"'{'[' * 100_000}'",
        "json_set(document, '$.frame', json('[[]]'))",
        "json_set(document, '$.chromosomes[0].mask_runs[0]', json('1e400'))",
        "json_set(document, '$.chromosomes[0].mask_runs[0]', 10000000000000)",
        f"json_set(document, '$.chromosomes[0].crop_png', '{broken_crop()}')",
    ],
)
def test_a_cell_that_cannot_be_read_is_damage(store: CaseStore, folder: Path, document: str) -> None:
    id = capture(store)
    other = capture(store, level=221)
    store.close()
    tamper(folder, f"UPDATE cells SET document = {document} WHERE id = {id}")
    with CaseStore(folder) as after:
        with pytest.raises(StoreDamaged, match=f"the record of cell {id} is damaged; restore it from a copy"):
            after.cell(id)
        assert after.cell(other).karyotype == "46,XX"


def test_a_log_without_head_is_damage(store: CaseStore, folder: Path) -> None:
    store.close()
    tamper(folder, "DELETE FROM head")
    with CaseStore(folder) as after:
        for use in (after.head, lambda: after.new_case("B", "kim")):
            with pytest.raises(StoreDamaged, match="the head of the log is gone"):
                use()
        assert any("the head of the log is gone" in line for line in after.verify().faults)


def test_a_rewritten_log_does_not_hold_the_head_that_was_noted(store: CaseStore, folder: Path) -> None:
    id = capture(store)
    store.edit(id, Relabel(3, "21"), based_on=0, actor="kim")
    noted = store.head().sha256
    assert store.verify(noted[:12]).faults == ()
    store.close()
    first = "0" * 64
    tamper(folder, "DELETE FROM log WHERE seq > 0", "DELETE FROM cells", "DELETE FROM cases")
    tamper(folder, f"UPDATE head SET seq = 0, sha256 = '{first}'")
    with CaseStore(folder) as forged:
        forged.new_case("A-1", "kim")
        assert forged.verify().faults == ()
        assert "no entry has the hash" in forged.verify(noted).faults[0]


@pytest.mark.parametrize("harm", [lambda p: p.unlink(), lambda p: p.write_bytes(b"x"), lambda p: p.write_bytes(b"")])
def test_a_changed_picture_is_refused(store: CaseStore, harm: Callable[[Path], object]) -> None:
    id = capture(store)
    harm(store.images.path_of(store.cell(id).captured.frame_sha256))
    with pytest.raises(StoreDamaged, match="restore it from a copy"):
        store.frame(id)
    assert "restore it from a copy" in store.verify().faults[0]


def test_a_picture_that_may_not_be_read_is_told_as_that(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    id = capture(store)

    def forbidden(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(StoreDamaged, match=r"Permission denied; give this user the right"):
        store.frame(id)


@pytest.mark.parametrize("name", ["'../../etc/passwd'", "'ab' || char(0) || 'cd'", "''"])
def test_a_picture_is_only_sought_under_a_hash(store: CaseStore, folder: Path, name: str) -> None:
    id = capture(store)
    store.close()
    tamper(folder, f"UPDATE cells SET frame_sha256 = {name}")
    with CaseStore(folder) as after:
        with pytest.raises(StoreDamaged, match="expected the SHA-256 of a picture, got"):
            after.frame(id)
        assert any("expected the SHA-256 of a picture" in fault for fault in after.verify().faults)


def test_two_programs_add_the_same_picture_to_a_case_once(store: CaseStore, folder: Path) -> None:
    """Neither sees the other's cell before it writes its own."""
    with CaseStore(folder) as other:
        id = capture(other, level=10)
        with pytest.raises(CapturedBefore, match="it is cell 1 already") as refused:
            capture(store, level=10)
        assert refused.value.cell.id == id
        assert [len(opened.cells("A-1")) for opened in (store, other)] == [1, 1]


def test_the_same_picture_is_kept_once(store: CaseStore, folder: Path) -> None:
    store.new_case("A-2", "kim")
    for case, level in (("A-1", 10), ("A-2", 10), ("A-1", 20)):
        store.capture(case, make_frame(level=level), make_cell(), "kim")
    assert len(list((folder / "images").rglob("*.png"))) == 2


def test_a_newer_store_is_refused(store: CaseStore, folder: Path) -> None:
    store.close()
    db = sqlite3.connect(folder / "cases.sqlite")
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(StoreError, match=r"made by a newer chromo-edge \(schema 9, this one reads 1\); update"):
        CaseStore(folder)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_DIRECTORY])
def test_a_store_on_a_disk_that_cannot_be_written_says_what_to_do(code: int) -> None:
    """SQLite's own failure by its number: root may write into any folder, so a test cannot make one that is shut."""
    failure = sqlite3.OperationalError("attempt to write a readonly database")
    failure.sqlite_errorcode = code
    with pytest.raises(StoreError, match="copy the whole folder to such a place"), store_errors(Path("cases.sqlite")):
        raise failure


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "cases.sqlite")
    db.execute("CREATE TABLE other (x)")
    db.close()
    with pytest.raises(StoreError, match="another program's database"):
        CaseStore(tmp_path)
    (tmp_path / "cases.sqlite").write_bytes(b"not a database, but long enough to look at" * 40)
    with pytest.raises(StoreDamaged, match="not a sound case store"):
        CaseStore(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be opened"):
        CaseStore(tmp_path / "file" / "below")


def test_the_log_tells_what_the_machine_said(store: CaseStore) -> None:
    id = capture(store)
    store.edit(id, SetAside("too few bands"), based_on=0, actor="lee")
    opened, captured, edited = store.log("A-1")
    assert opened.said == {"name": "A-1", "opened_utc": store.case("A-1").opened_utc}
    assert captured.said["labels"]["3"] == [NORMAL_FEMALE[3], 0.9, "review"]
    assert set(captured.said["models"]) == set(TASKS)
    assert captured.said["frame_sha256"] == store.cell(id).captured.frame_sha256
    assert (edited.actor, edited.said) == ("lee", {"edit": "set_aside", "reason": "too few bands"})
    assert store.log("A-1", after=2) == (edited,)


def test_a_case_of_more_cells_than_are_kept_decoded_is_not_decoded_anew(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.cases.kept.REMEMBERED_CELLS", 4)
    decoded: list[int] = []
    real = kept.cell_from_document
    monkeypatch.setattr(kept, "cell_from_document", lambda document: (decoded.append(1), real(document))[1])
    for name in ("A", "B"):
        store.new_case(name, "kim")
        for k in range(5):
            store.capture(name, make_frame(64, 64, level=100 + k), make_cell(["1"], width_px=64, height_px=64), "kim")
    counts = []
    for name in ("A", "A", "B", "B", "B"):
        decoded.clear()
        assert [state.captured.number for state in store.cells(name)] == [1, 2, 3, 4, 5]
        counts.append(len(decoded))
    assert counts[1:] == [1, 5, 1, 1]
    decoded.clear()
    newest = store.cells("B")[-1]
    assert store.edit(newest.id, Relabel(0, "2"), based_on=0, actor="kim").revision == 1
    store.cell(newest.id)
    assert len(decoded) == 1  # the first of the five
