"""A field that was captured is known again, however the noise, the focus or a person changed what was found in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.camera.metaphase import draw_metaphase
from edge.cases.adding import captured as captured_frame
from edge.cases.again import seen_before
from edge.cases.edits import Exclude
from edge.cases.state import Captured, CellState
from edge.cases.store import CaseStore
from edge.errors import CapturedBefore
from edge.records import Cell, Frame
from tests.builders import make_cell, make_chromosome
from tests.edge.cases.states import captured, cell_of, edited
from tests.edge.live.test_focus import true_cell
from tests.edge.stages import bar_pipeline, draw_bars


def moved(cell: Cell, by_px: float, *, lost: int = 0) -> Cell:
    """Every box shifted by up to ``by_px`` each way, the first ``lost`` chromosomes not found."""
    rng = np.random.default_rng(3)
    found = []
    for c in cell.chromosomes[lost:]:
        x0, y0, x1, y1 = c.region.box_px
        dx, dy = (int(v) for v in rng.integers(-by_px, by_px + 1, 2))
        box = (max(0, x0 + dx), max(0, y0 + dy), x1 + dx, y1 + dy)
        found.append(make_chromosome(c.region.id, c.label, box_px=box))
    return replace(cell, chromosomes=tuple(found))


@pytest.mark.parametrize("lost", [0, 5, 40])
def test_the_same_field_with_other_boxes_and_fewer_found(lost: int) -> None:
    assert seen_before(moved(make_cell(), 2, lost=lost), [cell_of("+21", number=7)]) is not None


@pytest.mark.parametrize("by_px", [(12, 0), (0, -40), (24, 24), (-90, 60)])
@pytest.mark.parametrize("lost", [0, 5])
def test_the_same_field_after_the_stage_was_moved(by_px: tuple[int, int], lost: int) -> None:
    state = edited(Captured(1, "A-1", 1, true_cell(draw_metaphase(2)), "ab" * 32, "2026-01-02T03:04:05.000+00:00"))
    cell = moved(true_cell(draw_metaphase(2)), 2, lost=lost)
    boxes = [np.add(c.region.box_px, (*by_px, *by_px)) for c in cell.chromosomes]
    seen = [tuple(box.tolist()) for box in boxes if box.min() >= 0 and box[2] <= 700 and box[3] <= 700]
    there = tuple(make_chromosome(k, "1", box_px=box) for k, box in enumerate(seen))
    assert seen_before(replace(cell, chromosomes=there), [state]) is state


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_chromosomes_elsewhere_are_another_field(count: int) -> None:
    """Some move brings them onto others, as it would any three."""
    some = make_cell().chromosomes[:count]
    boxes = [tuple(np.add(c.region.box_px, (60, 100, 60, 100)).tolist()) for c in some]
    there = tuple(make_chromosome(k, "1", box_px=box) for k, box in enumerate(boxes))
    assert seen_before(replace(make_cell(), chromosomes=there), [cell_of()]) is None
    assert seen_before(replace(make_cell(), chromosomes=some), [cell_of()]) is not None


def test_the_first_that_shows_it_is_told() -> None:
    others = [cell_of(number=2), cell_of(number=3, set_aside="poor spread")]
    known = seen_before(make_cell(), others)
    assert known is others[0]
    assert seen_before(make_cell(), others[1:]) is others[1]


def test_what_a_person_removed_since_is_still_there() -> None:
    state = edited(captured(), *(Exclude(k) for k in range(40)))
    assert seen_before(make_cell(), [state]) is state


def test_another_field_is_another_cell() -> None:
    one, other = (true_cell(draw_metaphase(seed)) for seed in (2, 3))
    state = edited(Captured(1, "A-1", 1, one, "ab" * 32, "2026-01-02T03:04:05.000+00:00"))
    assert seen_before(one, [state]) is state
    assert seen_before(other, [state]) is None


def test_a_frame_of_another_size_and_an_empty_one_are_none_of_it() -> None:
    assert seen_before(make_cell(width_px=341), [cell_of()]) is None
    assert seen_before(make_cell([]), [cell_of(), edited(captured([]))]) is None
    assert seen_before(make_cell(), [edited(captured([]))]) is None


def test_half_of_them_in_other_places_is_another_field() -> None:
    cell = make_cell()
    there = [make_chromosome(k, "1", box_px=(24 + 40 * (k % 7), 250, 38 + 40 * (k % 7), 274)) for k in range(23)]
    assert seen_before(replace(cell, chromosomes=(*there, *cell.chromosomes[23:])), [cell_of()]) is None
    assert seen_before(replace(cell, chromosomes=(*there[:22], *cell.chromosomes[22:])), [cell_of()]) is not None


def test_each_of_the_other_stands_for_one_alone() -> None:
    """Many on one place are not the many that lay apart."""
    heap = tuple(make_chromosome(k, "1", box_px=(10, 10, 24, 34)) for k in range(9))
    assert seen_before(replace(make_cell(), chromosomes=heap), [cell_of()]) is None


class Meanwhile(CaseStore):
    """While it looks which cells there are, another program adds one, which it does not see."""

    def cells(self, case: str) -> tuple[CellState, ...]:
        found = super().cells(case)
        with CaseStore(self.path.parent) as other:
            other.capture(case, picture(1), bar_pipeline().label(picture(1)), "lee")
        return found


def picture(number: int) -> Frame:
    """The same field in a light of its own."""
    return Frame(draw_bars(range(1, 9)) - np.uint8(number), 0, 0.0, f"{number}.png")


def test_two_programs_add_two_pictures_of_one_field_once(tmp_path: Path) -> None:
    with Meanwhile(tmp_path) as store:
        store.new_case("A-1", "kim")
        with pytest.raises(CapturedBefore, match="it is cell 1 already"):
            captured_frame(store, "A-1", Path("0.png"), picture(0), bar_pipeline(), "kim")
        assert len(store.case("A-1").cells) == 1
