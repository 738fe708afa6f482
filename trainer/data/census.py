"""What a set of labelled chromosomes holds: counts per class and split, sizes, whose they are, what is left out."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.camera.files import read_frame
from edge.records import LABELS, UInt8Array
from trainer.data.corrections import count_edited
from trainer.data.crops import ANY_SPLIT, CropTruth
from trainer.data.metaphase import FrameTruth
from trainer.data.sources import Contents
from trainer.data.splits import SPLITS
from trainer.sheet import Tile

EXAMPLES = 14
SIZE_SHARES = (0, 5, 50, 95, 100)
"""Percentiles that sizes are reported at."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A picture's split and file, and a hash that identical pictures share."""

    split: str
    file: str
    sha256: bytes


def census(contents: Contents, pictures: Iterable[Digest]) -> dict[str, Any]:
    """The set in figures, ready for JSON; ``pictures`` are its ``digests``.

    ``splits``: how many pictures, cases (or donors of cut-outs), cells and chromosomes each has; ``cases``: their
    names; ``counts``: chromosomes per class and split; ``size_px``: percentiles of the pictures' width and height;
    ``length_px``: percentiles, per class, of the longer side of a frame's boxes or of the cut-outs; ``same_pictures``:
    pictures that are in two splits, byte for byte in a frame's file or grey level for grey level in a cut-out;
    ``edited``: how many chromosomes somebody changed, None unless the set is of corrections; ``skipped``: files left
    out and why.
    """
    things: Sequence[FrameTruth | CropTruth] = contents.frames or contents.cutouts
    present = [split for split in (*SPLITS, ANY_SPLIT) if any(t.split == split for t in things)]
    marks = list(_marks(contents))
    sizes = np.array([_size(t) for t in things]).reshape(-1, 2)
    return {
        "name": contents.path.name,
        "form": contents.form,
        "splits": {_shown(s): _split(contents, [t for t in things if t.split == s]) for s in present},
        "cases": {_shown(s): sorted(o for o, own in owners(contents).items() if own == s) for s in present},
        "counts": {_shown(s): dict(zip(LABELS, _counts(m for m in marks if m[0] == s), strict=True)) for s in present},
        "size_px": {"width": _percentiles(sizes[:, 0]), "height": _percentiles(sizes[:, 1])},
        "length_px": {
            label: _percentiles(lengths)
            for label in LABELS
            if len(lengths := np.array([length for _, own, length in marks if own == label]))
        },
        "same_pictures": in_two_splits(pictures),
        "edited": count_edited(contents.path) if contents.form == "corrections" else None,
        "skipped": [{"file": s.file, "reason": s.reason} for s in contents.skipped],
    }


def in_two_splits(pictures: Iterable[Digest]) -> list[dict[str, str]]:
    """Pairs of identical pictures in different splits: ``{split: file, other split: file}``."""
    first: dict[bytes, Digest] = {}
    pairs = []
    for picture in pictures:
        before = first.setdefault(picture.sha256, picture)
        if before.split != picture.split:
            pairs.append({_shown(before.split): before.file, _shown(picture.split): picture.file})
    return pairs


def digests(contents: Contents) -> Iterable[Digest]:
    """One for every picture of the set; reads the frames' files."""
    for f in contents.frames:
        yield Digest(f.split, f.image, hashlib.sha256(f.path.read_bytes()).digest())
    for c in contents.cutouts:
        yield Digest(c.split, c.file, hashlib.sha256(repr(c.pixels.shape).encode() + c.pixels.tobytes()).digest())


def owners(contents: Contents) -> dict[str, str]:
    """The split of every case or donor of the set that is known."""
    return {f.case: f.split for f in contents.frames} | {c.donor: c.split for c in contents.cutouts if c.donor}


def examples(contents: Contents, seed: int) -> list[tuple[str, list[Tile]]]:
    """Rows for a contact sheet: some chromosomes of each class, drawn with ``seed``."""
    rng = np.random.default_rng(seed)
    if contents.cutouts:
        drawn: dict[str, list[UInt8Array]] = {label: [] for label in LABELS}
        for k in rng.permutation(len(contents.cutouts)):
            crop = contents.cutouts[k]
            if len(drawn[crop.label]) < EXAMPLES:
                drawn[crop.label].append(crop.pixels)
    else:
        drawn = _cut_from_frames(contents.frames, rng)
    return [(label, [Tile(p) for p in drawn[label]]) for label in LABELS if drawn[label]]


def _cut_from_frames(frames: Sequence[FrameTruth], rng: np.random.Generator) -> dict[str, list[UInt8Array]]:
    drawn: dict[str, list[UInt8Array]] = {label: [] for label in LABELS}
    known = {label for frame in frames for label in frame.labels}
    for k in rng.permutation(len(frames))[: 20 * EXAMPLES]:
        if all(len(drawn[label]) >= EXAMPLES for label in known):
            break
        frame = frames[k]
        pixels = read_frame(frame.path).pixels
        for label, (x0, y0, x1, y1) in zip(frame.labels, frame.boxes_px.tolist(), strict=True):
            if len(drawn[label]) < EXAMPLES:
                drawn[label].append(pixels[y0:y1, x0:x1])
    return drawn


def _split(contents: Contents, things: Sequence[FrameTruth | CropTruth]) -> dict[str, int]:
    frames = [t for t in things if isinstance(t, FrameTruth)]
    crops = [t for t in things if isinstance(t, CropTruth)]
    if contents.frames:
        marks = sum(len(f.labels) for f in frames)
        return {"pictures": len(frames), "cases": len({f.case for f in frames}), "chromosomes": marks}
    owners = {"cases": len({c.donor for c in crops} - {""}), "cells": len({(c.donor, c.cell) for c in crops if c.cell})}
    return {"pictures": len(crops), **owners, "chromosomes": len(crops)}


def _marks(contents: Contents) -> Iterable[tuple[str, str, int]]:
    """Split, label and length in pixels of each chromosome."""
    for frame in contents.frames:
        sides = (frame.boxes_px[:, 2:] - frame.boxes_px[:, :2]).max(1, initial=0)
        yield from ((frame.split, label, int(side)) for label, side in zip(frame.labels, sides, strict=True))
    for crop in contents.cutouts:
        yield crop.split, crop.label, max(crop.pixels.shape)


def _size(thing: FrameTruth | CropTruth) -> tuple[int, int]:
    if isinstance(thing, FrameTruth):
        return thing.width_px, thing.height_px
    return thing.pixels.shape[1], thing.pixels.shape[0]


def _counts(marks: Iterable[tuple[str, str, int]]) -> list[int]:
    found = Counter(label for _, label, _ in marks)
    return [found[label] for label in LABELS]


def _percentiles(values: Any) -> dict[str, float]:
    if not len(values):
        return {}
    return {f"p{share}": round(float(np.percentile(values, share)), 1) for share in SIZE_SHARES}


def _shown(split: str) -> str:
    return split or "unsplit"
