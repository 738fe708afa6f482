"""Frames, labels, captures and edits over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from edge.cases.edits import SetAside
from edge.cases.export import NOTICE
from edge.cases.store import CaseStore
from edge.errors import CameraLost, StoreError
from edge.live.stage import Stage
from edge.live.watch import Watch
from edge.live.web.hub import MOST_CLIENTS, Hub
from edge.live.web.metrics import Metrics
from edge.records import Cell, Frame
from edge.runtime.guarded import Acceleration
from tests.edge.cases.older import unchecked
from tests.edge.disks import full
from tests.edge.live.web.serving import DRAWN, SameAgain, Served, serving

Json = dict[str, Any]
PATIENCE_S = 60.0
"""A busy machine is no failure."""


FALLEN = Acceleration("edgetpu", {"classifier": True, "locator": False}, 3)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.base, timeout=PATIENCE_S) as client:
        yield client


def live(served: Served) -> ClientConnection:
    return connect(served.base.replace("http", "ws") + "/live", open_timeout=PATIENCE_S, ping_timeout=None)


def told(socket: ClientConnection, holds: Callable[[Json], bool]) -> Json:
    """The first message that ``holds``; pictures on the way are acknowledged."""
    for _ in range(200):
        message = socket.recv(timeout=PATIENCE_S)
        if isinstance(message, bytes):
            socket.send(json.dumps({"shown": struct.unpack_from("<I", message)[0]}))
        elif holds(found := json.loads(message)):
            return found
    raise AssertionError("200 messages, none of them the one")


def fault_is(text: str) -> Callable[[Json], bool]:
    return lambda m: m["type"] == "state" and (text in m["fault"] if text else not m["fault"])


# live


def test_labels_come_with_the_scene_of_their_frame(served: Served) -> None:
    with live(served) as socket:
        served.show()
        labels = told(socket, lambda m: m["type"] == "labels")
        guidance = told(socket, lambda m: m["type"] == "guidance")
    assert labels["count"] == len(labels["chromosomes"]) == 46
    assert labels["scene"] == guidance["scene"] == 1
    assert guidance["verdict"] == "capture"
    outline = np.array(labels["chromosomes"][0]["outlines"][0]).reshape(-1, 2)
    x0, y0, x1, y1 = DRAWN.truth[0].box_px
    assert outline.min(axis=0).tolist() == pytest.approx([x0, y0], abs=1)
    assert outline.max(axis=0).tolist() == pytest.approx([x1 - 1, y1 - 1], abs=1)


def test_a_picture_is_the_newest_frame(served: Served) -> None:
    with live(served) as socket:
        told(socket, lambda m: m["type"] == "state")
        served.show()
        while not isinstance(message := socket.recv(timeout=PATIENCE_S), bytes):
            pass
    index, _ = struct.unpack_from("<II", message)
    assert index <= served.index
    with Image.open(io.BytesIO(message[8:])) as picture:
        assert (picture.format, picture.size) == ("JPEG", (700, 700))
        assert np.abs(np.asarray(picture, np.float32) - DRAWN.pixels).mean() < 6


def test_who_comes_late_sees_no_old_picture(served: Served) -> None:
    """Nobody watched for a while, so none was encoded."""
    with live(served) as socket:
        served.show()
        while not isinstance(socket.recv(timeout=PATIENCE_S), bytes):
            pass
    while served.hub.clients:
        time.sleep(0.01)
    served.show(20)
    newest = served.index
    with live(served) as socket:
        while not isinstance(message := socket.recv(timeout=PATIENCE_S), bytes):
            pass
    assert struct.unpack_from("<I", message)[0] == newest


def test_a_very_flat_picture_is_shown(served: Served) -> None:
    with live(served) as socket:
        served.hub.show(replace(served.frame(), pixels=np.zeros((1, 3000), np.uint8)))
        while not isinstance(message := socket.recv(timeout=PATIENCE_S), bytes):
            pass
    with Image.open(io.BytesIO(message[8:])) as picture:
        assert picture.size[1] == 1


def test_a_client_that_shows_nothing_gets_two_pictures_and_slows_nobody(served: Served) -> None:
    with live(served) as idle, live(served) as busy:
        told(idle, lambda m: m["type"] == "state")
        pictures = 0
        for _ in range(6):
            served.show(2)
            told(busy, lambda m, newest=served.index: m["type"] == "labels" and m["frame"] == newest)  # type: ignore[misc]
        while True:
            message = idle.recv(timeout=PATIENCE_S)
            pictures += isinstance(message, bytes)
            if not isinstance(message, bytes) and json.loads(message).get("frame") == served.index:
                break
        for _ in range(5):  # a few ticks more
            pictures += isinstance(idle.recv(timeout=PATIENCE_S), bytes)
    assert pictures <= 2


def test_a_moving_stage_gives_no_labels_and_nothing_to_capture(served: Served, http: httpx.Client) -> None:
    served.show(1)  # the first frame: nothing to compare with yet
    assert served.hub.capturable is None
    answer = http.post("/api/capture", json={"actor": "kim"})
    assert answer.status_code == 422
    assert "stage moves" in answer.json()["error"]


def test_only_what_the_page_showed_is_captured(served: Served, http: httpx.Client) -> None:
    served.show()
    assert served.hub.capturable is not None
    scene = served.hub.capturable.scene
    refused = http.post("/api/capture", json={"actor": "kim", "scene": scene - 1})
    assert (refused.status_code, refused.json()["error"][:19]) == (422, "the stage has moved")
    assert http.post("/api/capture", json={"actor": "kim", "scene": True}).status_code == 422
    assert http.post("/api/capture", json={"actor": "kim", "scene": scene}).status_code == 201


def test_a_late_and_a_lost_camera_are_told_and_forgiven(served: Served, http: httpx.Client) -> None:
    with live(served) as socket:
        served.show()
        told(socket, fault_is(""))
        served.clock.now_s += 0.9
        told(socket, fault_is("Camera late"))
        assert http.get("/healthz").status_code == 503
        assert http.post("/api/capture", json={"actor": "kim"}).status_code == 422
        served.show()
        told(socket, fault_is(""))
        assert http.get("/healthz").json() == {"ok": True, "fault": "", "unkept": ""}
        served.hub.lost(CameraLost("unplugged"))
        told(socket, fault_is("unplugged"))
        served.show()
        told(socket, lambda m: m["type"] == "labels" and m["scene"] == 2)


def test_a_full_disk_costs_captures_and_not_the_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as stack:
        with full():
            served = stack.enter_context(serving(tmp_path / "new"))
            http = stack.enter_context(httpx.Client(base_url=served.base, timeout=PATIENCE_S))
            with live(served) as socket:
                served.show()
                assert told(socket, lambda m: m["type"] == "labels")["count"] == 46
                why = told(socket, lambda m: m["type"] == "state" and m["unkept"])["unkept"]
            assert "cases.sqlite" in why
            health = http.get("/healthz")
            assert (health.status_code, health.json()) == (503, {"ok": False, "fault": "", "unkept": why})
            assert "chromo_store_fault 1\n" in http.get("/metrics").text
            refused = http.post("/api/capture", json={"actor": "kim", "case": ""})
            assert (refused.status_code, refused.json()) == (500, {"error": f"nothing captured: {why}"})
            assert http.get("/api/case").status_code == 500
        with live(served) as socket:
            told(socket, lambda m: m["type"] == "case")
            told(socket, lambda m: m["type"] == "state" and not m["unkept"])
        assert http.get("/healthz").json()["ok"]
        assert http.post("/api/capture", json={"actor": "kim", "case": "today"}).status_code == 201
    said = [record.getMessage() for record in caplog.records if record.name == "edge.live.web.app"]
    assert said == [f"nothing can be captured: {why}; labelling goes on", "cells can be captured again"]


def test_a_camera_that_is_back_is_not_sound_with_its_old_scene(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between what the stage and what the watch learn of a frame anybody may ask."""
    served.show()
    hub, said = served.hub, []
    assert hub.capturable is not None
    served.clock.now_s += 2.0
    other = served.frame()
    other = replace(other, pixels=np.roll(other.pixels, 200, axis=1))
    for part in (hub._stage, hub._watch):

        def seen(frame: Frame, seen: Callable[[Frame], object] = part.seen) -> object:
            answer = seen(frame)
            said.append((bool(hub.fault), hub.capturable))
            return answer

        monkeypatch.setattr(part, "seen", seen)
    hub.show(other)
    assert said == [(True, None), (False, None)]


def test_a_page_learns_how_old_the_state_at_most_is(served: Served) -> None:
    with live(served) as socket, live(served) as other:
        assert told(socket, lambda m: m["type"] == "state")["echo"] is None
        socket.send(json.dumps({"now": 1234.5}))
        told(socket, lambda m: m["type"] == "state" and m["echo"] == 1234.5)
        assert told(other, lambda m: m["type"] == "state")["echo"] is None
        socket.send('{"now": NaN}')
        socket.send('{"now": "later"}')
        socket.send(json.dumps({"now": 1235}))
        told(socket, lambda m: m["type"] == "state" and m["echo"] == 1235)


def test_the_way_from_capture_to_drawn_is_measured(served: Served, http: httpx.Client) -> None:
    with live(served) as socket:
        served.show()
        labels = told(socket, lambda m: m["type"] == "labels")
        socket.send(json.dumps({"drawn": labels["frame"]}))
        told(socket, lambda m: m["type"] == "state" and m["latency_ms"] != 0)
    text = http.get("/metrics").text
    assert "chromo_capture_to_drawn_seconds_count 1\n" in text
    assert 'le="+Inf"} 1\n' in text
    assert "chromo_labelled_total 3\n" in text


@pytest.mark.parametrize("said", ["not json", "[1]", '"drawn"', '{"drawn": "x"}', '{"shown": 1, "drawn": [1]}', "{}"])
def test_a_client_that_talks_nonsense_harms_nobody(served: Served, said: str) -> None:
    with live(served) as socket, live(served) as other:
        socket.send(said)
        served.show()
        assert told(other, lambda m: m["type"] == "labels")["count"] == 46


def test_others_have_their_turn_while_one_client_talks_without_end() -> None:
    class Flood:
        async def accept(self) -> None: ...

        async def send_json(self, _: Json) -> None: ...

        async def iter_json(self) -> AsyncIterator[Json]:
            for _ in range(100):
                yield {"shown": 0}

    async def turns_of_others() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await Hub(Stage(), Watch(), Metrics()).serve(cast(WebSocket, Flood()))
        task.cancel()
        return turns

    assert asyncio.run(turns_of_others()) > 100


def test_an_accelerator_that_fell_back_is_told_on_the_page_and_in_the_metrics(
    served: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live(served) as socket:
        assert told(socket, lambda m: m["type"] == "state")["computed"] == ""
        assert "accelerated" not in http.get("/metrics").text
        for module in ("hub", "app"):
            monkeypatch.setattr(f"edge.live.web.{module}.acceleration", lambda: FALLEN)
        told(socket, lambda m: m["type"] == "state" and m["computed"] == "on edgetpu, but locator on cpu")
    lines = http.get("/metrics").text.splitlines()
    assert 'chromo_accelerated{network="classifier"} 1' in lines
    assert 'chromo_accelerated{network="locator"} 0' in lines
    assert "chromo_delegate_failures_total 3" in lines


@pytest.mark.parametrize("said", ["[" * 4000, '{"now": 1' + "0" * 400 + "}"])
def test_a_client_that_says_too_much_is_told_so(served: Served, said: str) -> None:
    """What Python's own parser or arithmetic gives up on ends in a close code, not in a traceback."""
    with live(served) as socket:
        socket.send(said)
        with suppress(ConnectionClosed):
            while True:
                socket.recv(timeout=PATIENCE_S)
        assert socket.close_code == 1003


def test_a_message_too_large_ends_the_connection(served: Served) -> None:
    with live(served) as socket:
        socket.send("x" * 10_000)
        with pytest.raises(ConnectionClosed):
            list(socket)


def test_no_more_clients_than_allowed(served: Served) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_CLIENTS):
            told(stack.enter_context(live(served)), lambda m: m["type"] == "state")
        with pytest.raises(ConnectionClosed, match="pages are open already; close one"), live(served) as one_more:
            one_more.recv(timeout=PATIENCE_S)


# capture and edits


@pytest.fixture
def cell(served: Served, http: httpx.Client) -> Json:
    served.show()
    answer = http.post("/api/capture", json={"actor": "kim"})
    assert answer.status_code == 201
    captured: Json = answer.json()
    return captured


def edit(http: httpx.Client, cell: Json, change: Json, *, actor: str = "kim") -> httpx.Response:
    body = {"actor": actor, "based_on": cell["revision"], "change": change}
    return http.post(f"/api/cells/{cell['id']}/edit", json=body)


def with_label(cell: Json, label: str) -> list[Json]:
    return [c for c in cell["chromosomes"] if c["label"] == label]


def test_a_capture_is_in_the_store_with_its_frame(served: Served, http: httpx.Client, cell: Json) -> None:
    assert (cell["karyotype"], cell["count"], cell["notice"]) == ("46,XX", 46, NOTICE)
    (stored,) = served.store.cells("today")
    assert stored.captured.cell.count == 46
    assert http.get("/api/case").json()["cells"][0]["karyotype"] == "46,XX"
    kept = served.store.frame(cell["id"])
    assert np.abs(kept.pixels.astype(int) - DRAWN.pixels).mean() < 4


def test_what_is_captured_is_read_again(tmp_path: Path) -> None:
    """And kept as the second reading has it, live labels or not."""

    class Thorough(SameAgain):
        def label(self, frame: Frame) -> Cell:
            live = super().label(frame)
            return replace(live, chromosomes=live.chromosomes[:-1], karyotype="45,X")

    with serving(tmp_path, reader_of=Thorough) as served, httpx.Client(base_url=served.base) as http:
        served.show()
        assert served.cell().count == 46
        assert http.post("/api/capture", json={"actor": "kim"}).json()["count"] == 45
        (kept,) = served.store.cells("today")
        assert kept.captured.cell.karyotype == "45,X"


def test_every_chromosome_has_a_cut_out(http: httpx.Client, cell: Json) -> None:
    for chromosome in cell["chromosomes"][:3]:
        png = http.get(f"/api/cells/{cell['id']}/cutouts/{chromosome['id']}.png")
        with Image.open(io.BytesIO(png.content)) as picture:
            width, height = chromosome["size_px"]
            assert picture.size == (3 * width, 3 * height)
    assert http.get(f"/api/cells/{cell['id']}/picture.png").headers["content-type"] == "image/png"


def test_a_label_changes_the_karyotype_and_undo_and_redo_follow(http: httpx.Client, cell: Json) -> None:
    one = with_label(cell, "22")[0]
    after = edit(http, cell, {"edit": "relabel", "chromosome": one["id"], "label": "21"}).json()
    assert after["karyotype"] == "46,XX,+21,-22"
    assert any("Down" in finding for finding in after["findings"])
    assert (after["can_undo"], after["can_redo"]) == (True, False)
    body = {"actor": "kim", "based_on": after["revision"]}
    undone = http.post(f"/api/cells/{cell['id']}/undo", json=body).json()
    assert (undone["karyotype"], undone["can_redo"]) == ("46,XX", True)
    body["based_on"] = undone["revision"]
    assert http.post(f"/api/cells/{cell['id']}/redo", json=body).json()["karyotype"] == "46,XX,+21,-22"


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({"edit": "flip"}, lambda c: not c["p_arm_up"]),
        ({"edit": "mark", "kind": "marker"}, lambda c: c["kind"] == "marker"),
        ({"edit": "mark", "kind": "derivative"}, lambda c: c["kind"] == "derivative"),
        ({"edit": "exclude"}, lambda c: c["excluded"]),
    ],
)
def test_edits_of_one(http: httpx.Client, cell: Json, change: Json, holds: Callable[[Json], bool]) -> None:
    one = cell["chromosomes"][4]
    after = edit(http, cell, {**change, "chromosome": one["id"]}).json()
    assert holds(next(c for c in after["chromosomes"] if c["id"] == one["id"]))


def test_a_line_across_cuts_one_in_two_and_joining_heals_it(http: httpx.Client, cell: Json) -> None:
    one = DRAWN.truth[0]
    middle = one.axis_px[len(one.axis_px) // 2]
    along = one.axis_px[len(one.axis_px) // 2 + 1] - one.axis_px[len(one.axis_px) // 2 - 1]
    across = np.array([-along[1], along[0]]) / np.hypot(*along) * 30
    line = [[float(v) for v in middle - across], [float(v) for v in middle + across]]
    after = edit(http, cell, {"edit": "split", "chromosome": one.id, "line": line}).json()
    assert after["count"] == 47
    old = {c["id"] for c in cell["chromosomes"]}
    parts = [c["id"] for c in after["chromosomes"] if c["id"] not in old]
    assert len(parts) == 2
    healed = edit(http, after, {"edit": "join", "chromosomes": parts}).json()
    assert healed["count"] == 46


def test_a_missed_one_is_drawn_along_its_middle(served: Served, http: httpx.Client, cell: Json) -> None:
    one = DRAWN.truth[5]
    removed = edit(http, cell, {"edit": "exclude", "chromosome": one.id}).json()
    line = [[float(x), float(y)] for x, y in one.axis_px[:: max(1, len(one.axis_px) // 20)]]
    after = edit(http, removed, {"edit": "draw", "line": line}).json()
    assert after["count"] == 46
    drawn = served.store.cell(cell["id"]).places[-1].chromosome.region
    x0, y0, x1, y1 = one.box_px
    full = np.zeros(DRAWN.pixels.shape, bool)
    full[y0:y1, x0:x1] = one.mask
    a, b, c, d = drawn.box_px
    mine = np.zeros_like(full)
    mine[b:d, a:c] = drawn.mask
    assert (full & mine).sum() / (full | mine).sum() > 0.6


@pytest.mark.parametrize(
    "change",
    [
        {"edit": "draw", "line": [[5, 5], [6, 5]]},
        {"edit": "draw", "line": [[-500, -500], [-400, -500]]},
        {"edit": "draw", "line": [["a", 1], [2, 3]]},
        {"edit": "draw", "line": [[1, 1]] * 201},
        {"edit": "draw", "line": [[1e300, 1], [float("1e308"), 4]]},
        {"edit": "draw", "line": [[10**400, 1], [2, 3]]},
        {"edit": "split", "chromosome": 0, "line": [[0, 0], [1, 1]]},
        {"edit": "split", "chromosome": 999, "line": [[0, 0], [100, 100]]},
        {"edit": "join", "chromosomes": [1]},
        {"edit": "join", "chromosomes": "1"},
        {"edit": "relabel", "chromosome": 1, "label": "23"},
        {"edit": "relabel", "chromosome": True, "label": "2"},
        {"edit": "set_aside", "reason": " "},
        {"edit": "set_aside", "reason": "x" * 40_000},
        {"edit": "accept", "chromosomes": []},
        {"edit": "swap", "first": 1, "second": 1},
        {"edit": "undo", "revision": 1},
        {"edit": "nothing"},
        {},
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(http: httpx.Client, cell: Json, change: Json) -> None:
    answer = edit(http, cell, change)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]
    assert http.get(f"/api/cells/{cell['id']}").json()["revision"] == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"actor": 3, "based_on": 0, "change": {}}', b"[" * 40_000])
def test_a_body_that_is_none(http: httpx.Client, cell: Json, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert http.post(f"/api/cells/{cell['id']}/edit", content=body, headers=headers).status_code == 422


@pytest.mark.parametrize("actor", ["", " ", "\0", "a\nb", "x" * 101])
def test_a_name_that_is_none_is_refused(http: httpx.Client, cell: Json, actor: str) -> None:
    answer = edit(http, cell, {"edit": "flip", "chromosome": 1}, actor=actor)
    assert answer.status_code == 422
    assert "who does this" in answer.json()["error"]


def test_json_must_say_that_it_is(http: httpx.Client) -> None:
    """A form of another site cannot send application/json."""
    answer = http.post("/api/capture", content=b'{"actor": "x"}', headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("report", b"%PDF"),
        ("json", b"{"),
        ("cells", b'\xef\xbb\xbf"case",'),
        ("chromosomes", b'\xef\xbb\xbf"case",'),
        ("all", b"PK"),
    ],
)
def test_the_case_is_taken_away_and_the_log_keeps_it(
    served: Served, http: httpx.Client, cell: Json, form: str, begins: bytes
) -> None:
    answer = http.post("/api/case/export", json={"actor": "kim", "form": form})
    assert answer.status_code == 200
    assert answer.content.startswith(begins)
    assert served.store.log("today")[-1].said["as"] == [form]


@pytest.mark.parametrize("form", ["../x", "", None, 7, [], {}])
def test_an_unknown_export(http: httpx.Client, cell: Json, form: object) -> None:
    answer = http.post("/api/case/export", json={"actor": "kim", "form": form})
    assert (answer.status_code, answer.json()["error"].endswith(f"got {form!r}")) == (422, True)


def test_half_a_character_is_refused(http: httpx.Client, cell: Json) -> None:
    """JSON can say what UTF-8 cannot; the refusal must not repeat it."""
    headers = {"Content-Type": "application/json"}
    change = {"edit": "set_aside", "reason": "a\ud83d"}
    for path, asked in (
        (f"cells/{cell['id']}/edit", {"based_on": 0, "change": change}),
        ("case/export", {"form": "json", "case": "a\ud83d"}),
    ):
        answer = http.post(f"/api/{path}", content=json.dumps({"actor": "kim", **asked}), headers=headers)
        assert (answer.status_code, r"a\ud83d" in answer.json()["error"]) == (422, True)


def test_a_case_with_half_a_character_is_served(served: Served, http: httpx.Client, cell: Json) -> None:
    """One that an earlier version let in."""
    with unchecked():
        served.store.edit(cell["id"], SetAside("schlechte Fl\udce4che"), based_on=0, actor="kim")
    told = r"schlechte Fl\udce4che"
    assert http.get("/api/case").json()["cells"][0]["set_aside"] == told
    assert http.get(f"/api/cells/{cell['id']}").json()["set_aside"] == told
    for form in ("cells", "report", "all"):
        assert http.post("/api/case/export", json={"actor": "kim", "form": form}).status_code == 200
    served.move_on()
    assert http.post("/api/capture", json={"actor": "kim"}).status_code == 201


def test_a_still_stage_gives_one_cell(served: Served, http: httpx.Client, cell: Json) -> None:
    """Whatever was done with it: each capture more would count what it shows again."""
    served.show()
    again = http.post("/api/capture", json={"actor": "lee"})
    assert (again.status_code, again.json()["cell"]["id"]) == (409, cell["id"])
    assert again.json()["error"] == "it is cell 1 already; move on, or open it with K"
    aside = edit(http, cell, {"edit": "set_aside", "reason": "poor spread"})
    assert aside.json()["set_aside"] == "poor spread"
    again = http.post("/api/capture", json={"actor": "lee"})
    assert "cell 1 already, which is set aside" in again.json()["error"]
    assert [c["number"] for c in http.get("/api/case").json()["cells"]] == [1]


def test_two_who_capture_at_once_mean_one_cell(served: Served, http: httpx.Client) -> None:
    served.show()
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(http.post, "/api/capture", json={"actor": f"kim {k}"}) for k in range(6)]
        codes = sorted(one.result().status_code for one in asked)
    assert codes == [201, 409, 409, 409, 409, 409]


def test_a_field_without_a_chromosome_is_no_cell(served: Served, http: httpx.Client) -> None:
    served.show()
    labelled = served.hub.labelled
    assert labelled is not None
    served.hub.put(labelled.frame, replace(labelled.cell, chromosomes=()))
    answer = http.post("/api/capture", json={"actor": "kim"})
    assert (answer.status_code, served.store.cases()) == (422, ())
    assert "no chromosome under the lens" in answer.json()["error"]


def test_cells_are_tallied(served: Served, http: httpx.Client, cell: Json) -> None:
    served.move_on()
    http.post("/api/capture", json={"actor": "kim"})
    result = http.get("/api/case").json()["tally"]
    assert result["karyotype"] == "46,XX[2]"
    assert result["exclusion"].startswith("2 cells exclude")


def test_each_day_has_its_own_case(served: Served, http: httpx.Client, cell: Json) -> None:
    """A board that runs for months puts what it captures into the day's; the pages are told at midnight."""
    with live(served) as socket:
        head = told(socket, lambda m: m["type"] == "case")["head"]
        served.clock.day = "tomorrow"
        told(socket, lambda m: m["type"] == "case" and (m["name"], m["head"]) == ("tomorrow", head))
    assert http.get("/api/case").json()["cells"] == []
    assert http.post("/api/capture", json={"actor": "kim"}).json()["case"] == "tomorrow"
    assert [len(served.store.cells(day)) for day in ("today", "tomorrow")] == [1, 1]


def test_the_next_patient_has_a_case_of_their_own(served: Served, http: httpx.Client, cell: Json) -> None:
    """It is told to all pages, and what a page does to the case that it still shows is refused."""
    with live(served) as socket:
        opened = http.post("/api/case/open", json={"actor": "kim", "name": " S2 "})
        assert (opened.status_code, opened.json()["name"], opened.json()["cells"]) == (200, "S2", [])
        assert opened.json()["cases"] == ["S2", "today"]
        told(socket, lambda m: m["type"] == "case" and m["name"] == "S2")
    for path, asked in (("capture", {}), ("case/export", {"form": "json"})):
        late = http.post(f"/api/{path}", json={"actor": "kim", "case": "today", **asked})
        assert late.status_code == 422
        assert "case S2 is open now, and the page showed today" in late.json()["error"]
    captured = http.post("/api/capture", json={"actor": "kim", "case": "S2"})
    assert (captured.status_code, captured.json()["case"], captured.json()["number"]) == (201, "S2", 1)
    served.clock.day = "tomorrow"
    assert http.get("/api/case").json()["name"] == "S2"


def test_a_case_is_opened_again_and_that_of_the_day_goes_with_it(
    served: Served, http: httpx.Client, cell: Json
) -> None:
    for name in ("S2", "today"):
        opened = http.post("/api/case/open", json={"actor": "kim", "name": name}).json()
    assert [c["id"] for c in opened["cells"]] == [cell["id"]]
    served.clock.day = "tomorrow"
    assert http.get("/api/case").json()["name"] == "tomorrow"


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101, 7, None])
def test_a_case_that_cannot_be_opened(http: httpx.Client, cell: Json, name: object) -> None:
    assert http.post("/api/case/open", json={"actor": "kim", "name": name}).status_code == 422
    assert http.get("/api/case").json()["cases"] == ["today"]


def test_two_people_on_one_cell(http: httpx.Client, cell: Json) -> None:
    one, other = with_label(cell, "22")
    first = edit(http, cell, {"edit": "relabel", "chromosome": one["id"], "label": "21"}, actor="kim")
    assert first.status_code == 200
    elsewhere = edit(http, cell, {"edit": "flip", "chromosome": other["id"]}, actor="lee")
    assert elsewhere.status_code == 200
    both = elsewhere.json()
    assert both["karyotype"] == "46,XX,+21,-22"
    clash = edit(http, cell, {"edit": "relabel", "chromosome": one["id"], "label": "20"}, actor="lee")
    assert clash.status_code == 409
    assert clash.json()["cell"]["karyotype"] == "46,XX,+21,-22"


def test_a_store_that_is_locked_for_once_is_followed_again(
    served: Served, monkeypatch: pytest.MonkeyPatch, cell: Json
) -> None:
    asked = threading.Event()

    def locked() -> None:
        asked.set()
        raise StoreError("another program kept it locked")

    with live(served) as socket:
        before = told(socket, lambda m: m["type"] == "case")["head"]
        with monkeypatch.context() as patch:
            patch.setattr(served.store, "head", locked)
            assert asked.wait(PATIENCE_S)
        served.store.new_case("another", "lee")
        told(socket, lambda m: m["type"] == "case" and m["head"] > before)


def test_what_is_done_is_no_failure_where_the_store_is_locked_after_it(
    served: Served, http: httpx.Client, cell: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked() -> None:
        raise StoreError("another program kept it locked")

    monkeypatch.setattr(served.store, "head", locked)
    asked = {"actor": "kim", "based_on": cell["revision"], "change": {"edit": "flip", "chromosome": 0}}
    answer = http.post(f"/api/cells/{cell['id']}/edit", json=asked)
    assert (answer.status_code, answer.json()["revision"]) == (200, cell["revision"] + 1)


def test_a_change_by_another_program_reaches_the_page(served: Served, cell: Json, tmp_path: Path) -> None:
    with live(served) as socket:
        before = told(socket, lambda m: m["type"] == "case")["head"]

        def elsewhere() -> None:
            with CaseStore(tmp_path) as store:
                store.new_case("another", "lee")

        thread = threading.Thread(target=elsewhere)
        thread.start()
        told(socket, lambda m: m["type"] == "case" and m["head"] > before)
        thread.join()


@pytest.mark.parametrize(
    "path",
    [
        "/api/cells/99",
        "/api/cells/1/cutouts/999.png",
        "/api/bands/500",
        "/api/cells/99999999999999999999",
        "/api/cells/" + "9" * 5000,
    ],
)
def test_what_is_not_there(http: httpx.Client, cell: Json, path: str) -> None:
    assert http.get(path).status_code == 404


@pytest.mark.parametrize("resolution", [400, 550, 850])
def test_the_bands_of_every_class(http: httpx.Client, resolution: int) -> None:
    table = http.get(f"/api/bands/{resolution}").json()
    assert len(table) == 24
    name, start, stop, *_ = table["1"]["bands"][0]
    assert name.startswith("p36")
    assert start < stop < table["1"]["centromere"]
