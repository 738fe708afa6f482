"""Records refuse what they do not promise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge.cases.codec import cell_from_document, cell_to_document
from edge.records import Chromosome
from tests.builders import make_cell, make_chromosome, make_frame, make_prediction, make_region


@pytest.mark.parametrize("um_per_px", [0.0, -0.065, 10.0, float("nan")])
def test_a_scale_that_no_microscope_has_is_refused(um_per_px: float) -> None:
    for record in (make_frame(), make_cell()):
        with pytest.raises(ValueError, match="um_per_px must be between"):
            replace(record, um_per_px=um_per_px)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("at", [(0, 0), (1, 1)])
def test_a_centre_line_is_somewhere(at: tuple[int, int], value: float) -> None:
    axis = make_region().axis_px.copy()
    axis[at] = value
    with pytest.raises(ValueError, match="axis_px must be finite"):
        replace(make_region(), axis_px=axis)


def test_a_centre_line_is_float32() -> None:
    with pytest.raises(ValueError, match=r"axis_px must be float32 .* got \(dtype\('float64'\), \(2, 2\)\)"):
        replace(make_region(), axis_px=make_region().axis_px.astype(np.float64))


def test_no_region_has_a_negative_id() -> None:
    with pytest.raises(ValueError, match="id must be >= 0; got -1"):
        make_region(-1)


@pytest.mark.parametrize(("by", "why"), [(5.0, "must be >= 0; got -4.9"), (float("nan"), "must sum to 1; got nan")])
def test_scores_are_probabilities(by: float, why: str) -> None:
    scores = make_prediction(0, "1").scores.copy()
    scores[1:3] += np.array([by, -by], np.float32)
    with pytest.raises(ValueError, match=f"Prediction.scores {why}"):
        replace(make_prediction(0, "1"), scores=scores)


def test_scores_may_round_to_nothing() -> None:
    scores = np.zeros(24, np.float32)
    scores[3] = 1
    assert replace(make_prediction(0, "4"), scores=scores).scores[3] == 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"status": "rejected"}, "status must be accepted or review; got rejected"),
        ({"candidates": ()}, "candidates must be one or more"),
        ({"candidates": (("99", 0.7),)}, "candidates must be one or more of 1..22, X or Y"),
        ({"candidates": (("8", 0.9), ("7", 7.0))}, "X or Y, each with 0..1"),
        ({"candidates": (("8", -0.1),)}, "X or Y, each with 0..1"),
        ({"candidates": (("8", float("nan")),)}, "X or Y, each with 0..1"),
    ],
)
def test_a_chromosome_says_what_its_line_may_say(fields: dict[str, Any], why: str) -> None:
    """What the JSON line's schema would refuse."""
    with pytest.raises(ValueError, match=why):
        replace(make_chromosome(0, "8"), **fields)


def test_no_cell_has_a_negative_index() -> None:
    with pytest.raises(ValueError, match="index must be >= 0; got -1"):
        make_cell(index=-1)


def test_no_two_chromosomes_of_a_cell_share_an_id() -> None:
    first, second, *_ = make_cell().chromosomes
    other = make_chromosome(first.region.id, "X", box_px=second.region.box_px)
    with pytest.raises(ValueError, match=r"an id each; got \[0, 0\]"):
        replace(make_cell(), chromosomes=(first, other))


@pytest.mark.parametrize("box_px", [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 341, 5), (0, 0, 5, 301)])
def test_a_cell_lies_within_its_frame(box_px: tuple[int, int, int, int]) -> None:
    cell = make_cell()
    whole = make_chromosome(0, "1", box_px=(0, 0, cell.width_px, cell.height_px))
    assert replace(cell, chromosomes=(whole,)).count == 1
    with pytest.raises(ValueError, match="must lie within the frame"):
        replace(cell, chromosomes=(make_chromosome(0, "1", box_px=box_px),))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "rejected"),
        ("candidates", [["99", 0.7]]),
        ("candidates", [["8", 7.0]]),
        ("axis_px", [[float("nan"), 0.0], [1.0, 1.0]]),
        ("id", 1),
    ],
)
def test_a_stored_cell_is_checked_as_a_new_one_is(field: str, value: object) -> None:
    stored = cell_to_document(make_cell())
    assert isinstance(cell_from_document(stored).chromosomes[0], Chromosome)
    stored["chromosomes"][0][field] = value
    with pytest.raises(ValueError, match="must"):
        cell_from_document(stored)
