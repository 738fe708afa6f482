"""Edits one by one, and their fold: undo and redo without limit, two people, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.cases.codec import edit_from_json, edit_to_json, mask_to_runs, runs_to_mask
from edge.cases.edits import (
    Accept,
    Change,
    Draw,
    Edit,
    Exclude,
    Flip,
    Join,
    Mark,
    Redo,
    Relabel,
    Restore,
    SetAside,
    Split,
    Swap,
    TakeBack,
    Undo,
    touched,
)
from edge.cases.places import Kind
from edge.cases.state import CellState, Event, change_of, fold, next_id, touching_since
from edge.errors import EditRefused
from edge.records import LABELS, Chromosome
from tests.builders import NORMAL_FEMALE, make_chromosome
from tests.edge.cases.states import captured, edited

patient = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""

PARTS = (make_chromosome(46, "4"), make_chromosome(47, "5"))
EVERY_EDIT: list[Edit] = [
    Relabel(3, "X"),
    Flip(0),
    Swap(1, 2),
    Mark(4, "derivative"),
    Exclude(5),
    Restore(5),
    Split(6, PARTS),
    Join((7, 8), make_chromosome(48, "9")),
    Draw(make_chromosome(49, "Y")),
    Accept((9, 10)),
    SetAside("too few bands"),
    TakeBack(),
    Undo(3),
    Redo(3),
]


def said_of(state: CellState) -> list[tuple[object, ...]]:
    return [
        (p.id, p.label, p.kind, p.excluded, p.edited, p.chromosome.status, p.chromosome.p_arm_up) for p in state.places
    ]


@pytest.mark.parametrize("edit", EVERY_EDIT, ids=lambda e: type(e).__name__)
def test_every_edit_survives_json(edit: Edit) -> None:
    fields = json.loads(json.dumps(edit_to_json(edit)))
    again = edit_from_json(fields)
    assert type(again) is type(edit)
    assert edit_to_json(again) == fields


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"edit": "burn"},
        {"edit": "relabel", "chromosome": 3},
        {"edit": "relabel", "chromosome": "3", "label": "8"},
        {"edit": "relabel", "chromosome": 3, "label": "23"},
        {"edit": "mark", "chromosome": 3, "kind": "ring"},
        {"edit": "accept", "chromosomes": 3},
        {"edit": "draw", "drawn": {"id": 1}},
        {"edit": "join", "chromosomes": [3, 3], "whole": edit_to_json(EVERY_EDIT[8])["drawn"]},
        {"edit": "draw", "drawn": edit_to_json(EVERY_EDIT[8])["drawn"] | {"mask_runs": [1, 2]}},
        {"edit": "draw", "drawn": edit_to_json(EVERY_EDIT[8])["drawn"] | {"crop_png": "AAAA"}},
    ],
)
def test_what_is_no_edit_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(EditRefused):
        edit_from_json(fields)


@patient
@given(st.data())
def test_masks_survive_their_runs(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    bits = data.draw(st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    mask = np.array(bits, np.bool_).reshape(shape)
    assert np.array_equal(runs_to_mask(mask_to_runs(mask), shape), mask)


@pytest.mark.parametrize("runs", [[3], [7], [-1, 7], [2**62, 2**62, 2**62, 2**62 + 6]])
def test_runs_that_do_not_fill_a_mask_are_refused(runs: list[int]) -> None:
    """The last in a sum that wraps round: NumPy's repeat ended the process."""
    with pytest.raises(ValueError, match="expected runs that fill"):
        runs_to_mask(runs, (2, 3))


@pytest.mark.parametrize(
    ("edits", "karyotype"),
    [
        ([Relabel(0, "X")], "46,XXX,-1"),
        ([Mark(0, "marker")], "46,XX,-1,+mar"),
        ([Mark(0, "marker"), Mark(1, "marker")], "46,XX,-1,-1,+2mar"),
        ([Mark(0, "marker"), Relabel(0, "1")], "46,XX"),
        ([Mark(0, "derivative")], "46,XX,der(1)"),
        ([Mark(44, "derivative")], "46,X,der(X)"),
        ([Exclude(0)], "45,XX,-1"),
        ([Exclude(0), Restore(0)], "46,XX"),
        ([Exclude(0), Relabel(0, "1")], "46,XX"),
        ([Exclude(0), Relabel(0, "X")], "46,XXX,-1"),
        ([Exclude(0), Mark(0, "marker")], "46,XX,-1,+mar"),
        ([Exclude(0), Flip(0), Accept((0,))], "45,XX,-1"),
        ([Exclude(0), Swap(0, 2)], "45,XX,-1"),
        ([Exclude(0), Swap(2, 0), Swap(0, 2)], "45,XX,-1"),
        ([Exclude(0), Exclude(2), Swap(0, 2)], "44,XX,-1,-2"),
        ([Draw(make_chromosome(46, "21"))], "47,XX,+21"),
        ([Draw(make_chromosome(46, "9")), Mark(46, "derivative")], "47,XX,+der(9)"),
        ([Split(0, (make_chromosome(46, "1"), make_chromosome(47, "Y")))], "47,XXY"),
        ([Join((0, 1), make_chromosome(46, "1"))], "45,XX,-1"),
        ([Swap(0, 45)], "46,XX"),
        ([SetAside("x")], "46,XX"),
    ],
)
def test_what_an_edit_makes_of_the_karyotype(edits: list[Edit], karyotype: str) -> None:
    assert edited(captured(), *edits).karyotype == karyotype


def test_a_swap_exchanges_places() -> None:
    state = edited(captured(), Swap(0, 45), Swap(2, 3))
    assert [(p.id, p.label) for p in (*state.places[:4], state.places[-1])] == [
        (45, "1"),
        (1, "1"),
        (3, "2"),
        (2, "2"),
        (0, "X"),
    ]


def test_a_swap_with_an_excluded_one_puts_the_other_out() -> None:
    for other in (1, 2):  # its homologue, and one of another class
        state = edited(captured(), Exclude(0), Swap(0, other))
        assert [p.id for p in state.places if p.excluded] == [other]
        assert {p.id: p.label for p in state.counted}[0] == NORMAL_FEMALE[other]


@pytest.mark.parametrize(
    ("confirming", "corrections"),
    [
        ([Relabel(3, NORMAL_FEMALE[3])], 0),
        ([Mark(3, "whole")], 0),
        ([Relabel(3, "8"), Relabel(3, "8")], 1),
        ([Mark(3, "derivative"), Relabel(3, NORMAL_FEMALE[3])], 1),
        ([Mark(3, "marker"), Relabel(3, NORMAL_FEMALE[3])], 1),
    ],
)
def test_the_label_that_it_has_is_no_correction(confirming: list[Edit], corrections: int) -> None:
    state = edited(captured(review=[3]), *confirming)
    assert (state.corrections, state.unsure) == (corrections, ())
    assert state.places[3].chromosome.confidence == (1.0 if corrections else 0.9)


@pytest.mark.parametrize("kind", ["marker", "derivative"])
def test_a_mark_that_is_taken_back_leaves_the_label_to_review(kind: Kind) -> None:
    state = edited(captured(review=[3]), Mark(3, kind), Mark(3, "whole"))
    place = state.places[3]
    assert (place.kind, place.label, state.unsure) == ("whole", NORMAL_FEMALE[3], (3,))
    assert place.chromosome.confidence == dict(place.chromosome.candidates)[NORMAL_FEMALE[3]]


def test_a_persons_word_is_sure_and_an_acceptance_no_correction() -> None:
    state = edited(captured(review=[3, 4, 5]), Relabel(3, "8"), Accept((4,)))
    assert state.unsure == (5,)
    assert (state.places[3].chromosome.confidence, state.places[3].chromosome.status) == (1.0, "accepted")
    assert (state.places[4].chromosome.confidence, state.places[4].edited) == (0.9, False)
    assert state.corrections == 1


ONE_CELL = "seen in one cell: a finding only where a second shows the same"


def test_findings_are_provisional_until_everything_was_seen() -> None:
    sure = captured([*NORMAL_FEMALE, "21"])
    assert edited(sure).findings == (
        "provisional: no person has reviewed this cell yet",
        "possible trisomy 21 (Down syndrome)",
    )
    assert edited(sure, Accept((0,))).findings == ("trisomy 21 (Down syndrome)", ONE_CELL)
    assert edited(sure, Accept((0,)), SetAside("two cells")).findings == (
        "provisional: this cell is set aside: two cells",
        "possible trisomy 21 (Down syndrome)",
    )
    assert edited(captured()).findings == ("provisional: no person has reviewed this cell yet",)
    unseen = captured([*NORMAL_FEMALE, "21"], review=[46])
    assert edited(unseen).findings == (
        "provisional: 1 of 47 chromosomes not yet reviewed",
        "possible trisomy 21 (Down syndrome)",
    )
    assert edited(unseen, Exclude(46)).findings == ()


def test_what_is_gone_from_a_cell_is_overlapped_by_nothing_in_it() -> None:
    start = captured()
    first, second, *others = start.cell.chromosomes
    crossing = replace(first, region=replace(first.region, overlaps=(1, 2)))
    start = replace(start, cell=replace(start.cell, chromosomes=(crossing, second, *others)))
    assert edited(start, Exclude(1)).as_cell().chromosomes[0].region.overlaps == (2,)
    assert edited(start).as_cell().chromosomes[0].region.overlaps == (1, 2)


def test_set_aside_and_taken_back() -> None:
    assert edited(captured(), SetAside("two cells")).set_aside == "two cells"
    assert edited(captured(), SetAside("two cells"), TakeBack()).set_aside == ""
    assert edited(captured(), SetAside("two cells"), Undo(1)).set_aside == ""


@pytest.mark.parametrize("edits", [(Flip(0),), (Flip(0), Flip(0)), (Exclude(3), Restore(3))])
def test_what_says_nothing_of_a_label_reviews_no_cell(edits: tuple[Edit, ...]) -> None:
    assert not edited(captured(), *edits).reviewed
    assert edited(captured(), *edits, Exclude(5)).reviewed
    assert edited(captured(), *edits, Accept((0,))).reviewed


def test_a_cell_that_was_only_set_aside_has_been_reviewed_by_nobody() -> None:
    for edits in ([SetAside("two cells")], [SetAside("two cells"), TakeBack()]):
        assert not edited(captured(), *edits).reviewed
        assert edited(captured(), *edits, Accept((0,))).reviewed


def test_an_undo_and_a_redo_are_about_what_they_undo_and_redo() -> None:
    events = edited(captured(), Relabel(3, "X"), Flip(0), Undo(2), Redo(2)).events
    assert [change_of(events, event.edit) for event in events] == [Relabel(3, "X"), Flip(0), Flip(0), Flip(0)]
    for revision in (3, 4):
        for edit in (Undo(revision), Redo(revision)):
            with pytest.raises(EditRefused, match=f"edit {revision} is itself an undo or a redo"):
                change_of(events, edit)


def test_who_touched_the_same_chromosome_since() -> None:
    events = edited(captured(), Relabel(3, "X"), Flip(0), Undo(2)).events
    assert touching_since(events, 0, Flip(3)) is events[0]
    assert touching_since(events, 1, Flip(3)) is None
    assert touching_since(events, 2, Mark(0, "marker")) is events[2]


def test_an_id_is_used_once_whatever_was_undone() -> None:
    gone = edited(captured(), Draw(make_chromosome(49, "Y")), Undo(1))
    assert next_id(gone.captured, gone.events) == 50
    assert (next_id(captured(), ()), next_id(captured([]), ())) == (46, 0)


def test_undo_and_redo_go_in_turn() -> None:
    flips: list[Edit] = [Flip(k) for k in range(20)]
    undone = edited(captured(), *flips, *(Undo(k) for k in range(20, 0, -1)))
    assert said_of(undone) == said_of(edited(captured()))
    redone = edited(captured(), *flips, *(Undo(k) for k in range(20, 0, -1)), *(Redo(k) for k in range(1, 21)))
    assert said_of(redone) == said_of(edited(captured(), *flips))
    for wrong in ([Undo(1)], [Flip(0), Flip(1), Undo(1)], [Flip(0), Redo(1)], [Flip(0), Undo(1), Flip(1), Redo(1)]):
        with pytest.raises(EditRefused, match="is not the latest one"):
            edited(captured(), *wrong)


def some_change(draw: Callable[..., int], state: CellState) -> Change:
    ids = [p.id for p in state.places]
    one, other = ids[draw(st.integers(0, len(ids) - 1))], ids[draw(st.integers(0, len(ids) - 1))]
    new = next_id(state.captured, state.events)

    def made(k: int) -> Chromosome:
        return make_chromosome(new + k, LABELS[draw(st.integers(0, 23))])

    kinds: list[Callable[[], Change]] = [
        lambda: Relabel(one, LABELS[draw(st.integers(0, 23))]),
        lambda: Flip(one),
        lambda: Swap(one, other),
        lambda: Mark(one, "marker"),
        lambda: Exclude(one),
        lambda: Split(one, (made(0), made(1))),
        lambda: Join((one, other), made(0)) if one != other else Draw(made(0)),
        lambda: Draw(made(0)),
        lambda: Accept((one, other)),
    ]
    return kinds[draw(st.integers(0, len(kinds) - 1))]()


@patient
@given(st.data())
def test_undoing_all_gives_the_captured_cell_and_redoing_all_the_edited_one(data: st.DataObject) -> None:
    start = captured([*LABELS], review=[2, 5])
    events: list[Event] = []
    for k in range(data.draw(st.integers(1, 8))):
        events.append(Event(k + 1, "kim", "", some_change(data.draw, fold(start, events))))
    full = fold(start, events)
    for _ in range(len(events)):
        revision = fold(start, events).history.done["kim"][-1]
        events.append(Event(len(events) + 1, "kim", "", Undo(revision)))
    assert said_of(fold(start, events)) == said_of(fold(start, []))
    while fold(start, events).can_redo("kim"):
        revision = fold(start, events).history.undone["kim"][-1]
        events.append(Event(len(events) + 1, "kim", "", Redo(revision)))
    assert said_of(fold(start, events)) == said_of(full)


@patient
@given(st.data())
def test_edits_that_touch_nothing_in_common_come_in_any_order(data: st.DataObject) -> None:
    start = captured([*LABELS], review=[2, 5])
    first = some_change(data.draw, fold(start, []))
    second = some_change(data.draw, fold(start, [Event(1, "kim", "", first)]))
    if touched(first) & touched(second) or isinstance(first, Draw | Split | Join):
        return
    one = fold(start, [Event(1, "kim", "", first), Event(2, "lee", "", second)])
    other = fold(start, [Event(1, "lee", "", second), Event(2, "kim", "", first)])
    assert said_of(one) == said_of(other)
