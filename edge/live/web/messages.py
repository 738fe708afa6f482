"""What the server tells the page, as JSON values; all positions are (x, y) in the frame's own pixels."""

from __future__ import annotations

import cv2
import numpy as np

from edge.cases.codec import Json
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
