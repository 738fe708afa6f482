"""What a technician excluded: pieces and debris teach that they are none, what may be another cell's nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.camera.files import read_frame
from edge.cell.arbiter import SEATS
from edge.locate.locator import load_locator
from tests.conftest import TINY
from tests.trainer.data.forms import corrections_folder
from tests.trainer.drawn import frames_folder
from trainer.data.cells import cells_at, load_hearing
from trainer.data.corrections import read_corrections
from trainer.data.cropset import NOTHING, boxes_of, crops_of
from trainer.data.excluded import perhaps_anothers, teaches_nothing
from trainer.data.framecache import SCALE, prepared
from trainer.data.looks import load_lookers, looks_at
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.data.sources import stamp_of_frames
from trainer.errors import DatasetError

OWN = np.array([[100, 100, 120, 160]])


def excluded(box: tuple[int, ...], share: float) -> dict[str, object]:
    return {"box_px": list(box), "candidates": [["7", share], ["X", 1 - share]]}


@pytest.mark.parametrize(
    ("box", "share", "ignored"),
    [
        ((200, 100, 220, 160), 0.97, True),
        ((115, 100, 135, 160), 0.97, True),  # touches one that counts
        ((200, 100, 220, 160), 0.6, False),  # debris
        ((100, 130, 120, 160), 0.97, False),  # a piece
        ((90, 90, 180, 180), 0.97, False),  # two in one
    ],
)
def test_what_lies_apart_and_is_named_surely_may_be_anothers(box: tuple[int, ...], share: float, ignored: bool) -> None:
    assert perhaps_anothers([excluded(box, share)], OWN, "line 1").tolist() == [list(box)] * ignored


def test_the_lines_of_a_case(tmp_path: Path) -> None:
    folder = corrections_folder(tmp_path / "set")
    before, _ = read_corrections(folder)
    assert all(not len(frame.ignored_px) for frame in before)  # as earlier versions exported them
    lines = [json.loads(text) for text in (folder / "corrections.jsonl").read_text().splitlines()]
    lines[0]["excluded"] = [excluded((80, 10, 100, 60), 0.95)]
    (folder / "corrections.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    after, _ = read_corrections(folder)
    assert [frame.ignored_px.tolist() for frame in after] == [[[80, 10, 100, 60]], [], []]
    assert stamp_of_frames(after) != stamp_of_frames(before)
    halves = [{"box_px": side, "candidates": [["7", 1.0]]} for side in ([80, 10], [100, 60])]
    endless = [excluded((80, 10, 100, 10**400), 0.95)]
    for wrong in (7, [{"box_px": [1, 2, 3, 4]}], halves, endless, [excluded((80, 10, 100, 60), 10**400)]):
        lines[0]["excluded"] = wrong
        (folder / "corrections.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        with pytest.raises(DatasetError, match=r"line 1: each excluded object needs box_px and candidates"):
            read_corrections(folder)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> FrameTruth:
    return read_frames(frames_folder(tmp_path_factory.mktemp("drawn") / "set", ("val",)), "val")[0]


def found_and_none(truth: FrameTruth) -> FrameTruth:
    """The same frame, to ignore all in it that an untrained locator takes for chromosomes."""
    locator = load_locator(TINY, 1)
    found = boxes_of(locator.locate(locator.prepared(read_frame(truth.path))))
    return replace(truth, ignored_px=found.astype(np.int64))


def test_the_classifier_does_not_learn_that_it_is_none(truth: FrameTruth) -> None:
    locator = load_locator(TINY, 1)
    assert (crops_of([truth], locator, "crops").label == NOTHING).any()
    assert not (crops_of([found_and_none(truth)], locator, "crops").label == NOTHING).any()


def test_nor_does_the_verifier(truth: FrameTruth) -> None:
    lookers = load_lookers(TINY)
    looks = looks_at([truth], "val", lookers, 0)
    assert not looks.whole.all()
    ignoring = looks_at([found_and_none(truth)], "val", lookers, 0)
    assert len(ignoring) < len(looks)
    assert ignoring.whole.sum() == looks.whole.sum()


def test_nor_does_the_arbiter(truth: FrameTruth, tiny_models: Path) -> None:
    hearing = load_hearing(tiny_models)
    cell = cells_at([truth], "val", hearing, 0)
    there = cell.table[0, :, 0] > 0
    assert (there & ~cell.whole[0]).any()
    ignored = hearing.listener.heard[0].boxes[~cell.whole[0][: there.sum()]]
    without = cells_at([replace(truth, ignored_px=ignored.astype(np.int64))], "val", hearing, 0)
    assert ((without.table[0, :, 0] > 0) <= there).all()
    assert (without.table[0, :, 0] > 0).sum() < there.sum()
    assert np.array_equal(without.whole, cell.whole)
    assert without.label.shape == (1, SEATS)


def test_the_locators_frames_have_it(truth: FrameTruth) -> None:
    (frame,) = prepared([replace(truth, ignored_px=np.array([[10, 20, 40, 80]]))])
    np.testing.assert_allclose(frame.ignored, np.array([[10, 20, 40, 80]]) * SCALE, atol=1e-4)
    assert len(frame.boxes) == len(truth.labels)


def test_a_found_box_is_of_what_it_shares_half_with() -> None:
    found = [[0, 0, 10, 10], [0, 0, 10, 15], [100, 0, 110, 10]]
    assert teaches_nothing(found, [[0, 0, 10, 10]]).tolist() == [True, True, False]
    assert teaches_nothing(found, [[0, 0, 200, 50]]).all()  # a crowd
    assert teaches_nothing(found, np.zeros((0, 4))).tolist() == [False] * 3
    assert not len(teaches_nothing([], [[0, 0, 10, 10]]))
