"""One small set of metaphases in every form that the trainer reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

BOXES = {
    "p1_1.png": [("7", (10, 12, 30, 60))],
    "p1_2.png": [("7", (50, 20, 70, 60))],
    "p2_1.png": [("X", (0, 0, 20, 20)), ("21", (40, 8, 90, 70))],
}
WIDTH_PX, HEIGHT_PX = 120, 90


def frame(path: Path, level: int = 200) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((HEIGHT_PX, WIDTH_PX), level, np.uint8))


def voc_xml(name: str, marks: list[tuple[str, tuple[int, ...]]]) -> str:
    corners = ("xmin", "ymin", "xmax", "ymax")
    objects = "".join(
        f"<object><name>chr{label}</name><difficult>0</difficult><bndbox>"
        + "".join(f"<{c}>{v}</{c}>" for c, v in zip(corners, box, strict=True))
        + "</bndbox></object>"
        for label, box in marks
    )
    return f"<annotation><filename>{name}</filename>{objects}</annotation>"


def voc_folder(folder: Path) -> Path:
    (folder / "Annotations").mkdir(parents=True)
    for level, (name, marks) in enumerate(BOXES.items()):
        frame(folder / "JPEGImages" / name, 200 + level)
        (folder / "Annotations" / name).with_suffix(".xml").write_text(voc_xml(name, marks))
    (folder / "cases.csv").write_text("image,case\n" + "".join(f"{name},{name[:2]}\n" for name in BOXES))
    sets = folder / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("p1_1\np1_2\n")
    (sets / "test.txt").write_text("p2_1 1\n")
    (sets / "trainval.txt").write_text("p1_1\np1_2\n")
    return folder


def coco_table(names: list[str]) -> dict[str, Any]:
    categories = [{"id": 0, "name": "chromosomes"}] + [
        {"id": k, "name": name} for k, name in enumerate(("C7", "CX", "G21"), 1)
    ]
    ids = {"7": 1, "X": 2, "21": 3}
    marks = [
        {"id": k, "image_id": 10 + names.index(name), "category_id": ids[label], "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for k, (name, label, (x0, y0, x1, y1)) in enumerate(
            (name, label, box) for name in names for label, box in BOXES[name]
        )
    ]
    images = [
        {"id": 10 + k, "file_name": name, "case": name[:2], "width": WIDTH_PX, "height": HEIGHT_PX}
        for k, name in enumerate(names)
    ]
    return {"images": images, "annotations": marks, "categories": categories}


def coco_folder(folder: Path) -> Path:
    """As Roboflow writes it: a folder a split, with its frames."""
    for split, names in (("train", ["p1_1.png", "p1_2.png"]), ("test", ["p2_1.png"])):
        for name in names:
            frame(folder / split / name, 200 + len(name) + int(name[1]) * 9 + int(name[3]))
        (folder / split / "_annotations.coco.json").write_text(json.dumps(coco_table(names)))
    return folder


def corrections_folder(folder: Path) -> Path:
    lines = []
    for index, (name, marks) in enumerate(BOXES.items()):
        frame(folder / "frames" / name, 200 + index)
        chromosomes = [
            {"id": k, "label": label, "box_px": list(box), "edited": k == 1, "confidence": 0.9}
            for k, (label, box) in enumerate(marks)
        ]
        lines.append(
            {"frame": name, "index": index, "image": f"frames/{name}", "case": name[:2], "chromosomes": chromosomes}
        )
    (folder / "corrections.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def mask_folder(folder: Path) -> Path:
    """Two 7s that share an overlap with an X, a crumb, and a lone Y."""
    frame(folder / "A01_1_dapi.png", 20)
    (folder / "cases.csv").write_text("image,case\nA01_1_dapi.png,A01\n")
    mask = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    mask[10:40, 10:20] = 7
    mask[50:80, 10:20] = 7
    mask[20:26, 5:60] = 23
    mask[20:26, 10:20] = 255
    mask[70:80, 100:110] = 24
    mask[2:4, 2:4] = 1
    cv2.imwrite(str(folder / "A01_1_mask.png"), mask)
    return folder
