"""One page about one model: its card, figures, learning curves and layers; for a classifier that was judged on data
also confusion, calibration and its worst crops.

The page contains its pictures and needs no other file. Crops among them are the user's data: such a page belongs in the
user's folder.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import BundleInvalid
from edge.records import LABELS
from edge.runtime.bundle import BUNDLE_FILE, Bundle
from trainer.errors import DatasetError
from trainer.export.edgetpu import check
from trainer.export.flat import read_flat
from trainer.report.pictures import confusion_picture, in_few_colours, reliability_picture
from trainer.run.folder import LOG_FILE, Run
from trainer.run.trained import FIGURES_FILE, any_bundle
from trainer.score.crops import score_crops
from trainer.score.judged import JudgedCrops
from trainer.sheet import Tile, dark_on_light, draw_sheet

TEMPLATE = Path(__file__).parent / "template.html"
WORST = 48
WORST_A_ROW = 12
WORST_CELLS = 8
SURE = 0.9
CONFUSED_PAIRS = 10
LARGE_FIELDS = ("labels", "schema")
LONG_FIELD = 400
"""A fact of more characters is not shown, such as the keeper's eighty weights."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A classifier's answers on ``data``; ``share`` says which part of it was judged, ``crops`` whether the worst crops
    are shown."""

    data: str
    share: str
    judged: JudgedCrops
    crops: bool = True


def page(model: Path, run: Path | None, judgement: Judgement | None = None) -> str:
    """The page as HTML about the bundle in ``model``; ``run`` is the folder with the log of its training, or None.

    ``ModelError``: no sound bundle; ``DatasetError``: ``run`` holds no log.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    bundle = any_bundle(model)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda share: "-" if share is None else f"{100 * share:.1f} %"
    environment.filters["count"] = lambda number: f"{number:,}"
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=model.name,
        task=bundle.task,
        judged=None if judgement is None else judged_parts(judgement),
        curves=_curves(run),
        layers=layers_of(bundle),
        edgetpu=str(check(bundle.model_bytes).reach) if bundle.model_path.suffix == ".tflite" else "",
        facts=facts_of(model / BUNDLE_FILE) | {"bytes": f"{len(bundle.model_bytes):,}"},
        figures=facts_of(model / FIGURES_FILE),
        card=Markup(card_html(model)),
    )


def judged_parts(judgement: Judgement) -> dict[str, Any]:
    """The parts of the page on a classifier's answers."""
    judged = judgement.judged
    figures = score_crops(judged.truth, judged.scores, judged.assigned or None)
    return {
        "data": judgement.data,
        "share": judgement.share,
        "figures": figures,
        "polarity": judged.polarity_accuracy,
        "weakest": min(figures["per_class"].items(), key=lambda item: float(item[1]["f1"])),
        "confused": confused_pairs(figures["confusion"]),
        "confusion": embedded(in_few_colours(confusion_picture(figures["confusion"]))),
        "reliability": embedded(
            in_few_colours(reliability_picture(judged.scores.max(1), judged.said == judged.actual))
        ),
        "worst": embedded(worst_sheet(judged)) if judgement.crops else "",
        "worst_count": min(WORST, len(judged.truth)),
        "worst_cells": worst_cells(judged),
    }


@dataclass(frozen=True, slots=True)
class Layer:
    """One operator of the exported model: ``output`` is its shape, ``weights`` and ``zeros`` count its kernel's."""

    kind: str
    output: str
    number: str
    """The type of its output's numbers, as ``int8``."""
    weights: int
    zeros: float
    macs: int


def layers_of(bundle: Bundle) -> list[Layer]:
    """Every operator in the order in which they run; none for an ONNX model, which has its own onnx.json."""
    if bundle.model_path.suffix != ".tflite":
        return []
    layers = []
    for op in read_flat(bundle.model_bytes).operators:
        kernels = [t for t in op.inputs if t.values and len(t.shape) > 1]
        weights = sum(t.values for t in kernels)
        zeros = sum(t.zeros for t in kernels) / max(1, weights)
        out = op.outputs[0]
        layers.append(Layer(op.name, " x ".join(map(str, out.shape[1:])), out.dtype.lower(), weights, zeros, op.macs))
    return layers


def embedded(png: bytes) -> str:
    """A PNG as the text of an ``src``."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def confused_pairs(confusion: list[list[int]]) -> list[tuple[str, str, int, float]]:
    """The most frequent mistakes, the most frequent first: truth, what was said, how often, and as a share of the
    class."""
    counts = np.array(confusion)
    np.fill_diagonal(counts, 0)
    totals = np.array(confusion).sum(1)
    order = np.argsort(-counts, axis=None, kind="stable")[:CONFUSED_PAIRS]
    cells = [(int(i) // len(LABELS), int(i) % len(LABELS)) for i in order]
    return [(LABELS[t], LABELS[s], int(counts[t, s]), counts[t, s] / totals[t]) for t, s in cells if counts[t, s]]


@dataclass(frozen=True, slots=True)
class WorstCell:
    """A cell's mistakes, each crop judged alone; ``shifted``: how many of its crops are surely called by the class
    before or after their own, all in the same direction. Many of them hint at wrong labels rather than wrong
    answers."""

    name: str
    crops: int
    wrong: int
    shifted: int


def worst_cells(judged: JudgedCrops) -> list[WorstCell]:
    """The known cells with the most mistakes, at most ``WORST_CELLS``."""
    said, actual, sure = judged.said, judged.actual, judged.scores.max(1) >= SURE
    cells = []
    for name in dict.fromkeys(judged.cells):
        own = np.array([cell == name for cell in judged.cells])
        step = (said - actual)[own]
        shifted = max(int((sure[own] & (step == way)).sum()) for way in (-1, 1))
        cells.append(WorstCell(name, int(own.sum()), int((step != 0).sum()), shifted))
    bad = [cell for cell in cells if cell.name and cell.wrong]
    return sorted(bad, key=lambda cell: (-cell.wrong, cell.name))[:WORST_CELLS]


def worst_sheet(judged: JudgedCrops) -> bytes:
    """The crops to which their own class seemed least likely, "truth > said" under each, as PNG."""
    own = judged.scores[np.arange(len(judged.truth)), judged.actual]
    order = np.argsort(own, kind="stable")[:WORST]
    tiles = [
        Tile(
            dark_on_light(judged.pixels[k]),
            f"{judged.truth[k]} > {LABELS[judged.said[k]]} {judged.scores[k].max():.2f}",
        )
        for k in order
    ]
    rows = [("", tiles[i : i + WORST_A_ROW]) for i in range(0, len(tiles), WORST_A_ROW)]
    return draw_sheet(rows, tile_px=(88, 128), title_px=0)


def facts_of(path: Path) -> dict[str, str]:
    """The facts of a JSON file, name to text; {} if there is no such file. ``BundleInvalid`` for a damaged one."""
    if not path.is_file():
        return {}
    try:
        stored = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError, RecursionError) as error:
        raise BundleInvalid(
            f"{path}: expected a JSON object, cannot read it: {error}; export the model again"
        ) from error
    facts = {key: _shown(value) for key, value in stored.items() if key not in LARGE_FIELDS}
    return {key: text if len(text) <= LONG_FIELD else f"see {path.name}" for key, text in facts.items()}


def card_html(model: Path) -> str:
    """``card.md`` as HTML without its title, "" if there is none. HTML in it is escaped, and its pictures become links:
    the page must need no other file."""
    from markdown_it import MarkdownIt

    path = model / "card.md"
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")  # people edit it
    body = text.split("\n", 1)[1] if text.startswith("# ") else text
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").disable("image").render(body))


def _curves(run: Path | None) -> str:
    if run is None:
        return ""
    if not (run / LOG_FILE).is_file():
        raise DatasetError(f"{run}: expected a run folder with {LOG_FILE}, found none; name the folder of trainer fit")
    picture = Run(run).curves()
    return embedded(in_few_colours(picture)) if picture else ""


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(v)}" for key, v in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
