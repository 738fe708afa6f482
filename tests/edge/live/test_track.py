"""Labels stand still while the stage does, and start afresh when it has moved."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edge.live.stage import MOVING
from edge.live.track import DOUBT_NATS, Steady, Tracks
from edge.locate.ways import WAYS, Way
from edge.records import Cell, Chromosome, Frame
from tests.builders import NORMAL_FEMALE, make_cell, make_frame


def moved(chromosome: Chromosome, dx: int) -> Chromosome:
    region = chromosome.region
    x0, y0, x1, y1 = region.box_px
    return replace(chromosome, region=replace(region, box_px=(x0 + dx, y0, x1 + dx, y1)))


def moved_cell(cell: Cell, dx: int, confidence: float) -> Cell:
    return replace(cell, chromosomes=tuple(replace(moved(c, dx), confidence=confidence) for c in cell.chromosomes))


def saying(cell: Cell, k: int, label: str, confidence: float = 0.8) -> Cell:
    """``cell`` with chromosome ``k`` looking like ``label``."""
    chromosomes = list(cell.chromosomes)
    other = chromosomes[k].label if chromosomes[k].label != label else "1"
    candidates = ((label, confidence), (other, 1 - confidence))
    chromosomes[k] = replace(chromosomes[k], label=label, candidates=candidates)
    return replace(cell, chromosomes=tuple(chromosomes))


def without(cell: Cell, k: int) -> Cell:
    return replace(cell, chromosomes=tuple(c for i, c in enumerate(cell.chromosomes) if i != k))


def test_one_dissenting_frame_does_not_change_a_label() -> None:
    tracks, cell = Tracks(), make_cell()
    for _ in range(4):
        fused = tracks.fuse(cell, 1)
    before = [c.label for c in fused.chromosomes]
    fused = tracks.fuse(saying(cell, 7, "9"), 1)
    assert [c.label for c in fused.chromosomes] == before == NORMAL_FEMALE
    assert fused.karyotype == "46,XX"
    # four are 0.9 sure of it, one is 0.9 sure of another
    assert (fused.chromosomes[7].confidence, fused.chromosomes[7].status) == (pytest.approx(0.74), "review")


def test_the_evidence_of_many_frames_does() -> None:
    """A third 21 is said when frame after frame shows one, beside two that are as surely 21."""
    tracks, cell = Tracks(), make_cell()
    for k, label in enumerate(NORMAL_FEMALE):
        cell = saying(cell, k, label, 0.9999) if label == "21" else cell
    tracks.fuse(cell, 1)
    for _ in range(12):
        fused = tracks.fuse(saying(cell, 43, "21", 0.9999), 1)
    assert fused.karyotype == "46,XX,+21,-22"


def test_ids_follow_a_chromosome_whatever_its_place_in_the_list() -> None:
    tracks, cell = Tracks(), make_cell()
    first = {c.region.id: c.region.box_px for c in tracks.fuse(cell, 1).chromosomes}
    shuffled = tuple(
        replace(c, region=replace(c.region, id=k), crop=replace(c.crop, region_id=k))
        for k, c in enumerate(reversed([moved(c, 1) for c in cell.chromosomes]))
    )
    again = {c.region.id: c.region.box_px for c in tracks.fuse(replace(cell, chromosomes=shuffled), 1).chromosomes}
    assert again == first  # outlines do not tremble either


def test_one_that_blinks_stays_and_a_third_copy_that_flashes_is_not_shown() -> None:
    tracks, cell = Tracks(), make_cell()
    three = make_cell([*NORMAL_FEMALE, "21"])
    for shown in (cell, cell, cell, three):
        fused = tracks.fuse(shown, 1)
    assert fused.karyotype == "46,XX"
    fused = tracks.fuse(without(cell, 5), 1)
    assert fused.karyotype == "46,XX"
    assert fused.chromosomes[5].confidence == pytest.approx(0.9)  # as sure as those that found it
    for _ in range(8):
        fused = tracks.fuse(three, 1)
    assert fused.karyotype == "47,XX,+21"


def test_what_the_cell_lacks_is_shown_once_a_look_has_found_it() -> None:
    tracks, cell = Tracks(), make_cell()
    for _ in range(3):
        assert tracks.fuse(without(cell, 0), 1).count == 45
    assert tracks.fuse(cell, 1).count == 46


def test_a_look_that_doubts_itself_counts_less() -> None:
    """Three looks at a blurred field, then one that is sure: its labels, and its outlines, are shown."""
    tracks, cell = Tracks(), make_cell()
    blurred = moved_cell(saying(cell, 7, "9", 0.999), 3, confidence=0.7)
    for _ in range(3):
        fused = tracks.fuse(blurred, 1)
    assert fused.chromosomes[7].label == "9"
    for look in (cell, blurred):
        fused = tracks.fuse(look, 1)
        assert [c.label for c in fused.chromosomes] == NORMAL_FEMALE
        assert [c.region.box_px for c in fused.chromosomes] == [c.region.box_px for c in cell.chromosomes]


def test_so_much_more_doubt_counts_less_by_a_factor_e() -> None:
    tracks, cell = Tracks(), make_cell()
    tracks.fuse(cell, 1)
    doubted = replace(cell.chromosomes[7], confidence=0.9 * math.exp(-DOUBT_NATS))
    fused = tracks.fuse(replace(cell, chromosomes=(*cell.chromosomes[:7], doubted, *cell.chromosomes[8:])), 1)
    mean = (0.9 + doubted.confidence / math.e) / (1 + 1 / math.e)
    assert fused.chromosomes[7].confidence == pytest.approx(mean)


def test_no_label_is_surer_than_the_looks_are() -> None:
    cell = make_cell()
    doubted = replace(cell.chromosomes[7], confidence=0.6, status="review")
    fused = Tracks().fuse(replace(cell, chromosomes=(*cell.chromosomes[:7], doubted, *cell.chromosomes[8:])), 1)
    assert (fused.chromosomes[7].confidence, fused.chromosomes[7].status) == (0.6, "review")


def test_looks_that_have_nothing_in_common_are_no_fault() -> None:
    tracks = Tracks()
    assert tracks.fuse(make_cell([]), 1).count == 0
    assert tracks.fuse(make_cell(), 1).count == 46
    assert tracks.fuse(make_cell([]), 1).count == 46
    wild = make_cell(["1"] * 300)
    assert tracks.fuse(replace(wild, chromosomes=tuple(replace(c, confidence=0.0) for c in wild.chromosomes)), 1).count


def test_a_new_scene_starts_afresh() -> None:
    tracks, cell = Tracks(), make_cell()
    for _ in range(6):
        tracks.fuse(cell, 1)
    assert tracks.fuse(make_cell(["1", "2"]), 2).count == 2


def test_a_moving_stage_is_passed_through() -> None:
    tracks, cell = Tracks(), make_cell()
    assert tracks.fuse(cell, MOVING) is cell


def test_which_end_is_up_is_voted() -> None:
    tracks, cell = Tracks(), make_cell(["1", "1"])
    flipped = replace(cell, chromosomes=(replace(cell.chromosomes[0], p_arm_up=False), cell.chromosomes[1]))
    for shown, up in ((flipped, False), (flipped, False), (cell, False), (cell, True), (cell, True)):
        fused = tracks.fuse(shown, 1)
        assert [c.p_arm_up for c in fused.chromosomes] == [up, True]


def test_one_that_is_not_one_whole_chromosome_stays_to_review() -> None:
    cell = make_cell(review=[3])
    doubtful = replace(cell.chromosomes[3], confidence=0.97, candidates=(("2", 0.97),))
    cell = replace(cell, chromosomes=(*cell.chromosomes[:3], doubtful, *cell.chromosomes[4:]))
    fused = Tracks().fuse(cell, 1)
    assert fused.chromosomes[3].status == "review"


def test_overlaps_keep_naming_the_same_pair() -> None:
    cell = make_cell(["1", "2", "3"])
    a, b, c = cell.chromosomes
    a = replace(a, region=replace(a.region, overlaps=(2,)))
    c = replace(c, region=replace(c.region, overlaps=(0, 9)))  # nothing is known of 9
    fused = Tracks().fuse(replace(cell, chromosomes=(a, b, c)), 1)
    assert [x.region.overlaps for x in fused.chromosomes] == [(2,), (), (0,)]


def test_an_empty_field() -> None:
    assert Tracks().fuse(make_cell([]), 1).count == 0


def test_steady_fuses_by_the_scene_of_the_frame() -> None:
    cells = iter([make_cell(), saying(make_cell(), 7, "9"), make_cell(["1"])])
    scenes = {0: 1, 1: 1, 2: 2}

    def label(frame: Frame, way: Way) -> Cell:
        return next(cells)

    steady = Steady(label, scenes.__getitem__)
    assert [steady(make_frame(index=k)).karyotype for k in range(2)] == ["46,XX", "46,XX"]
    assert steady(make_frame(index=2)).count == 1


def test_a_scene_is_looked_at_every_way_in_turn() -> None:
    ways: list[Way] = []

    def label(frame: Frame, way: Way) -> Cell:
        ways.append(way)
        return make_cell()

    scenes = [MOVING, MOVING, *[1] * (len(WAYS) + 1), MOVING, 2, 2]
    steady = Steady(label, scenes.__getitem__)
    for index in range(len(scenes)):
        steady(make_frame(index=index))
    assert ways == ["as taken", "as taken", *WAYS, WAYS[0], "as taken", *WAYS[:2]]


def test_a_scene_is_looked_at_at_the_scale_that_its_first_look_found() -> None:
    """Laid larger, a frame whose scale nobody stated would seem to have a stated one."""
    scales: list[float] = []

    def label(frame: Frame, way: Way) -> Cell:
        scales.append(frame.um_per_px)
        return replace(make_cell(), um_per_px=0.033 if frame.index < 3 else frame.um_per_px, scale_stated=False)

    steady = Steady(label, lambda index: 1 if index < 3 else 2)
    cells = [steady(make_frame(index=index)) for index in range(4)]
    nominal = make_frame().um_per_px
    assert scales == [nominal, 0.033, 0.033, nominal]
    assert [(cell.um_per_px, cell.scale_stated) for cell in cells[:3]] == [(0.033, False)] * 3


def test_the_scale_of_a_scene_is_found_anew_once_it_is_in_focus() -> None:
    """Out of focus most of 19 train frames seemed to be a third smaller; nothing else begins a new scene."""

    def label(frame: Frame, way: Way) -> Cell:
        out_of_focus = frame.index == 0 and not frame.scale_stated  # one that is stated is trusted
        return replace(make_cell(), um_per_px=0.045 if out_of_focus else frame.um_per_px)

    steady = Steady(label, lambda index: 1)
    scales = [steady(make_frame(index=index)).um_per_px for index in range(len(WAYS) + 2)]
    assert scales == [*[0.045] * len(WAYS), *[make_frame().um_per_px] * 2]


def test_steady_findings_are_provisional() -> None:
    cell = make_cell([*NORMAL_FEMALE, "21"])
    for k in (40, 41, 46):
        assert cell.chromosomes[k].label == "21"
        cell = saying(cell, k, "21", 0.9999)
    nobody, *claims = Tracks().fuse(cell, 1).findings
    assert nobody == "provisional: no person has reviewed this cell yet"
    assert any(finding.startswith("possible ") for finding in claims)
    doubtful = saying(cell, 46, "21", 0.5)
    first, *others = Tracks().fuse(doubtful, 1).findings
    assert first.startswith("provisional: 3 of 47")
    assert any(finding.startswith("possible ") for finding in others)
