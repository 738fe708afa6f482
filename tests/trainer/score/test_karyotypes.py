"""Findings seen and missed, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge.records import LABELS
from trainer.data.metaphase import FrameTruth
from trainer.score.karyotypes import NORMAL, KaryotypeFigures, by_karyotype

XY = (*sorted(LABELS[:22] * 2, key=LABELS.index), "X", "Y")
DOWN = (*XY, "21")


def truth(image: str, labels: tuple[str, ...]) -> FrameTruth:
    boxes = np.tile(np.array([[0, 0, 9, 9]]), (len(labels), 1))
    return FrameTruth(image, Path(image), "A", "test", 99, 99, "", False, boxes, boxes, labels)


def line(image: str, labels: tuple[str, ...]) -> dict[str, Any]:
    return {"frame": f"folder/{image}", "chromosomes": [{"label": label, "box_px": [0, 0, 9, 9]} for label in labels]}


def lacking(labels: tuple[str, ...], *gone: str) -> tuple[str, ...]:
    rest = list(labels)
    for label in gone:
        rest.remove(label)
    return tuple(rest)


def test_by_hand() -> None:
    frames = {
        "seen.png": (DOWN, DOWN),
        "beside-another.png": (DOWN, (*DOWN, "5")),  # right once the fifth copy's name is mended
        "called-22.png": (DOWN, lacking((*DOWN, "22"), "21")),  # no 21 too many, but a 22: one correction mends both
        "two-lost.png": (DOWN, lacking(DOWN, "21", "21")),  # one correction draws one of them
        "turner.png": (lacking(XY, "Y"), lacking(XY, "Y")),
        "normal.png": (XY, XY),
        "one-lost.png": (XY, lacking(XY, "7")),  # claims nothing
        "one-too-many.png": (XY, (*XY, "21")),
        "two-too-many.png": (XY, (*XY, "21", "3")),
        "other-words.png": (XY, (*XY, "marker")),
    }
    truths = [truth(name, labels) for name, (labels, _) in frames.items()]
    lines = [line(name, said) for name, (_, said) in frames.items()]
    got = by_karyotype(lines, [*truths, truth("no-line.png", DOWN)])
    assert list(got) == ["47,XY,+21", "45,X", NORMAL]
    assert got["47,XY,+21"] == KaryotypeFigures(4, found=0.5, exact=0.25, found_corrected=0.75, exact_corrected=0.75)
    assert got["45,X"] == KaryotypeFigures(1, 1, 1, 1, 1)
    assert got[NORMAL] == KaryotypeFigures(5, found=1, exact=0.6, found_corrected=1, exact_corrected=0.8)
