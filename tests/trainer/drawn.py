"""Data folders of drawn chromosomes, small enough to train on in seconds."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edge.camera.ideogram import Look, draw_ideogram, relative_length
from edge.camera.metaphase import SimulatedMetaphase, draw_metaphase
from edge.records import LABELS, UInt8Array

MARGIN_PX = np.array([-7, -8, 5, 4])
"""Boxes of the real data are that much larger than the chromosome."""


def boxes_of(drawn: SimulatedMetaphase) -> np.ndarray:
    """int64 (n, 4), with the usual margin, within the frame."""
    height, width = drawn.pixels.shape
    boxes = np.array([t.box_px for t in drawn.truth]) + MARGIN_PX
    return np.clip(boxes, 0, [width, height, width, height]).astype(np.int64)


def frames_folder(folder: Path, splits: tuple[str, ...] = ("train", "val"), side_px: int = 420) -> Path:
    """One drawn frame a split entry, each of its own case."""
    (folder / "images").mkdir(parents=True)
    images = ["image,case,split,width_px,height_px,boxes,finding,chromosome_count,abnormal_pair,difficult"]
    boxes = ["image,label,xmin,ymin,xmax,ymax"]
    for number, split in enumerate(splits):
        drawn = draw_metaphase(number, size_px=(side_px, side_px), crowding=0.2)
        name = f"{split}{number}.png"
        cv2.imwrite(str(folder / "images" / name), drawn.pixels)
        images.append(f"{name},case{number},{split},{side_px},{side_px},{len(drawn.truth)},normal,46,,0")
        boxes += [
            f"{name},{t.label},{','.join(str(v) for v in box)}"
            for t, box in zip(drawn.truth, boxes_of(drawn).tolist(), strict=True)
        ]
    (folder / "images.csv").write_text("\n".join(images) + "\n")
    (folder / "boxes.csv").write_text("\n".join(boxes) + "\n")
    return folder


def cutout(label: str, rng: np.random.Generator) -> UInt8Array:
    """Dark on white, upright, p arm on top."""
    straight = draw_ideogram(label, 150 * relative_length(label), 17, rng, Look())
    dark = np.rint(255 * 10 ** (-0.5 * straight)).astype(np.uint8)
    return np.asarray(np.pad(dark, 4, constant_values=255))


def cutouts_zip(path: Path, donors: int = 3, test_donors: int = 0, bright: bool = False) -> Path:
    """One cell of 24 cut-outs a donor, one of each label; the last ``test_donors`` are split test, the others train;
    ``bright``: as fluorescence shows them, on black."""
    rng = np.random.default_rng(7)
    table = ["file,label,cell,donor,split"]
    with zipfile.ZipFile(path, "w") as archive:
        for donor in range(donors):
            split = "train" if donor < donors - test_donors else "test"
            for label in LABELS:
                name = f"c{donor}/{label}.png"
                picture = cutout(label, rng)
                archive.writestr(name, cv2.imencode(".png", 255 - picture if bright else picture)[1].tobytes())
                table.append(f"{name},{label},c{donor},d{donor},{split}")
        archive.writestr("crops.csv", "\n".join(table) + "\n")
    return path


def rewritten(source: Path, target: Path, change: Callable[[dict[str, str]], dict[str, str]]) -> Path:
    """A set of cut-outs with other rows in its table."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        rows = list(csv.DictReader(io.TextIOWrapper(old.open("crops.csv"), "utf-8")))
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys())
        writer.writeheader()
        writer.writerows(change(dict(row)) for row in rows)
        new.writestr("crops.csv", text.getvalue())
        for name in old.namelist():
            if name != "crops.csv":
                new.writestr(name, old.read(name))
    return target
