"""The JSON line against its schema, and the schema against lines that break it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.records import LABELS
from edge.sinks.jsonl import cell_to_json
from tests.builders import MODELS, NORMAL_FEMALE, make_cell

SCHEMA = json.loads((Path(__file__).parent / "cell.schema.json").read_text())
PUBLISHED: dict[str, Any] = json.loads("""
{"frame": "1057342.jpg", "index": 0, "width_px": 660, "height_px": 680,
 "um_per_px": 0.0382, "scale_stated": false, "count": 46, "karyotype": "46,XX",
 "findings": [],
 "chromosomes": [{"id": 0, "box_px": [312, 389, 469, 450], "label": "1", "confidence": 0.994, "status": "accepted",
                  "candidates": [["1", 0.994], ["2", 0.003]], "p_arm_up": true}],
 "stage_ms": {"locate": 9.1, "classify": 11.8}, "models": {}}
""") | {"models": MODELS}


def check(line: dict[str, Any]) -> None:
    jsonschema.validate(line, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_the_published_example_fits() -> None:
    check(PUBLISHED)


def test_a_line_written_before_lines_told_of_scale_fits() -> None:
    check({key: value for key, value in PUBLISHED.items() if key not in ("um_per_px", "scale_stated")})


@pytest.mark.parametrize(
    "labels",
    [
        NORMAL_FEMALE,
        [],
        ["Y"],
        NORMAL_FEMALE[:30],
        [*NORMAL_FEMALE, "21", "X"],
        NORMAL_FEMALE[:-1],
        [*NORMAL_FEMALE[1:-2], "X", "Y"],
        [label for label, n in Counter(NORMAL_FEMALE).items() for _ in range(n + 1)] + ["21"],
    ],
)
def test_every_kind_of_cell_fits(labels: list[str]) -> None:
    check(json.loads(json.dumps(cell_to_json(make_cell(labels, review=[0])))))


def test_the_keys_come_in_the_published_order() -> None:
    example, line = PUBLISHED, cell_to_json(make_cell())
    assert list(line) == list(example)
    assert list(line["chromosomes"][0]) == list(example["chromosomes"][0])


def test_the_schema_knows_the_labels() -> None:
    assert tuple(SCHEMA["$defs"]["label"]["enum"]) == LABELS


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("count",), -1),
        (("um_per_px",), 0),
        (("scale_stated",), "no"),
        (("karyotype",), "46,XX,+23"),
        (("karyotype",), "normal"),
        (("chromosomes", 0, "label"), "23"),
        (("chromosomes", 0, "confidence"), 1.2),
        (("chromosomes", 0, "box_px"), [0, 0, 1]),
        (("chromosomes", 0, "status"), "rejected"),
        (("chromosomes", 0, "candidates"), [["1"]]),
        (("models", "locator"), "latest"),
        (("surprise",), 1),
    ],
)
def test_the_schema_refuses(path: tuple[Any, ...], value: object) -> None:
    line = cell_to_json(make_cell())
    inner: Any = line
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        check(line)
