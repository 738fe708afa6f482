"""The case beside the live picture."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from edge.cases.store import CaseStore
from tests.browser.conftest import running
from tests.builders import NORMAL_FEMALE, make_cell, make_frame


def test_what_the_cells_find_together_stands_beside_the_tally(models_dir: Path, tmp_path: Path, page: Page) -> None:
    """Two cells with a third 21 are a clone; one with a third 8 is a finding of its own and none of the case."""
    with CaseStore(tmp_path) as store:
        store.new_case("S1", "kim")
        for k, labels in enumerate((NORMAL_FEMALE, *[[*NORMAL_FEMALE, "21"]] * 2, [*NORMAL_FEMALE, "8"])):
            store.capture("S1", make_frame(300, 340, index=k), make_cell(labels), "kim")
    with running("--camera", "sim", "--case", "S1", cases=tmp_path) as address:
        page.goto(address)
        expect(page.locator("#tally")).to_have_text("mos 47,XX,+21[2]/46,XX[1]")
        expect(page.locator("#case-findings li")).to_have_text(["trisomy 21 (Down syndrome) in 2 of 3 cells"])
        page.locator("#cells button").last.click()
        page.locator(".place[data-place='20'] .chromosome").first.click()
        page.keyboard.type("21")
        page.keyboard.press("Enter")
        page.keyboard.press("l")
        expect(page.locator("#case-findings li")).to_have_text(["trisomy 21 (Down syndrome)"])
