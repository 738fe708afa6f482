"""A frame goes through every stage in order and comes out as one consistent record."""

from __future__ import annotations

import sysconfig
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edge.config
from edge.cell.arbiter import Judged
from edge.cell.assign import Assigned
from edge.cell.keep import Kept
from edge.config import default_models_dir
from edge.locate.straighten import TwofoldCrop
from edge.locate.ways import WAYS, Way
from edge.pipeline import Pipeline
from edge.records import Box, Crop, Float32Array, Frame, Prediction, Region
from edge.runtime.network import computed_by
from tests.builders import MODELS, make_prediction
from tests.edge.stages import (
    BarClassifier,
    BarLocator,
    KeepAll,
    Unmoved,
    assign_bars,
    bar_pipeline,
    cut_bars,
    draw_bars,
    keep_all,
    kept_at,
    unmoved,
)


def frame_of(numbers: Sequence[int]) -> Frame:
    return Frame(draw_bars(numbers), 3, 0.0, "bars.png")


def test_a_frame_becomes_a_cell() -> None:
    frame = frame_of([21, 7, 21])
    cell = bar_pipeline().label(frame)
    assert sorted(c.label for c in cell.chromosomes) == ["21", "21", "7"]
    assert (cell.frame, cell.index) == ("bars.png", 3)
    assert (cell.height_px, cell.width_px) == frame.pixels.shape
    assert cell.counts["21"] == 2
    assert cell.karyotype == "3,?,inc"
    assert list(cell.stage_ms) == ["locate", "straighten", "classify", "assign"]
    assert all(ms >= 0 for ms in cell.stage_ms.values())
    assert cell.models == MODELS
    assert list(cell.models) == ["locator", "separator", "classifier", "verifier", "arbiter"]


def test_a_cell_names_the_compiled_models_that_computed_it() -> None:
    compiled = f"sha256:{'a' * 64}"

    class OnAccelerator(BarLocator):
        def locate(self, frame: Frame) -> tuple[Region, ...]:
            computed_by("locator_edgetpu", compiled)
            return super().locate(frame)

    cell = Pipeline(OnAccelerator(), BarClassifier(), cut_bars, keep_all, unmoved, assign_bars).label(frame_of([21, 7]))
    assert cell.models == MODELS | {"locator_edgetpu": compiled}


def test_findings_are_provisional_while_a_chromosome_waits_for_review() -> None:
    def unsure_of_the_first(predictions: Sequence[Prediction], odds: Float32Array) -> tuple[Assigned, ...]:
        first, *others = assign_bars(predictions, odds)
        return replace(first, status="review"), *others

    frame = frame_of([21, 7, 21])
    sure = bar_pipeline().label(frame).findings
    stages = (BarLocator(), BarClassifier(), cut_bars, keep_all, unmoved)
    said = Pipeline(*stages, unsure_of_the_first).label(frame).findings
    assert not any("provisional" in finding for finding in sure)
    assert said[0] == "provisional: 1 of 3 chromosomes not yet reviewed"
    assert len(said) == len(sure) + 1


def test_the_stages_see_the_prepared_frame_and_the_cell_tells_of_the_one_taken() -> None:
    """A negative of bars, which the locator turns: every stage gets it turned, the caller's frame stays."""
    seen: list[Frame] = []

    class Turning(BarLocator):
        def prepared(self, frame: Frame) -> Frame:
            return replace(frame, pixels=255 - frame.pixels, um_per_px=0.1)

        def look_again(
            self, frame: Frame, regions: tuple[Region, ...], *said: object, thorough: bool
        ) -> tuple[Region, ...]:
            seen.append(frame)
            return regions

    def cut(frame: Frame, regions: Sequence[Region], among: Sequence[Region]) -> tuple[Crop, ...]:
        seen.append(frame)
        return cut_bars(frame, regions, among)

    bright = frame_of([21, 7, 21])
    taken = replace(bright, pixels=255 - bright.pixels)
    cell = Pipeline(Turning(), BarClassifier(), cut, keep_all, unmoved, assign_bars).label_live(taken)
    assert sorted(c.label for c in cell.chromosomes) == ["21", "21", "7"]
    assert [(frame.um_per_px, int(frame.pixels[0, 0])) for frame in seen] == [(0.1, 220)] * 2
    assert (cell.um_per_px, cell.scale_stated) == (0.1, False)
    assert (taken.um_per_px, int(taken.pixels[0, 0])) == (bright.um_per_px, 35)
    assert [c.region.box_px for c in cell.chromosomes] == [
        c.region.box_px for c in bar_pipeline().label(bright).chromosomes
    ]


@pytest.mark.parametrize("way", WAYS)
def test_where_only_the_spread_is_looked_at_all_lies_in_the_field_as_it_was_taken(way: Way) -> None:
    looked_at: list[tuple[int, ...]] = []

    class InAField(BarLocator):
        def spread(self, frame: Frame) -> Box:
            ys, xs = np.nonzero(frame.pixels < 128)
            return int(xs.min()) - 7, int(ys.min()) - 5, int(xs.max()) + 4, int(ys.max()) + 9

        def locate(self, frame: Frame) -> tuple[Region, ...]:
            looked_at.append(frame.pixels.shape)
            return super().locate(frame)

    bars = frame_of([21, 7, 21])
    field = replace(bars, pixels=np.pad(bars.pixels, ((300, 100), (50, 400)), constant_values=220))
    stages = BarClassifier(), cut_bars, keep_all, unmoved, assign_bars
    alone, there = (Pipeline(seen, *stages) for seen in (BarLocator(), InAField()))
    expected, found = (pipeline.label_live(field, way).chromosomes for pipeline in (alone, there))
    assert max(looked_at[0]) < 300
    assert [(c.label, c.region.box_px) for c in found] == [(c.label, c.region.box_px) for c in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.region.mask, other.region.mask)
        np.testing.assert_allclose(one.region.axis_px, other.region.axis_px, atol=1e-3)
    assert there.label(field).chromosomes[0].region.box_px == alone.label(field).chromosomes[0].region.box_px


def test_what_a_chromosome_overlaps_is_in_its_cell() -> None:
    """An object that turned out to be none is in no cell: nobody could tell what its id means."""

    class Crossing(BarLocator):
        def locate(self, frame: Frame) -> tuple[Region, ...]:
            return tuple(replace(r, overlaps=tuple({0, 1, 2} - {r.id})) for r in super().locate(frame))

    class Dropping(KeepAll):
        def __call__(self, *_: object) -> Kept:
            return kept_at([4.0, -4.0, 4.0])

    stages = (BarClassifier(), cut_bars, Dropping(), unmoved, assign_bars)
    cell = Pipeline(Crossing(), *stages).label_live(frame_of([21, 7, 21]))
    assert [(c.region.id, c.region.overlaps) for c in cell.chromosomes] == [(0, (2,)), (2, (0,))]


def test_an_empty_frame_is_a_result_and_asks_no_classifier() -> None:
    classifier = BarClassifier()
    cell = Pipeline(BarLocator(), classifier, cut_bars, keep_all, unmoved, assign_bars).label(frame_of([]))
    assert (cell.count, cell.karyotype, cell.findings) == (0, "0,?,inc", ("no chromosome found",))
    assert classifier.calls == 0
    assert list(cell.stage_ms) == ["locate", "straighten", "classify", "assign"]


def test_all_crops_go_through_the_classifier_in_one_call() -> None:
    classifier = BarClassifier()
    Pipeline(BarLocator(), classifier, cut_bars, keep_all, unmoved, assign_bars).label_live(frame_of([5, 6, 7, 8]))
    assert classifier.calls == 1


def test_candidates_are_the_likeliest_first_and_hold_the_assigned_label() -> None:
    scores = np.full(24, 0.01, np.float32)
    scores[[0, 1, 2]] = 0.4, 0.2, 0.15
    scores[21] = 1 - scores.sum() + 0.01

    class Ranked(BarClassifier):
        def classify(self, crops: object) -> tuple[Prediction, ...]:
            return (Prediction(0, scores, 0.2, 0.9),)

    def overrule(predictions: Sequence[Prediction], odds: Float32Array) -> tuple[Assigned, ...]:
        return (Assigned(0, "9", 0.9, "accepted"),)

    (chromosome,) = (
        Pipeline(BarLocator(), Ranked(), cut_bars, keep_all, unmoved, overrule).label(frame_of([4])).chromosomes
    )
    assert [label for label, _ in chromosome.candidates] == ["1", "2", "3", "9"]
    assert chromosome.label == "9"
    assert not chromosome.p_arm_up


def test_what_is_taken_for_no_chromosome_is_not_in_the_cell() -> None:
    class KeepTwo(KeepAll):
        def __call__(self, frame: object, regions: object, crops: object, predictions: object) -> Kept:
            return kept_at([2, -3, 0.5, -1])

    pipeline = Pipeline(BarLocator(), BarClassifier(), cut_bars, KeepTwo(), unmoved, assign_bars)
    cell = pipeline.label_live(frame_of([5, 6, 7, 8]))
    assert [c.label for c in cell.chromosomes] == ["5", "7"]
    assert [c.region.id for c in cell.chromosomes] == [c.crop.region_id for c in cell.chromosomes] == [0, 2]


def test_a_long_chromosome_is_named_by_its_middle_and_shown_from_end_to_end() -> None:
    def cut(frame: Frame, regions: Sequence[Region], among: Sequence[Region]) -> tuple[Crop, ...]:
        usual, long = cut_bars(frame, regions, among)
        return usual, TwofoldCrop(long.region_id, long.pixels[30:-30], long.pixels)

    stages = (BarLocator(), BarClassifier(), cut, keep_all, unmoved, assign_bars)
    cell = Pipeline(*stages).label_live(frame_of([7, 16]))
    assert [(c.label, len(c.crop.pixels), type(c.crop)) for c in cell.chromosomes] == [
        ("7", 70, Crop),
        ("10", 160, Crop),
    ]


def test_the_arbiter_has_the_last_word_and_hears_what_was_hidden() -> None:
    """It drops one, renames another, and is asked once, when the locator has looked again."""
    heard = []

    class LooksTwice(BarLocator):
        def locate(self, frame: Frame) -> tuple[Region, ...]:
            return super().locate(frame)[:2]

        def look_again(
            self,
            frame: Frame,
            regions: tuple[Region, ...],
            crops: object,
            odds: object,
            believed: Float32Array,
            *,
            thorough: bool,
        ) -> tuple[Region, ...]:
            assert np.flatnonzero(believed).tolist() == [0, 1]
            return super().locate(frame)

    class Strict(Unmoved):
        def __call__(self, regions: Sequence[Region], crops: object, predictions: object, kept: Kept) -> Judged:
            heard.append(len(regions))
            named = (make_prediction(k, "Y") for k in range(len(regions)))
            return Judged(tuple(named), np.array([3, -3, 3], np.float32))

    pipeline = Pipeline(LooksTwice(), BarClassifier(), cut_bars, keep_all, Strict(), assign_bars)
    cell = pipeline.label_live(frame_of([5, 6, 7]))
    assert [(c.region.id, c.label, c.candidates[0][0]) for c in cell.chromosomes] == [(0, "Y", "Y"), (2, "Y", "Y")]
    assert heard == [3]


def test_a_frame_is_looked_at_again_thoroughly_unless_labels_are_to_come_soon() -> None:
    asked = []

    class Noting(BarLocator):
        def look_again(
            self, frame: Frame, regions: tuple[Region, ...], *said: object, thorough: bool
        ) -> tuple[Region, ...]:
            asked.append(thorough)
            return regions

    read = []

    class Reading(BarClassifier):
        def classify(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
            read.append("thoroughly")
            return super().classify(crops)

        def classify_live(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
            read.append("soon")
            return super().classify(crops)

    pipeline = Pipeline(Noting(), Reading(), cut_bars, keep_all, unmoved, assign_bars)
    for label in (pipeline.label, pipeline.label_live):
        assert label(frame_of([5, 6])).count == 2
    assert asked == [*[True] * len(WAYS), False]
    assert read == [*["thoroughly"] * len(WAYS), "soon"]


def test_a_stage_that_loses_a_chromosome_is_a_bug() -> None:
    pipeline = Pipeline(
        BarLocator(), BarClassifier(), lambda f, r, among: cut_bars(f, r, among)[:-1], keep_all, unmoved, assign_bars
    )
    with pytest.raises(ValueError, match="as many crops, predictions and odds as regions"):
        pipeline.label(frame_of([4, 5]))


def test_where_the_models_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHROMO_MODELS", str(tmp_path))
    assert default_models_dir() == tmp_path
    monkeypatch.delenv("CHROMO_MODELS")
    assert default_models_dir().name == "models"


@pytest.mark.parametrize("scheme", [sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")])
def test_where_installed_models_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scheme: str) -> None:
    """Beside a package that put a folder ``models`` into site-packages, after pip install and pip install --user."""
    site, data = tmp_path / "site-packages", tmp_path / scheme
    (site / "models").mkdir(parents=True)
    (data / "share" / "chromo-edge" / "models" / "locator").mkdir(parents=True)
    monkeypatch.delenv("CHROMO_MODELS", raising=False)
    monkeypatch.setattr(edge.config, "__file__", str(site / "edge" / "config.py"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name, of: str(data if of == scheme else tmp_path / "none"))
    assert default_models_dir() == data / "share" / "chromo-edge" / "models"


class Jealous(BarClassifier):
    """As an interpreter: fails when two threads are in it at once."""

    busy = False

    def classify(self, crops: Sequence[Crop]) -> tuple[Prediction, ...]:
        assert not self.busy
        self.busy = True
        time.sleep(0.01)
        self.busy = False
        return super().classify(crops)


def test_the_classifier_is_lent_while_frames_are_labelled() -> None:
    pipeline = Pipeline(BarLocator(), Jealous(), cut_bars, keep_all, unmoved, assign_bars)
    frame = frame_of([21, 7])
    crops = [c.crop for c in pipeline.label(frame).chromosomes]
    with ThreadPoolExecutor(3) as threads:
        lent = [threads.submit(pipeline.classify, crops) for _ in range(10)]
        cells = [threads.submit(pipeline.label, frame) for _ in range(10)]
        assert all(len(one.result()) == 2 for one in lent)
        assert all(cell.result().count == 2 for cell in cells)


def test_frames_are_labelled_one_after_another() -> None:
    """The locator's interpreters, too, serve one thread at a time, whichever of the two ways is asked for."""

    class JealousLocator(BarLocator):
        busy = False

        def locate(self, frame: Frame) -> tuple[Region, ...]:
            assert not self.busy
            self.busy = True
            time.sleep(0.01)
            self.busy = False
            return super().locate(frame)

    pipeline = Pipeline(JealousLocator(), BarClassifier(), cut_bars, keep_all, unmoved, assign_bars)
    frame = frame_of([21, 7])
    with ThreadPoolExecutor(4) as threads:
        cells = [threads.submit(label, frame) for label in (pipeline.label, pipeline.label_live) for _ in range(5)]
        assert all(cell.result().count == 2 for cell in cells)


class Blinkered(BarLocator):
    """Sees no bar in the left half of a frame; ``looks`` is how the frames lay that it saw."""

    def __init__(self) -> None:
        self.looks: list[tuple[int, ...]] = []

    def locate(self, frame: Frame) -> tuple[Region, ...]:
        self.looks.append(frame.pixels.shape)
        middle = frame.pixels.shape[1] / 2
        return tuple(r for r in super().locate(frame) if r.box_px[0] > middle)


def test_of_several_readings_the_likeliest_stands_and_lies_as_the_frame_does() -> None:
    """Three bars are seen in the mirror alone, one without it: each place is of the reading that sees one there."""
    frame = frame_of([3, 5, 7, 9])
    frame = replace(frame, pixels=np.pad(frame.pixels, ((0, 0), (0, 50)), constant_values=220))
    locator = Blinkered()
    pipeline = Pipeline(locator, BarClassifier(), cut_bars, keep_all, unmoved, assign_bars)
    live, stored = pipeline.label_live(frame), pipeline.label(frame)
    height, width = frame.pixels.shape
    turned = [(width, height) if way == "on its side" else (height, width) for way in WAYS]
    assert locator.looks == [(height, width), *turned]
    assert [c.label for c in live.chromosomes] == ["9"]
    assert sorted(c.label for c in stored.chromosomes) == ["3", "5", "7", "9"]
    for chromosome in stored.chromosomes:
        (x0, y0, x1, y1), mask = chromosome.region.box_px, chromosome.region.mask
        assert (frame.pixels[y0:y1, x0:x1][mask] == 60).all()
        assert mask.all()
        assert chromosome.region.axis_px[:, 0] == pytest.approx((x0 + x1) / 2)


def test_a_reading_that_leaves_no_doubt_is_the_only_one() -> None:
    locator = Blinkered()
    Pipeline(locator, BarClassifier(), cut_bars, keep_all, unmoved, assign_bars).label(frame_of([]))
    assert len(locator.looks) == 1  # nothing there
    usual = [n for n in range(1, 23) for _ in range(2)] + [8, 8]
    counted = CountingLocator()
    Pipeline(counted, BarClassifier(), cut_bars, keep_all, unmoved, assign_bars).label(frame_of(usual))
    assert counted.looks == 1


def test_readings_end_with_one_that_leaves_no_doubt() -> None:
    """One bar of the usual 46 is seen from the second look on."""
    usual = [n for n in range(1, 23) for _ in range(2)] + [8, 8]

    class SlowToSee(CountingLocator):
        def locate(self, frame: Frame) -> tuple[Region, ...]:
            found = super().locate(frame)
            return found[1:] if self.looks == 1 else found

    locator = SlowToSee()
    cell = Pipeline(locator, BarClassifier(), cut_bars, keep_all, unmoved, assign_bars).label(frame_of(usual))
    assert (cell.count, locator.looks) == (46, 2)


@pytest.mark.parametrize("way", WAYS)
def test_a_live_label_lies_as_the_frame_does_whatever_way_it_was_laid(way: Way) -> None:
    frame = replace(frame_of([3, 5, 7, 9]), um_per_px=0.0713)
    plain, laid = bar_pipeline().label_live(frame), bar_pipeline().label_live(frame, way)
    assert (laid.um_per_px, laid.width_px, laid.height_px) == (0.0713, plain.width_px, plain.height_px)
    by_label = {c.label: c.region for c in laid.chromosomes}
    assert sorted(by_label) == ["3", "5", "7", "9"]
    for chromosome in plain.chromosomes:
        region = by_label[chromosome.label]
        assert region.box_px == chromosome.region.box_px
        np.testing.assert_array_equal(region.mask, chromosome.region.mask)


@pytest.mark.parametrize("way", WAYS)
def test_a_scale_that_is_corrected_is_the_same_whatever_way_the_frame_was_laid(way: Way) -> None:
    class Corrects(BarLocator):
        def prepared(self, frame: Frame) -> Frame:
            return replace(frame, um_per_px=frame.um_per_px * 2)

    pipeline = Pipeline(Corrects(), BarClassifier(), cut_bars, keep_all, unmoved, assign_bars)
    assert pipeline.label_live(frame_of([3]), way).um_per_px == 2 * frame_of([3]).um_per_px


def test_crops_of_a_mirrored_frame_are_turned_back() -> None:
    """The right half of each crop, as the frame lies, is black."""

    def cut(frame: Frame, regions: Sequence[Region], among: Sequence[Region]) -> tuple[Crop, ...]:
        made = []
        for region in regions:
            x0, y0, x1, y1 = region.box_px
            made.append(Crop(region.id, frame.pixels[y0:y1, x0:x1]))
        return tuple(made)

    frame = frame_of([7])
    pixels = frame.pixels.copy()
    pixels[:, 26:32][pixels[:, 26:32] == 60] = 0
    pipeline = Pipeline(BarLocator(), BarClassifier(), cut, keep_all, unmoved, assign_bars)
    for way in ("as taken", "mirrored"):
        (chromosome,) = pipeline.label_live(replace(frame, pixels=pixels), way).chromosomes
        assert (chromosome.crop.pixels[0] == [60] * 6 + [0] * 6).all()


class CountingLocator(BarLocator):
    looks = 0

    def locate(self, frame: Frame) -> tuple[Region, ...]:
        self.looks += 1
        return super().locate(frame)
