"""The live view: labels on the simulated scope, and what becomes of them when the camera fails."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_MS, capture, running, until
from tests.browser.tap import Tap, tapping
from tests.edge.disks import full


def test_labels_appear_on_the_chromosomes(live: Page) -> None:
    labels = live.locator("#overlay")
    expect(labels).not_to_have_class("gone")
    assert int(labels.get_attribute("data-labels") or 0) > 30
    drawn = live.evaluate(
        """() => {
            const c = document.getElementById("overlay");
            const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            let blue = 0;
            for (let k = 0; k < d.length; k += 4) blue += d[k + 3] > 200 && d[k + 2] > 200 && d[k] < 140;
            return blue;
        }"""
    )
    assert drawn > 1000  # outlines of what is sure
    expect(live.locator("#advice")).not_to_be_empty()
    expect(live.locator("#notice")).to_have_text("For research use only. Not for use in diagnostic procedures.")


@pytest.mark.parametrize(("width", "height"), [(800, 480), (640, 360)])
def test_on_a_boards_own_screen_capture_and_what_is_said_are_in_sight(live: Page, width: int, height: int) -> None:
    live.set_viewport_size({"width": width, "height": height})
    expect(live.locator("#capture")).to_be_in_viewport(ratio=1)
    live.evaluate("document.getElementById('live-said').textContent = 'Nothing to capture: wait for the labels'")
    expect(live.locator("#live-said")).to_be_in_viewport(ratio=1)
    button, said = live.locator("#capture").bounding_box(), live.locator("#live-said").bounding_box()
    assert button is not None
    assert said is not None
    assert said["x"] + said["width"] <= button["x"]
    for beside in ("#advice", "#count", "#live-karyotype"):
        expect(live.locator(beside)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(("width", "height"), [(800, 480), (640, 360), (390, 700)])
def test_on_a_boards_own_screen_a_fault_is_in_sight(page: Page, scope: str, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.route_web_socket("**/live", lambda socket: socket.close(code=4000, reason="Camera late"))
    page.goto(scope)
    expect(page.locator("#fault")).to_have_text("Camera late")
    for scrolled in (0, 9999):
        page.evaluate("(y) => scrollTo(0, y)", scrolled)
        expect(page.locator("#fault")).to_be_in_viewport(ratio=1)


def test_space_captures_and_the_karyogram_holds_every_chromosome(live: Page) -> None:
    capture(live)
    counted = int((live.locator("#corrections").text_content() or "").split("·")[1].split()[0])
    assert live.locator(".chromosome").count() == counted > 30
    assert live.locator(".place").count() == 26  # 24 classes, markers, removed
    for k in (0, counted - 1):
        picture = live.locator(".chromosome img").nth(k)
        assert picture.evaluate("async (img) => (await img.decode(), img.naturalWidth)") > 10
    live.keyboard.press("l")
    expect(live.locator("#cells button").first).to_contain_text(",")


def test_labels_of_one_field_are_never_shown_over_another(page: Page, scope: str) -> None:
    """The socket is played: labels of scene 2 come while the picture is still of scene 1, then the other way round."""
    page.route_web_socket("**/live", lambda socket: None)
    page.goto(scope)
    shown = page.evaluate(
        """async () => {
            const { Live } = await import("/app/live.js");
            const live = new Live(() => {});
            const canvas = new OffscreenCanvas(40, 40);
            canvas.getContext("2d").fillRect(0, 0, 40, 40);
            const jpeg = await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer();
            const picture = async (scene) => {
                const sent = new Uint8Array(8 + jpeg.byteLength);
                new DataView(sent.buffer).setUint32(4, scene, true);
                sent.set(new Uint8Array(jpeg), 8);
                await live.picture(sent.buffer);
            };
            const labels = (scene) => ({
                type: "labels", scene, frame: scene, count: 1, width_px: 40, height_px: 40, karyotype: "", findings: [],
                chromosomes: [],
            });
            const overlay = document.getElementById("overlay");
            const seen = [];
            const look = () => seen.push(!overlay.classList.contains("gone"));
            live.setFault("");
            await picture(1);
            live.told(labels(2));
            look();
            await picture(2);
            look();
            await picture(3);
            look();
            live.told(labels(3));
            look();
            return seen;
        }"""
    )
    assert shown == [False, True, False, True]


def test_labels_of_before_a_restart_are_not_shown_over_the_next_run(page: Page, scope: str) -> None:
    """Both count their scenes from one. The socket is played, and closed by the board."""
    page.route_web_socket("**/live", lambda socket: None)
    page.goto(scope)
    shown = page.evaluate(
        """async () => {
            const { Live } = await import("/app/live.js");
            const live = new Live(() => {});
            const holds = () => (live.setFault(""), live.labelsHold());
            live.scene = 1;
            const cell = { count: 1, width_px: 9, height_px: 9, karyotype: "", findings: [], chromosomes: [] };
            live.take({ scene: 1, frame: 1, ...cell });
            const before = holds();
            live.socket.onclose({ reason: "" });
            live.scene = 1;
            return [before, holds()];
        }"""
    )
    assert shown == [True, False]


@pytest.fixture
def tapped(models_dir: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Tap, str]]:
    tap = Tap(getattr(request, "param", (500, 500)))
    with tapping(tap, models_dir, tmp_path) as address:
        yield tap, address


@pytest.mark.parametrize(("failure", "said"), [("hold", "Camera frozen"), ("stop", "Camera late")])
def test_a_failing_camera_blanks_the_labels_and_says_why(
    tapped: tuple[Tap, str], page: Page, failure: str, said: str
) -> None:
    tap, address = tapped
    page.goto(address)
    expect(page.locator("#capture")).to_be_enabled()
    event: threading.Event = getattr(tap, failure)
    event.set()
    expect(page.locator("#fault")).to_contain_text(said)
    expect(page.locator("#overlay")).to_have_class("gone")
    expect(page.locator("#capture")).to_be_disabled()
    page.keyboard.press("Space")
    expect(page.locator("#live")).to_be_visible()
    event.clear()
    expect(page.locator("#fault")).to_be_hidden()
    expect(page.locator("#overlay")).not_to_have_class("gone")
    expect(page.locator("#capture")).to_be_enabled()


@pytest.mark.parametrize("tapped", [(450, 900), (900, 450)], ids=["broad", "tall"], indirect=True)
def test_the_picture_is_never_stretched(tapped: tuple[Tap, str], page: Page) -> None:
    """It fills the room that it has, and keeps its form; in one column the room has that form, too."""
    page.goto(tapped[1])
    expect(page.locator("#frame")).to_have_attribute("width", re.compile("^(450|900)$"))
    for width, height in [(1280, 720), (1024, 768), (800, 1280)]:
        page.set_viewport_size({"width": width, "height": height})
        shown, stage, aspect = page.evaluate(
            """() => [...["#frame", ".stage"].map((what) => document.querySelector(what).getBoundingClientRect())
                .map(({ width, height }) => [width, height]), frame.width / frame.height]"""
        )
        assert shown[0] / shown[1] == pytest.approx(aspect, rel=0.01), (width, height)
        filled = shown[0] / stage[0], shown[1] / stage[1]
        assert max(filled) == pytest.approx(1, abs=0.01)
        if width == 800 and aspect > 1:
            assert min(filled) == pytest.approx(1, abs=0.01)


def test_a_still_field_is_one_cell(tapped: tuple[Tap, str], page: Page) -> None:
    """A second capture of it is refused, on a page that has opened no cell too, and K opens the first."""
    page.goto(tapped[1])
    capture(page)
    page.goto(tapped[1])
    expect(page.locator("#capture")).to_be_enabled()
    page.keyboard.press("Space")
    expect(page.locator("#live-said")).to_have_text("it is cell 1 already; move on, or open it with K")
    expect(page.locator("#cells li")).to_have_count(1)
    page.keyboard.press("k")
    expect(page.locator("#corrections")).to_contain_text("Cell 1 ")


def test_a_key_that_is_faster_than_the_pages_first_question(tapped: tuple[Tap, str], page: Page) -> None:
    """Which case is open is heard after Space is pressed: the cell is captured all the same."""
    page.add_init_script(
        "const ask = window.fetch; const heard = new Promise((done) => { window.hear = done; });"
        "window.fetch = async (...words) => {"
        " if (String(words[0]).includes('api/case')) await heard; return ask(...words); };"
    )
    page.goto(tapped[1])
    expect(page.locator("#capture")).to_be_enabled()
    page.keyboard.press("Space")
    page.wait_for_timeout(300)
    page.evaluate("hear()")
    expect(page.locator(".chromosome").first).to_be_visible()


def test_a_silent_board_blanks_the_labels(models_dir: Path, tmp_path: Path, page: Page) -> None:
    with running("--camera", "sim", cases=tmp_path) as address:
        page.goto(address)
        expect(page.locator("#capture")).to_be_enabled()
    expect(page.locator("#fault")).to_be_visible()
    expect(page.locator("#overlay")).to_have_class("gone")


PUPPET = """async () => {
    const { Live } = await import("/app/live.js");
    const live = Object.create(Live.prototype);  // a page without a socket: the test is its board
    const state = (echo, fault, scene) =>
        live.state({ echo, fault, scene, frames_per_s: 9, labels_per_s: 9, latency_ms: 90 });
    Object.assign(live, { spots: new Map(), fault: "", heard: performance.now(), scene: 3, drawn: 7, say() {} });
    live.labels = { scene: 3, frame: 7, count: 0, chromosomes: [], findings: [], karyotype: "" };
    live.guidance = { scene: 3, verdict: "capture", advice: "Go", crossing: 2 };
    Object.assign(live.guidance, { sharpness: 3, sharp_from: 2.85, banding: 0.1 });
    const held = [];
    const note = () => held.push([live.labelsHold(), live.fault]);
    const now = () => performance.now();
    %s
    return held;
}"""


def test_a_full_disk_is_told_beside_the_labels(models_dir: Path, tmp_path: Path, page: Page) -> None:
    with ExitStack() as stack:
        with full():  # of which the program has as much as this process at its start
            address = stack.enter_context(running("--camera", "sim", "--seed", "3", cases=tmp_path))
        page.goto(address)
        expect(page.locator("#unkept")).to_contain_text("Nothing can be captured: ")
        expect(page.locator("#unkept")).to_be_in_viewport(ratio=1)
        expect(page.locator("#capture")).to_be_enabled()

        def refused() -> bool:
            page.keyboard.press("Space")  # again where the stage moved at that very moment
            page.wait_for_timeout(300)
            return "nothing captured: " in (page.locator("#live-said").text_content() or "")

        until(page, refused)
        expect(page.locator("#karyogram")).to_be_hidden()


def test_labels_of_the_scene_before_do_not_come_back_with_the_camera(live: Page) -> None:
    """The first state after a fault may name the new scene at once; the picture on the screen is still the old one."""
    held = live.evaluate(
        PUPPET % 'state(now(), "", 3); note(); state(now(), "Camera late", 3); note(); state(now(), "", 4); note();'
    )
    assert held == [[True, ""], [False, "Camera late"], [False, ""]]


def test_labels_do_not_wait_for_their_guidance_nor_take_that_of_another_scene(live: Page) -> None:
    told = live.evaluate(
        PUPPET % "live.fault = ''; const note2 = () => held.push(['count', 'advice', 'crossing'].map("
        "(id) => document.getElementById(id).textContent));"
        "live.labels.count = 46; live.refresh(); note2();"
        "live.scene = 4; live.labels = { ...live.labels, scene: 4, count: 45 }; live.refresh(); note2();"
        "live.advise({ ...live.guidance, scene: 4, advice: 'Focus', crossing: 5 }); note2();"
    )
    assert told == [["46", "Go", "2"], ["45", "Labelling", "\N{EN DASH}"], ["45", "Focus", "5"]]


def test_a_slow_way_blanks_the_labels(live: Page) -> None:
    """A state that was long on its way is old, however lately it came."""
    held = live.evaluate(
        PUPPET % 'state(null, "", 3); note(); state(now(), "", 3); note();'
        'state(now() - 900, "", 3); note(); live.scene = 3; state(now() - 100, "", 3); note();'
    )
    assert held[0] == [False, "Waiting for the board"]
    assert held[1] == [True, ""]
    assert held[2] == [False, "Connection to the board is too slow"]
    assert held[3] == [True, ""]


def test_a_board_that_fell_silent_is_asked_again(live: Page) -> None:
    """One that lost its power never ends the connection; the page does, and what follows is as after any end."""
    held = live.evaluate(
        PUPPET % "live.socket = { close() { held.push('closed'); } };"
        "live.heard = now() - 30000; live.watch(); note(); live.heard = now() - 61000; live.watch();"
    )
    assert held[1:] == ["closed"]


def test_a_picture_like_the_one_before_writes_nothing_beside_it(live: Page) -> None:
    """Thirty a second would have the browser lay the page out as often."""
    held = live.evaluate(
        PUPPET % "live.fault = ''; live.refresh(); const seen = new MutationObserver(() => {});"
        "seen.observe(document.querySelector('main'), { subtree: true, childList: true, attributes: true });"
        "for (let k = 0; k < 30; k++) live.refresh(); held.push(seen.takeRecords().length);"
        "live.scene = 0; live.refresh(); held.push(seen.takeRecords().length > 0);"
    )
    assert held == [0, True]


def test_k_opens_the_newest_cell_of_the_case(karyogram: Page, scope: str) -> None:
    karyogram.goto(scope)  # a page that has opened none yet
    expect(karyogram.locator("#to-karyogram")).to_be_enabled()
    newest = karyogram.locator("#cells button span").first.text_content() or ""
    karyogram.keyboard.press("k")
    expect(karyogram.locator("#corrections")).to_contain_text(f"Cell {newest.removesuffix('.')} ")


def test_a_token_is_asked_for_beyond_this_machine(models_dir: Path, tmp_path: Path, browser: Browser) -> None:
    with running("--camera", "sim", "--host", "0.0.0.0", cases=tmp_path) as printed:
        port_and_token = printed.rpartition(":")[2]
        address = f"http://127.0.0.1:{port_and_token}"
        bare = address.partition("?")[0]
        context = browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        refused = page.goto(bare)
        assert refused is not None
        assert refused.status == 401
        expect(page.locator("body")).to_contain_text("token")
        page.goto(address)
        assert page.url == bare
        expect(page.locator("#capture")).to_be_enabled()
        (cookie,) = context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        context.close()


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("size", [(1280, 720), (640, 360)], ids=["100 %", "200 %"])
def test_accessibility(browser: Browser, scope: str, size: tuple[int, int]) -> None:
    """No serious violation in either view, at 100 and at 200 % zoom (which halves the page's own pixels)."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, bypass_csp=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(scope)
    expect(page.locator("#capture")).to_be_enabled()
    assert serious(page) == []
    capture(page)
    page.keyboard.press("b")
    assert serious(page) == []
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    context.close()


def test_the_page_loads_nothing_from_elsewhere(page: Page, scope: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(scope)
    expect(page.locator("#capture")).to_be_enabled()
    assert asked
    assert all(url.startswith((scope, scope.replace("http", "ws"), "blob:")) for url in asked)
