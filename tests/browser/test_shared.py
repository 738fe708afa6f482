"""Several pages and people on one board, and a board that is slow or silent: no edit meets what nobody has seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, WebSocket, expect

from edge.cases.edits import Accept, Relabel, SetAside
from tests.browser.conftest import Bench, until

FETCH = """([address, body]) => fetch(address, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ actor: "lee", ...body }),
}).then((answer) => answer.json())"""
DROP = """([id, place]) => {
    const dataTransfer = new DataTransfer();
    const chip = document.querySelector(`.chromosome[data-id="${id}"]`);
    chip.dispatchEvent(new DragEvent("dragstart", { dataTransfer, bubbles: true }));
    window.letGo = () => {
        const there = document.querySelector(`.place[data-place="${place}"]`);
        there.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        chip.dispatchEvent(new DragEvent("dragend", { dataTransfer, bubbles: true }));
    };
}"""


def selected(bench: Bench) -> str | None:
    return bench.page.locator(".chromosome.selected").get_attribute("data-id")


def test_a_key_that_is_held_down_is_one_press(bench: Bench) -> None:
    bench.open(1)
    for _ in range(6):
        bench.page.keyboard.down("Enter")
    bench.page.keyboard.up("Enter")
    expect(bench.page.locator("#left")).to_have_text("1 to review")
    assert bench.edits() == [(1, "accept")]


def test_a_chromosome_that_is_chosen_before_the_answer_stays_chosen(bench: Bench) -> None:
    waiting = bench.hold_edit()
    bench.open(1)
    bench.page.keyboard.press("Enter")
    until(bench.page, lambda: bool(waiting))
    bench.chromosome(30).click()
    waiting[0].continue_()
    expect(bench.page.locator("#said")).to_have_text("Accepted")
    assert selected(bench) == "30"


def test_a_number_that_is_typed_across_the_answer_is_whole(bench: Bench) -> None:
    """It is for the next uncertain one, which the answer selects."""
    page = bench.page
    waiting = bench.hold_edit()
    bench.open(1)
    page.keyboard.press("8")
    page.keyboard.press("Enter")
    until(page, lambda: bool(waiting))
    page.keyboard.press("1")
    waiting[0].continue_()
    expect(page.locator(".chromosome.selected")).to_have_attribute("data-id", "20")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(bench.place("12").locator('.chromosome[data-id="20"]')).to_have_count(1)


def test_what_was_typed_is_not_for_the_next_one(bench: Bench) -> None:
    bench.open(1)
    bench.page.keyboard.press("1")
    bench.chromosome(14).click()
    expect(bench.page.locator("#typed")).to_have_text("")
    bench.page.keyboard.press("2")
    bench.page.keyboard.press("Enter")
    expect(bench.page.locator("#said")).to_have_text("It is a 2")
    expect(bench.place("2").locator(".chromosome")).to_have_count(3)


def test_what_was_typed_goes_with_the_chromosome_that_somebody_joined(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    bench.chromosome(14).click()
    page.keyboard.press("8")
    id = bench.cells[0].id
    page.evaluate(
        FETCH, [f"/api/cells/{id}/edit", {"based_on": 0, "change": {"edit": "join", "chromosomes": [14, 15]}}]
    )
    expect(page.locator("#said")).to_contain_text("Somebody changed the chromosome that was selected")
    expect(page.locator("#typed")).to_have_text("")
    assert bench.edits() == [(1, "join")]


def test_what_was_said_goes_with_the_view_and_with_what_others_do(bench: Bench) -> None:
    page, said = bench.page, bench.page.locator("#said")
    bench.open(1)
    page.keyboard.press("f")
    expect(said).to_have_text("Turned")
    bench.store.edit(bench.cells[0].id, Relabel(14, "9"), based_on=1, actor="lee")
    expect(said).to_have_text("Somebody changed this cell since")
    page.keyboard.press("f")
    expect(said).to_have_text("Turned")
    page.keyboard.press("l")
    expect(page.locator("#live-said")).to_have_text("")
    page.keyboard.press("k")
    expect(page.locator("#karyogram")).to_be_visible()
    expect(said).to_have_text("")


def test_a_key_goes_round_the_cells_that_wait_for_review(bench: Bench) -> None:
    page, where = bench.page, bench.page.locator("#corrections")
    bench.open(1)
    page.keyboard.press("w")
    expect(where).to_contain_text("Cell 2 ")
    page.keyboard.press("w")
    expect(where).to_contain_text("Cell 1 ")
    bench.store.edit(bench.cells[1].id, SetAside("poor spread"), based_on=0, actor="lee")
    expect(page.locator("#cells .set-aside")).to_have_count(1)
    page.keyboard.press("w")
    expect(page.locator("#said")).to_have_text("No other cell waits for review")
    expect(where).to_contain_text("Cell 1 ")


def test_an_empty_list_of_findings_is_no_stop_of_the_tab_key(bench: Bench) -> None:
    findings = bench.page.locator("#findings")
    bench.open(1)
    expect(findings.locator("li").first).to_be_attached()
    expect(findings).to_have_attribute("tabindex", "0")
    bench.page.evaluate("import('/app/verdict.js').then((m) => m.showVerdict({ karyotype: '', findings: [] }))")
    expect(findings).to_have_attribute("tabindex", "-1")


def test_a_case_that_another_opened_takes_no_cell_unasked(bench: Bench) -> None:
    page = bench.page
    page.evaluate(FETCH, ["/api/case/open", {"name": f"{bench.case}-other"}])
    expect(page.locator("#live-said")).to_contain_text("is open now, no longer")
    bench.capture("it was not opened here; capture again to use it")
    assert not bench.store.case(f"{bench.case}-other").cells


def test_a_capture_that_waits_its_turn_is_for_the_case_that_was_shown(bench: Bench) -> None:
    page, other = bench.page, f"{bench.case}-other"
    waiting = bench.hold_edit()
    bench.open(1)
    page.keyboard.press("Enter")
    until(page, lambda: bool(waiting))
    page.keyboard.press("l")
    bench.capture("Reading the cell thoroughly")
    page.evaluate(FETCH, ["/api/case/open", {"name": other}])
    expect(page.locator("#case-name")).to_have_value(other)
    with page.expect_request("**/api/capture") as asked:
        waiting[0].continue_()
    assert asked.value.post_data_json["case"] == bench.case  # which the board refuses, as another is open


def test_a_case_that_was_opened_here_once_is_still_another_persons_later(bench: Bench) -> None:
    page = bench.page
    page.evaluate(FETCH, ["/api/case/open", {"name": f"{bench.case}-other"}])
    expect(page.locator("#case-name")).to_have_value(f"{bench.case}-other")
    bench.capture("capture again to use it")
    page.evaluate(FETCH, ["/api/case/open", {"name": bench.case}])  # which this page opened first
    expect(page.locator("#case-name")).to_have_value(bench.case)
    bench.capture(f"case {bench.case} is open now, but it was not opened here")
    assert len(bench.store.case(bench.case).cells) == 2


def test_a_cell_of_a_case_that_is_no_longer_open_follows_what_others_do(bench: Bench) -> None:
    bench.open(1)
    bench.page.evaluate(FETCH, ["/api/case/open", {"name": f"{bench.case}-other"}])
    expect(bench.page.locator("#corrections")).to_contain_text(f"Case {bench.case}")
    bench.store.edit(bench.cells[0].id, Relabel(14, "9"), based_on=0, actor="lee")
    expect(bench.place("9").locator(".chromosome")).to_have_count(3)


def test_a_drop_does_not_undo_what_another_said_meanwhile(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    page.evaluate(DROP, [14, "13"])
    with page.expect_response(bench.address(1)):
        bench.store.edit(bench.cells[0].id, Relabel(14, "9"), based_on=0, actor="lee")
    page.wait_for_timeout(200)
    page.evaluate("window.letGo()")
    expect(page.locator("#said")).to_contain_text("lee")
    expect(bench.place("9").locator(".chromosome")).to_have_count(3)
    assert bench.edits() == [(1, "relabel")]


def test_what_waits_while_the_board_is_silent_is_not_sent(bench: Bench) -> None:
    page = bench.page
    waiting: list[Route] = []
    page.route("**/edit", lambda route: waiting.append(route))
    bench.open(1)
    page.keyboard.press("Enter")
    until(page, lambda: bool(waiting))
    expect(page.locator("#said")).to_have_text("Waiting for the board")
    for key in ("u", "a", "f"):
        page.keyboard.press(key)
    waiting[0].abort()
    expect(page.locator("#said")).to_contain_text("the board does not answer")
    expect(page.locator("#said")).to_contain_text("; 3 changes after it were not sent")
    page.wait_for_timeout(300)
    assert len(waiting) == 1
    assert bench.edits() == []


def test_a_page_that_is_left_asks_about_what_the_board_has_not_got_yet(bench: Bench) -> None:
    page = bench.page
    waiting = bench.hold_edit()
    bench.open(1)
    page.keyboard.press("Enter")
    until(page, lambda: bool(waiting))
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.evaluate("setTimeout(() => location.reload())")
    until(page, lambda: asked == ["beforeunload"])
    waiting[0].continue_()
    expect(page.locator("#said")).to_have_text("Accepted")


def test_who_reads_a_cell_second_leaves_a_word_too(bench: Bench) -> None:
    """As on the command line; the page says whose words a cell has."""
    page = bench.page
    accept = page.locator('[data-do="accept-rest"]')
    work = page.locator("#corrections")
    bench.open(1)
    expect(work).not_to_contain_text("seen by")
    page.keyboard.press("a")
    expect(work).to_contain_text("seen by technician")
    expect(accept).to_be_disabled()
    page.keyboard.press("a")
    expect(page.locator("#said")).to_have_text("Nothing changed: it is reviewed, and you have seen it")
    page.locator("#actor").fill("lee")
    page.locator("#actor").press("Enter")
    expect(accept).to_be_enabled()
    accept.click()
    expect(work).to_contain_text("seen by technician, lee")
    expect(accept).to_be_disabled()
    assert bench.edits() == [(1, "accept"), (1, "accept")]
    page.keyboard.press("u")
    expect(work).not_to_contain_text("lee")
    expect(page.locator("#left")).to_have_text("All reviewed")


@pytest.mark.parametrize(("key", "code", "said"), [("ф", "KeyA", "All accepted"), ("Ф", "KeyA", "All accepted")])
def test_keys_of_another_alphabet_stand_for_their_places(bench: Bench, key: str, code: str, said: str) -> None:
    bench.open(1)
    bench.page.evaluate(
        """([key, code]) => {
            const pressed = new KeyboardEvent("keydown", { key, code, bubbles: true });
            document.activeElement.dispatchEvent(pressed);
        }""",
        [key, code],
    )
    expect(bench.page.locator("#said")).to_have_text(said)


def test_digits_need_no_shift_where_the_keyboard_wants_it(bench: Bench) -> None:
    """On a French one the first row gives accents and signs without it."""
    bench.open(1)
    for key, code in [("&", "Digit1"), ("_", "Digit8")]:
        bench.page.evaluate(
            "(keys) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { ...keys, bubbles: true }))",
            {"key": key, "code": code},
        )
    expect(bench.page.locator("#typed")).to_have_text("→ 18 ⏎")


def test_a_live_picture_that_nobody_sees_is_not_sent(bench: Bench) -> None:
    page = bench.page
    pictures: list[int] = []
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.reload()
    until(page, lambda: bool(sockets))
    sockets[0].on("framereceived", lambda data: pictures.append(1) if isinstance(data, bytes) else None)
    until(page, lambda: len(pictures) > 3)
    bench.open(1)
    page.wait_for_timeout(1000)
    seen = len(pictures)
    page.wait_for_timeout(1500)
    assert len(pictures) == seen
    page.keyboard.press("l")
    until(page, lambda: len(pictures) > seen + 3)


def test_a_captured_picture_that_failed_is_asked_for_again(bench: Bench) -> None:
    page = bench.page
    page.route("**/picture.png*", lambda route: route.abort(), times=1)
    bench.open(1)
    page.wait_for_timeout(300)
    with page.expect_response("**/picture.png*"):
        bench.chromosome(30).click()


def test_an_export_holds_what_was_corrected_before_it_was_asked_for(bench: Bench) -> None:
    page = bench.page
    waiting = bench.hold_edit()
    bench.open(1)
    bench.chromosome(14).click()
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    until(page, lambda: bool(waiting))
    page.keyboard.press("l")
    with page.expect_download() as saved:
        page.locator('[data-export="cells"]').click()
        page.wait_for_timeout(300)  # a file that does not wait is made in less
        waiting[0].continue_()
    assert "46,XX,+3,-8" in saved.value.path().read_text()


def test_a_case_that_does_not_come_is_asked_for_again(bench: Bench) -> None:
    """Else the tally and the list would stand as they were until the next change."""
    page = bench.page
    page.route("**/api/case", lambda route: route.abort(), times=1)
    bench.store.edit(bench.cells[0].id, Accept((5, 20)), based_on=0, actor="lee")
    expect(page.locator("#live-said")).to_contain_text("the board does not answer")
    expect(page.locator("#cells button", has_text="1.")).to_contain_text("reviewed")


def test_an_export_keeps_the_keyboard_while_it_is_made(bench: Bench) -> None:
    page = bench.page
    waiting: list[Route] = []
    page.route("**/export", lambda route: waiting.append(route), times=1)
    button = page.locator('[data-export="json"]')
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#live-said")).to_have_text(f"Making {bench.case}-case.json")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(button).to_be_focused()
    waiting[0].continue_()
    expect(page.locator("#live-said")).to_have_text(f"{bench.case}-case.json saved")
    assert page.evaluate("document.body.dataset.view") == "live"
    assert len(waiting) == 1


def test_the_picture_is_enlarged_without_a_keyboard(bench: Bench) -> None:
    bench.open(1)
    for large in (True, False):
        bench.page.locator("#enlarge").click()
        assert bench.page.evaluate("document.body.classList.contains('large-picture')") is large
        assert bench.page.evaluate("document.activeElement.matches('.chromosome')")


NAMED = """() => {
    const named = [];
    const { fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
        if (this.canvas.id === "cell-frame") named.push(text);
        fillText.call(this, text, ...where);
    };
    window.named = () => named.splice(0);
}"""


def test_the_large_picture_names_each_that_counts(bench: Bench) -> None:
    """The small one has no room for names, and under a line that is drawn they would be in the way."""
    page = bench.page
    page.evaluate(NAMED)
    bench.open(1)
    assert page.evaluate("named()") == []
    page.keyboard.press("p")
    assert {"1", "3", "3?", "11?", "X"} < set(page.evaluate("named()"))
    page.keyboard.press("m")
    expect(page.locator("#said")).to_have_text("Marked as a marker")
    assert {"mar"} < set(page.evaluate("named()"))
    page.keyboard.press("Delete")
    expect(page.locator("#said")).to_have_text("Removed")
    assert "mar" not in page.evaluate("named()")
    page.keyboard.press("d")
    page.evaluate("named()")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("named()") == []
