"""Cells, chromosomes and edits as JSON and back, without loss: what the store keeps and the log hashes.

A mask is the lengths of its runs in reading order, starting with False; a crop is a PNG in base64; the points of a
centre line are written with as many digits as a float32 needs.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from edge.cases.edits import (
    Accept,
    Draw,
    Edit,
    Exclude,
    Flip,
    Join,
    Mark,
    Redo,
    Relabel,
    Restore,
    SetAside,
    Split,
    Swap,
    TakeBack,
    Undo,
)
from edge.errors import EditRefused
from edge.records import BoolArray, Cell, Chromosome, Crop, Region, UInt8Array

Json = dict[str, Any]


def canonical(value: object) -> str:
    """One spelling for one value, so that a hash of it means something."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def mask_to_runs(mask: BoolArray) -> list[int]:
    flat = np.concatenate([[False], mask.reshape(-1), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(n) for n in np.diff(np.concatenate([[0], edges, [mask.size]]))]


def runs_to_mask(runs: Sequence[int], shape: tuple[int, int]) -> BoolArray:
    """Raises ``ValueError`` where the runs do not fill ``shape`` (h, w)."""
    if any(run < 0 for run in runs) or sum(runs) != shape[0] * shape[1]:  # before room is made; repeat's sum would wrap
        raise ValueError(f"expected runs that fill {shape}, got {len(runs)} of {sum(runs)} in all")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(shape)


def png_of(pixels: UInt8Array) -> bytes:
    """``pixels`` uint8 (H, W) or (H, W, 3), without loss."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG")
    return buffer.getvalue()


def pixels_of(png: bytes) -> UInt8Array:
    """Raises ``ValueError`` or ``OSError`` where ``png`` is none."""
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
            return np.array(picture.convert("L"), np.uint8)
    except SyntaxError as why:  # Pillow's word for a broken piece
        raise ValueError(str(why)) from why


def chromosome_to_json(chromosome: Chromosome) -> Json:
    region = chromosome.region
    return {
        "id": int(region.id),
        "box_px": [int(edge) for edge in region.box_px],
        "mask_runs": mask_to_runs(region.mask),
        "axis_px": [[float(str(x)), float(str(y))] for x, y in region.axis_px],
        "overlaps": [int(other) for other in region.overlaps],
        "score": float(region.score),
        "crop_png": base64.b64encode(png_of(chromosome.crop.pixels)).decode("ascii"),
        "label": chromosome.label,
        "confidence": float(chromosome.confidence),
        "status": chromosome.status,
        "candidates": [[label, float(probability)] for label, probability in chromosome.candidates],
        "p_arm_up": bool(chromosome.p_arm_up),
    }


def chromosome_from_json(fields: Mapping[str, Any]) -> Chromosome:
    x0, y0, x1, y1 = fields["box_px"]
    region = Region(
        id=fields["id"],
        box_px=(x0, y0, x1, y1),
        mask=runs_to_mask(fields["mask_runs"], (y1 - y0, x1 - x0)),
        axis_px=np.array(fields["axis_px"], np.float32),
        overlaps=tuple(fields["overlaps"]),
        score=fields["score"],
    )
    return Chromosome(
        region=region,
        crop=Crop(region.id, pixels_of(base64.b64decode(fields["crop_png"]))),
        label=fields["label"],
        confidence=fields["confidence"],
        status=fields["status"],
        candidates=tuple((label, probability) for label, probability in fields["candidates"]),
        p_arm_up=fields["p_arm_up"],
    )


def cell_to_document(cell: Cell) -> Json:
    return {
        "frame": cell.frame,
        "index": cell.index,
        "width_px": cell.width_px,
        "height_px": cell.height_px,
        "um_per_px": float(cell.um_per_px),
        "scale_stated": cell.scale_stated,
        "chromosomes": [chromosome_to_json(c) for c in cell.chromosomes],
        "karyotype": cell.karyotype,
        "findings": list(cell.findings),
        "stage_ms": {stage: float(ms) for stage, ms in cell.stage_ms.items()},
        "models": dict(cell.models),
    }


def cell_from_document(fields: Mapping[str, Any]) -> Cell:
    return Cell(
        frame=fields["frame"],
        index=fields["index"],
        width_px=fields["width_px"],
        height_px=fields["height_px"],
        um_per_px=fields["um_per_px"],
        scale_stated=fields["scale_stated"],
        chromosomes=tuple(chromosome_from_json(c) for c in fields["chromosomes"]),
        karyotype=fields["karyotype"],
        findings=tuple(fields["findings"]),
        stage_ms=fields["stage_ms"],
        models=fields["models"],
    )


def edit_to_json(edit: Edit) -> Json:
    """``{"edit": "<name>", ...}`` with the fields of the edit under their own names."""
    fields: Json = {"edit": _NAMES[type(edit)]}
    for name in type(edit).__slots__:
        value = getattr(edit, name)
        if isinstance(value, Chromosome):
            value = chromosome_to_json(value)
        elif isinstance(value, tuple):
            value = [chromosome_to_json(v) if isinstance(v, Chromosome) else v for v in value]
        fields[name] = value
    return fields


def edit_from_json(fields: Mapping[str, Any]) -> Edit:
    """The edit that ``fields`` describe. Raises ``EditRefused`` where they describe none."""
    name = fields.get("edit")
    if not isinstance(name, str) or name not in _READERS:
        raise EditRefused(f"an edit must be one of {', '.join(_READERS)}; got {name!r}")
    try:
        return _READERS[name](fields)
    except (KeyError, TypeError, ValueError, OSError) as why:
        raise EditRefused(f"the edit {name!r} is not complete or not sound: {type(why).__name__} {why}") from why


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a whole number, got {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


_READERS: dict[str, Callable[[Mapping[str, Any]], Edit]] = {
    "relabel": lambda f: Relabel(_whole(f["chromosome"]), _text(f["label"])),
    "flip": lambda f: Flip(_whole(f["chromosome"])),
    "swap": lambda f: Swap(_whole(f["first"]), _whole(f["second"])),
    "mark": lambda f: Mark(_whole(f["chromosome"]), f["kind"]),
    "exclude": lambda f: Exclude(_whole(f["chromosome"])),
    "restore": lambda f: Restore(_whole(f["chromosome"])),
    "split": lambda f: Split(_whole(f["chromosome"]), tuple(chromosome_from_json(p) for p in f["parts"])),
    "join": lambda f: Join(tuple(_whole(c) for c in f["chromosomes"]), chromosome_from_json(f["whole"])),
    "draw": lambda f: Draw(chromosome_from_json(f["drawn"])),
    "accept": lambda f: Accept(tuple(_whole(c) for c in f["chromosomes"])),
    "set_aside": lambda f: SetAside(_text(f["reason"])),
    "take_back": lambda f: TakeBack(),
    "undo": lambda f: Undo(_whole(f["revision"])),
    "redo": lambda f: Redo(_whole(f["revision"])),
}
_NAMES: dict[type, str] = {
    Relabel: "relabel",
    Flip: "flip",
    Swap: "swap",
    Mark: "mark",
    Exclude: "exclude",
    Restore: "restore",
    Split: "split",
    Join: "join",
    Draw: "draw",
    Accept: "accept",
    SetAside: "set_aside",
    TakeBack: "take_back",
    Undo: "undo",
    Redo: "redo",
}
