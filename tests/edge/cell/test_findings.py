"""Counts to ISCN: what a cytogeneticist would write, and nothing that was not seen."""

from __future__ import annotations

import pytest
from iscn_authenticator import is_valid_karyotype

from edge.cell.findings import (
    AUTOSOMES,
    claims_of,
    findings_of,
    findings_of_cell,
    is_incomplete,
    karyotype_and_findings,
    karyotype_of,
    not_yet_reviewed,
    ploidy_of,
    provisional,
)
from tests.builders import NORMAL_FEMALE, make_cell


def cell(sex: str, ploidy: int = 2, **changes: int) -> dict[str, int]:
    """Copies of a cell with ``sex`` and changes such as ``c21=+1``."""
    counts = dict.fromkeys(AUTOSOMES, ploidy) | {"X": sex.count("X"), "Y": sex.count("Y")}
    for name, change in changes.items():
        counts[name[1:]] += change
    return counts


@pytest.mark.parametrize(
    ("counts", "karyotype", "findings"),
    [
        (cell("XX"), "46,XX", ()),
        (cell("XY"), "46,XY", ()),
        (cell("XY", c21=1), "47,XY,+21", ("trisomy 21 (Down syndrome)",)),
        (cell("XX", c18=1), "47,XX,+18", ("trisomy 18 (Edwards syndrome)",)),
        (cell("XX", c13=1), "47,XX,+13", ("trisomy 13 (Patau syndrome)",)),
        (cell("XX", c8=1), "47,XX,+8", ("trisomy 8",)),
        (cell("X"), "45,X", ("monosomy X (Turner syndrome)",)),
        (cell("XXY"), "47,XXY", ("XXY (Klinefelter syndrome)",)),
        (cell("XYY"), "47,XYY", ("XYY (Jacobs syndrome)",)),
        (cell("XXX"), "47,XXX", ("trisomy X (triple X syndrome)",)),
        (cell("XXXXX"), "49,XXXXX", ("pentasomy X",)),
        (cell("XYYY"), "48,XYYY", ("sex chromosomes XYYY",)),
        (
            cell("XX", c21=1, c18=1),
            "48,XX,+18,+21",
            ("trisomy 18 (Edwards syndrome)", "trisomy 21 (Down syndrome)"),
        ),
        (cell("XXY", c21=1), "48,XXY,+21", ("XXY (Klinefelter syndrome)", "trisomy 21 (Down syndrome)")),
        (cell("XX", c22=-1), "45,XX,-22", ("monosomy 22",)),
        (cell("XX", c7=-2), "44,XX,-7,-7", ("nullisomy 7",)),
        (cell("XX", c21=2), "48,XX,+21,+21", ("tetrasomy 21",)),
        (cell("XX", c9=4), "50,XX,+9,+9,+9,+9", ("6 copies of 9",)),
        (cell("XX", c9=5), "51,XX,+9,+9,+9,+9,+9", ("7 copies of 9",)),
        (cell("X", c22=-1), "44,X,-22", ("monosomy X (Turner syndrome)", "monosomy 22")),
        (cell("XXX", 3), "69,XXX", ("triploidy",)),
        (cell("XXY", 3), "69,XXY", ("triploidy",)),
        (cell("XXX", 3, c21=1), "70<3n>,XXX,+21", ("near-triploidy", "extra 21 (4 copies at the 3n level)")),
        (cell("XXYY", 4), "92,XXYY", ("tetraploidy, often of the culture, or two cells in one frame",)),
    ],
)
def test_whole_cells(counts: dict[str, int], karyotype: str, findings: tuple[str, ...]) -> None:
    assert karyotype_of(counts) == karyotype
    assert findings_of(counts) == findings


@pytest.mark.parametrize(
    ("counts", "karyotype", "first_finding"),
    [
        (
            cell("XX", c1=-1, c5=-2, c9=-1, c12=-1),
            "41,XX,inc",
            "incomplete cell: 41 of 46 chromosomes found; missing: 1, 2 of 5, 9, 12",
        ),
        (
            cell("XX", c1=-1, c5=-2, c9=-1, c21=1),
            "43,XX,+21,inc",
            "incomplete cell: 43 of 46 chromosomes found; missing: 1, 2 of 5, 9",
        ),
        (
            cell("X", c1=-1, c5=-1),
            "43,X,inc",
            "incomplete cell: 43 of 46 chromosomes found; missing: 1, 5, X or Y",
        ),
        (cell(""), "44,?,inc", "incomplete cell: 44 of 46 chromosomes found; missing: 2 of X or Y; no X found"),
        (cell("Y"), "45,?Y,inc", "incomplete cell: 45 of 46 chromosomes found; missing: X or Y; no X found"),
        (cell("YY"), "46,?YY,inc", "incomplete cell: 46 of 46 chromosomes found; no X found"),
        ({}, "0,?,inc", "no chromosome found"),
    ],
)
def test_incomplete_cells_claim_no_loss(counts: dict[str, int], karyotype: str, first_finding: str) -> None:
    assert karyotype_of(counts) == karyotype
    found = findings_of_cell(counts)
    assert found[0] == first_finding
    assert not any("monosomy" in f or "nullisomy" in f for f in found)


HELD = ", unless a changed chromosome or a marker holds it"
THREE = "; a finding only where three cells lack the same"
TWO = "seen in one cell: a finding only where a second shows the same"
SWAPPED = "gain and loss in one cell: check the labels of"


@pytest.mark.parametrize(
    ("counts", "findings", "claimed"),
    [
        (cell("XX"), (), False),
        (cell("XY", c21=1), ("trisomy 21 (Down syndrome)", TWO), True),
        (cell("X"), ("monosomy X (Turner syndrome), if three cells show it",), True),
        (cell("XXY"), ("XXY (Klinefelter syndrome)", TWO), True),
        (cell("XX", c22=-1), (f"not found: 22{THREE}",), False),
        (cell("XX", c7=-2), (f"not found: 2 of 7{THREE}",), False),
        (cell("X", c22=-1), (f"not found: 22, X or Y{THREE}",), False),
        (
            cell("XXY", c22=-1),
            (f"not found: 22{THREE}", "XXY (Klinefelter syndrome)", TWO, f"{SWAPPED} X, Y, 22"),
            True,
        ),
        (
            cell("XYY", c22=-1),
            (f"not found: 22{THREE}", "XYY (Jacobs syndrome)", TWO, f"{SWAPPED} X, Y, 22"),
            True,
        ),
        (
            cell("XXX", c7=-1),
            (f"not found: 7{THREE}", "trisomy X (triple X syndrome)", TWO, f"{SWAPPED} X, 7"),
            True,
        ),
        (
            cell("XX", c3=-1, c5=1),
            (f"not found: 3{THREE}", "trisomy 5", TWO, f"{SWAPPED} 5, 3"),
            True,
        ),
        (cell("X", c1=-1, c5=-1), ("incomplete cell: 43 of 46 chromosomes found; missing: 1, 5, X or Y",), False),
        (cell("Y"), ("incomplete cell: 45 of 46 chromosomes found; missing: X or Y; no X found",), False),
        (cell("XXX", 3), ("triploidy", TWO), True),
        (
            cell("XX", 3),
            ("triploidy, or parts of two cells in one frame", f"not found: X or Y{THREE}", TWO),
            True,
        ),
        ({}, ("no chromosome found",), False),
    ],
)
def test_what_one_cell_lacks_is_named_and_claims_nothing(
    counts: dict[str, int], findings: tuple[str, ...], claimed: bool
) -> None:
    assert findings_of_cell(counts) == findings
    assert bool(claims_of(counts)) is claimed
    kept = provisional(findings, not_yet_reviewed(1, 46))[1:]
    assert any(finding.startswith("possible") for finding in kept) is claimed


def test_a_seen_gain_is_karyotype_and_findings_an_incomplete_cell() -> None:
    assert "trisomy 21 (Down syndrome)" in findings_of_cell(cell("XX", c1=-1, c5=-2, c9=-1, c21=1))


def test_what_several_cells_lack_is_no_broken_cell() -> None:
    counts = cell("XX", c3=-1, c5=-1, c7=-2)
    assert karyotype_of(counts, shared=True) == "42,XX,-3,-5,-7,-7"
    assert findings_of(counts) == ("monosomy 3", "monosomy 5", "nullisomy 7")
    assert [is_incomplete(counts, shared=shared) for shared in (False, True)] == [True, False]
    assert is_incomplete(cell("Y"), shared=True)  # nobody lives without an X


def test_gain_with_loss_asks_for_a_look_at_the_labels() -> None:
    counts = cell("XX", c3=-1, c5=1)
    assert karyotype_of(counts) == "46,XX,-3,+5"
    assert findings_of_cell(counts)[-1] == "gain and loss in one cell: check the labels of 5, 3"
    assert findings_of(counts) == ("monosomy 3", "trisomy 5")


@pytest.mark.parametrize("total", range(0, 120))
def test_the_first_number_is_always_the_number_given(total: int) -> None:
    counts = dict.fromkeys(AUTOSOMES, 0)
    for i in range(total):
        counts[AUTOSOMES[i % 22]] += 1
    assert karyotype_of(counts).split(",")[0].split("<")[0] == str(total)


@pytest.mark.parametrize("counts", [{"23": 1}, {"1": -1}])
def test_counts_that_cannot_be(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="counts must map"):
        karyotype_of(counts)


@pytest.mark.parametrize(
    ("counts", "markers", "derivatives", "karyotype", "findings"),
    [
        (cell("XX"), 1, (), "47,XX,+mar", ("marker chromosome",)),
        (cell("XX"), 2, (), "48,XX,+2mar", ("2 marker chromosomes",)),
        (cell("XX", c9=-1), 1, (), "46,XX,-9,+mar", (f"monosomy 9{HELD}", "marker chromosome")),
        (cell("XX", c21=-1), 0, ("14",), "45,XX,der(14),-21", (f"monosomy 21{HELD}", "structurally changed 14")),
        (cell("X"), 1, (), "46,X,+mar", ("one X beside a marker, which may be a changed X or Y", "marker chromosome")),
        (cell("XX"), 0, ("9",), "46,XX,der(9)", ("structurally changed 9",)),
        (
            cell("XX"),
            0,
            ("12", "9", "9"),
            "46,XX,der(9),der(9),der(12)",
            ("structurally changed 9 (2 copies)", "structurally changed 12"),
        ),
        (cell("XX"), 0, ("X",), "46,X,der(X)", ("structurally changed X",)),
        (cell("XY"), 0, ("Y",), "46,X,der(Y)", ("structurally changed Y",)),
        (cell("X"), 0, ("X",), "45,der(X)", ("monosomy X (Turner syndrome)", "structurally changed X")),
        (cell("XY", c9=1), 0, ("9",), "47,XY,+der(9)", ("extra structurally changed 9",)),
        (
            cell("XX", c21=2),
            0,
            ("21",),
            "48,XX,+21,+der(21)",
            ("trisomy 21 (Down syndrome)", "extra structurally changed 21"),
        ),
        (cell("XXY"), 0, ("X",), "47,XY,der(X)", ("sex chromosomes XXY", "structurally changed X")),
        (
            cell("XY", c9=1, c21=1),
            1,
            ("9",),
            "49,XY,+der(9),+21,+mar",
            ("trisomy 21 (Down syndrome)", "extra structurally changed 9"),
        ),
    ],
)
def test_markers_and_derivatives(
    counts: dict[str, int], markers: int, derivatives: tuple[str, ...], karyotype: str, findings: tuple[str, ...]
) -> None:
    assert karyotype_of(counts, markers=markers, derivatives=derivatives) == karyotype
    found = findings_of(counts, markers=markers, derivatives=derivatives)
    assert found[: len(findings)] == findings


def test_a_derivative_is_one_of_those_counted() -> None:
    with pytest.raises(ValueError, match="derivatives among counts"):
        karyotype_of(cell("XX"), derivatives=("9", "9", "9"))


def test_provisional_findings_claim_nothing() -> None:
    counts = cell("XX", c3=-1, c21=1)
    assert provisional(findings_of_cell(counts), not_yet_reviewed(2, 46)) == (
        "provisional: 2 of 46 chromosomes not yet reviewed",
        f"not found: 3{THREE}",
        "possible trisomy 21 (Down syndrome)",
        "gain and loss in one cell: check the labels of 21, 3",
    )
    assert provisional(findings_of(counts), not_yet_reviewed(0, 46)) == findings_of(counts)


def test_what_a_person_marks_in_one_cell_makes_no_clone() -> None:
    assert findings_of_cell(cell("XX"), markers=2) == ("2 marker chromosomes", TWO)
    assert findings_of_cell(cell("XX"), derivatives=("9",)) == ("structurally changed 9", TWO)


def test_level_and_completeness() -> None:
    assert [ploidy_of(cell("XX")), ploidy_of(cell("XXX", 3)), ploidy_of({})] == [2, 3, 2]
    assert [is_incomplete(c) for c in (cell("XX"), cell("X"), cell("Y"), cell("XX", c1=-2, c2=-1))] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("sex", ["X", "XX", "XY", "XXX", "XXY", "XYY", "XXXX", "XXYY"])
@pytest.mark.parametrize("change", [{}, {"c21": 1}, {"c8": 1, "c22": -1}, {"c7": -2}, {"c5": 2}])
def test_others_read_the_string_as_iscn(sex: str, change: dict[str, int]) -> None:
    # iscn-authenticator wants a whole X in every cell; ISCN itself writes 46,Y,der(X).
    changed = ("9", "X") if sex.startswith("XX") else ("9",)
    for markers, derivatives in ((0, ()), (1, ()), (2, changed)):
        assert is_valid_karyotype(karyotype_of(cell(sex, **change), markers=markers, derivatives=derivatives))


@pytest.mark.parametrize(("unsure", "told"), [(0, False), (23, False), (24, True), (46, True)])
def test_a_normal_karyotype_of_mostly_unsure_labels_is_said_to_be_provisional(unsure: int, told: bool) -> None:
    karyotype, findings = karyotype_and_findings(make_cell(NORMAL_FEMALE, review=range(unsure)).chromosomes)
    assert karyotype == "46,XX"
    assert findings == ((f"provisional: {unsure} of 46 chromosomes not yet reviewed",) if told else ())


@pytest.mark.parametrize(
    ("sex", "ploidy", "karyotype"), [("XX", 3, "68<3n>,XX"), ("XXX", 4, "91<4n>,XXX"), ("XXXY", 3, "70<3n>,XXXY")]
)
def test_the_level_is_written_where_the_sexes_do_not_fit_it(sex: str, ploidy: int, karyotype: str) -> None:
    assert karyotype_of(cell(sex, ploidy)) == karyotype


def test_the_level_is_written_where_the_count_is_of_another() -> None:
    """ISCN: 58<2n> lies in the near-triploid range."""
    gains = {f"c{n}": 1 for n in range(1, 12)}
    assert karyotype_of(cell("XX", **gains), markers=1).startswith("58<2n>,XX,+1,+2,")
    assert karyotype_of(cell("XX", **gains)).startswith("57,XX,+1,+2,")


def test_many_gains_are_said_to_be_a_neighbours() -> None:
    six = cell("XY", c10=1, c11=1, c14=1, c16=1, c17=1, c21=1)
    assert findings_of_cell(six)[0] == "6 gains: look for part of another cell in the frame"
    assert "another cell" not in " ".join(findings_of_cell(cell("XY", c10=1, c11=1, c14=1)))
    assert "another cell" not in " ".join(findings_of(six))  # what several cells share is no neighbour's
