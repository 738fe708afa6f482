"""Pictures of what each augmentation does to real crops."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.records import Float32Array, UInt8Array
from trainer.augment import CHANGES, DEFAULT, Strengths, augment, not_single
from trainer.data.labelled import labelled_cells
from trainer.sheet import Tile, dark_on_light

CELLS = 6
"""The chromosomes to show are drawn from so many cells."""
OFF_BY_DEFAULT = replace(DEFAULT, brightness=0.08)


def preview_rows(data: Path, split: str, models: Path, count: int, seed: int) -> list[tuple[str, list[Tile]]]:
    """Rows of a contact sheet: ``count`` crops as they are, under each change alone (in every crop), under all changes
    as training draws them, and made into what is not one chromosome."""
    labels, pixels = _some_crops(data, split, models, count, seed)

    def drawn(number: int) -> np.random.Generator:
        return np.random.default_rng((seed, number))

    rows = [("as they are", [Tile(dark_on_light(p), label) for label, p in zip(labels, pixels, strict=True)])]
    for name in CHANGES:
        alone = shown_alone(name)
        rows.append((name, [_tile(augment(p, drawn(k), False, alone)) for k, p in enumerate(pixels)]))
    for take in range(2):
        rows.append(
            ("all together", [_tile(augment(p, drawn(count + 2 * k + take), False)) for k, p in enumerate(pixels)])
        )
    pairs = zip(pixels, pixels[1:] + pixels[:1], strict=True)
    rows.append(("not one", [_tile(not_single(p, other, drawn(k))) for k, (p, other) in enumerate(pairs)]))
    return rows


def shown_alone(name: str) -> Strengths:
    """One change as training draws it, but for every crop; those that are off by default have a usual strength."""
    alone = OFF_BY_DEFAULT.only(name)
    return replace(alone, **{field: 1.0 for field in CHANGES[name] if field.endswith("_share")})


def _some_crops(data: Path, split: str, models: Path, count: int, seed: int) -> tuple[list[str], list[UInt8Array]]:
    cells = labelled_cells(data, split, models)
    seen = [
        (label, crop.pixels)
        for cell in itertools.islice(cells, CELLS)
        for label, crop in zip(cell.labels, cell.crops, strict=True)
    ]
    rng = np.random.default_rng(seed)
    picked = sorted(rng.permutation(len(seen))[:count])
    return [seen[k][0] for k in picked], [seen[k][1] for k in picked]


def _tile(x: Float32Array) -> Tile:
    return Tile(dark_on_light(np.asarray(np.rint(x * 255), np.uint8)))
