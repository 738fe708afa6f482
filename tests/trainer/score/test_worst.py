"""The worst frames' pictures: each mistake is where it should be, and looks like no other."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.camera.files import read_frame
from edge.errors import SinkError
from edge.records import Cell, Chromosome, Crop, Region
from edge.sinks.jsonl import cell_to_json
from tests.trainer.score.test_frames import line
from trainer.data.metaphase import FrameTruth
from trainer.score.outcomes import outcomes_of, worst_first
from trainer.score.worst import MISSED, OUTLINES, SPURIOUS, draw_mistakes, with_outlines, write_worst

GREY = 200
RIGHT, MISS, NONE, NAMED = [20, 20, 60, 100], [220, 20, 280, 120], [220, 200, 280, 280], [20, 200, 60, 280]


def frame_truth(folder: Path, name: str, boxes: list[list[int]], labels: tuple[str, ...]) -> FrameTruth:
    cv2.imwrite(str(folder / name), np.full((300, 300), GREY, np.uint8))
    box_array = np.array(boxes, np.int64).reshape(-1, 4)
    return FrameTruth(name, folder / name, "A", "val", 300, 300, "normal", False, box_array, box_array, labels)


def around(box: list[int], reach: int = 4) -> tuple[slice, slice]:
    """A box and what its line may reach, in a drawing of twice the frame's size."""
    x0, y0, x1, y1 = (2 * edge for edge in box)
    return slice(max(0, y0 - reach), y1 + reach), slice(max(0, x0 - reach), x1 + reach)


def has(picture: np.ndarray[Any, Any], colour: tuple[int, int, int], box: list[int]) -> bool:
    return bool((picture[around(box)] == colour).all(2).any())


def test_each_mistake_is_marked_where_it_is(tmp_path: Path) -> None:
    truths = [frame_truth(tmp_path, "a.png", [RIGHT, MISS, NAMED], ("1", "2", "X"))]
    found = [(RIGHT, "1", "accepted"), (NONE, "7", "accepted"), (NAMED, "Y", "review")]
    (outcome,) = outcomes_of([line("a.png", found)], truths)
    (tmp_path / "out").mkdir()
    assert write_worst([outcome], tmp_path / "out", 12) == 1
    bgr = cv2.imread(str(tmp_path / "out" / "01_a.png"))
    assert bgr is not None
    picture = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    assert picture.shape[0] > 600  # twice the frame and the legend below it
    assert picture.shape[1] == 600
    assert has(picture, MISSED, MISS)
    assert has(picture, SPURIOUS, NONE)
    assert not has(picture, MISSED, RIGHT)
    assert not has(picture, SPURIOUS, RIGHT)
    assert not has(picture, MISSED, NAMED)
    side = picture[around(MISS)][20:-20, 2:6]  # the left side's line: dashes and gaps, whatever their hue
    luma = side.astype(int).sum(2)
    assert (luma < 60).any()
    assert (luma > 400).any()
    assert (picture[150:170, 280:420] == GREY).all()  # where nothing is, nothing is drawn


def test_without_mistakes_there_is_no_picture_and_the_count_is_kept(tmp_path: Path) -> None:
    truths = [frame_truth(tmp_path, name, [RIGHT], ("1",)) for name in ("a.png", "b.png", "c.png")]
    lines = [line("a.png", []), line("b.png", [(RIGHT, "1", "accepted")]), line("c.png", [])]
    outcomes = worst_first(outcomes_of(lines, truths))
    assert write_worst(outcomes, tmp_path, 1) == 1
    assert [p.name for p in tmp_path.glob("0*.png")] == ["01_a.png"]
    assert write_worst(outcomes, tmp_path, 12) == 2
    assert sorted(p.name for p in tmp_path.glob("0*.png")) == ["01_a.png", "02_c.png"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    outcomes = outcomes_of([line("a.png", [])], [frame_truth(tmp_path, "a.png", [RIGHT], ("1",))])
    with pytest.raises(SinkError, match="cannot write"):
        write_worst(outcomes, tmp_path / "absent", 12)


def test_outlines_are_drawn_where_the_line_has_them(tmp_path: Path) -> None:
    truths = [frame_truth(tmp_path, "a.png", [RIGHT], ("1",))]
    one = line("a.png", [(RIGHT, "2", "accepted")])
    boxed = draw_mistakes(read_frame(truths[0].path), outcomes_of([one], truths)[0])
    one["chromosomes"][0][OUTLINES] = [[[30, 40], [50, 40], [50, 80], [30, 80]]]
    outlined = draw_mistakes(read_frame(truths[0].path), outcomes_of([one], truths)[0])
    assert (boxed[40, 60:100] != GREY).all()  # the box's upper side
    assert (boxed[80, 70:90] == GREY).all()
    assert (outlined[40, 60:100] == GREY).all()
    assert (outlined[80, 70:90] != GREY).all()


@pytest.mark.parametrize("box", [[-50, -50, 20, 20], [290, 290, 400, 400], [400, 400, 500, 500], [5.4, 5.4, 9.6, 30.2]])
def test_boxes_of_other_programs_are_brought_into_the_frame(tmp_path: Path, box: list[int]) -> None:
    truths = [frame_truth(tmp_path, "a.png", [RIGHT], ("1",))]
    for label in ("1", "marker"):
        (outcome,) = outcomes_of([line("a.png", [(box, label, "unsure")])], truths)
        assert draw_mistakes(read_frame(truths[0].path), outcome).shape[1] == 600


def test_a_cell_s_line_gets_its_outlines() -> None:
    mask = np.zeros((8, 6), np.bool_)
    mask[2:6, 1:5] = True
    shapes = (mask, np.zeros((8, 6), np.bool_))
    chromosomes = tuple(
        Chromosome(
            Region(k, (10, 20, 16, 28), shape, np.zeros((2, 2), np.float32), (), 1.0),
            Crop(k, np.zeros((1, 1), np.uint8)),
            "1",
            1.0,
            "accepted",
            (("1", 1.0),),
            True,
        )
        for k, shape in enumerate(shapes)
    )
    cell = Cell("a.png", 0, 50, 50, 0.065, False, chromosomes, "", (), {}, {})
    plain = cell_to_json(cell)
    first, second = with_outlines(plain, cell)["chromosomes"]
    assert sorted(first[OUTLINES][0]) == [[11, 22], [11, 25], [14, 22], [14, 25]]
    assert second[OUTLINES] == []
    assert OUTLINES not in plain["chromosomes"][0]
