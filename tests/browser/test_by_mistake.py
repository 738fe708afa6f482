"""What is not meant as a correction is none: stray drops, a key on a button, an answer that comes late."""

from __future__ import annotations

import re
import unicodedata

import pytest
from playwright.sync_api import CDPSession, expect

from edge.cases.edits import Flip
from tests.browser.conftest import Bench, capture, until
from tests.builders import NORMAL_FEMALE, make_cell, make_frame

AS_BROAD = "document.getElementById('cell-picture').offsetWidth === document.querySelector('.sheet').clientWidth"


def test_only_a_chromosome_can_be_dropped_and_only_elsewhere(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    page.locator("#selected .paper img").drag_to(bench.place("12"))
    bench.place("12").evaluate(
        """(place) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["x"], "x.txt"));
            dataTransfer.setData("text/plain", "8");  // no chromosome's number
            place.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    bench.chromosome(14).drag_to(bench.place("8").locator(".number"))
    bench.chromosome(14).drag_to(bench.place("9").locator(".number"))
    expect(page.locator("#said")).to_have_text("8 is now 9")
    assert bench.edits() == [(1, "relabel")]
    expect(bench.place("9").locator(".chromosome")).to_have_count(3)


def test_what_is_dropped_onto_another_with_shift_is_said_to_be_swapped(bench: Bench) -> None:
    bench.open(1)
    bench.chromosome(14).hover()
    bench.page.mouse.down()
    bench.page.keyboard.down("Shift")
    bench.chromosome(16).hover()
    bench.chromosome(16).hover()
    bench.page.mouse.up()
    expect(bench.page.locator("#said")).to_have_text("Swapped")
    assert bench.edits() == [(1, "swap")]


def test_where_nothing_waits_the_arrows_start_at_the_first_in_the_sheet(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    bench.chromosome(0).drag_to(bench.place("22").locator(".number"))
    expect(page.locator("#said")).to_have_text("1 is now 22")
    page.keyboard.press("a")
    expect(page.locator("#left")).to_have_text("All reviewed")
    page.keyboard.press("l")
    bench.open(2)
    page.keyboard.press("l")
    bench.open(1)
    expect(bench.place("1").locator(".chromosome").first).to_have_class(re.compile("selected"))


def test_what_is_there_already_is_no_correction(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    bench.chromosome(14).click()
    bench.place("8").locator(".number").click()
    expect(page.locator("#said")).to_have_text("Nothing changed: it is there already")
    bench.chromosome(14).click()
    page.keyboard.type("8")
    page.keyboard.press("Enter")
    expect(page.locator(".chromosome.selected")).to_have_attribute("data-id", "5")  # on to what waits
    page.locator("#selected .candidates button").first.click()
    expect(page.locator("#left")).to_have_text("1 to review")
    bench.place("removed").locator(".number").click()
    expect(bench.place("removed").locator(".chromosome")).to_have_count(1)
    bench.place("removed").locator(".number").click()
    expect(page.locator("#said")).to_have_text("Nothing changed: it is there already")
    assert bench.edits() == [(1, "relabel"), (1, "exclude")]


def test_what_was_removed_comes_back_by_drop_and_by_label(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    for back in ("drop", "label"):
        bench.chromosome(14).click()
        page.keyboard.press("Delete")
        expect(bench.place("removed").locator(".chromosome")).to_have_count(1)
        if back == "drop":
            bench.chromosome(14).drag_to(bench.place("8").locator(".number"))
            expect(page.locator("#said")).to_have_text("It is an 8")
        else:
            page.keyboard.type("8")
            page.keyboard.press("Enter")
        expect(bench.place("8").locator('.chromosome[data-id="14"]')).to_be_visible()
        expect(page.locator("#karyotype")).to_have_text("46,XX")


def test_enter_presses_the_button_that_has_the_focus(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    page.locator("#help-open").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#to-live").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_be_visible()
    page.keyboard.press("k")
    page.locator("#case-name").fill("another")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#live-said")).to_have_text("Case another is open; it has no cell yet")
    assert bench.edits() == []


def test_the_keyboard_stays_on_a_control_that_is_drawn_again(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    bench.chromosome(5).focus()
    page.locator("#bands").focus()
    for resolution in ("400", "550"):
        page.keyboard.press("Enter")
        expect(page.locator("#bands")).to_contain_text(resolution)
        expect(page.locator("#bands")).to_be_focused()
    second = page.locator(".candidates button").nth(1)
    second.focus()
    page.keyboard.press("Space")
    expect(bench.place("1").locator('.chromosome[data-id="5"]')).to_be_visible()
    expect(second).to_be_focused()
    assert bench.edits() == [(1, "relabel")]


def test_enter_after_the_pointer_is_meant_for_the_chromosome(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    bench.chromosome(5).focus()
    page.locator("#bands").click()
    expect(page.locator("#bands")).to_contain_text("400")
    page.keyboard.press("Enter")
    expect(page.locator("#left")).to_have_text("1 to review")
    page.locator("#help-open").click()
    page.locator("#help button").click()
    page.keyboard.press("Enter")
    expect(page.locator("#left")).to_have_text("All reviewed")
    assert bench.edits() == [(1, "accept"), (1, "accept")]


@pytest.mark.parametrize("why", ["edited elsewhere", "another name", "asked for first"])
def test_the_cell_that_was_asked_for_last_stays(bench: Bench, why: str) -> None:
    """However late the answer about another one is, the next key means the one on the screen."""
    page = bench.page
    if why != "asked for first":
        bench.open(1)
        page.keyboard.press("l")
    waiting = bench.hold(1)
    if why == "edited elsewhere":
        bench.store.edit(bench.cells[0].id, Flip(3), based_on=0, actor="lee")
        until(page, lambda: bool(waiting))
    elif why == "another name":
        page.locator("#actor").fill("lee")
        page.locator("#actor").press("Tab")
    else:
        page.locator("#cells button", has_text="1.").click()
    page.locator("#cells button", has_text="2.").click()
    page.wait_for_timeout(300)  # long enough for an answer about 2
    bench.release(1, waiting)
    expect(page.locator("#corrections")).to_contain_text("Cell 2 ")
    page.wait_for_timeout(300)  # and for what comes of that about 1
    page.keyboard.press("f")
    expect(page.locator("#said")).to_have_text("Turned")
    assert bench.edits()[-1] == (2, "flip")


def test_a_key_that_is_faster_than_the_next_cell_changes_neither(bench: Bench) -> None:
    page = bench.page
    waiting = bench.hold(2)
    bench.open(1)
    for key in ("PageDown", "f", "t"):
        page.keyboard.press(key)
    expect(page.locator("#aside")).to_be_visible()
    bench.release(2, waiting)
    expect(page.locator("#said")).to_have_text("Nothing changed: the key was meant for the cell before")
    expect(page.locator("#aside")).to_be_hidden()
    page.keyboard.press("f")
    expect(page.locator("#said")).to_have_text("Turned")
    assert bench.edits() == [(2, "flip")]


def test_the_next_cell_takes_the_chromosome_out_of_the_hand(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    waiting = bench.hold(2)
    page.keyboard.press("PageDown")
    bench.chromosome(14).hover()
    page.mouse.down()
    bench.place("9").locator(".number").hover()
    bench.release(2, waiting)
    expect(page.locator("#corrections")).to_contain_text("Cell 2 ")
    bench.place("9").locator(".number").hover()
    page.mouse.up()
    bench.chromosome(14).click()
    page.keyboard.press("f")
    expect(bench.chromosome(14)).to_have_class(re.compile("upside-down"))
    assert bench.edits() == [(2, "flip")]


def test_a_cell_that_does_not_come_is_told(bench: Bench) -> None:
    """``page`` fails on a script's error."""
    page = bench.page
    page.route(bench.address(1), lambda route: route.abort())
    page.locator("#cells button", has_text="1.").click()
    expect(page.locator("#live-said")).to_contain_text("the board does not answer")
    bench.open(2)
    expect(page.locator("#said")).to_have_text("")


def test_a_press_on_a_cell_holds_while_the_list_changes(bench: Bench) -> None:
    page = bench.page
    button = page.locator("#cells button", has_text="1.")
    button.hover()
    page.mouse.down()
    bench.store.capture(bench.case, make_frame(300, 340, level=222), make_cell(), "lee")
    expect(page.locator("#cells li")).to_have_count(3)
    expect(button).to_be_focused()
    button.hover()  # a cell that is new pushes it down
    page.mouse.up()
    expect(page.locator("#corrections")).to_contain_text("Cell 1 ")


def test_space_in_the_karyogram_says_where_it_captures(bench: Bench) -> None:
    bench.open(1)
    bench.chromosome(0).click()
    bench.page.keyboard.press("Space")
    expect(bench.page.locator("#said")).to_have_text("Space captures in the live view: L")
    assert bench.edits() == []


def test_what_is_removed_makes_the_others_no_smaller(bench: Bench) -> None:
    """A long one in the row of the shortest."""
    bench.open(1)
    bench.chromosome(0).click()
    sizes = "all => all.map((one) => one.offsetHeight)"
    others = bench.page.locator(".place[data-place='9'] .chromosome")
    before = others.evaluate_all(sizes)
    bench.page.evaluate(
        """async () => {
            const { Karyogram } = await import("/app/karyogram.js");
            const { show } = Karyogram.prototype;
            Karyogram.prototype.show = function (cell) {
                for (const c of cell.chromosomes) if (c.id === 0) c.size_px = [10, 4 * c.size_px[1]];
                show.call(this, cell);
            };
        }"""
    )
    bench.page.keyboard.press("Delete")
    expect(bench.place("removed").locator(".chromosome")).to_have_count(1)
    assert others.evaluate_all(sizes) == before
    row = bench.place("removed").locator(".copies")
    removed = bench.place("removed").locator(".chromosome")
    assert removed.evaluate("one => one.offsetHeight") <= row.evaluate("copies => copies.clientHeight")


def test_next_goes_round_all_that_wait(bench: Bench) -> None:
    page = bench.page
    case = f"{bench.case}-four"
    bench.store.new_case(case, "kim")
    bench.store.capture(case, make_frame(300, 340, level=219), make_cell(review=[5, 20, 30, 40]), "kim")
    page.locator("#case-name").fill(case)
    page.locator("#case-name").press("Enter")
    expect(page.locator("#cells li")).to_have_count(1)
    bench.open(1)
    for id in (20, 30, 40, 5):
        page.keyboard.press("n")
        expect(bench.chromosome(id)).to_be_focused()


def test_a_refused_label_keeps_its_chromosome(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    page.route("**/edit", lambda route: route.abort(), times=1)
    for said in ("the board does not answer", "It is an 8"):
        page.keyboard.type("8")
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text(said)
    assert [e.said["chromosome"] for e in bench.store.log(bench.case) if e.act == "edit"] == [5]


def test_enter_before_the_answer_to_the_last_one_changes_nothing(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    waiting = bench.hold_edit()
    page.keyboard.type("8")
    page.keyboard.press("Enter")
    page.keyboard.type("9")
    page.keyboard.press("Enter")
    until(page, lambda: bool(waiting))
    waiting[0].continue_()
    expect(bench.chromosome(20)).to_be_focused()
    assert bench.edits() == [(1, "relabel")]
    expect(bench.place("8").locator(".chromosome")).to_have_count(3)


def test_what_is_no_label_is_none_of_its_digits(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    for typed, shown in (("2", "→ 2 ⏎"), ("3", "→ 23 ?")):
        page.keyboard.type(typed)
        expect(page.locator("#typed")).to_have_text(shown)
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Nothing changed: no chromosome is 23; type 1 to 22, X or Y")
    expect(bench.chromosome(5)).to_have_class(re.compile("selected"))
    page.keyboard.type("238")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("It is an 8")
    assert bench.edits() == [(1, "relabel")]


def test_enter_after_a_pick_in_the_picture_is_meant_for_the_chromosome(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    canvas = page.locator("#cell-frame")
    expect(canvas).to_have_attribute("width", re.compile(r"\d+"))  # drawn
    box = canvas.bounding_box()
    assert box is not None
    scale = box["width"] / 340
    canvas.click(position={"x": 257 * scale, "y": 62 * scale})  # the middle of 14, an 8
    expect(bench.chromosome(14)).to_have_class(re.compile("selected"))
    page.keyboard.type("9")
    page.keyboard.press("Enter")
    expect(bench.place("9").locator(".chromosome")).to_have_count(3)


@pytest.mark.parametrize("key", ["f", "u", "l"])
def test_a_swap_that_was_left_takes_no_other_chromosome(bench: Bench, key: str) -> None:
    page = bench.page
    bench.open(1)
    bench.chromosome(2).click()
    page.keyboard.press("f")
    expect(page.locator("#said")).to_have_text("Turned")
    page.keyboard.press("s")
    expect(bench.chromosome(2)).to_have_class(re.compile("held"))
    page.keyboard.press(key)
    expect(page.locator("#said")).to_have_text({"f": "Turned", "u": "Undone", "l": "Nothing changed"}[key])
    page.keyboard.press("k")
    bench.chromosome(20).click()
    page.keyboard.press("s")
    expect(page.locator("#said")).to_contain_text("Swap with: choose the other one")
    assert "swap" not in [kind for _, kind in bench.edits()]


@pytest.mark.parametrize("left", ["n", "l"])
def test_a_tool_that_was_left_is_put_away(bench: Bench, left: str) -> None:
    page = bench.page
    bench.open(1)
    page.keyboard.press("d")
    page.keyboard.press(left)
    if left == "n":
        page.keyboard.press("Escape")
    expect(page.locator("#said")).to_have_text("Nothing changed")
    page.keyboard.press("k")
    expect(page.locator("#cell-frame")).not_to_have_class("drawing")
    expect(page.locator("body")).not_to_have_class("large-picture")


def test_a_picture_over_the_karyogram_is_as_broad_when_the_window_changes(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    page.keyboard.press("d")
    for width in (1600, 1100):
        page.set_viewport_size({"width": width, "height": 800})
        until(page, lambda: page.evaluate(AS_BROAD))


def test_space_captures_after_the_pointer_was_elsewhere(bench: Bench) -> None:
    page = bench.page
    page.locator("#help-open").click()
    page.locator("#help button").click()
    expect(page.locator("#to-live")).to_be_focused()
    with page.expect_download() as download:
        page.locator('[data-export="cells"]').click()
    assert download.value.suggested_filename == f"{bench.case}-cells.csv"
    expect(page.locator("#to-live")).to_be_focused()
    page.locator("#actor").fill("lee")
    page.locator("#actor").press("Enter")
    expect(page.locator("#actor")).not_to_be_focused()


def ready_to_cut(bench: Bench) -> tuple[CDPSession, list[dict[str, float]]]:
    """A touch screen, and the points of a stroke across the picture's chromosome 14, for which Cut was chosen."""
    page = bench.page
    bench.open(1)
    canvas = page.locator("#cell-frame")
    expect(canvas).to_have_attribute("width", re.compile(r"\d+"))  # drawn
    bench.chromosome(14).click()
    page.keyboard.press("c")
    expect(canvas).to_have_class("drawing")
    box = canvas.bounding_box()
    assert box is not None
    x, y, scale = box["x"], box["y"], box["width"] / 340
    return page.context.new_cdp_session(page), [
        {"x": x + (240 + k) * scale, "y": y + 62 * scale, "id": 0} for k in range(0, 36, 3)
    ]


def touch(screen: CDPSession, kind: str, *fingers: dict[str, float]) -> None:
    screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


def test_a_finger_cuts(bench: Bench) -> None:
    screen, points = ready_to_cut(bench)
    touch(screen, "touchStart", points[0])
    for point in points[1:]:
        touch(screen, "touchMove", point)
    touch(screen, "touchEnd")
    expect(bench.page.locator("#said")).to_have_text("Cut in two")
    assert bench.edits() == [(1, "split")]


def test_a_second_finger_draws_nothing(bench: Bench) -> None:
    """A hand that rests on a board's own screen beside the finger that draws."""
    screen, points = ready_to_cut(bench)
    last = points[-1]
    touch(screen, "touchStart", points[0])
    for point in points[1:]:
        touch(screen, "touchMove", point)
    touch(screen, "touchStart", last, {"x": last["x"] + 25, "y": last["y"] + 190, "id": 1})
    touch(screen, "touchEnd")
    expect(bench.page.locator("#said")).to_have_text("Cut in two")
    assert bench.edits() == [(1, "split")]


def test_what_was_removed_hides_nothing_in_the_picture(bench: Bench) -> None:
    """A chromosome that is drawn where a wrong one was removed is what a click there means; the other is not shown."""
    page = bench.page
    bench.open(1)
    bench.chromosome(14).click()
    page.keyboard.press("Delete")
    expect(page.locator("#said")).to_have_text("Removed")
    x0, y0, x1, y1 = next(c.region.box_px for c in bench.cells[0].captured.cell.chromosomes if c.region.id == 14)
    page.keyboard.press("d")
    canvas = page.locator("#cell-frame")
    expect(canvas).to_have_class("drawing")

    def at(x: float, y: float) -> tuple[float, float]:
        box = canvas.bounding_box()
        assert box is not None
        return box["x"] + x * box["width"] / 340, box["y"] + y * box["height"] / 300

    page.mouse.move(*at(x0, y0))
    page.mouse.down()
    for corner in ((x1, y0), (x1, y1), (x0, y1), (x0, y0)):
        page.mouse.move(*at(*corner))
    page.mouse.up()
    expect(page.locator("#said")).to_have_text("Added")
    drawn = page.locator(".chromosome.selected")
    id = drawn.get_attribute("data-id")
    assert id not in (None, "14")
    bench.chromosome(5).click()
    page.mouse.click(*at((x0 + x1) / 2, (y0 + y1) / 2))
    expect(drawn).to_have_attribute("data-id", str(id))


@pytest.mark.parametrize(("width", "height"), [(800, 480), (360, 640)])
def test_a_finger_reaches_all_of_the_picture_and_can_cancel(bench: Bench, width: int, height: int) -> None:
    """Where a finger draws, it cannot scroll."""
    page = bench.page
    page.set_viewport_size({"width": width, "height": height})
    bench.open(1)
    page.locator('[data-do="draw"]').click()
    expect(page.locator("#cell-frame")).to_have_class("drawing")
    expect(page.locator("#cell-frame")).to_be_in_viewport(ratio=1)
    expect(page.locator("#cancel")).to_have_text("Cancel")
    page.locator("#cancel").click()
    expect(page.locator("#said")).to_have_text("Nothing changed")
    expect(page.locator("#cell-frame")).not_to_have_class("drawing")
    expect(page.locator("body")).not_to_have_class("large-picture")
    expect(page.locator("#cancel")).to_be_hidden()
    page.locator("#enlarge").click()
    page.get_by_role("button", name="Close", exact=True).click()  # there is nothing to cancel
    expect(page.locator("body")).not_to_have_class("large-picture")
    assert bench.edits() == []


@pytest.mark.parametrize("tool", ["cut", "draw"])
def test_the_button_of_a_tool_cancels_it(bench: Bench, tool: str) -> None:
    page = bench.page
    bench.open(1)
    page.locator(f'[data-do="{tool}"]').click()
    expect(page.locator("#cell-frame")).to_have_class("drawing")
    page.locator(f'[data-do="{tool}"]').click()
    expect(page.locator("#said")).to_have_text("Nothing changed")
    expect(page.locator("#cell-frame")).not_to_have_class("drawing")


def test_a_case_that_is_typed_and_not_opened_gets_no_cell_and_no_other_does(bench: Bench) -> None:
    page = bench.page
    page.locator("#case-name").fill("next")
    bench.capture("case next is not open")
    expect(page.locator("#case-name")).to_be_focused()
    assert len(bench.store.cells(bench.case)) == 2
    page.keyboard.press("Enter")
    expect(page.locator("#live-said")).to_have_text("Case next is open; it has no cell yet")
    expect(page.locator("#no-cells")).to_be_visible()


def test_a_reason_that_is_cancelled_sets_no_cell_aside(bench: Bench) -> None:
    page = bench.page
    bench.open(1)
    page.keyboard.press("t")
    page.locator("#aside-reason").fill("poor spread")
    page.locator("#aside").get_by_role("button", name="Cancel").click()
    expect(page.locator("#aside")).to_be_hidden()
    page.keyboard.press("t")
    page.locator("#aside-reason").fill("too few bands")
    page.keyboard.press("Enter")
    expect(page.locator("#aside-why")).to_have_text("Set aside: too few bands")
    assert bench.edits() == [(1, "set_aside")]


def test_an_umlaut_in_two_characters_is_the_open_case(bench: Bench) -> None:
    page = bench.page
    page.locator("#case-name").fill(unicodedata.normalize("NFD", "Müller"))
    page.keyboard.press("Enter")
    expect(page.locator("#live-said")).to_contain_text("it has no cell yet")
    expect(page.locator("#case-name")).to_have_value("Müller")
    capture(page)
    expect(page.locator("#cells button")).to_have_count(1)


def test_what_is_not_counted_is_said_beside_the_tally(bench: Bench) -> None:
    page = bench.page
    case = f"{bench.case}-more"
    bench.store.new_case(case, "kim")
    bench.store.capture(case, make_frame(300, 340, level=219), make_cell([*NORMAL_FEMALE, "21"]), "kim")
    page.locator("#case-name").fill(case)
    page.locator("#case-name").press("Enter")
    expect(page.locator("#tally")).to_have_text("no clone: cell 1 stands apart")
    expect(page.locator("#case-findings")).to_have_text("not clonal: +21 in cell 1")
    expect(page.locator("#cells button")).to_contain_text("apart")
