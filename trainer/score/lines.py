"""Reads and checks the JSON lines of labelled frames, whichever program wrote them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from trainer.errors import DatasetError
from trainer.score.worst import OUTLINES


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file; ``DatasetError`` names the first line that is not one, or not of a labelled frame."""
    lines = []
    try:
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            line = json.loads(text)
            fault = _fault_of(line)
            if fault:
                raise DatasetError(
                    f"{path}, line {number}: {fault}; give the lines that chromo-edge label --jsonl writes"
                )
            lines.append(line)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path}, line {len(lines) + 1}: not readable as JSON ({error}); write the lines again"
        ) from error
    return lines


def _fault_of(line: Any) -> str:
    """What is wrong with a JSON value as the line of a labelled frame, or ""."""
    if not isinstance(line, dict) or not {"frame", "chromosomes"} <= line.keys():
        return "expected an object with 'frame' and 'chromosomes'"
    if not isinstance(line["frame"], str):
        return f"expected the picture's name as 'frame', got {line['frame']!r}"
    if not isinstance(line["chromosomes"], list):
        return f"expected a list as 'chromosomes', got {line['chromosomes']!r}"
    return next(filter(None, map(_chromosome_fault, line["chromosomes"])), "")


def _chromosome_fault(entry: Any) -> str:
    if not isinstance(entry, dict):
        return f"expected each of 'chromosomes' to be an object, got {entry!r}"
    box, outlines = entry.get("box_px"), entry.get(OUTLINES, [])
    if not _numbers(box, 4):
        return f"expected 4 numbers as a chromosome's 'box_px', got {box!r}"
    if not isinstance(outlines, list) or not all(
        isinstance(o, list) and all(_numbers(p, 2) for p in o) for o in outlines
    ):
        return f"expected lists of [x, y] as a chromosome's '{OUTLINES}', got {outlines!r}"
    if not isinstance(entry.get("label"), str):
        return f"expected a word as a chromosome's 'label', got {entry.get('label')!r}"
    return ""


def _numbers(value: Any, count: int) -> bool:
    """Whether a JSON value is a list of so many finite numbers."""
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(e, int | float) and abs(e) <= sys.float_info.max for e in value)
    )
