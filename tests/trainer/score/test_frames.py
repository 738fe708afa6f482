"""A small case worked out by hand, and agreement with an independent scorer where that is at hand."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.cell.assign import Assigned
from edge.records import LABELS
from trainer.data.metaphase import FrameTruth, read_frames
from trainer.score.crops import calibration_error, score_crops
from trainer.score.frames import after_one_correction, score
from trainer.score.outcomes import outcomes_of

SHARED = Path(os.environ.get("CHROMO_DATA", Path(__file__).parents[3].parent / "shared" / "data"))


def truth(
    image: str, case: str, boxes: list[list[int]], labels: tuple[str, ...], finding: str = "normal"
) -> FrameTruth:
    box_array = np.array(boxes, np.int64).reshape(-1, 4)
    return FrameTruth(image, Path(image), case, "test", 100, 100, finding, False, box_array, box_array, labels)


def line(frame: str, chromosomes: list[tuple[list[int], str, str]], karyotype: str = "46,XX") -> dict[str, Any]:
    return {
        "frame": frame,
        "karyotype": karyotype,
        "chromosomes": [{"box_px": box, "label": label, "status": status} for box, label, status in chromosomes],
    }


def test_by_hand() -> None:
    truths = [
        truth("a.png", "A", [[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], ("1", "2", "3")),
        truth("b.png", "B", [[0, 0, 10, 10]], ("X",), "numerical"),
        truth("c.png", "C", [[0, 0, 10, 10]], ("Y",)),
    ]
    lines = [
        # Right at IoU 1; wrong label at IoU 100 / 140, for review; IoU 1/3 counts as missed and spurious.
        line(
            "folder/a.png",
            [
                ([0, 0, 10, 10], "1", "accepted"),
                ([20, 0, 34, 10], "5", "review"),
                ([45, 0, 55, 10], "3", "accepted"),
            ],
        ),
        line("b.png", [([0, 0, 10, 10], "X", "accepted")], "45,X"),
        line("unknown.png", []),
    ]
    got = score(lines, truths)
    assert (got.frames, got.cases, got.truth, got.missing_frames) == (2, 2, 4, 1)
    assert got.located == 3 / 4
    assert got.precision == 3 / 4
    assert got.label_given_located == 2 / 3
    assert got.end_to_end == 2 / 4
    assert got.mean_iou == pytest.approx((1 + 100 / 140 + 1) / 3)
    assert got.corrections_per_cell == 1.5
    assert got.corrections_median == 1.5
    assert got.accepted_share == 2 / 3
    assert got.accepted_right == 1.0
    assert got.cells_fully_right == 0.5
    assert got.karyotype_counts_exact == 0.5
    assert (got.numerical_stated.sensitivity, got.numerical_stated.specificity) == (0.0, 1.0)  # one X tells nothing
    assert (got.numerical_boxes.positives, got.numerical_boxes.specificity) == (0, 1.0)
    assert got.end_to_end_ci95 == (pytest.approx(1 / 3), 1.0)
    assert got.to_json()["mean_iou"] == 0.9048


def test_what_is_found_at_something_to_be_ignored_counts_neither_way() -> None:
    known = truth("a.png", "A", [[0, 0, 10, 10], [40, 0, 50, 10]], ("1", "3"))
    seen = replace(known, ignored_px=np.array([[0, 0, 30, 40]]))
    found = [
        ([20, 0, 30, 10], "7", "accepted"),  # within
        ([0, 0, 10, 10], "1", "accepted"),  # within, and a true one
        ([24, 0, 38, 10], "9", "accepted"),  # less than half within
        ([40, 0, 50, 10], "4", "accepted"),
    ]
    (outcome,) = outcomes_of([line("a.png", found)], [seen])
    assert (outcome.found, outcome.located, outcome.right, outcome.corrections) == (3, 2, 1, 2)
    assert [outcome.line["chromosomes"][i]["label"] for i in outcome.spurious] == ["9"]
    assert (outcome.said(0), outcome.said(1)) == ("1", "4")
    assert outcome.found_counts == Counter(["1", "9", "4"])
    (counted,) = outcomes_of([line("a.png", found)], [known])
    assert (counted.found, counted.corrections) == (4, 3)


@pytest.mark.parametrize(("said", "image"), [("{}/a.png", "set/{}/a.png"), ("/data/{}/a.png", "{}/a.png")])
def test_lines_of_one_file_name_are_told_apart_by_their_folders(said: str, image: str) -> None:
    truths = [truth(image.format(k), k, [[0, 0, 9, 9]], ("1",)) for k in ("p1", "p2")]
    lines = [line(said.format(k), [([0, 0, 9, 9], "1", "accepted")]) for k in ("p1", "p2")]
    assert [o.line["frame"] for o in outcomes_of(lines, truths)] == [one["frame"] for one in lines]


def test_nothing_found_and_nothing_there() -> None:
    truths = [truth("a.png", "A", [[0, 0, 9, 9]], ("1",)), truth("b.png", "B", [], ())]
    got = score([line("a.png", []), line("b.png", [])], truths)
    assert (got.located, got.precision, got.end_to_end, got.corrections_per_cell) == (0.0, 0.0, 0.0, 0.5)
    assert score([], truths).frames == 0


@pytest.mark.parametrize(
    ("found", "true", "mended"),
    [
        ("1 1 2 2", "1 1 2 2", "1 1 2 2"),
        ("1 1 2", "1 1 2 2", "1 1 2 2"),  # drawn
        ("1 1 1 2 2", "1 1 2 2", "1 1 2 2"),  # dropped
        ("1 1 1 2", "1 1 2 2", "1 1 2 2"),  # renamed
        ("1 2", "1 1 2 2", "1 1 2"),  # the first of two
        ("X X 5 5 5 5", "5 5 X X", "X X 5 5 5"),
        ("marker 1", "1 1", "1 1"),
    ],
)
def test_one_correction_puts_one_class_right(found: str, true: str, mended: str) -> None:
    assert after_one_correction(Counter(found.split()), Counter(true.split())) == Counter(mended.split())


def test_a_finding_that_one_correction_makes_or_removes() -> None:
    normal = (*(label for label in LABELS[:22] for _ in range(2)), "X", "X")
    boxes = [[10 * k, 0, 10 * k + 9, 9] for k in range(48)]
    truths = [
        truth("gain.png", "A", boxes[:47], (*normal, "21"), "numerical"),
        truth("normal.png", "B", boxes[:46], normal),
        truth("far.png", "C", boxes[:46], normal),
        truth("lost.png", "D", boxes[:46], normal),
    ]

    def found(frame: str, labels: tuple[str, ...], karyotype: str) -> dict[str, Any]:
        return line(frame, [(b, label, "accepted") for b, label in zip(boxes, labels, strict=False)], karyotype)

    lines = [
        found("gain.png", normal, "46,XX"),
        found("normal.png", (*normal, "1"), "47,XX,+1"),
        found("far.png", (*normal, "1", "2"), "48,XX,+1,+2"),
        found("lost.png", normal[1:], "45,XX,-1"),  # what one cell lacks is no finding
    ]
    got = score(lines, truths)
    assert (got.numerical_stated.sensitivity, got.numerical_stated.specificity) == (0.0, pytest.approx(1 / 3))
    assert (got.numerical_corrected.sensitivity, got.numerical_corrected.specificity) == (1.0, pytest.approx(2 / 3))
    assert (got.numerical_boxes.sensitivity, got.numerical_boxes.specificity) == (0.0, pytest.approx(1 / 3))
    assert got.numerical_boxes_corrected == got.numerical_corrected


def test_agrees_with_the_independent_scorer(tmp_path: Path) -> None:
    scorer = SHARED.parent / "score_frames.py"
    if not scorer.is_file() or not (SHARED / "metaphase" / "boxes.csv").is_file():
        pytest.skip(f"needs the real frames' tables and score_frames.py beside them; looked in {SHARED}")
    truths = read_frames(SHARED / "metaphase", "test")[:60]
    rng = np.random.default_rng(5)
    lines = [_noisy(t, rng) for t in truths]
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    command = [sys.executable, str(scorer), str(SHARED / "metaphase"), str(tmp_path / "out.jsonl")]
    expected = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    got = score(lines, truths).to_json()
    del expected["missing_frames"]  # theirs counts all splits
    assert {key: got[key] for key in expected} == expected
    assert 0.5 < got["located"] < 1.0
    assert 0.5 < got["label_given_located"] < 1.0


def _noisy(frame: FrameTruth, rng: np.random.Generator) -> dict[str, Any]:
    """The truth with boxes moved, some gone, some doubled, some labels wrong."""
    found: list[tuple[list[int], str, str]] = []
    for box, label in zip(frame.boxes_px, frame.labels, strict=True):
        for _ in range(rng.choice(3, p=(0.05, 0.9, 0.05))):
            moved = box + rng.integers(-8, 9, 4)
            moved[2:] = np.maximum(moved[2:], moved[:2] + 1)
            said = label if rng.random() < 0.9 else str(rng.choice(LABELS))
            found.append((moved.tolist(), said, "accepted" if rng.random() < 0.8 else "review"))
    return line(frame.image, found)


def test_crops_by_hand() -> None:
    scores = np.full((4, 24), 0.1 / 23, np.float32)
    for row, label in enumerate(("1", "2", "2", "Y")):
        scores[row, LABELS.index(label)] = 0.9
    sure = zip(("1", "2", "3", "X"), (0.95, 0.95, 0.75, 0.55), strict=True)
    assigned = [Assigned(k, label, confidence, "accepted") for k, (label, confidence) in enumerate(sure)]
    got = score_crops(["1", "2", "3", "Y"], scores, assigned)
    assert (got["n"], got["accuracy"], got["accuracy_assigned"]) == (4, 0.75, 0.75)
    assert got["per_class"]["2"] == {"n": 1, "recall": 1.0, "precision": 0.5, "f1": 0.6667}
    assert got["per_class"]["3"] == {"n": 1, "recall": 0.0, "precision": 0.0, "f1": 0.0}
    assert got["macro_f1"] == round((1 + 2 / 3 + 0 + 1) / 4, 4)
    assert got["confusion"][2][1] == 1
    assert sum(map(sum, got["confusion"])) == 4
    assert got["ece"] == 0.15
    assert got["ece_assigned"] == round((0.1 + 0.25 + 0.55) / 4, 4)
    with pytest.raises(ValueError, match="longer"):
        score_crops(["1", "2", "3", "Y"], scores, assigned[:3])
    assert score_crops(["1"], scores[:1], None)["accuracy_assigned"] is None


def test_calibration_error_by_bins() -> None:
    confidence = np.array([0.2, 0.2, 1.0, 1.0])
    right = np.array([True, False, True, False])
    # Two bins of two: |0.2 - 0.5| and |1.0 - 0.5|, half the crops each.
    assert calibration_error(confidence, right) == pytest.approx(0.4)
