"""What the technician is told of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.camera.metaphase import SimulatedMetaphase, draw_metaphase
from edge.cell.findings import findings_of, karyotype_of
from edge.live.focus import COUNTABLE_CROSSING, EASY_CROSSING, SHARP_FROM, Verdict, crossing_in, guide, sharpness_of
from edge.records import Cell, Chromosome, Crop, Frame, Region
from tests.builders import NORMAL_FEMALE, make_cell, make_chromosome, make_frame


def true_cell(drawn: SimulatedMetaphase) -> Cell:
    """The cell that perfect networks would give."""
    chromosomes = tuple(
        Chromosome(
            Region(t.id, t.box_px, t.mask, t.axis_px, t.overlaps, 0.9),
            Crop(t.id, np.full((8, 4), 200, np.uint8)),
            t.label,
            0.99,
            "accepted",
            ((t.label, 0.99),),
            True,
        )
        for t in drawn.truth
    )
    counts = {c.label: 0 for c in chromosomes}
    for c in chromosomes:
        counts[c.label] += 1
    height, width = drawn.pixels.shape
    return Cell("a.png", 0, width, height, 0.065, False, chromosomes, karyotype_of(counts), findings_of(counts), {}, {})


def blurred(drawn: SimulatedMetaphase, sigma_px: float) -> Frame:
    return Frame(cv2.GaussianBlur(drawn.pixels, (0, 0), sigma_px), 0, 0.0, "a.png")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sharpness_falls_with_every_bit_of_defocus(seed: int) -> None:
    drawn = draw_metaphase(seed)
    cell = true_cell(drawn)
    values = [sharpness_of(blurred(drawn, s), cell) for s in (0.3, 1.0, 2.0, 4.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] > SHARP_FROM > values[3]


def test_neither_lamp_nor_exposure_changes_sharpness() -> None:
    drawn = draw_metaphase(4)
    cell = true_cell(drawn)
    dim = Frame((drawn.pixels * 0.7).astype(np.uint8), 0, 0.0, "a.png")
    assert sharpness_of(dim, cell) == pytest.approx(sharpness_of(blurred(drawn, 0.2), cell), rel=0.1)


def test_fluorescence_is_as_sharp_as_bright_field() -> None:
    drawn = draw_metaphase(4)
    glowing = Frame(255 - drawn.pixels, 0, 0.0, "a.png")
    usual = sharpness_of(blurred(drawn, 0.2), true_cell(drawn))
    assert sharpness_of(glowing, true_cell(drawn)) == pytest.approx(usual, rel=0.25)


def enlarged(frame: Frame, cell: Cell, zoom: int) -> tuple[Frame, Cell]:
    """Both as through a stronger lens that nobody stated, and whose scale the pipeline found."""

    def region(of: Region) -> Region:
        x0, y0, x1, y1 = (edge * zoom for edge in of.box_px)
        mask = np.kron(of.mask, np.ones((zoom, zoom), np.bool_))
        return Region(of.id, (x0, y0, x1, y1), mask, of.axis_px * np.float32(zoom), of.overlaps, of.score)

    pixels = cv2.resize(frame.pixels, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    height_px, width_px = pixels.shape
    chromosomes = tuple(replace(c, region=region(c.region)) for c in cell.chromosomes)
    found = {"width_px": width_px, "height_px": height_px, "um_per_px": cell.um_per_px / zoom}
    return replace(frame, pixels=np.asarray(pixels, np.uint8)), replace(cell, chromosomes=chromosomes, **found)


def test_a_stronger_lens_changes_no_sharpness() -> None:
    drawn = draw_metaphase(4)
    frame, cell = blurred(drawn, 0.7), true_cell(drawn)
    assert sharpness_of(*enlarged(frame, cell, 2)) == pytest.approx(sharpness_of(frame, cell), rel=0.1)


def test_crossing_counts_both_of_a_pair() -> None:
    boxes = [(10, 10, 24, 70), (20, 40, 34, 100), (100, 10, 114, 70)]
    cell = make_cell([])
    chromosomes = tuple(make_chromosome(k, "1", box_px=box) for k, box in enumerate(boxes))
    cell = Cell("a.png", 0, 340, 300, 0.065, False, chromosomes, cell.karyotype, cell.findings, {}, {})
    assert crossing_in(cell) == 2


def verdict_of(drawn: SimulatedMetaphase, sigma_px: float = 0.3) -> Verdict:
    return guide(blurred(drawn, sigma_px), true_cell(drawn)).verdict


def told(labels: Sequence[str], touching: int = 0) -> tuple[Verdict, str]:
    """The verdict and the advice on a sharp cell of ``labels``, so many of which lie beside their neighbour."""
    pixels = np.full((400, 400), 220, np.uint8)
    chromosomes = []
    for k, label in enumerate(labels):
        first, second = k - k % 2, k % 2 if k < touching else 2 * (k % 2)
        x0, y0 = 10 + first % 10 * 36 + 14 * second, 10 + first // 10 * 38
        pixels[y0 : y0 + 30, x0 : x0 + 16] = np.where(np.arange(30)[:, None] // 4 % 2, 60, 150)
        chromosomes.append(make_chromosome(k, label, box_px=(x0, y0, x0 + 16, y0 + 30)))
    cell = Cell("a.png", 0, 400, 400, 0.065, False, tuple(chromosomes), "", (), {}, {})
    guidance = guide(Frame(pixels, 0, 0.0, "a.png"), cell)
    assert (guidance.count, guidance.crossing) == (len(labels), touching)
    return guidance.verdict, guidance.advice


def test_a_spread_whose_chromosomes_lie_apart_is_worth_capturing() -> None:
    assert verdict_of(draw_metaphase(2, crowding=0.0)) == "capture"
    assert told(NORMAL_FEMALE) == ("capture", "Sharp and countable: capture")


def test_touching_ones_are_nearly_always_labelled_right() -> None:
    assert told(NORMAL_FEMALE, touching=EASY_CROSSING) == ("capture", "Sharp and countable: capture")
    verdict, advice = told(NORMAL_FEMALE, touching=COUNTABLE_CROSSING)
    assert verdict == "capture"
    assert "expect corrections" in advice


def test_a_thicket_is_left_for_another_one() -> None:
    assert told(NORMAL_FEMALE, touching=32) == ("crowded", "32 touch or cross: better look for another")


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (NORMAL_FEMALE[1:], "45 found, one seems missing: look before you capture"),
        (NORMAL_FEMALE[4:], "42 found, 4 seem missing: look before you capture"),
        ([*NORMAL_FEMALE, "21"], "47 found, one more than usual: look before you capture"),
        ([*NORMAL_FEMALE, "21", "8"], "48 found, 2 more than usual: look before you capture"),
    ],
)
def test_a_count_that_is_not_the_usual_one_is_said(labels: list[str], advice: str) -> None:
    assert told(labels) == ("count", advice)


def test_focus_comes_before_everything_else() -> None:
    assert verdict_of(draw_metaphase(5, crowding=1.0), 4.0) == "focus"


@pytest.mark.parametrize("labels", [[], ["1", "2"]])
def test_an_empty_field_or_debris_is_no_metaphase(labels: list[str]) -> None:
    guidance = guide(make_frame(300, 340), make_cell(labels))
    assert guidance.verdict == "no metaphase"
