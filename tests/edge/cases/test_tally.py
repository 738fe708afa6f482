"""The running karyotype, against what a cytogeneticist would write and against an ISCN parser of others."""

from __future__ import annotations

import re
from itertools import permutations

import pytest
from iscn_authenticator import is_valid_karyotype

from edge.cases.edits import Accept, Flip, Mark, SetAside, TakeBack, Undo
from edge.cases.state import CellState
from edge.cases.tally import (
    ANOTHER_SEX,
    ANOTHER_SEX_BESIDE_XXY,
    LOST_Y,
    SWAPPED,
    Stray,
    cells_named,
    excluded_share,
    tally,
)
from edge.cell.findings import MONOSOMY_X
from tests.builders import NORMAL_FEMALE
from tests.edge.cases.states import captured, cell_of, edited


def cells(**many: int) -> list[CellState]:
    """``cells(normal=12, **{"+21": 8})``"""
    changes = [change for change, n in many.items() for _ in range(n)]
    return [cell_of("" if c == "normal" else c, number=k) for k, c in enumerate(changes, start=1)]


def valid(karyotype: str) -> bool:
    """By iscn-authenticator, which does not know ``mos`` nor a count after a single line."""
    plain = karyotype.removeprefix("mos ")
    return is_valid_karyotype(plain if "/" in plain else re.sub(r"\[\d+\]$", "", plain))


@pytest.mark.parametrize(
    ("seen", "karyotype", "strays"),
    [
        ({"normal": 20}, "46,XX[20]", {}),
        ({"+21": 8, "normal": 12}, "mos 47,XX,+21[8]/46,XX[12]", {}),
        ({"+21": 15}, "47,XX,+21[15]", {}),
        ({"+21": 1, "normal": 19}, "46,XX[19]", {"+21": 1}),
        ({"normal": 18, "+21": 2}, "mos 47,XX,+21[2]/46,XX[18]", {}),
        ({"-X": 2, "normal": 18}, "46,XX[20]", {"-X": 2}),
        ({"-X": 3, "normal": 17}, "mos 45,X[3]/46,XX[17]", {}),
        ({"-X": 5, "+X": 2, "normal": 13}, "mos 45,X[5]/47,XXX[2]/46,XX[13]", {}),
        ({"+X": 20}, "47,XXX[20]", {}),
        ({"-22": 1, "-7": 2, "normal": 17}, "46,XX[20]", {"-7": 2, "-22": 1}),
        ({"-3 +5": 1, "normal": 9}, "46,XX[9]", {"+5": 1, "-3": 1}),
        ({"+21 -8": 1, "+21": 9}, "47,XX,+21[10]", {"-8": 1}),
        ({"+21 +8": 3, "+21": 9}, "mos 47,XX,+21[9]/48,XX,+8,+21[3]", {}),
        ({"+21 +21": 4}, "48,XX,+21,+21[4]", {}),
        ({"+21 +21": 1, "+21": 3}, "47,XX,+21[4]", {"another +21": 1}),
        # what a spread of the larger line comes to that lost one: fewer than three make no line
        ({"+21": 19, "normal": 1}, "47,XX,+21[20]", {"-21": 1}),
        ({"normal": 2, "+X": 18}, "47,XXX[20]", {"-X": 2}),
        ({"+21": 17, "normal": 3}, "mos 47,XX,+21[17]/46,XX[3]", {}),
        ({"+21": 2, "normal": 1}, "mos 47,XX,+21[2]/46,XX[1]", {}),
        ({"+21": 2, "normal": 2}, "mos 47,XX,+21[2]/46,XX[2]", {}),
        ({"+8": 9, "-7 +8": 3, "-7": 2}, "mos 47,XX,+8[11]/46,XX,-7,+8[3]", {"-7": 2, "-8": 2}),
        # of the larger of two, where one is
        ({"+21": 4, "+8": 9, "normal": 1}, "mos 47,XX,+8[10]/47,XX,+21[4]", {"-8": 1}),
        ({"+21": 4, "+8": 4, "normal": 1}, "mos 47,XX,+8[4]/47,XX,+21[4]", {"46,XX": 1}),
        # but nothing that was lost: one makes no line either, and none of the other cells explains it
        ({"-X": 19, "normal": 1}, "45,X[19]", {"46,XX": 1}),
        ({"-X": 18, "normal": 2}, "mos 45,X[18]/46,XX[2]", {}),
        # lost at random in either line
        ({"+21": 9, "normal": 8, "-22": 2, "+21 -22": 1}, "mos 47,XX,+21[10]/46,XX[10]", {"-22": 3}),
        ({"-7": 3, "-7 +8": 3}, "mos 45,XX,-7[3]/46,XX,-7,+8[3]", {}),
        # what all of two lines lack was not lost at random, few as they are
        ({"-7": 2, "-7 +8": 2}, "mos 45,XX,-7[2]/46,XX,-7,+8[2]", {}),
        # each gain is another line's
        ({"+8": 9, "+21": 3, "+8 +21": 1}, "mos 47,XX,+8[9]/47,XX,+21[3]", {"48,XX,+8,+21": 1}),
        (
            {"+8": 9, "+21": 9, "+X": 9, "+8 +21": 1, "+8 +X": 1},
            "mos 47,XXX[9]/47,XX,+8[9]/47,XX,+21[9]",
            {"48,XX,+8,+21": 1, "48,XXX,+8": 1},
        ),
        # of the clone, whatever it has besides
        ({"+8": 1, "+8 +21": 1, "normal": 18}, "mos 47,XX,+8[2]/46,XX[18]", {"+21": 1}),
        # two of one kind, in one word
        ({"+21 +21": 1, "normal": 9}, "46,XX[9]", {"+21,+21": 1}),
        # in the order of a karyotype
        (
            {"+2": 1, "+10": 1, "+1": 1, "-X": 1, "+X": 1, "normal": 9},
            "46,XX[10]",
            {"+X": 1, "+1": 1, "+2": 1, "+10": 1, "-X": 1},
        ),
        ({"+X": 18, "-X": 2}, "47,XXX[20]", {"-X": 2}),
        # labels that may be swapped: no cell has 47
        ({"+22 -7": 2, "normal": 18}, "mos 46,XX,-7,+22[2]/46,XX[18]", {"-7": 2}),
        ({"+8": 2, "+X": 2, "+18": 2, "normal": 1}, "mos 47,XXX[2]/47,XX,+8[2]/47,XX,+18[2]/46,XX[1]", {}),
    ],
)
def test_running_karyotype(seen: dict[str, int], karyotype: str, strays: dict[str, int]) -> None:
    result = tally(cells(**seen))
    assert result.karyotype == karyotype
    assert [(s.what, len(s.cells)) for s in result.strays] == list(strays.items())
    assert valid(karyotype)
    assert all(list(numbers) == sorted(numbers) for numbers in (result.counted, *(line.cells for line in result.lines)))
    assert len(result.counted) + len(result.apart) == sum(seen.values())


def test_males_are_told_against_xy() -> None:
    states = [cell_of("+X" if k < 9 else "", number=k, sex="XY") for k in range(20)]
    assert tally(states).karyotype == "mos 47,XXY[9]/46,XY[11]"
    assert tally([cell_of("-Y", number=k, sex="XY") for k in range(3)]).karyotype == "45,X[3]"
    assert tally([cell_of("+Y", number=k, sex="XY") for k in range(20)]).findings == ("XYY (Jacobs syndrome)",)


def test_one_cell_of_the_other_sex_stands_apart() -> None:
    result = tally([cell_of(number=1, sex="XY"), *(cell_of(number=k) for k in range(2, 12))])
    assert (result.karyotype, result.apart) == ("46,XX[10]", (1,))
    assert [(s.what, s.cells) for s in result.strays] == [("Y instead of X", (1,))]


@pytest.mark.parametrize("others", [2, 3, 4])
@pytest.mark.parametrize(("most", "few"), [("XX", "XY"), ("XY", "XX")])
def test_more_cells_of_the_other_sex_are_a_line_of_46(most: str, few: str, others: int) -> None:
    seen = [cell_of(number=k, sex=few if k <= others else most) for k in range(1, 12)]
    result = tally(seen)
    # Neither mos, of one zygote, nor chi, of several: nobody knows.
    assert result.karyotype == f"46,{most}[{11 - others}]/46,{few}[{others}]"
    assert result.findings == (f"{ANOTHER_SEX} in {others} of 11 cells",)
    assert not result.strays


def test_a_gain_and_a_loss_in_a_clone_are_what_they_are() -> None:
    """A swapped label is told of the single cell."""
    result = tally([cell_of("+8 -7", number=k) for k in range(3)])
    assert (result.karyotype, result.findings) == ("46,XX,-7,+8[3]", ("monosomy 7", "trisomy 8"))


def triploid(sex: str, *, number: int, more: str = "") -> CellState:
    labels = [*(label for label in NORMAL_FEMALE[:44:2] for _ in range(3)), *sex, *more]
    return edited(captured(labels, number=number), Accept((0,)))


@pytest.mark.parametrize(
    ("most", "other", "stray"), [("XXY", "XXX", "X instead of Y"), ("XXX", "XXY", "Y instead of X")]
)
def test_triploid_cells_are_told_against_the_sex_of_most(most: str, other: str, stray: str) -> None:
    result = tally([triploid(other, number=1), *(triploid(most, number=k) for k in (2, 3, 4))])
    assert (result.karyotype, result.strays) == (f"69,{most}[4]", (Stray(stray, (1,)),))


def test_triploid_cells() -> None:
    three = [triploid("XXY", number=k) for k in (1, 2, 3)]
    assert tally(three).karyotype == "69,XXY[3]"
    assert tally(three).findings == ("triploidy",)
    beside = tally([*three, cell_of(number=4), cell_of(number=5)])  # two X there are no Y lost
    assert (beside.karyotype, beside.findings) == ("mos 69,XXY[3]/46,XX[2]", ("triploidy in 3 of 5 cells",))
    xxx = [triploid("XXX", number=k) for k in (1, 2, 3)]
    assert tally([*xxx, *(cell_of(number=k, sex="XY") for k in (4, 5))]).findings == ("triploidy in 3 of 5 cells",)
    lost = tally([*(triploid("XX", number=k) for k in (4, 5, 6)), three[0]])  # three are expected, whatever most have
    assert (lost.karyotype, lost.strays) == ("68<3n>,XX[3]", (Stray("69,XXY", (1,)),))
    lone = tally([three[0], *(cell_of(number=k) for k in range(2, 6))])
    assert (lone.karyotype, [s.what for s in lone.strays]) == ("46,XX[4]", ["3n"])


def test_markers_and_derivatives_make_clones() -> None:
    states = [edited(captured([*NORMAL_FEMALE, "21"], number=k), Mark(46, "marker")) for k in (1, 2)]
    assert tally(states).karyotype == "47,XX,+mar[2]"
    assert (tally(states[:1]).karyotype, tally(states[:1]).apart) == ("", (1,))
    two = edited(captured([*NORMAL_FEMALE, "21", "21"], number=2), Mark(46, "marker"), Mark(47, "marker"))
    for odd, said in ((states[0], "+mar"), (two, "+2mar")):
        assert tally([odd, *(cell_of(number=k) for k in range(3, 9))]).strays == (Stray(said, (odd.captured.number,)),)
    changed = [edited(captured(number=k), Mark(16, "derivative")) for k in (1, 2)]
    assert tally(changed).karyotype == "46,XX,der(9)[2]"
    assert valid("47,XX,+mar[2]")
    assert valid("46,XX,der(9)[2]")


def test_a_single_x_beside_a_marker_is_no_turner_syndrome() -> None:
    """The marker may be the rest of an X or of a Y, which only other methods tell."""
    marked = [edited(captured([*NORMAL_FEMALE[:45], "21"], number=k), Mark(45, "marker")) for k in (1, 2, 3)]
    said = "one X beside a marker, which may be a changed X or Y in 3 of 6 cells"
    for others, karyotype, first in (
        ([cell_of("-X", number=k) for k in (4, 5, 6)], "mos 45,X[3]/46,X,+mar[3]", f"{MONOSOMY_X} in 3 of 6 cells"),
        ([cell_of(number=k, sex="XY") for k in (4, 5, 6)], "mos 46,X,+mar[3]/46,XY[3]", said),
    ):
        result = tally([*marked, *others])
        assert (result.karyotype, result.findings[0]) == (karyotype, first)
        assert said in result.findings


def test_the_same_gain_at_another_ploidy_is_another() -> None:
    four = [*(str(n) for n in range(1, 23)), "X"] * 4
    doubled = edited(captured([*four, "8"], number=2), Accept((0,)))
    result = tally([cell_of("+8", number=1), doubled, *(cell_of(number=k) for k in range(3, 20))])
    assert (result.karyotype, result.findings, result.apart) == ("46,XX[17]", (), (1, 2))
    assert [s.what for s in result.strays] == ["+8", "+8 at 4n", "4n"]
    three = tally([triploid("XXY", number=1, more="8"), *(cell_of(number=k) for k in (2, 3))])
    assert [s.what for s in three.strays] == ["+8 at 3n", "3n"]


def test_labels_that_may_be_swapped_are_told() -> None:
    lines = tally(cells(**{"+22 -7": 2, "normal": 18})).findings
    assert lines == ("trisomy 22 in 2 of 20 cells", f"{SWAPPED} 22, 7 in 2 of 20 cells")
    males = [cell_of("+22 -Y" if k < 2 else "", number=k, sex="XY") for k in range(20)]
    assert tally(males).karyotype == "mos 46,X,+22[2]/46,XY[18]"


def test_gains_of_incomplete_cells_are_said_and_make_clones() -> None:
    lost = ("-1 -2 -3", "-4 -5 -6", "-7 -8 -9", "-10 -11 -12")
    broken = [cell_of(f"+21 {what}", number=k) for k, what in enumerate(lost, start=1)]
    normal = [cell_of(number=k) for k in range(5, 20)]
    result = tally([*broken, *normal])
    said = "+21 in cells 1 to 4, which are incomplete and not counted"
    assert (result.karyotype, result.findings) == ("46,XX[15]", (said,))
    assert result.exclusion.endswith(", but not one of +21 (cells 1 to 4)")
    with_a_whole_one = tally([*broken, *normal, cell_of("+21", number=20)])
    assert with_a_whole_one.karyotype == "mos 47,XX,+21[1]/46,XX[15]"
    assert with_a_whole_one.findings == ("trisomy 21 (Down syndrome) in 1 of 16 cells", said)
    assert with_a_whole_one.exclusion.endswith(" at 99 %)")  # +21 is no further line
    assert tally([broken[0], *normal]).strays == (Stray("+21", (1,)),)


def test_incomplete_cells_do_not_say_what_sex_the_others_are_told_against() -> None:
    lost = ("-1 -2 -3", "-4 -5 -6", "-7 -8 -9")
    males = [cell_of(what, number=k, sex="XY") for k, what in enumerate(lost, start=3)]
    result = tally([cell_of(number=1), cell_of(number=2), *males])
    assert (result.karyotype, result.findings[1:]) == ("46,XX[2]", ())
    assert result.findings[0].startswith("Y instead of X in cells 3 to 5")


def test_an_incomplete_triploid_cell_may_be_parts_of_several() -> None:
    """What it has too many is not said, beside no other of its level too."""
    labels = [place.label for place in triploid("XXY", number=1, more="8").places]
    for lost in "123":
        labels.remove(lost)
    broken = [edited(captured(labels, number=k), Accept((0,))) for k in (1, 2)]
    result = tally([*broken, cell_of(number=3)])
    assert (result.karyotype, result.incomplete, result.strays, result.besides) == ("46,XX[1]", (1, 2), (), ())


def test_an_incomplete_cell_that_nobody_has_seen_leaves_it_provisional() -> None:
    labels = list(NORMAL_FEMALE[6:])
    result = tally([*(cell_of(number=k) for k in (1, 2, 3)), edited(captured(labels, number=4))])
    assert (result.incomplete, result.unsure, result.provisional) == ((4,), (4,), True)


def test_another_sex_beside_klinefelter_may_be_of_the_same_person() -> None:
    xxy = [cell_of("+X", number=k, sex="XY") for k in range(15)]
    result = tally([*xxy, *(cell_of(number=k) for k in range(15, 20))])
    assert result.karyotype == "mos 47,XXY[15]/46,XX[5]"
    assert f"{ANOTHER_SEX_BESIDE_XXY} in 5 of 20 cells" in result.findings
    males = [cell_of(number=k, sex="XY") for k in range(1, 15)]
    one = tally([xxy[0], *males, *(cell_of(number=k) for k in range(15, 19))])
    assert one.findings == (f"{ANOTHER_SEX} in 4 of 18 cells",)  # one cell is no Klinefelter syndrome


def test_broken_and_set_aside_cells_do_not_count() -> None:
    states = [
        cell_of(number=1),
        cell_of("-1 -2 -3", number=2),
        cell_of("+21", number=3, set_aside="two cells in one"),
        cell_of(number=4),
    ]
    result = tally(states)
    assert (result.karyotype, result.counted) == ("46,XX[2]", (1, 4))
    assert (result.incomplete, result.set_aside) == ((2,), (3,))


def test_three_cells_that_lack_the_same_three_or_more_are_a_line() -> None:
    hypodiploid = [cell_of("-3 -7 -13 -17", number=k) for k in (1, 2, 3)]
    others = [cell_of("-3 -7 -13", number=4), cell_of("-1 -2 -5", number=5), cell_of(number=6)]
    result = tally([*hypodiploid, *others])
    assert (result.karyotype, result.findings[0]) == ("42,XX,-3,-7,-13,-17[3]", "monosomy 3")
    assert (result.incomplete, result.apart, result.strays) == ((4, 5), (6,), (Stray("46,XX", (6,)),))
    two = tally([*hypodiploid, *others, cell_of(number=7)])
    assert two.karyotype == "mos 42,XX,-3,-7,-13,-17[3]/46,XX[2]"
    assert valid(two.karyotype)
    assert two.findings[0] == "monosomy 3 in 3 of 5 cells"
    assert tally([*hypodiploid[:2], *others]).incomplete == (1, 2, 4, 5)


def test_what_nobody_has_looked_at_is_no_line_of_lost_chromosomes() -> None:
    """A model may miss the same three in each cell."""
    labels = list(NORMAL_FEMALE)
    for lost in ("19", "21", "22"):
        labels.remove(lost)
    states = [edited(captured(labels, number=k, review=[k])) for k in (1, 2, 3)]
    assert tally(states).incomplete == (1, 2, 3)


@pytest.mark.parametrize("few", [1, 2])
def test_who_lost_a_changed_chromosome_is_no_normal_cell(few: int) -> None:
    changed = [edited(captured(number=k), Mark(16, "derivative")) for k in range(1, 19)]
    result = tally([*changed, *(cell_of("-9", number=k) for k in range(19, 19 + few))])
    assert result.karyotype == f"46,XX,der(9)[{18 + few}]"
    assert [stray.what for stray in result.strays] == ["-9"]
    normal = tally([*changed, cell_of(number=19)])
    assert (normal.karyotype, normal.strays) == ("46,XX,der(9)[18]", (Stray("46,XX", (19,)),))
    assert tally([*changed, cell_of("-8", number=19)]).apart == (19,)  # another is missing


def test_a_normal_cell_has_not_lost_a_gain_and_a_change_at_once() -> None:
    both = [edited(captured([*NORMAL_FEMALE, "8"], number=k), Mark(16, "derivative")) for k in range(1, 19)]
    assert tally([*both, cell_of(number=19)]).apart == (19,)
    assert tally([*both, cell_of("-9", number=19)]).karyotype == "47,XX,+8,der(9)[19]"


def test_an_extra_derivative_and_an_extra_whole_one_make_no_clone() -> None:
    """No second cell shows either: one cell with a whole third 21 finds no trisomy."""
    three, normal = [*NORMAL_FEMALE, "21"], [cell_of(number=3), cell_of(number=4)]
    changed = [edited(captured(three, number=k), Mark(46, "derivative")) for k in (1, 2)]
    mixed = tally([changed[0], cell_of("+21", number=2), *normal])
    assert (mixed.karyotype, mixed.findings, mixed.apart) == ("46,XX[2]", (), (1, 2))
    assert [(stray.what, stray.cells) for stray in mixed.strays] == [("+der(21)", (1,)), ("+21", (2,))]
    alike = tally([*changed, *normal])
    assert alike.karyotype == "mos 47,XX,+der(21)[2]/46,XX[2]"
    assert alike.findings == ("extra structurally changed 21 in 2 of 4 cells",)
    third_x = edited(captured([*NORMAL_FEMALE, "X"], number=1), Mark(46, "derivative"))  # 47,XX,der(X)
    assert [stray.what for stray in tally([third_x, *normal]).strays] == ["+X", "der(X)"]


def test_unreviewed_cells_make_it_provisional() -> None:
    down = [*NORMAL_FEMALE, "21"]
    seen, waits, unseen = (
        edited(captured(down, number=1), Accept((46,))),
        edited(captured(down, number=2, review=[46]), Flip(0)),
        edited(captured(down, number=3)),  # all of it sure, and nobody has looked
    )
    result = tally([seen, waits, unseen])
    assert (result.provisional, result.unsure) == (True, (2, 3))
    assert result.findings == ("possible trisomy 21 (Down syndrome)",)
    assert not tally([seen, cell_of("+21", number=2)]).provisional
    assert edited(captured(down), Accept((46,)), Undo(1)).reviewed is False
    assert edited(captured(down), SetAside("by mistake"), TakeBack()).reviewed is False


def test_the_copies_of_a_cell_are_counted_once() -> None:
    """A tally asks each cell some hundred times: of 200 cells it took half a second, at every edit, on every page."""
    cell = cell_of("+21")
    assert cell.counts is cell.counts


def test_mosaic_findings_say_their_share() -> None:
    assert tally(cells(normal=12, **{"+21": 8})).findings == ("trisomy 21 (Down syndrome) in 8 of 20 cells",)


def test_a_finding_of_several_lines_is_said_once_with_the_cells_of_all() -> None:
    assert set(tally(cells(**{"+8": 3, "+8 +21": 3, "-7 +8 +21": 3})).findings) == {
        "monosomy 7 in 3 of 9 cells",
        "trisomy 8 in 9 of 9 cells",
        "trisomy 21 (Down syndrome) in 6 of 9 cells",
    }


LOST_IN_ONE = "monosomy X (Turner syndrome; or a Y was lost, see cell 5)"


@pytest.mark.parametrize(("males", "said"), [(17, LOST_Y), (2, LOST_Y), (1, LOST_IN_ONE), (0, MONOSOMY_X)])
def test_a_lost_y_is_no_turner_syndrome(males: int, said: str) -> None:
    single = [cell_of("-X", number=k) for k in range(1, 5)]
    found = tally([*single, *(cell_of(sex="XY", number=k) for k in range(5, 5 + males))]).findings
    assert [finding.partition(" in ")[0] for finding in found] == [said]


def test_why_there_is_no_karyotype() -> None:
    assert tally([]).headline == "no cell to count yet"
    assert tally([cell_of("+21")]).headline == "no clone: cell 1 stands apart"
    assert tally(cells(**{"+21": 1, "+8": 1})).headline == "no clone: cells 1 and 2 stand apart"
    assert tally(cells(normal=2)).headline == "46,XX[2]"


def test_the_order_of_capture_decides_nothing() -> None:
    cells = [cell_of("+X", number=k, sex="XY") for k in (1, 2, 3, 4)]
    cells += [cell_of(number=5), cell_of("+X", number=6)]
    said = {tally(order).karyotype for order in permutations(cells)}
    assert said == {"mos 47,XXY[4]/46,XX[1]"}
    halves = [triploid(sex, number=k) for k, sex in enumerate(("XXY", "XXY", "XXX", "XXX"), start=1)]
    assert tally(halves).findings == tally(halves[::-1]).findings


def test_nothing_yet() -> None:
    empty = tally([])
    assert (empty.karyotype, empty.lines, empty.exclusion, empty.provisional) == ("", (), "", False)


@pytest.mark.parametrize(
    ("n", "percents"),
    # Hook 1977, table 1, at confidences .90, .95, .99: the smallest whole percentage excluded.
    [(5, (37, 46, 61)), (10, (21, 26, 37)), (20, (11, 14, 21)), (30, (8, 10, 15)), (50, (5, 6, 9)), (100, (3, 3, 5))],
)
def test_mosaicism_that_n_cells_exclude(n: int, percents: tuple[int, int, int]) -> None:
    sentence = tally(cells(normal=n)).exclusion
    low, middle, high = percents
    assert sentence == (
        f"{n} cells exclude a further cell line in {middle} % or more of the cells at 95 % confidence "
        f"({low} % at 90 %, {high} % at 99 %)"
    )


def test_what_a_cell_shows_is_not_excluded() -> None:
    assert tally(cells(**{"-X": 2, "normal": 18})).exclusion.endswith(", but not one of -X (cells 1 and 2)")
    assert tally(cells(normal=1)).exclusion.startswith("1 cell excludes a further cell line in 95 % or more")
    one = tally(cells(**{"+21": 1, "normal": 19})).exclusion
    assert one.startswith("19 cells exclude")
    assert one.endswith(", but not one of +21 (cell 1)")


@pytest.mark.parametrize("confidence", [0.90, 0.95, 0.99])
def test_so_many_cells_exclude_just_the_share_said(confidence: float) -> None:
    for n in range(1, 200):
        share = excluded_share(n, confidence)
        assert 1 - (1 - share) ** n == pytest.approx(confidence)
    for wrong in ((0, 0.95), (10, 0.0), (10, 1.0)):
        with pytest.raises(ValueError, match="cells must be"):
            excluded_share(*wrong)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((), "no cells"),
        ((3,), "cell 3"),
        ((1, 2, 3, 4, 7), "cells 1 to 4 and 7"),
        ((1, 2, 5), "cells 1, 2 and 5"),
        ((1, 2, 3), "cells 1 to 3"),
    ],
)
def test_cells_by_name(numbers: tuple[int, ...], text: str) -> None:
    assert cells_named(numbers) == text


def test_markers_stand_for_what_is_missing() -> None:
    cells = [edited(captured(number=n), *(Mark(id, "marker") for id in (8, 12, 33))) for n in (1, 2, 3)]
    assert cells[0].karyotype == "46,XX,-5,-7,-17,+3mar"
    assert not any("incomplete" in finding for finding in cells[0].findings)
    assert tally(cells).karyotype == "46,XX,-5,-7,-17,+3mar[3]"


@pytest.mark.parametrize("count", [1, 2])
def test_cells_that_all_lack_an_x_are_not_written_as_46_xx(count: int) -> None:
    result = tally(cells(**{"-X": count}))
    assert (result.karyotype, result.findings) == (f"45,X[{count}]", ())


def test_a_near_haploid_line_is_told_against_the_haploid_set() -> None:
    """ISCN: 34 chromosomes and fewer."""
    labels = [*NORMAL_FEMALE[:44:2], "X", "4", "6", "21"]
    few = [edited(captured(labels, number=n), Accept((0,))) for n in (1, 2, 3)]
    result = tally([*few, cell_of(number=4), cell_of(number=5)])
    assert result.karyotype == "mos 26<1n>,X,+4,+6,+21[3]/46,XX[2]"
    assert result.findings == tuple(
        f"{finding} in 3 of 5 cells"
        for finding in ("near-haploidy", *(f"extra {label} (2 copies at the 1n level)" for label in ("4", "6", "21")))
    )
    assert few[0].karyotype == "26,X,inc"  # one alone has lost the others
    assert tally(few[:2]).karyotype == ""
