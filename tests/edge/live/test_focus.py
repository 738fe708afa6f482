"""What the technician is told of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.camera.ideogram import Look
from edge.camera.metaphase import SimulatedMetaphase, draw_metaphase
from edge.live.focus import (
    BANDED_FROM,
    COUNTABLE_CROSSING,
    EASY_CROSSING,
    SHARP_FROM,
    Verdict,
    banding_of,
    crossing_in,
    guide,
    sharpness_of,
)
from edge.locate.field import dark_on_bright
from edge.locate.straighten import straighten
from edge.records import Cell, Chromosome, Frame, Region
from tests.builders import NORMAL_FEMALE, make_cell, make_chromosome, make_frame, make_region, make_stain


def true_cell(drawn: SimulatedMetaphase, frame: Frame | None = None) -> Cell:
    """The cell that perfect networks would give of ``frame``, or of the frame as drawn."""
    frame = frame or Frame(drawn.pixels, 0, 0.0, "a.png")
    regions = [Region(t.id, t.box_px, t.mask, t.axis_px, t.overlaps, 0.9) for t in drawn.truth]
    return cell_of(frame, regions, [t.label for t in drawn.truth])


def cell_of(frame: Frame, regions: Sequence[Region], labels: Sequence[str]) -> Cell:
    crops = straighten(dark_on_bright(frame), regions)
    chromosomes = tuple(
        Chromosome(region, crop, label, 0.99, "accepted", ((label, 0.99),), True)
        for region, crop, label in zip(regions, crops, labels, strict=True)
    )
    height, width = frame.pixels.shape
    return Cell("a.png", 0, width, height, frame.um_per_px, False, chromosomes, "", (), {}, {})


def blurred(drawn: SimulatedMetaphase, sigma_px: float) -> Frame:
    return Frame(cv2.GaussianBlur(drawn.pixels, (0, 0), sigma_px), 0, 0.0, "a.png")


def sharp_bands(seed: int = 4, contrast: float = 1.0) -> SimulatedMetaphase:
    return draw_metaphase(seed, crowding=0.2, look=Look(contrast=contrast, grain=0.02))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_sharpness_falls_with_every_bit_of_defocus(seed: int) -> None:
    drawn = draw_metaphase(seed)
    cell = true_cell(drawn)
    values = [sharpness_of(blurred(drawn, s), cell) for s in (0.3, 1.0, 2.0, 4.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] > SHARP_FROM > values[3]


def test_neither_lamp_nor_exposure_changes_sharpness_and_banding() -> None:
    drawn = draw_metaphase(4)
    usual, dim = (Frame((drawn.pixels * gain).astype(np.uint8), 0, 0.0, "a.png") for gain in (1.0, 0.7))
    assert sharpness_of(dim, true_cell(drawn)) == pytest.approx(sharpness_of(usual, true_cell(drawn)), rel=0.1)
    assert banding_of(true_cell(drawn, dim)) == pytest.approx(banding_of(true_cell(drawn, usual)), rel=0.1)


def test_a_negative_is_as_sharp_and_as_banded_as_bright_field() -> None:
    drawn = draw_metaphase(4)
    usual, glowing = (Frame(pixels, 0, 0.0, "a.png") for pixels in (drawn.pixels, 255 - drawn.pixels))
    assert sharpness_of(glowing, true_cell(drawn)) == pytest.approx(sharpness_of(usual, true_cell(drawn)), rel=0.25)
    assert banding_of(true_cell(drawn, glowing)) == pytest.approx(banding_of(true_cell(drawn, usual)), rel=0.25)
    assert guide(glowing, true_cell(drawn)).sharp_from < guide(usual, true_cell(drawn)).sharp_from


def test_bands_are_no_matter_of_sharpness() -> None:
    strong, weak = sharp_bands(), sharp_bands(contrast=0.0)
    frames = [blurred(drawn, 0.3) for drawn in (strong, weak)]
    steep = [sharpness_of(frame, true_cell(drawn)) for drawn, frame in zip((strong, weak), frames, strict=True)]
    assert steep[1] == pytest.approx(steep[0], rel=0.2)
    assert banding_of(true_cell(weak)) < BANDED_FROM < banding_of(true_cell(strong))


def test_a_little_defocus_takes_the_outlines_before_the_bands() -> None:
    drawn = sharp_bands()
    frame = blurred(drawn, 2.0)
    assert sharpness_of(frame, true_cell(drawn)) < SHARP_FROM
    assert banding_of(true_cell(drawn, frame)) > 0.75 * banding_of(true_cell(drawn))


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
    frame = blurred(drawn, sigma_px)
    return guide(frame, true_cell(drawn, frame)).verdict


def told(labels: Sequence[str], touching: int = 0) -> tuple[Verdict, str]:
    """The verdict and the advice on a sharp cell of ``labels``, so many of which lie beside their neighbour."""
    pixels = np.full((400, 400), 220, np.uint8)
    regions = []
    for k in range(len(labels)):
        first, second = k - k % 2, k % 2 if k < touching else 2 * (k % 2)
        x0, y0 = 10 + first % 10 * 36 + 14 * second, 10 + first // 10 * 38
        pixels[y0 : y0 + 30, x0 : x0 + 16] = np.where(np.arange(30)[:, None] // 4 % 2, 60, 150)
        regions.append(make_region(k, (x0, y0, x0 + 16, y0 + 30)))
    frame = Frame(pixels, 0, 0.0, "a.png")
    guidance = guide(frame, cell_of(frame, regions, labels))
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


def overexposed(by: int, confidence: float) -> tuple[Frame, Cell]:
    drawn = draw_metaphase(2, crowding=0.0)
    pixels = np.clip(drawn.pixels.astype(np.int16) + by, 0, 255).astype(np.uint8)
    frame = Frame(pixels, 0, 0.0, "a.png")
    cell = true_cell(drawn, frame)
    return frame, replace(cell, chromosomes=tuple(replace(c, confidence=confidence) for c in cell.chromosomes))


def test_too_much_light_is_told_where_it_costs_labels() -> None:
    assert guide(*overexposed(40, 0.9)).verdict == "light"
    assert guide(*overexposed(40, 0.99)).verdict != "light"
    assert guide(*overexposed(0, 0.9)).verdict == "capture"
    frame, cell = overexposed(40, 0.9)
    grey = replace(frame, pixels=np.minimum(frame.pixels, 245))  # as pale, and nothing burnt out
    assert guide(grey, cell).verdict != "light"
    dark = replace(frame, pixels=np.where(frame.pixels < 250, frame.pixels // 2, 255).astype(np.uint8))
    assert guide(dark, cell).verdict != "light"


def test_focus_comes_before_everything_else() -> None:
    assert verdict_of(draw_metaphase(5, crowding=1.0), 4.0) == "focus"


def test_weak_bands_are_called_so_and_not_out_of_focus() -> None:
    assert verdict_of(sharp_bands(contrast=0.0)) == "banding"
    assert verdict_of(sharp_bands(contrast=0.0), 4.0) == "focus"


@pytest.mark.parametrize("labels", [[], ["1", "2"]])
def test_an_empty_field_or_debris_is_no_metaphase(labels: list[str]) -> None:
    guidance = guide(make_frame(300, 340), make_cell(labels))
    assert guidance.verdict == "no metaphase"


def test_cells_of_which_nothing_can_be_told() -> None:
    short = replace(make_cell(["21"]), chromosomes=(make_chromosome(0, "21", stain=make_stain(12)),))
    assert (banding_of(short), banding_of(make_cell([]))) == (0, 0)
    assert sharpness_of(make_frame(), make_cell([])) == 0
