"""The case beside the live picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from edge.cases.edits import Accept
from edge.cases.store import CaseStore
from tests.browser.conftest import capture, running, until
from tests.builders import NORMAL_FEMALE, make_cell, make_frame


def test_what_the_cells_find_together_stands_beside_the_tally(models_dir: Path, tmp_path: Path, page: Page) -> None:
    """Two cells with a third 21 are a clone; one with a third 8 is a finding of its own and none of the case."""
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        for k, labels in enumerate((NORMAL_FEMALE, *[[*NORMAL_FEMALE, "21"]] * 2, [*NORMAL_FEMALE, "8"])):
            seen = store.capture("S1", make_frame(300, 340, level=220 - k, index=k), make_cell(labels), "kim")
            store.edit(seen.id, Accept((0,)), based_on=0, actor="kim")
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        expect(page.locator("#tally")).to_have_text("mos 47,XX,+21[2]/46,XX[1]")
        expect(page.locator("#case-findings li")).to_have_text(
            ["trisomy 21 (Down syndrome) in 2 of 3 cells", "not clonal: +8 in cell 4"]
        )
        page.locator("#cells button").last.focus()
        page.evaluate(
            """async () => {
                const [{ showCase }, { api }] = await Promise.all([import("/app/case.js"), import("/app/api.js")]);
                showCase(await api.case(), () => {}); // as when a colleague captures a cell
            }"""
        )
        expect(page.locator("#cells button").last).to_be_focused()
        page.reload()
        page.locator("#cells button").last.click()
        page.locator(".place[data-place='20'] .chromosome").first.click()
        page.keyboard.type("21")
        page.keyboard.press("Enter")
        page.keyboard.press("l")
        expect(page.locator("#case-findings li").first).to_have_text("trisomy 21 (Down syndrome)")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1024, 600)])
def test_findings_run_over_nothing(page: Page, scope: str, width: int, height: int) -> None:
    """However many there are under the lens and in the case, each part of the column ends before the next begins."""
    page.set_viewport_size({"width": width, "height": height})
    page.route_web_socket("**/live", lambda socket: None)
    page.goto(scope)
    expect(page.locator("#case-name")).not_to_have_value("")
    overlaps = page.evaluate(
        """() => {
            for (const id of ["live-findings", "case-findings"]) {
                const told = "provisional: 4 of 44 chromosomes not yet reviewed, and as many more as fill two lines";
                const all = [1, 2, 3, 4].map(() => Object.assign(document.createElement("li"), { textContent: told }));
                document.getElementById(id).replaceChildren(...all);
            }
            const parts = [...document.querySelectorAll("#live aside > *")].filter((part) => part.offsetHeight);
            const end = (part) => part.offsetTop + Math.max(part.offsetHeight, part.id ? part.scrollHeight : 0);
            return parts.slice(1).filter((part, k) => end(parts[k]) > part.offsetTop).map((part) => part.outerHTML);
        }"""
    )
    assert overlaps == []
    assert page.locator(".cells").evaluate("cells => cells.clientHeight") >= 120


def test_on_a_low_screen_the_newest_cell_and_all_tools_are_in_sight(
    models_dir: Path, tmp_path: Path, page: Page
) -> None:
    page.set_viewport_size({"width": 1024, "height": 600})
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        for k, labels in enumerate((NORMAL_FEMALE, *[[*NORMAL_FEMALE, "21"]] * 2)):
            store.capture("S1", make_frame(300, 340, level=220 - k, index=k), make_cell(labels, review=[3]), "kim")
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        expect(page.locator("#cells button").first).to_be_in_viewport(ratio=1)
        for save in page.locator("[data-export]").all():
            expect(save).to_be_in_viewport(ratio=1)
        page.locator("#cells button").first.click()
        names = page.locator(".tools button")
        expect(names).to_have_count(12)
        assert names.evaluate_all("all => all.filter((b) => b.scrollWidth > b.clientWidth).length") == 0
        page.keyboard.press("e")
        page.keyboard.press("m")
        ends = "part => { const box = part.getBoundingClientRect(); return [box.left, box.right]; }"
        _, told = page.locator("#karyotype").evaluate(ends)
        aside, _ = page.locator("[data-do='aside']").evaluate(ends)
        assert told < aside
        assert (page.locator("#karyotype").inner_html()).startswith("47,<wbr>XX,<wbr>")


@pytest.mark.parametrize(
    "tools", [["f", "s", "j", "c", "m", "e", "Delete"], ["n", "a", "u", "r", "b", "Enter", "ArrowUp"]]
)
def test_a_cell_without_a_chromosome(models_dir: Path, tmp_path: Path, page: Page, tools: list[str]) -> None:
    """``case add`` takes one of any frame; no key breaks the page (``page`` fails on a script's error)."""
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        store.capture("S1", make_frame(300, 340), make_cell([]), "kim")
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        page.locator("#cells button").click()
        expect(page.locator("#corrections")).to_contain_text("0 chromosomes")
        for key in tools:
            page.keyboard.press(key)
            if key in "fsjcmeDelete":
                expect(page.locator("#said")).to_contain_text("no chromosome in this cell")
                page.evaluate("document.getElementById('said').textContent = ''")


def test_an_empty_field_cannot_be_captured(scope: str, page: Page) -> None:
    page.goto(scope)
    expect(page.locator("#capture")).to_be_enabled()
    held = page.evaluate(
        """async () => {
            const { Live } = await import("/app/live.js");
            const live = Object.create(Live.prototype);
            Object.assign(live, { fault: "", scene: 3 });
            return [0, 1].map((count) => ((live.labels = { scene: 3, count }), live.capturable));
        }"""
    )
    assert held == [False, True]


def test_a_cell_is_set_aside_and_taken_back(models_dir: Path, tmp_path: Path, page: Page) -> None:
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        for k, labels in enumerate((NORMAL_FEMALE, [*NORMAL_FEMALE, "8"])):
            store.capture("S1", make_frame(300, 340, level=220 - k, index=k), make_cell(labels), "kim")
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        page.locator("#cells button").first.click()
        expect(page.locator("#corrections")).to_contain_text("Cell 2 ")
        page.keyboard.press("t")
        page.keyboard.press("Enter")  # without a reason nothing happens
        expect(page.locator("#aside")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#aside")).to_be_hidden()
        page.keyboard.press("t")
        page.keyboard.type("too few bands")
        page.keyboard.press("Enter")
        expect(page.locator("#aside-why")).to_have_text("Set aside: too few bands")
        page.keyboard.press("l")
        expect(page.locator("#tally")).to_have_text("46,XX[1] (provisional)")
        expect(page.locator("#cells button").first).to_contain_text("set aside")
        page.keyboard.press("k")
        page.get_by_role("button", name="Take back").click()
        expect(page.locator("#aside-why")).to_be_hidden()
        expect(page.get_by_role("button", name="Set aside")).to_be_visible()
        page.keyboard.press("?")
        expect(page.locator("#help")).to_contain_text("set the cell aside")
    with CaseStore(tmp_path) as store:
        said = [entry.said for entry in store.log("S1") if entry.act == "edit"]
    assert said == [{"edit": "set_aside", "reason": "too few bands"}, {"edit": "take_back"}]


ESCAPE_ASK_AND_SET = """() => {
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  press("t");
  document.getElementById("aside").close();
  press("t");
  document.getElementById("aside-reason").value = "poor spread";
  document.querySelector("#aside form").requestSubmit(document.querySelector("#aside form button"));
}"""


def test_a_cell_is_set_aside_once_however_fast_it_was_asked(models_dir: Path, tmp_path: Path, page: Page) -> None:
    """Before the page is drawn again: browsers tell of a closed dialog no sooner."""
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        store.capture("S1", make_frame(300, 340), make_cell(), "kim")
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        page.locator("#cells button").first.click()
        expect(page.locator("#corrections")).to_contain_text("Cell 1 ")
        page.evaluate(ESCAPE_ASK_AND_SET)
        expect(page.locator("#aside-why")).to_have_text("Set aside: poor spread")
        page.get_by_role("button", name="Take back").click()
        expect(page.locator("#aside-why")).to_be_hidden()
    with CaseStore(tmp_path) as store:
        said = [entry.said for entry in store.log("S1") if entry.act == "edit"]
    assert said == [{"edit": "set_aside", "reason": "poor spread"}, {"edit": "take_back"}]


def test_a_picture_that_does_not_come_is_no_error(models_dir: Path, tmp_path: Path, page: Page) -> None:
    """Nor does that of the cell before stay in its place."""
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        for k in range(2):
            store.capture("S1", make_frame(300, 340, level=220 - k), make_cell(), "kim")
    corner = "canvas => canvas.getContext('2d').getImageData(1, 1, 1, 1).data[0]"
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        page.locator("#cells button").first.click()
        while page.locator("#cell-frame").evaluate(corner) < 150:
            page.wait_for_timeout(50)
        page.keyboard.press("l")
        page.route("**/picture.png?*", lambda route: route.abort())
        with page.expect_event("requestfailed", lambda request: "/picture.png?" in request.url):
            page.locator("#cells button").last.click()
        expect(page.locator("#corrections")).to_contain_text("Cell 1 ")
        assert page.locator("#cell-frame").evaluate(corner) == 0
        page.keyboard.press("ArrowRight")  # another is selected: drawn again
        page.set_viewport_size({"width": 1400, "height": 900})
        expect(page.locator("#corrections")).to_contain_text("Cell 1 ")


def test_a_late_answer_undoes_no_newer_one(models_dir: Path, tmp_path: Path, page: Page) -> None:
    waiting: list[Route] = []
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        expect(page.locator("#case-name")).to_have_value("S1")
        page.route("**/api/case", lambda route: waiting.append(route), times=1)
        with CaseStore(tmp_path) as store:
            store.new_case("S2", "kim")  # the page asks what there is now
            until(page, lambda: bool(waiting))
            old = waiting[0].fetch()
            page.locator("#case-name").fill("S2")
            page.locator("#case-name").press("Enter")
            expect(page.locator("#live-said")).to_have_text("Case S2 is open; it has no cell yet")
            waiting[0].fulfill(response=old)
            page.wait_for_timeout(500)
        expect(page.locator("#case-name")).to_have_value("S2")
        expect(page.locator("#live-said")).to_have_text("Case S2 is open; it has no cell yet")


def test_a_file_is_named_after_the_case_that_was_asked_for(models_dir: Path, tmp_path: Path, page: Page) -> None:
    """The next patient's case may be open when a large one comes."""
    waiting: list[Route] = []
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        store.capture("S1", make_frame(300, 340), make_cell(), "kim")
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        page.route("**/api/case/export", lambda route: waiting.append(route))
        page.locator("[data-export='cells']").click()
        until(page, lambda: bool(waiting))
        of_the_first = waiting[0].fetch()
        page.locator("#case-name").fill("S2")
        page.locator("#case-name").press("Enter")
        expect(page.locator("#live-said")).to_have_text("Case S2 is open; it has no cell yet")
        with page.expect_download() as saved:
            waiting[0].fulfill(response=of_the_first)
        assert saved.value.suggested_filename == "S1-cells.csv"


def test_the_next_patient_begins_without_a_restart(
    models_dir: Path, tmp_path: Path, page: Page, browser: Browser
) -> None:
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        store.capture("S1", make_frame(300, 340), make_cell(), "kim")
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        context = browser.new_context()
        other = context.new_page()
        other.goto(address)
        other.locator("#cells button").click()
        page.goto(address)
        field = page.locator("#case-name")
        expect(field).to_have_value("S1")
        field.fill("S9")
        field.press("Escape")  # nothing was opened
        expect(field).to_have_value("S1")
        expect(field).to_have_attribute("title", re.compile(r"^S1\."))  # whole, however long
        field.fill("S2")
        field.press("Enter")
        expect(page.locator("#live-said")).to_have_text("Case S2 is open; it has no cell yet")
        expect(page.locator("#no-cells")).to_be_visible()
        page.keyboard.press("k")
        expect(page.locator("#live-said")).to_have_text("The case has no cell yet: Space captures one")
        expect(other.locator("#case-name")).to_have_value("S2")
        expect(other.locator("#corrections")).to_contain_text("Case S1 · Cell 1 ")  # still being corrected
        other.keyboard.press("PageDown")
        expect(other.locator("#said")).to_have_text("Case S2 is open; this cell is of case S1")
        context.close()
        capture(page)
        expect(page.locator("#corrections")).to_contain_text("Cell 1 ")
        assert page.locator("#case-names option").evaluate_all("all => all.map((o) => o.value)") == ["S2", "S1"]
    with CaseStore(tmp_path) as store:
        assert [(case.name, len(case.cells)) for case in store.cases()] == [("S2", 1), ("S1", 1)]
