"""What the server tells the page, as JSON values; all positions are (x, y) in the frame's own pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.cases.codec import Json
from edge.cases.export import NOTICE, editors
from edge.cases.names import plain
from edge.cases.places import Placed
from edge.cases.state import CellState
from edge.cell.drawing import trimmed
from edge.live.focus import Guidance
from edge.records import Cell, Chromosome, Frame, Region

_OUTLINE_ERROR_PX = 0.8


def labels_message(frame: Frame, cell: Cell, scene: int) -> Json:
    return {
        "type": "labels",
        "frame": frame.index,
        "scene": scene,
        "width_px": cell.width_px,
        "height_px": cell.height_px,
        "count": cell.count,
        "karyotype": cell.karyotype,
        "findings": list(cell.findings),
        "stage_ms": {stage: round(float(ms), 1) for stage, ms in cell.stage_ms.items()},
        "chromosomes": [_labelled(c) for c in cell.chromosomes],
    }


def guidance_message(guidance: Guidance, scene: int) -> Json:
    return {
        "type": "guidance",
        "scene": scene,
        "verdict": guidance.verdict,
        "advice": guidance.advice,
        "crossing": guidance.crossing,
        "sharpness": round(guidance.sharpness, 2),
        "sharp_from": guidance.sharp_from,
        "banding": round(guidance.banding, 3),
    }


def cell_message(state: CellState, actor: str) -> Json:
    """A captured cell as ``actor`` may work on it now, places in the karyogram's order."""
    cell = state.captured.cell
    actor, people = plain(actor), editors(state)
    return {
        **cell_summary(state),
        "case": state.captured.case,
        "revision": state.revision,
        "notice": NOTICE,
        "width_px": cell.width_px,
        "height_px": cell.height_px,
        "unsure_ids": list(state.unsure),
        "can_undo": state.can_undo(actor),
        "can_redo": state.can_redo(actor),
        "corrections": state.corrections,
        "seen_by": list(people),
        "seen": actor in people,
        "chromosomes": [_placed(p) for p in state.places],
    }


def cell_summary(state: CellState) -> Json:
    """A captured cell in the list of its case."""
    return {
        "id": state.id,
        "number": state.captured.number,
        "captured_utc": state.captured.captured_utc,
        "count": len(state.counted),
        "karyotype": state.karyotype,
        "findings": list(state.findings),
        "unsure": len(state.unsure),
        "reviewed": state.reviewed,
        "set_aside": state.set_aside,
    }


def _placed(place: Placed) -> Json:
    chromosome = place.chromosome
    height, width = trimmed(chromosome.crop.pixels).shape
    return {
        "id": place.id,
        "label": place.label,
        "kind": place.kind,
        "excluded": place.excluded,
        "edited": place.edited,
        "status": chromosome.status,
        "confidence": round(float(chromosome.confidence), 3),
        "candidates": [[label, round(float(p), 3)] for label, p in _two_likeliest(chromosome.candidates)],
        "p_arm_up": chromosome.p_arm_up,
        "size_px": [width, height],
        "outlines": outlines_of(chromosome.region),
    }


def _two_likeliest(candidates: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(candidates, key=lambda c: -c[1])[:2]


def _labelled(chromosome: Chromosome) -> Json:
    return {
        "id": chromosome.region.id,
        "label": chromosome.label,
        "confidence": round(float(chromosome.confidence), 3),
        "status": chromosome.status,
        "outlines": outlines_of(chromosome.region),
    }


def outlines_of(region: Region) -> list[list[int]]:
    """The mask's outer edges, each ``[x, y, x, y, ...]``; the box where the mask is empty."""
    x0, y0, _, _ = region.box_px
    mask = region.mask if region.mask.any() else np.ones_like(region.mask)
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x0, y0))
    return [cv2.approxPolyDP(line, _OUTLINE_ERROR_PX, True).reshape(-1).tolist() for line in found]
